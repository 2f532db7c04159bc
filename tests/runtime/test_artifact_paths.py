"""Which artifacts a folder stands for: by the name that `export` gave them, or by camlite's seal."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import pytest

from camlite import artifact_paths
from camlite.errors import ArtifactError
from support import permissions
from support.spec_vectors import FOLDER

SEALED = ("stripes.float32.onnx", "stripes.int8.tflite")


def names(found: tuple[Path, ...]) -> list[str]:
    return [path.name for path in found]


def test_a_file_stands_for_itself_whatever_it_is(tmp_path):
    assert artifact_paths.expand(tmp_path / "none.tflite").artifacts == (tmp_path / "none.tflite",)


def test_a_folder_stands_for_its_artifacts_in_order(tmp_path):
    for name in ("b.int8.tflite", "a.float32.onnx", "C.INT16X8.TFLITE", ".hidden.int8.tflite", "photo.png", "x.keras"):
        (tmp_path / name).write_bytes(b"damaged")
    (tmp_path / "d.int8.tflite").mkdir()

    assert names(artifact_paths.expand(tmp_path).artifacts) == ["C.INT16X8.TFLITE", "a.float32.onnx", "b.int8.tflite"]


@pytest.mark.parametrize("name", SEALED)
def test_an_artifact_of_another_name_is_known_by_its_seal(name, tmp_path):
    shutil.copy(FOLDER / name, tmp_path / f"renamed{Path(name).suffix}")

    assert len(artifact_paths.expand(tmp_path).artifacts) == 1


def test_models_of_others_are_left_out_and_named(tmp_path):
    (tmp_path / "a.int8.tflite").touch()
    for number in range(5):
        (tmp_path / f"model{number}.onnx").write_bytes(b"\x08\x07 a model")

    found = artifact_paths.expand(tmp_path)

    assert names(found.artifacts) == ["a.int8.tflite"]
    assert found.note.startswith("model0.onnx, model1.onnx, model2.onnx, ...: no artifact")


def test_a_pipe_with_the_name_of_a_model_is_not_waited_for(tmp_path):
    os.mkfifo(tmp_path / "pipe.tflite")

    assert names(artifact_paths.in_folder(tmp_path).others) == ["pipe.tflite"]


def test_a_folder_without_artifacts_says_where_some_are(tmp_path):
    (tmp_path / "classifier").mkdir()
    (tmp_path / "classifier" / "a.int8.tflite").touch()

    with pytest.raises(ArtifactError, match=r"no artifacts in this folder; .*classifier has some"):
        artifact_paths.expand(tmp_path)


def test_a_folder_with_a_classifier_only_says_how_to_make_artifacts(tmp_path):
    (tmp_path / "model.tflite").write_bytes(b"    TFL3")

    with pytest.raises(ArtifactError, match=r"no artifacts in this folder; make one with: camlite export .*model\.tfl"):
        artifact_paths.expand(tmp_path)


def test_a_folder_that_cannot_be_read_is_one_line(tmp_path):
    tmp_path.chmod(0)
    try:
        with permissions.obeyed(), pytest.raises(ArtifactError, match="cannot read this folder"):
            artifact_paths.expand(tmp_path)
    finally:
        tmp_path.chmod(0o700)


def test_links_that_lead_in_a_circle_hide_no_artifact(tmp_path):
    folder = tmp_path / "classifier"
    folder.mkdir()
    (folder / "a.int8.tflite").touch()
    for name in (folder / "circle", folder / "circle.int8.tflite", tmp_path / "circle"):
        name.symlink_to(name.name)

    assert names(artifact_paths.expand(folder).artifacts) == ["a.int8.tflite", "circle.int8.tflite"]
    assert list(artifact_paths.folders_with_artifacts(tmp_path)) == [folder]


def test_a_path_that_nobody_can_look_at_stands_for_itself(tmp_path):
    too_long = tmp_path / ("x" * 300)

    assert artifact_paths.expand(too_long).artifacts == (too_long,)


def test_artifacts_are_called_by_their_file_names_unless_two_are_the_same():
    one, other, same = Path("a/x.int8.tflite"), Path("a/x.float32.tflite"), Path("b/x.int8.tflite")

    assert list(artifact_paths.told_apart([one, other]).values()) == ["x.int8.tflite", "x.float32.tflite"]
    assert artifact_paths.told_apart([one, same]) == {one: str(one), same: str(same)}
    assert artifact_paths.told_apart([one, one]) == {one: one.name}
