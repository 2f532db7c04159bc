"""Class weights that lie in the model: where, how they are read, and what is refused."""

from __future__ import annotations

import hashlib
import json

import numpy as np
import pytest

from camlite import ArtifactError, artifact
from camlite.artifact import weights_in_model
from camlite.artifact.weights_in_model import StoredWeights
from support.small_artifacts import MODELS, SMALL, seal_tflite, small_arrays

NUMBERS = np.arange(-7, 8).astype(np.int8)  # of 5 channels and 3 classes, as SMALL has them
STORED = StoredWeights(8 + len(MODELS["tflite"]), "int8", True, 0.25)
MODEL = MODELS["tflite"] + bytes(8) + NUMBERS.tobytes()
WEIGHTS = NUMBERS.reshape(3, 5).T.astype(np.float32) / 4


def carried(weights: np.ndarray, stored: StoredWeights = STORED) -> bytes:
    arrays = small_arrays()._replace(weights=weights, stored_weights=stored)
    card = SMALL._replace(model_sha256=hashlib.sha256(MODEL).hexdigest())
    return artifact.pack("tflite", MODEL, card, arrays)


@pytest.mark.parametrize("dtype", ["int8", "float16", "float32"])
@pytest.mark.parametrize("classes_first", [True, False])
def test_a_block_is_read_in_its_dtype_and_order(dtype, classes_first):
    numbers = NUMBERS.reshape(3, 5)
    block = (numbers if classes_first else np.ascontiguousarray(numbers.T)).astype(dtype).tobytes()

    weights = StoredWeights(3, dtype, classes_first, 0.25).read(b"abc" + block, 5, 3)

    assert weights.dtype == np.float32
    assert np.array_equal(weights, WEIGHTS)
    assert not weights.flags.writeable


def test_integers_have_a_zero_point_and_a_step_of_each_class():
    numbers = np.array([[250, 251], [3, 4], [128, 129]], np.uint8)  # 3 classes, 2 channels
    steps = np.array([0.5, 0.25, 2.0], "<f4")
    stored = StoredWeights(12, "uint8", True, 0.5, 128, 0)

    weights = stored.read(steps.tobytes() + numbers.tobytes(), 2, 3)

    assert np.array_equal(weights, ((numbers.astype(np.float32) - 128) * (0.5 * steps[:, np.newaxis])).T)
    assert weights_in_model.from_json(stored.to_json()) == stored


def test_what_is_as_usual_is_not_said():
    assert set(json.loads(STORED.to_json())) == {"offset", "dtype", "classes_first", "scale"}


@pytest.mark.parametrize("odd", [{"zero_point": 256}, {"zero_point": 0.5}, {"scales_offset": -2}, {"scales": 3}])
def test_a_zero_point_or_a_place_of_steps_that_is_none_is_refused(odd):
    with pytest.raises(ValueError):  # noqa: PT011 - whatever it says
        weights_in_model.from_json(json.dumps({**STORED._asdict(), **odd}))


def test_steps_outside_of_the_model_are_refused():
    with pytest.raises(ValueError, match="of a model of"):
        StoredWeights(0, "int8", True, 1.0, 0, 20).read(bytes(30), 2, 3)


def test_weights_that_the_model_has_are_not_carried_again(tmp_path):
    path = tmp_path / "small.tflite"
    path.write_bytes(carried(WEIGHTS))

    read = artifact.read(path)

    assert b"weights.npy" not in path.read_bytes()
    assert np.array_equal(read.arrays.weights, WEIGHTS)
    assert read.arrays.stored_weights == STORED
    assert artifact.pack("tflite", read.model, read.card, read.arrays) == path.read_bytes()


def test_weights_that_are_others_than_those_in_the_model_are_carried(tmp_path):
    path = tmp_path / "small.tflite"
    path.write_bytes(carried(-WEIGHTS))

    read = artifact.read(path)

    assert np.array_equal(read.arrays.weights, -WEIGHTS)
    assert read.arrays.stored_weights is None


def _fields(**changed: object) -> str:
    return json.dumps({**STORED._asdict(), **changed})


@pytest.mark.parametrize(
    "text",
    [
        "{",
        "[]",
        _fields(offset=-1),
        _fields(offset=1.0),
        _fields(offset=True),
        _fields(dtype="int64"),
        _fields(scale=1),
        _fields(scale=float("nan")),
        _fields(classes_first=1),
        _fields(more=0),
        json.dumps({"offset": 0}),
    ],
)
def test_what_does_not_say_where_they_are_is_refused(text):
    with pytest.raises(ValueError, match=r"expected an object|offset|Expecting|property name"):
        weights_in_model.from_json(text)


@pytest.mark.parametrize("offset", [0, 10**30])
def test_a_block_beyond_the_model_is_a_damaged_artifact(offset, tmp_path):
    """The model of `MODELS` is too short for 15 numbers of float32 behind its first bytes."""
    from support.small_artifacts import small_entries

    entries = {name: entry for name, entry in small_entries("tflite").items() if name != "weights.npy"}
    stored = STORED._replace(offset=offset + len(MODELS["tflite"]) - 59, dtype="float32")
    path = tmp_path / "crafted.tflite"
    path.write_bytes(seal_tflite({**entries, "weights_place.json": stored.to_json().encode()}))

    with pytest.raises(ArtifactError, match=r"weights_place\.json: bytes"):
        artifact.read(path)


def test_weights_that_are_there_twice_are_a_damaged_artifact(tmp_path):
    from support.small_artifacts import small_entries

    path = tmp_path / "crafted.tflite"
    entries = {**small_entries("tflite"), "weights_place.json": STORED._replace(offset=0).to_json().encode()}
    path.write_bytes(seal_tflite(entries))

    with pytest.raises(ArtifactError, match="twice"):
        artifact.read(path)
