"""`camlite.artifact`: the container, written and read back. What damage does to it is in test_damage.py."""

from __future__ import annotations

import base64
import hashlib
import io
import json
import os
import time
import zipfile
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from camlite import ArtifactError, artifact
from camlite.artifact import card as cards
from camlite.artifact.arrays import ARRAY_DTYPES, Arrays
from support.small_artifacts import (
    MODELS,
    SMALL,
    SMALL_MAPS,
    arrays_of,
    card_strategy,
    changed,
    guided_arrays,
    seal,
    seal_tflite,
    small_arrays,
    small_artifact,
    small_entries,
)

CONTAINERS = sorted(MODELS)
# See test_weights_in_model.py for the one, and artifacts with a guide for the other.
ARRAYS = [name for name in ARRAY_DTYPES if name not in ("weights_rest", "golden_fine")]
STRIPES = [
    *(("tflite", precision) for precision in ("float32", "float16", "dynamic", "int8", "int16x8")),
    *(("onnx", precision) for precision in ("float32", "float16", "int8")),
]


def read(content: bytes, folder: Path) -> artifact.Artifact:
    path = folder / "artifact"
    path.write_bytes(content)
    return artifact.read(path)


def assert_same(received: Arrays, expected: Arrays) -> None:
    assert received.maps == expected.maps
    for name in (*ARRAYS, "golden_fine"):
        one, other = getattr(received, name), getattr(expected, name)
        assert (one is None) == (other is None)
        if one is not None:
            assert (one.dtype, one.shape) == (other.dtype, other.shape)
            assert np.array_equal(one, other)


@pytest.mark.parametrize("container", CONTAINERS)
@given(data=st.data())
def test_an_artifact_comes_back_as_it_was_packed(container, data, tmp_path_factory):
    # A model may end in what looks like a zip of its own, or carry metadata of its own.
    tails = {"tflite": (b"", b"PK\3\4", b"PK\5\6" + bytes(18), seal(b"")), "onnx": (b"", b"\x72\x04\x0a\x02hi")}
    model = MODELS[container] + data.draw(st.sampled_from(tails[container]))
    card = changed(data.draw(card_strategy()), "model_sha256", hashlib.sha256(model).hexdigest())
    arrays = data.draw(arrays_of(card))

    back = read(artifact.pack(container, model, card, arrays), tmp_path_factory.mktemp("packed"))

    assert (back.container, back.model, back.card) == (container, model, card)
    assert_same(back.arrays, arrays)


@pytest.mark.parametrize(("container", "precision"), STRIPES)
def test_every_kind_of_artifact_comes_back_as_it_was_exported(tiny, container, precision):
    path = tiny / "stripes" / f"stripes.{precision}.{container}"

    back = artifact.read(path)

    assert (back.path, back.container, back.card.precision) == (path, container, precision)
    assert artifact.pack(container, back.model, back.card, back.arrays) == path.read_bytes()


def test_labels_may_stand_in_a_file_of_their_own_and_then_nothing_is_compressed(tmp_path):
    arrays = small_arrays()._replace(label_file=True)
    card = changed(SMALL, "model_sha256", hashlib.sha256(MODELS["tflite"]).hexdigest())
    content = artifact.pack("tflite", MODELS["tflite"], card, arrays)

    back = read(content, tmp_path)

    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        assert archive.read("labels.txt").decode() == "Ärmel\n袖\nnone"
        assert {entry.compress_type for entry in archive.infolist()} == {zipfile.ZIP_STORED}
    assert back.arrays.label_file
    assert artifact.pack("tflite", back.model, back.card, back.arrays) == content


@pytest.mark.parametrize("text", [b"", b"none", "Ärmel\n袖\nnone\n".encode(), "袖\nÄrmel\nnone".encode(), b"\xff"])
def test_labels_in_a_file_of_their_own_must_be_those_of_the_card(text, tmp_path):
    with pytest.raises(ArtifactError, match=r"labels\.txt does not hold the card's labels"):
        read(seal_tflite({**small_entries("tflite"), "labels.txt": text}), tmp_path)


@pytest.mark.parametrize("container", CONTAINERS)
def test_an_artifact_may_be_sealed_again(container, tmp_path):
    model = small_artifact(container)
    card = changed(SMALL, "model_sha256", hashlib.sha256(model).hexdigest())

    back = read(artifact.pack(container, model, card, small_arrays()), tmp_path)

    assert (back.model, back.card) == (model, card)


@pytest.mark.parametrize("container", CONTAINERS)
def test_the_same_input_gives_the_same_bytes(container):
    model = MODELS[container]
    card = changed(SMALL, "model_sha256", hashlib.sha256(model).hexdigest())
    in_another_layout = small_arrays()._replace(weights=np.asfortranarray(small_arrays().weights))

    assert artifact.pack(container, model, card, small_arrays()) == small_artifact(container)
    assert artifact.pack(container, model, card, in_another_layout) == small_artifact(container)


@pytest.mark.parametrize("container", CONTAINERS)
def test_arrays_are_read_only(container, tmp_path):
    arrays = read(small_artifact(container), tmp_path).arrays

    for name in ARRAYS:
        with pytest.raises(ValueError, match="read-only"):
            getattr(arrays, name)[...] = 0


@pytest.mark.parametrize("container", CONTAINERS)
def test_an_artifact_with_a_guide_stays_readable(container):
    """As `test_artifacts_of_every_format_version_stay_readable`."""
    path = Path(__file__).with_name("format_2") / f"guided.{container}"

    assert_same(artifact.read(path).arrays, guided_arrays())


@pytest.mark.parametrize("container", CONTAINERS)
def test_an_artifact_that_says_nothing_of_maps_has_no_entry_for_them(container):
    with_a_guide, without = (small_artifact(container, guided) for guided in (True, False))
    if container == "onnx":
        with_a_guide, without = (base64.b64decode(properties(one)["camlite.arrays"]) for one in (with_a_guide, without))

    names = [zipfile.ZipFile(io.BytesIO(one)).namelist() for one in (with_a_guide, without)]

    assert names[0] == [*names[1], "golden_fine.npy", "maps.json"]


def properties(content: bytes) -> dict[str, str]:
    onnx = pytest.importorskip("onnx")
    return {entry.key: entry.value for entry in onnx.load_from_string(content).metadata_props}


def test_what_is_said_of_maps_must_be_readable_before_it_is_packed():
    wrong = SMALL_MAPS._replace(guide=SMALL_MAPS.guide._replace(radius=0.0))

    with pytest.raises(ArtifactError, match=r"radius is 0\.0"):
        artifact.pack("tflite", MODELS["tflite"], SMALL, guided_arrays()._replace(maps=wrong))


@pytest.mark.parametrize("version", [1, 2])
@pytest.mark.parametrize("container", CONTAINERS)
def test_artifacts_of_every_format_version_stay_readable(container, version):
    """The files were written when the version was made. Where this fails, the format has changed: raise the version."""
    back = artifact.read(Path(__file__).with_name(f"format_{version}") / f"small.{container}")

    assert back.model == MODELS[container]
    assert back.card == changed(SMALL, "model_sha256", hashlib.sha256(back.model).hexdigest())
    assert_same(back.arrays, small_arrays())


@pytest.mark.parametrize("container", CONTAINERS)
def test_a_card_is_written_as_it_was_when_its_version_was_made(container):
    content = (Path(__file__).with_name("format_2") / f"small.{container}").read_bytes()
    card = changed(SMALL, "model_sha256", hashlib.sha256(MODELS[container]).hexdigest())

    if container == "onnx":
        assert cards.to_json(card).encode() in content
    else:
        with zipfile.ZipFile(io.BytesIO(content)) as archive:
            assert archive.read("card.json") == cards.to_json(card).encode()


def test_a_tflite_artifact_can_be_put_together_by_the_description_of_the_format_alone(tmp_path):
    back = read(seal_tflite(small_entries("tflite")), tmp_path)

    assert back.card.labels == SMALL.labels
    assert_same(back.arrays, small_arrays())


def test_an_onnx_artifact_can_be_put_together_by_the_description_of_the_format_alone(tmp_path):
    onnx = pytest.importorskip("onnx")
    entries = small_entries("onnx")
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as archive:
        for name in ARRAYS:
            archive.writestr(f"{name}.npy", entries[f"{name}.npy"])
    metadata = onnx.ModelProto()
    metadata.metadata_props.add(key="camlite.card", value=entries["card.json"].decode())
    metadata.metadata_props.add(key="camlite.arrays", value=base64.b64encode(packed.getvalue()).decode())
    payload = metadata.SerializeToString()
    ending = onnx.ModelProto()
    ending.metadata_props.add(key="camlite.seal", value=seal(payload).decode())

    back = read(MODELS["onnx"] + payload + ending.SerializeToString(), tmp_path)

    assert back.card.labels == SMALL.labels
    assert_same(back.arrays, small_arrays())


def test_zip_tools_list_the_card_and_the_arrays_of_a_tflite_artifact(tiny):
    with zipfile.ZipFile(tiny / "stripes" / "stripes.int8.tflite") as archive:
        assert archive.testzip() is None
        carried = [f"{name}.npy" for name in ARRAYS if name != "weights"]
        assert archive.namelist() == ["card.json", *carried, "weights_rest.npy", "weights_place.json", "labels.txt"]
        assert json.loads(archive.read("card.json"))["name"] == "stripes"
        assert np.load(io.BytesIO(archive.read("bias.npy"))).shape == (3,)


def test_onnx_tools_list_the_card_and_the_arrays_of_an_onnx_artifact(tiny):
    onnx = pytest.importorskip("onnx")

    model = onnx.load(tiny / "stripes" / "stripes.int8.onnx")

    onnx.checker.check_model(model)
    metadata = {entry.key: entry.value for entry in model.metadata_props}
    assert {"camlite.card", "camlite.arrays", "camlite.seal"} <= metadata.keys()
    assert json.loads(metadata["camlite.card"])["name"] == "stripes"
    with zipfile.ZipFile(io.BytesIO(base64.b64decode(metadata["camlite.arrays"]))) as archive:
        assert archive.namelist() == [f"{name}.npy" for name in ARRAYS]


@pytest.mark.parametrize("size", [3 << 30, 1 << 30])
@pytest.mark.parametrize("beginning", [b"", b"PK\3\4", b"\x1c\0\0\0TFL3", b"\x08\x08\x12\x07camlite"])
def test_a_large_file_that_is_no_artifact_is_refused_by_its_size_and_its_ends(size, beginning, tmp_path):
    path = tmp_path / "large"
    with path.open("wb") as file:
        file.write(beginning)
        file.truncate(size)  # sparse
    start = time.process_time()

    with pytest.raises(ArtifactError) as raised:
        artifact.read(path)

    expected = (
        "neither a TFLite nor an ONNX" if len(beginning) < 8 else "at most 2147483647" if size >> 31 else "no camlite"
    )
    assert expected in str(raised.value)
    assert time.process_time() - start < 0.5


def test_what_is_no_file_is_refused_at_once(tmp_path):
    os.mkfifo(tmp_path / "pipe")
    for path in (tmp_path / "pipe", "/dev/zero", tmp_path, "a\0b"):
        with pytest.raises(ArtifactError, match=r"cannot read it|is a folder"):
            artifact.read(path)
