"""camlite.c, function by function, against the arithmetic of runtime/spec/artifact.md."""

from __future__ import annotations

import json

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from camlite import artifact as artifacts
from camlite.artifact.card import WHOLE, Window
from camlite.artifact.weights_in_model import StoredWeights
from camlite.backends.interpreter import Tensor
from camlite.maps import cam
from camlite.maps.resize import Resizing, heatmap
from support import c_library, spec_vectors
from support.c_library import BAD_ARTIFACT, BAD_SIZE, BAD_TENSOR, NO_SUCH_CLASS, NOT_FINITE

REAL = 1e-5  # "What must be equal, and how nearly"
VECTORS = [name for name, _ in spec_vectors.artifact_names()]
OF_THE_DEVICE = [
    name
    for name in VECTORS
    if (read := artifacts.read(spec_vectors.FOLDER / name)).card.head.evidence == "device" and "float16" not in name
]


def near(received, expected, share=REAL):
    assert not isinstance(received, int), f"status {received}"
    return np.abs(np.asarray(received, np.float64) - expected).max() <= share * max(float(np.abs(expected).max()), 1e-3)


def bytes_of(heat):
    return np.rint(255 * heat.astype(np.float64))


def of_vector(read):
    card, arrays = read.card, read.arrays
    return c_library.artifact(
        (card.head.height, card.head.width, card.head.channels),
        arrays.weights,
        arrays.bias,
        card.head.activation,
        arrays.stored_weights,
        read.model,
        arrays.weights_rest,
        card.head.window,
        card.features_layout == "chw",
    )


@pytest.mark.parametrize("name", OF_THE_DEVICE)
def test_a_vector_gives_what_it_says(name, library):
    read = artifacts.read(spec_vectors.FOLDER / name)
    told = json.loads((spec_vectors.FOLDER / f"{name}.json").read_text())
    block = (spec_vectors.FOLDER / f"{name}.bin").read_bytes()
    made, size = of_vector(read), (read.card.preprocessing.height, read.card.preprocessing.width)
    for case in told["cases"]:
        outputs = {one: spec_vectors.array(of, block) for one, of in case["outputs"].items()}
        ends = (c_tensor(outputs[one], told["tensors"]["outputs"][one]) for one in ("features", "scores"))
        left = c_library.outputs(*ends)
        expected = spec_vectors.array(case["evidence"], block)

        maps = [library.evidence(made, left, k) for k in case["classes"]]

        assert near(np.stack(maps), expected)
        top, score = library.top(made, left)
        assert read.card.labels[top] == case["explanation"]["label"]
        assert np.float32(score) == spec_vectors.array(case["scores"], block)[top]
        if "fine" in case:
            continue  # completeness and heatmap of the vector are those of the fine map
        difference, _ = library.completeness(made, left)
        assert abs(difference - case["explanation"]["completeness"]) <= REAL * max(1, abs(score))
        heat = library.heatmap(made, maps[case["classes"].index(top)], size)
        assert np.abs(heat - bytes_of(spec_vectors.array(case["heatmap"], block))).max() <= 1


def c_tensor(array, told):
    quantization = told["quantization"] or {"scale": 0.0, "zero_point": 0}
    return c_library.tensor(np.ascontiguousarray(array), quantization["scale"], quantization["zero_point"])


# --- Every kind of numbers ------------------------------------------------------------------------------------------


@st.composite
def heads(draw):
    """A head and stored outputs of any kind that an artifact may have."""
    seed = draw(st.integers(0, 2**32 - 1))
    numbers = np.random.default_rng(seed)
    height, width, channels = draw(st.tuples(st.integers(1, 7), st.integers(1, 7), st.integers(1, 70)))
    classes, activation = draw(st.integers(1, 9)), draw(st.sampled_from(["softmax", "sigmoid", "linear"]))
    dtype = np.dtype(draw(st.sampled_from(["int8", "uint8", "int16", "float32"])))
    kind = draw(st.sampled_from(["array", "places", "float32", "int8", "uint8"]))
    stored, model, rest = None, b"", None
    if kind in ("array", "places"):
        shape = (channels, classes) if kind == "array" else (height, width, channels, classes)
        weights = numbers.normal(size=shape).astype(np.float32)
    else:
        first, odd = draw(st.booleans()), draw(st.integers(0, 3))
        zero_point = draw(st.integers(-128, 255)) if kind != "float32" else 0
        with_scales = draw(st.booleans())
        held = random(numbers, (channels * classes,), np.dtype(kind)).tobytes()
        scales = numbers.uniform(0.5, 2, classes).astype("<f4").tobytes()
        model = b"\1" * odd + held + scales
        place = odd + len(held) if with_scales else -1
        stored = StoredWeights(odd, kind, first, 0.0037, zero_point, place)
        if kind != "float32" and draw(st.booleans()):
            rest = numbers.integers(-127, 128, (channels, classes)).astype(np.int8)
        weights = stored.read(model, channels, classes, rest)
    features = random(numbers, (height, width, channels), dtype)
    scale, zero_point = (0.0, 0) if dtype == np.float32 else (0.031, draw(st.integers(-128, 127)))
    tensor = Tensor("features", features.shape, dtype, scale, zero_point)
    bias = numbers.normal(size=classes).astype(np.float32)
    chw = draw(st.booleans())
    made = c_library.artifact(features.shape, weights, bias, activation, stored, model, rest, WHOLE, chw)
    given_ = np.ascontiguousarray(features.transpose(2, 0, 1)) if chw else features
    return made, c_library.tensor(given_, scale, zero_point), tensor.dequantize(features), weights, bias, activation


def random(numbers, shape, dtype):
    if dtype.kind == "f":
        return numbers.normal(size=shape).astype(np.float32)
    limits = np.iinfo(dtype)
    return numbers.integers(limits.min, limits.max + 1, shape).astype(dtype)


@given(heads())
@settings(max_examples=150, deadline=None)
def test_evidence_of_any_head_is_that_of_the_spec(library, head):
    made, features, real, weights, bias, activation = head
    classes = range(len(bias))
    expected = cam.evidence(real, weights, classes)

    logits = expected.sum(axis=(1, 2), dtype=np.float64) + bias
    scores = cam.activate(logits, activation).astype(np.float32)
    left = c_library.outputs(features, c_library.tensor(scores))

    maps = np.stack([library.evidence(made, left, k) for k in classes])

    assert near(maps, expected)
    assert np.abs(library.evidence(made, left, 0, len(bias) - 1) - (expected[0] - expected[-1])).max() <= (
        2 * REAL * np.abs(expected).max()
    )
    difference, sums = library.completeness(made, left)
    size = np.abs(logits).max() if activation == "linear" else 1 + np.abs(expected).max()
    assert np.abs(sums - scores).max() <= 2 * REAL * max(1, size)
    assert difference == np.abs(sums - scores).max()
    scores[-1] += 0.25 * max(1, size)
    assert library.completeness(made, left)[0] > 0.2 * max(1, size)


def plain(height, width, window=WHOLE):
    return c_library.artifact((height, width, 1), np.ones((1, 2)), np.zeros(2), window=window)


WINDOWS = [WHOLE, Window(0.1, 1 / 14, 0.9, 13 / 14), Window(-0.25, -0.1, 1.25, 1.0), Window(0.4, 0.5, 0.4002, 0.7)]


@given(
    st.integers(0, 2**32 - 1),
    st.tuples(st.integers(1, 9), st.integers(1, 9)),
    st.tuples(st.integers(1, 60), st.integers(1, 60)),
    st.sampled_from(WINDOWS),
    st.sampled_from([1e-30, 1e-6, 1.0, 1e30]),
)
@settings(max_examples=200, deadline=None)
def test_a_heatmap_of_any_size_is_that_of_the_spec_in_bytes(library, seed, size, target, window, scale):
    evidence = (np.random.default_rng(seed).normal(size=size) * scale).astype(np.float32)
    expected = heatmap(evidence, Resizing(size, target, window))

    image = library.heatmap(plain(*size, window), evidence, target)

    assert np.abs(image - bytes_of(expected)).max() <= 1


@pytest.mark.parametrize("size", [(1, 1), (3, 3), (7, 5)])
def test_without_positive_evidence_a_heatmap_is_cold(library, size):
    assert not library.heatmap(plain(*size), -np.ones(size), (28, 28)).any()
    assert not library.heatmap(plain(*size), np.zeros(size), (28, 28)).any()


def test_a_large_image_is_exact_to_its_last_pixel(library):
    evidence = np.random.default_rng(0).normal(size=(7, 6)).astype(np.float32)
    expected = heatmap(evidence, Resizing((7, 6), (2000, 3000)))

    assert np.abs(library.heatmap(plain(7, 6), evidence, (2000, 3000)) - bytes_of(expected)).max() <= 1


# --- What is refused ------------------------------------------------------------------------------------------------

FEATURES, SCORES = np.zeros((3, 4, 5), np.int8), np.zeros(2, np.int8)


def head(**changes):
    made = c_library.artifact((3, 4, 5), np.ones((5, 2)), np.zeros(2))
    for name, value in changes.items():
        *steps, field = name.split("__")
        target = made
        for step in steps:
            target = getattr(target, step)
        setattr(target, field, value)
    return made


def left(features=FEATURES, scores=SCORES, scale=1.0, zero_point=0):
    return c_library.outputs(c_library.tensor(features, scale, zero_point), c_library.tensor(scores, 1.0))


def statuses(library, made, outputs):
    """What every function that looks at outputs says."""
    return {
        library.top(made, outputs),
        library.evidence(made, outputs, 0, room=12),
        library.evidence(made, outputs, 0, 1, room=12),
        library.completeness(made, outputs, room=2),
    }


@pytest.mark.parametrize(
    "changes",
    [
        {"height": 0}, {"width": 0}, {"channels": 0}, {"classes": 0}, {"channels": 6}, {"classes": 3},
        {"height": 2**31, "width": 2}, {"height": 2**16, "width": 2**16}, {"channels": 2**31}, {"classes": 2**32 - 1},
        {"bias_count": 1}, {"weights__stored__bytes": 39}, {"weights__stored__type": 0}, {"weights__per_place": 1},
        {"weights__stored__zero_point": 2**31 - 1}, {"weights__stored__zero_point": -(2**31)},
        {"weights__rest": 8, "weights__rest_bytes": 10}, {"weights__scales": 8, "weights__scales_bytes": 7},
    ],
)  # fmt: skip
def test_an_artifact_whose_sizes_do_not_fit_is_refused(library, changes):
    made = head(**changes)

    assert statuses(library, made, left()) == {BAD_ARTIFACT}
    assert library.heatmap(made, np.ones((3, 4)), (1, 1)) == BAD_ARTIFACT


@pytest.mark.parametrize(
    "outputs",
    [
        left(FEATURES[:2]), left(FEATURES.astype(np.int16)), left(zero_point=2**31 - 1), left(zero_point=-(2**31)),
        left(scores=SCORES[:1]), left(scores=np.zeros(3, np.int8)), left(scores=SCORES.astype(np.float32)[:1]),
    ],
    ids=range(7),
)  # fmt: skip
def test_tensors_of_other_sizes_and_zero_points_are_refused(library, outputs):
    if outputs.features.type == c_library.TYPES["int16"]:
        outputs.features.type = c_library.TYPES["int8"]

    assert statuses(library, head(), outputs) == {BAD_TENSOR}


def test_buffers_that_are_too_small_and_classes_that_are_not_there_are_refused(library):
    made, evidence = head(), np.ones((3, 4))

    assert library.evidence(made, left(), 0, room=11) == BAD_SIZE
    assert library.evidence(made, left(), 0, 1, room=11) == BAD_SIZE
    assert library.completeness(made, left(), room=1) == BAD_SIZE
    assert library.heatmap(made, evidence.ravel()[:11], (3, 3)) == BAD_SIZE
    for size in ((3, 3), (0, 3), (3, 0), (2**31, 2), (2**16, 2**16), (1, 2**16)):
        assert library.heatmap(made, evidence, size, room=8) == BAD_SIZE
    assert library.evidence(made, left(), 2) == NO_SUCH_CLASS
    assert library.evidence(made, left(), 0, 2) == NO_SUCH_CLASS


@pytest.mark.parametrize("number", [np.nan, np.inf, -np.inf])
def test_numbers_that_are_not_finite_are_no_answer(library, number):
    made = head()
    features, scores = np.ones((3, 4, 5), np.float32), np.array([0, 1], np.float32)
    bad, evidence = features.copy(), np.ones((3, 4), np.float32)
    bad[2, 3, 4] = scores[1] = evidence[1, 1] = number

    for outputs in (left(bad), left(FEATURES + 1, scale=number)):
        assert library.evidence(made, outputs, 0) == NOT_FINITE
        assert library.evidence(made, outputs, 0, 1) == NOT_FINITE
        assert library.completeness(made, outputs) == NOT_FINITE
    assert library.completeness(made, left(features, scores)) == NOT_FINITE
    assert library.top(made, left(features, scores)) == NOT_FINITE
    assert library.heatmap(made, evidence, (5, 5)) == NOT_FINITE


@pytest.mark.parametrize("scale", [3e38, 1e30, 1e-45])
def test_absurd_scales_give_an_answer_or_none(library, scale):
    found = library.evidence(head(), left(np.full((3, 4, 5), 100, np.int8), scale=scale), 0)

    assert found == NOT_FINITE if isinstance(found, int) else np.isfinite(found).all()
    assert isinstance(found, int) == (scale == 3e38)


@pytest.mark.parametrize(
    "window", [(np.nan, 0, 1, 1), (0, 0, np.inf, 1), (0.5, 0, 0.5, 1), (0, 2, 1, 3), (-200, 0, 1, 1), (0, 0, 0, 0)]
)
def test_a_window_that_is_none_is_refused(library, window):
    made = head(top=window[0], left=window[1], bottom=window[2], right=window[3])

    assert library.heatmap(made, np.ones((3, 4)), (5, 5)) == BAD_ARTIFACT
