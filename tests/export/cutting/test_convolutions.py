"""`camlite_export.cutting.convolutions`: which convolutions are found, and what is seen of them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import keras
import numpy as np
import pytest
from keras import layers

import support.classifier_kinds as kinds
from camlite_export.cutting import two_output
from camlite_export.cutting.convolutions import biased, normalized
from camlite_export.cutting.guide import GuideLayers

IMAGES = np.random.default_rng(0).uniform(0, 1, (6, 12, 10, 3)).astype(np.float32)


def model(*parts: Any) -> keras.Model:
    """A functional model, as `two_output.cut` makes them."""
    image = x = keras.Input((12, 10, 3))
    for part in parts:
        x = part(x)
    return kinds.lively(keras.Model(image, x))


def test_the_scale_is_what_the_normalization_multiplies_by() -> None:
    convolution, normalization = layers.Conv2D(5, 1, use_bias=False), layers.BatchNormalization()
    network = model(convolution, normalization)
    (found,) = normalized(network, IMAGES)
    zero = np.asarray(network(np.zeros_like(IMAGES)))[0, 0, 0]
    one = np.asarray(network(np.ones_like(IMAGES)))[0, 0, 0]
    np.testing.assert_allclose(np.asarray(convolution.kernel)[0, 0].sum(axis=0) * found.scale, one - zero, rtol=1e-4)


@pytest.mark.parametrize(
    ("why", "parts"),
    [
        ("no normalization", lambda: [layers.Conv2D(4, 3), layers.ReLU()]),
        ("an activation between", lambda: [layers.Conv2D(4, 3), layers.ReLU(), layers.BatchNormalization()]),
        ("an activation inside", lambda: [layers.Conv2D(4, 3, activation="relu"), layers.BatchNormalization()]),
        ("a normalization without a shift", lambda: [layers.Conv2D(4, 3), layers.BatchNormalization(center=False)]),
    ],
)
def test_other_convolutions_are_left_alone(why: str, parts: Callable[[], list[Any]]) -> None:
    assert normalized(model(*parts()), IMAGES) == [], why


def test_a_convolution_that_is_used_twice_is_left_alone() -> None:
    image, shared = keras.Input((12, 10, 3)), layers.Conv2D(3, 3, padding="same")
    network = keras.Model(image, layers.BatchNormalization()(shared(layers.BatchNormalization()(shared(image)))))
    assert normalized(network, IMAGES) == []


def test_the_moments_are_those_of_what_the_kernel_is_laid_on() -> None:
    """A kernel of one place is laid on each pixel."""
    (found,) = biased(model(layers.Conv2D(4, 1), layers.ReLU()), IMAGES)
    pixels = IMAGES.reshape(-1, 3).astype(np.float64)
    np.testing.assert_allclose(found.moments, pixels.T @ pixels)


def test_a_changed_kernel_is_what_the_model_computes_with() -> None:
    network = model(layers.Conv2D(4, 1))
    (found,) = biased(network, IMAGES)
    before = np.asarray(network(IMAGES))
    found.set_kernel(2 * found.kernel)
    bias = network.layers[-1].get_weights()[1]
    np.testing.assert_allclose(np.asarray(network(IMAGES)) - bias, 2 * (before - bias), rtol=1e-5, atol=1e-6)


def test_the_same_images_are_looked_at_once_and_others_again() -> None:
    tail = [layers.BatchNormalization(), layers.GlobalAveragePooling2D(), layers.Dense(3, activation="softmax")]
    cut = two_output.cut(model(layers.Conv2D(4, 3), *tail))
    (first,) = cut.normalized_convolutions(IMAGES)
    (again,) = cut.normalized_convolutions(IMAGES)
    (other,) = cut.normalized_convolutions(2 * IMAGES)
    assert again is first
    np.testing.assert_allclose(other.mean_input, 2 * first.mean_input, rtol=1e-5)


def test_what_was_seen_of_a_model_stays_seen_whatever_outputs_it_is_given() -> None:
    tail = [layers.Conv2D(4, 3), layers.BatchNormalization(), layers.GlobalMaxPooling2D(), layers.Dense(3)]
    cut = two_output.cut(model(layers.Conv2D(4, 3), *tail))
    assert cut.gives_bias
    (seen, *_), (biased_one, *_) = cut.normalized_convolutions(IMAGES), cut.biased_convolutions(IMAGES)
    for other in (cut.without_bias(), cut.guided_by(GuideLayers("layercam", cut.finer_steps[-1:]))):
        assert other.normalized_convolutions(IMAGES)[0] is seen
        assert other.biased_convolutions(IMAGES)[0] is biased_one
    plain = cut.without_bias()
    assert plain.without_bias() is plain  # with all that was made of it, too
