"""`camlite_export.targets.weight_rounding`: errors of weights cancel in the outputs."""

from __future__ import annotations

import keras
import numpy as np
import pytest
from keras import layers

import support.classifier_kinds as kinds
from camlite_export.cutting.convolutions import biased
from camlite_export.precisions import Rounding
from camlite_export.targets import weight_rounding

FOUR_BITS = Rounding(4)
STEPS = 14
# Each place is much like its neighbours, as in photographs: then errors can cancel.
IMAGES = np.random.default_rng(0).uniform(0, 1, (6, 1, 1, 3)) + np.random.default_rng(1).normal(0, 0.1, (6, 12, 10, 3))


def convolution() -> keras.Model:
    image = keras.Input((12, 10, 3))
    return kinds.lively(keras.Model(image, layers.Conv2D(4, 3)(image)))


def on_steps(kernel: np.ndarray) -> np.ndarray:
    """Each weight as a number of steps of its output channel."""
    return kernel / (2 * np.abs(kernel).max(axis=(0, 1, 2)) / STEPS)


def test_outputs_are_nearer_than_with_each_weight_rounded_to_the_nearest() -> None:
    model, images = convolution(), IMAGES.astype(np.float32)
    (found,) = biased(model, images)
    kernel, before = found.kernel, np.asarray(model(images))
    with weight_rounding.rounded([found], FOUR_BITS):
        together, kept = np.abs(np.asarray(model(images)) - before).mean(), found.kernel
    step = 2 * np.abs(kernel).max(axis=(0, 1, 2)) / STEPS
    found.set_kernel(np.rint(kernel / step) * step)
    nearest = np.abs(np.asarray(model(images)) - before).mean()
    assert together < 0.7 * nearest
    np.testing.assert_allclose(on_steps(kept), np.rint(on_steps(kept)), atol=1e-5)


@pytest.mark.parametrize("rounding", [Rounding(16, floating=True), Rounding(4, least=1000)])
def test_what_the_converter_leaves_alone_is_left_alone(rounding: Rounding) -> None:
    (found,) = biased(convolution(), IMAGES.astype(np.float32))
    before = found.kernel
    with weight_rounding.rounded([found], rounding):
        np.testing.assert_array_equal(found.kernel, before)


def test_weights_are_as_they_were_afterwards() -> None:
    (found,) = biased(convolution(), IMAGES.astype(np.float32))
    before = found.kernel
    with weight_rounding.rounded([found], FOUR_BITS):
        assert not np.array_equal(found.kernel, before)
    np.testing.assert_array_equal(found.kernel, before)
