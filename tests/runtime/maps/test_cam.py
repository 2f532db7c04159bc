"""`camlite.maps.cam` against an oracle of plain loops."""

from __future__ import annotations

import math
from itertools import product

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from camlite.maps import cam, resize

sides = st.integers(1, 6)
# Features and class weights of real classifiers lie within this; exact zeros are as common as ReLU makes them.
reals = st.floats(-100, 100, width=32) | st.just(0.0)

# float32 rounds each of n products and sums to 6e-8 of its size, n <= 6 * 6 * 6 + 1 here: 1.3e-5 of the sum of sizes.
ROUNDING = 2e-5


@st.composite
def features_and_weights(draw: st.DrawFn) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Features (h, w, C); weights (C, K) or (h, w, C, K); bias (K,)."""
    height, width, channels, classes = draw(st.tuples(sides, sides, sides, sides))
    place = draw(st.sampled_from([(), (height, width)]))
    shapes = (height, width, channels), (*place, channels, classes), (classes,)
    features, weights, bias = (draw(arrays.arrays(np.float32, shape, elements=reals)) for shape in shapes)
    return features, weights, bias


def evidence_oracle(features: np.ndarray, weights: np.ndarray, k: int) -> np.ndarray:
    height, width, channels = features.shape
    evidence = np.zeros((height, width))
    for y, x, c in product(range(height), range(width), range(channels)):
        weight = weights[c, k] if weights.ndim == 2 else weights[y, x, c, k]
        evidence[y, x] += float(features[y, x, c]) * float(weight)
    return evidence


def tolerance(features: np.ndarray, weights: np.ndarray, bias: np.ndarray | float = 0.0) -> float:
    return ROUNDING * (np.abs(features).sum() * np.abs(weights).max() + np.abs(bias).max())


@given(features_and_weights(), st.data())
def test_evidence_is_features_times_class_weights_summed_over_channels(drawn, data):
    features, weights, _ = drawn
    classes = data.draw(st.lists(st.integers(0, weights.shape[-1] - 1), min_size=1, max_size=4))

    maps = cam.evidence(features, weights, classes)

    expected = np.stack([evidence_oracle(features, weights, k) for k in classes])
    assert maps.dtype == np.float32
    assert maps.shape == expected.shape
    assert maps.flags.c_contiguous
    np.testing.assert_allclose(maps, expected, rtol=0, atol=tolerance(features, weights))


@pytest.mark.parametrize("per_place", [False, True])
@pytest.mark.parametrize(
    "chosen", [(2, 0), [2, 0], np.array([2, 0]), range(2, -1, -2)], ids=["tuple", "list", "array", "range"]
)
def test_evidence_takes_classes_as_any_sequence(chosen, per_place):
    random = np.random.default_rng(0)
    features = random.normal(size=(2, 3, 4)).astype(np.float32)
    weights = random.normal(size=(2, 3, 4, 5) if per_place else (4, 5)).astype(np.float32)

    maps = cam.evidence(features, weights, chosen)

    expected = np.stack([evidence_oracle(features, weights, k) for k in (2, 0)])
    np.testing.assert_allclose(maps, expected, rtol=0, atol=tolerance(features, weights))


@pytest.mark.parametrize("per_place", [False, True])
@pytest.mark.parametrize("count", range(6))
def test_evidence_of_the_first_classes_is_theirs_alone_however_many_they_are(count, per_place):
    random = np.random.default_rng(0)
    features = random.normal(size=(2, 3, 4)).astype(np.float32)
    weights = random.normal(size=(2, 3, 4, 5) if per_place else (4, 5)).astype(np.float32)

    maps = cam.evidence(features, weights, range(count))

    expected = np.array([evidence_oracle(features, weights, k) for k in range(count)]).reshape(count, 2, 3)
    np.testing.assert_allclose(maps, expected, rtol=0, atol=tolerance(features, weights))


@given(features_and_weights())
def test_evidence_and_bias_add_up_to_the_logit(drawn):
    features, weights, bias = drawn

    logits = cam.logits(features, weights, bias)

    summed = cam.evidence(features, weights, range(len(bias))).sum(axis=(1, 2)) + bias
    oracle = [evidence_oracle(features, weights, k).sum() + float(bias[k]) for k in range(len(bias))]
    assert logits.dtype == np.float32
    assert logits.shape == bias.shape
    np.testing.assert_allclose(logits, oracle, rtol=0, atol=tolerance(features, weights, bias))
    np.testing.assert_allclose(logits, summed, rtol=0, atol=tolerance(features, weights, bias))


@given(features_and_weights())
def test_class_weights_of_all_places_say_the_same_as_one_set_for_each_place(drawn):
    features, weights, bias = drawn
    if weights.ndim == 4:
        weights = np.ascontiguousarray(weights[0, 0])
    spread = np.broadcast_to(weights, (*features.shape[:2], *weights.shape))

    np.testing.assert_allclose(
        cam.evidence(features, spread, [0]),
        cam.evidence(features, weights, [0]),
        rtol=0,
        atol=tolerance(features, weights),
    )
    np.testing.assert_allclose(
        cam.logits(features, spread, bias),
        cam.logits(features, weights, bias),
        rtol=0,
        atol=tolerance(features, weights, bias),
    )


logit_arrays = arrays.arrays(np.float32, st.integers(1, 8), elements=st.floats(-1e4, 1e4, width=32))


@given(logit_arrays)
def test_softmax_gives_the_exponentials_over_their_sum(logits):
    largest = max(map(float, logits))
    exponentials = [math.exp(float(logit) - largest) for logit in logits]

    scores = cam.activate(logits, "softmax")

    assert scores.dtype == np.float64
    # Both are float64, which rounds 8 exponentials and their sum to some 1e-15.
    np.testing.assert_allclose(scores, [value / sum(exponentials) for value in exponentials], rtol=1e-14, atol=0)


@given(logit_arrays)
def test_sigmoid_gives_each_logit_its_own_score_and_never_overflows(logits):
    def sigmoid(logit: float) -> float:
        return 1 / (1 + math.exp(-logit)) if logit > 0 else math.exp(logit) / (1 + math.exp(logit))

    with np.errstate(all="raise", under="ignore"):
        scores = cam.activate(logits, "sigmoid")

    # exp(-logaddexp) rounds its argument, at most 1e4 and so to 2e-12, which is the relative error of the score.
    np.testing.assert_allclose(scores, [sigmoid(float(logit)) for logit in logits], rtol=2e-12, atol=1e-300)


@given(logit_arrays)
def test_linear_scores_are_the_logits(logits):
    assert np.array_equal(cam.activate(logits, "linear"), logits)


@pytest.mark.parametrize("activation", ["softmax", "sigmoid", "linear"])
def test_the_logits_of_each_image_become_scores_alone(activation):
    logits = np.random.default_rng(0).normal(size=(2, 3, 4)).astype(np.float32)

    scores = cam.activate(logits, activation)

    assert scores.shape == logits.shape
    for place in np.ndindex(2, 3):
        # The order of a sum of four may differ, which float64 rounds to 2e-16 each.
        np.testing.assert_allclose(scores[place], cam.activate(logits[place], activation), rtol=1e-15, atol=0)


@given(features_and_weights(), st.sampled_from(["softmax", "sigmoid", "linear"]))
def test_completeness_is_0_where_the_scores_follow_from_the_features(drawn, activation):
    features, weights, bias = drawn
    logits = cam.logits(features, weights, bias)
    scores = cam.activate(logits, activation).astype(np.float32)

    # Scores are rounded to float32 here, which is up to 6e-8 of their size.
    assert cam.completeness(logits, scores, activation) <= 6e-8 * max(1, np.abs(scores).max())


def test_completeness_is_the_largest_difference_over_all_classes():
    features, weights, bias = np.ones((2, 2, 1), np.float32), np.ones((1, 3), np.float32), np.zeros(3, np.float32)
    scores = np.array([4, 4.5, 1], np.float32)  # the logits are 4, 4, 4

    assert cam.completeness(cam.logits(features, weights, bias), scores, "linear") == 3


@pytest.mark.parametrize("activation", ["softmax", "sigmoid", "linear"])
def test_completeness_shows_class_weights_of_another_model(activation):
    random = np.random.default_rng(0)
    features, weights, bias = (random.normal(size=shape).astype(np.float32) for shape in ((3, 3, 8), (8, 4), 4))
    scores = cam.activate(cam.logits(features, weights, bias), activation).astype(np.float32)

    assert cam.completeness(cam.logits(features, weights[:, ::-1], bias), scores, activation) > 0.1


@given(features_and_weights(), st.integers(1, 9), st.integers(1, 9))
def test_a_map_may_be_resized_after_the_sum_over_channels(drawn, height, width):
    features, weights, _ = drawn
    rows, columns = resize.resize_matrix(features.shape[0], height), resize.resize_matrix(features.shape[1], width)
    spread = np.broadcast_to(weights, (*features.shape[:2], *weights.shape[-2:]))
    products = [features[..., c] * spread[..., c, 0] for c in range(features.shape[2])]

    resized_before = sum(rows @ product @ columns.T for product in products)
    resized_after = rows @ cam.evidence(features, weights, [0])[0] @ columns.T

    np.testing.assert_allclose(resized_after, resized_before, rtol=0, atol=2 * tolerance(features, weights))


@given(features_and_weights())
def test_nothing_changes_its_arguments(drawn):
    for array in drawn:
        array.flags.writeable = False  # a write would raise
    features, weights, bias = drawn

    maps = cam.evidence(features, weights, [0])
    maps.flags.writeable = False
    resize.heatmap(maps, resize.Resizing(maps.shape[1:], (3, 3)))
    resize.heatmap(maps[0], resize.Resizing(maps.shape[1:], maps.shape[1:]))
    cam.completeness(cam.logits(features, weights, bias), cam.logits(features, weights, bias), "softmax")
