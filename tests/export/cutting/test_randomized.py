"""Randomizing what a classifier has learned, from its scores down to the image."""

from __future__ import annotations

import itertools

import keras
import numpy as np
import pytest
from keras import layers

from camlite_export.cutting import randomized, two_output


@pytest.fixture
def model() -> keras.Model:
    keras.utils.set_random_seed(0)
    image = keras.Input((12, 12, 1))
    normalized = layers.Normalization(mean=0.4, variance=0.1, name="pixels")(image)
    norm = layers.BatchNormalization(name="norm")
    inner = keras.Sequential([layers.Conv2D(6, 3, activation="relu", name="deep"), norm])
    features = inner(layers.Conv2D(4, 3, activation="relu", name="early")(normalized))
    scores = layers.Dense(3, "softmax", name="scores")(layers.GlobalAveragePooling2D()(features))
    # A new one has the same number in all channels, of which none is in another place when they are shuffled.
    norm.set_weights([np.random.default_rng(1).uniform(0.5, 1.5, weight.shape) for weight in norm.get_weights()])
    return keras.Model(image, scores)


def inputs() -> np.ndarray:
    return np.random.default_rng(0).random((3, 12, 12, 1)).astype(np.float32)


def test_it_goes_from_the_scores_to_the_image_and_the_evidence_changes_at_each_stage(model):
    cut = two_output.cut(model)
    found = list(randomized.cascade(cut, inputs(), np.array([0, 1, 2])))

    assert [stage.layer for stage in found] == [None, "scores", "norm", "deep", "early"]
    assert [stage.layers for stage in found] == [0, 1, 2, 3, 4]
    for before, after in itertools.pairwise(found):
        assert before.evidence.shape == (3, *cut.feature_shape[:2])
        assert np.abs(after.evidence - before.evidence).max() > 1e-4, after.layer


def test_before_the_first_stage_it_is_the_evidence_of_the_original(model):
    cut, classes = two_output.cut(model), np.array([0, 1, 2])
    first = next(randomized.cascade(cut, inputs(), classes))

    np.testing.assert_allclose(first.evidence, cut.evidence(cut.answer(inputs()).features, classes), atol=1e-5)


@pytest.mark.parametrize("stages", [1, 5])
def test_the_classifier_is_left_as_it_was_also_where_nobody_waits_for_the_end(model, stages):
    before = [weight.copy() for weight in model.get_weights()]
    cut = two_output.cut(model)
    expected = cut.answer(inputs()).scores

    cascade = randomized.cascade(cut, inputs(), np.array([0, 1, 2]))
    for _ in range(stages):
        next(cascade)
    cascade.close()

    for received, weight in zip(model.get_weights(), before, strict=True):
        np.testing.assert_array_equal(received, weight)
    np.testing.assert_array_equal(cut.answer(inputs()).scores, expected)
    np.testing.assert_allclose(
        next(randomized.cascade(cut, inputs(), np.array([0, 1, 2]))).evidence,
        cut.evidence(cut.answer(inputs()).features, np.array([0, 1, 2])),
        atol=1e-5,
    )


def test_the_same_seed_gives_the_same_and_another_another(model):
    cut, classes = two_output.cut(model), np.array([0, 1, 2])
    first, again, other = (list(randomized.cascade(cut, inputs(), classes, seed))[-1].evidence for seed in (0, 0, 1))

    np.testing.assert_array_equal(first, again)
    assert np.abs(first - other).max() > 1e-4


def test_of_many_layers_there_are_ten_stages_and_the_last_one_is_all():
    image = keras.Input((8, 8, 1))
    features = image
    for _ in range(23):
        features = layers.Conv2D(2, 3, padding="same")(features)
    model = keras.Model(image, layers.Dense(2, "softmax")(layers.Flatten()(features)))

    found = list(randomized.cascade(two_output.cut(model), inputs()[:, :8, :8], np.array([0, 1, 0])))

    assert len(found) == 1 + randomized.MOST_STAGES
    assert found[-1].layers == 24
