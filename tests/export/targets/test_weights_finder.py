"""Class weights are found in a model wherever they lie, as they are or rounded; nothing else is taken for them."""

from __future__ import annotations

import numpy as np
import pytest

from camlite_export.sources.tflite import flatbuffer, tflite_graph
from camlite_export.targets import weights_finder
from support import tflite_files

PLACES = 9
KERNEL = np.random.default_rng(0).normal(size=(20, 7)).astype(np.float32)
WEIGHTS = KERNEL / PLACES
OTHER = np.random.default_rng(1).normal(size=3000).astype(np.float32).tobytes()
STEP = np.abs(KERNEL).max() / 127


def stored(dtype: str) -> np.ndarray:
    return np.rint(KERNEL / STEP).astype(np.int8) if dtype == "int8" else KERNEL.astype(dtype)


@pytest.mark.parametrize("dtype", ["int8", "float16", "float32"])
@pytest.mark.parametrize("classes_first", [True, False])
@pytest.mark.parametrize("shift", [0, 1, 2])
def test_weights_are_found_where_they_lie(dtype, classes_first, shift):
    numbers = stored(dtype)
    block = np.ascontiguousarray(numbers.T if classes_first else numbers).tobytes()
    model = OTHER + bytes(shift) + block + OTHER

    place = weights_finder.find(model, WEIGHTS, PLACES)

    assert place is not None
    assert (place.offset, place.dtype, place.classes_first) == (len(OTHER) + shift, dtype, classes_first)
    # Half a step of int8, half a unit in the last place of float16, three roundings of float32.
    allowed = {"int8": 0.51 / 127, "float16": 2.0**-11, "float32": 2e-7}[dtype] * np.abs(WEIGHTS).max()
    np.testing.assert_allclose(place.read(model, 20, 7), WEIGHTS, rtol=0, atol=allowed)


@pytest.mark.parametrize("dtype", ["int8", "float16", "float32"])
def test_a_block_with_one_number_changed_is_not_taken(dtype):
    numbers = stored(dtype)
    numbers[15, 3] += 2 if dtype == "int8" else numbers.dtype.type(0.01)

    assert weights_finder.find(OTHER + numbers.T.tobytes() + OTHER, WEIGHTS, PLACES) is None


def test_a_model_without_them_has_no_place():
    assert weights_finder.find(OTHER, WEIGHTS, PLACES) is None


def test_weights_that_differ_by_place_or_are_all_zero_have_no_place():
    assert weights_finder.find(bytes(10_000), WEIGHTS.reshape(2, 2, 5, 7), 4) is None
    assert weights_finder.find(bytes(10_000), np.zeros((20, 7), np.float32), PLACES) is None


def test_the_rest_gives_back_what_int8_took():
    model = stored("int8").T.tobytes() + bytes(100 * WEIGHTS.size)
    place = weights_finder.find(model, WEIGHTS, PLACES)

    rest = weights_finder.rest(model, WEIGHTS, place)

    # Half a step of a 254th of a step of int8.
    allowed = 0.51 / 127 / 254 * np.abs(WEIGHTS).max()
    np.testing.assert_allclose(place.read(model, 20, 7, rest), WEIGHTS, rtol=0, atol=allowed)


def test_a_rest_of_more_than_a_twentieth_of_the_model_is_left_out():
    model = stored("int8").T.tobytes() + bytes(10 * WEIGHTS.size)

    assert weights_finder.rest(model, WEIGHTS, weights_finder.find(model, WEIGHTS, PLACES)) is None


@pytest.mark.parametrize("ends", ["int8", "uint8"])
def test_integers_of_a_tflite_file_are_read_with_its_own_scales(ends: str) -> None:
    kind = next(kind for kind in tflite_files.KINDS if kind.ends == ends)
    model = tflite_files.file(kind)
    graph = tflite_graph.read(flatbuffer.read(model), "file")
    (kernel,) = [graph.constants[node.inputs[1]] for node in graph.nodes if node.kind == "FULLY_CONNECTED"]
    weights = kernel.T / np.float32(64)

    place = weights_finder.find(model, weights, 64)

    assert place is not None
    assert place.dtype == "int8"
    np.testing.assert_allclose(place.read(model, *weights.shape), weights, rtol=1e-6, atol=0)
    assert weights_finder.rest(model, weights, place) is None
    assert weights_finder.find(model, weights + np.abs(weights).max(), 64) is None
