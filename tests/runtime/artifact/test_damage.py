"""Whatever has happened to an artifact: one line that names the file, before an interpreter sees a byte."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from camlite import ArtifactError, artifact
from support.small_artifacts import MODELS, small_artifact

CONTAINERS = sorted(MODELS)
REAL = ["stripes/stripes.int8.tflite", "stripes/stripes.float32.onnx", "hidden/hidden.float32.tflite"]


def flip(content: bytes, position: int, mask: int) -> bytes:
    return content[:position] + bytes([content[position] ^ mask]) + content[position + 1 :]


@pytest.mark.parametrize("container", CONTAINERS)
def test_every_flipped_byte_is_noticed(container, refusal):
    content = small_artifact(container, guided=True)
    for position in range(len(content)):
        refusal(flip(content, position, 1 << position % 8))


@pytest.mark.parametrize("container", CONTAINERS)
def test_every_truncation_is_noticed(container, refusal):
    content = small_artifact(container)
    for length in range(len(content)):
        refusal(content[:length])


@pytest.mark.parametrize("container", CONTAINERS)
@given(data=st.data())
def test_a_byte_that_is_missing_or_one_too_many_is_noticed(container, data, refusal):
    content = small_artifact(container)
    position = data.draw(st.integers(0, len(content)))
    extra = data.draw(st.binary(min_size=1, max_size=3))

    refusal(content[:position] + extra + content[position:])
    if position < len(content):
        refusal(content[:position] + content[position + 1 :])


@pytest.mark.parametrize("container", CONTAINERS)
def test_an_artifact_twice_in_one_file_is_noticed(container, refusal):
    refusal(small_artifact(container) * 2)


@pytest.mark.parametrize("name", REAL)
@given(data=st.data())
def test_damage_to_a_real_artifact_is_noticed(name, data, tiny, refusal):
    content = (tiny / name).read_bytes()
    position = data.draw(st.integers(0, len(content) - 1), "position")

    refusal(flip(content, position, data.draw(st.integers(1, 255), "mask")))
    refusal(content[:position])


@pytest.mark.parametrize("name", REAL)
@given(data=st.data())
def test_a_damaged_stretch_of_a_real_artifact_is_noticed(name, data, tiny, refusal):
    """As a bad sector or an aborted copy leaves it: a stretch of zeros."""
    content = (tiny / name).read_bytes()
    start = data.draw(st.integers(0, len(content) - 1), "start")
    stretch = content[start : start + data.draw(st.integers(1, 4096), "length")]
    if any(stretch):
        refusal(content[:start] + bytes(len(stretch)) + content[start + len(stretch) :])


def test_the_payload_of_one_artifact_does_not_fit_the_model_of_another(tiny, refusal):
    one, other = (artifact.read(tiny / "stripes" / f"stripes.{kind}.tflite") for kind in ("int8", "float16"))
    payload = other.path.read_bytes()[len(other.model) :]

    assert "damaged artifact" in refusal(one.model + payload)


@pytest.mark.parametrize(
    "content",
    [b"", b"\0", b"camlite", b"PK\3\4" + bytes(40), b"\x89PNG\r\n\x1a\n" + bytes(40), b"\x08", bytes(1000)],
    ids=repr,
)
def test_a_file_of_another_kind_is_no_artifact(content, refusal):
    assert "neither a TFLite nor an ONNX file" in refusal(content[:100])


@pytest.mark.parametrize("container", CONTAINERS)
def test_a_model_without_a_card_is_told_from_a_damaged_artifact(container, refusal):
    assert "no camlite card at its end" in refusal(MODELS[container])


def test_a_missing_file_and_a_folder_cannot_be_read(tmp_path):
    for path, reason in ((tmp_path / "none.tflite", "cannot read it .No such file"), (tmp_path, "is a folder")):
        with pytest.raises(ArtifactError, match=f"{path}: {reason}"):
            artifact.read(path)
