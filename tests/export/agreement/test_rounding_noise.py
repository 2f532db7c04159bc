"""`camlite_export.agreement.rounding_noise`: how far a classifier is from itself when its tensors are rounded."""

from __future__ import annotations

import keras
import numpy as np
import pytest
from keras import layers

import support.classifier_kinds as kinds
from camlite.artifact.precisions import Precision
from camlite.maps import resize
from camlite_export.agreement import measurement, rounding_noise
from camlite_export.agreement.reference import reference_of
from camlite_export.cutting import two_output
from camlite_export.cutting.two_output import TwoOutputModel

# Smooth fields of colour, as most of a photograph is: neighbours are almost the same.
_COARSE = np.random.default_rng(0).uniform(0, 1, (12, 3, 4, 4)).astype(np.float32)
INPUTS = np.moveaxis(resize.resize_matrix(4, 16) @ _COARSE @ resize.resize_matrix(4, 20).T, 1, -1)


def classifier(gain: float = 1.0, hidden: bool = False) -> TwoOutputModel:
    """With a gain between two convolutions: what one rounds, the next one enlarges."""
    model = kinds.lively(
        keras.Sequential(
            [
                keras.Input((16, 20, 3)),
                *(layers.Conv2D(8, 3, padding="same", use_bias=False), layers.BatchNormalization(), layers.ReLU(6.0)),
                *(layers.DepthwiseConv2D(3, padding="same"), layers.Conv2D(8, 3, activation="relu")),
                *(layers.GlobalAveragePooling2D(), *([layers.Dense(6, activation="relu")] if hidden else [])),
                layers.Dense(3, activation="softmax"),
            ]
        )
    )
    # A difference of neighbours, enlarged: noise is not what they have in common.
    depthwise = next(layer for layer in model.layers if isinstance(layer, layers.DepthwiseConv2D))
    kernel = np.zeros(depthwise.kernel.shape, np.float32)
    kernel[1, 1], kernel[1, 2] = 1 + gain, -gain
    depthwise.kernel.assign(kernel)
    return two_output.cut(model)


def noise(model: TwoOutputModel, precision: Precision) -> measurement.Measurement:
    return rounding_noise.measure(model, INPUTS, reference_of(model, INPUTS), precision)


@pytest.mark.parametrize("hidden", [False, True])
def test_fewer_bits_are_more_noise(hidden: bool) -> None:
    model = classifier(hidden=hidden)
    half, eighth = noise(model, "float16"), noise(model, "int8")
    # Of most images: a hidden unit that opens or closes changes the whole map.
    assert 0 < np.median(half.evidence_error) < np.median(eighth.evidence_error) / 2 < 0.1
    assert 0 < np.median(half.score_difference) < np.median(eighth.score_difference)
    assert np.median(half.correlation) > 0.9999
    assert 0 < np.median(half.completeness) < np.median(eighth.completeness)  # a hidden ReLU adds up, too


def test_evidence_that_the_graph_gives_in_8_bits_is_further_off() -> None:
    """By the steps of all maps: 255 from the least evidence of any class to the largest."""
    model = classifier()
    reference = reference_of(model, INPUTS)
    given = rounding_noise.measure(model, INPUTS, reference, "int8")
    rounded = rounding_noise.measure(model, INPUTS, reference, "int8", rounds_evidence=True)
    assert rounded.evidence_error.mean() > given.evidence_error.mean()
    np.testing.assert_array_equal(rounded.score_difference, given.score_difference)


def test_a_steep_classifier_is_further_from_itself() -> None:
    """2.0 times as far was measured."""
    steep, flat = noise(classifier(gain=20), "int8"), noise(classifier(gain=0), "int8")
    assert steep.evidence_error.mean() > 1.5 * flat.evidence_error.mean()


def test_accuracy_is_known_where_the_classes_are() -> None:
    model = classifier()
    reference = reference_of(model, INPUTS)
    measured = rounding_noise.measure(model, INPUTS, reference, "int8", reference.classes)
    assert measured.correct_reference.all()
    assert not np.isnan(measured.correct).any()


def test_8_bits_are_256_steps_that_hold_zero_and_both_ends() -> None:
    values = np.linspace(-1, 3, 10_001).astype(np.float32)
    rounded = np.asarray(rounding_noise._to_integers(values, 8))
    assert len(np.unique(rounded)) in (255, 256)
    assert np.abs(rounded - values).max() <= 4 / 255 / 2 * 1.01
    assert 0 in rounded
    np.testing.assert_array_equal(rounding_noise._to_integers(np.zeros(3, np.float32), 8), 0)
