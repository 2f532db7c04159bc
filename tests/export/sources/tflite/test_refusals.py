"""What is no classifier that can be explained is refused in one line, with what to do."""

from __future__ import annotations

from pathlib import Path

import pytest

from camlite.artifact.container import SEAL_MARK
from camlite.errors import ClassifierError
from camlite_export.sources.opening import open_source
from support import tflite_files
from support.tflite_files import KINDS, REFUSALS, TfliteRefusal


@pytest.mark.parametrize("kind", REFUSALS, ids=str)
def test_it_is_told_what_it_is_and_what_to_do(kind: TfliteRefusal, tmp_path: Path) -> None:
    said = tflite_files.refusal(kind, tmp_path / "model.tflite")

    assert kind.why in said
    assert "\n" not in said
    assert [path.name for path in tmp_path.iterdir()] == ["model.tflite"]


def refused(content: bytes, folder: Path) -> str:
    path = folder / "model.tflite"
    path.write_bytes(content)
    with pytest.raises(ClassifierError) as caught:
        open_source(path)
    return str(caught.value)


def test_damaged_files_are_refused(tmp_path: Path) -> None:
    content = tflite_files.file(KINDS[0])

    assert "does not begin as one" in refused(b"PK\x03\x04" + content, tmp_path)
    for end in (12, 100, len(content) // 2):
        assert "copy it again" in refused(content[:end], tmp_path)


def test_an_artifact_is_no_classifier(tmp_path: Path) -> None:
    said = refused(tflite_files.file(KINDS[0]) + SEAL_MARK + b"0" * 64, tmp_path)

    assert "give the classifier that it was made from" in said


def test_another_size_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "model.tflite"
    path.write_bytes(tflite_files.file(KINDS[0]))

    with pytest.raises(ClassifierError, match="takes images of 16 x 16 only"):
        open_source(path, size=(32, 32))
