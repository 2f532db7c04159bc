"""`camlite_export.cutting.heads`: class weights of affine heads against those worked out by hand, and no others."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from typing import Any

import keras
import numpy as np
import pytest
from keras import layers

import support.classifier_kinds as kinds
from camlite.maps import cam
from camlite_export.agreement.reference import reference_of
from camlite_export.cutting import evidence, heads, two_output
from camlite_export.cutting.heads import AffineHead
from support.classifier_kinds import AFFINE_HEADS, OTHER_HEADS, Kind

HEIGHT, WIDTH, CHANNELS, CLASSES = 4, 6, 5, 3
PLACES = HEIGHT * WIDTH


def head(*parts: Any) -> keras.Model:
    """Features (4, 6, 5) to logits, with weights that matter."""
    return kinds.lively(keras.Sequential([keras.Input((HEIGHT, WIDTH, CHANNELS)), *parts]))


def affine(model: keras.Model) -> AffineHead:
    derived = heads.derive(model)
    assert derived is not None
    return derived


def derives(model: keras.Model, weights: np.ndarray, bias: np.ndarray | Sequence[float]) -> None:
    """Class weights come from float32 gradients: a product of a few numbers, rounded to 6e-8 each."""
    derived = affine(model)
    assert derived.weights.dtype == derived.bias.dtype == np.float32
    assert derived.weights.shape == weights.shape
    np.testing.assert_allclose(derived.weights, weights, rtol=1e-5, atol=1e-6)
    np.testing.assert_allclose(derived.bias, bias, rtol=1e-5, atol=1e-6)


def test_global_average_pooling_and_dense() -> None:
    model = head(layers.GlobalAveragePooling2D(), layers.Dense(CLASSES))
    weights, bias = model.get_weights()
    derives(model, weights / PLACES, bias)


def test_what_was_derived_stays_as_it_is() -> None:
    derived = AffineHead(np.eye(2, dtype=np.float32), np.zeros(2, np.float32))
    for name in ("weights", "bias"):
        with pytest.raises(dataclasses.FrozenInstanceError):
            setattr(derived, name, None)


def test_a_normalization_of_each_image_is_sorted_out_before_a_jacobian_is_made(monkeypatch: pytest.MonkeyPatch) -> None:
    """It is as odd as an affine head is, and a Jacobian of 1,000 classes takes a minute."""
    monkeypatch.setattr(heads, "_jacobian", lambda *_: pytest.fail("made a Jacobian"))
    model = head(layers.GlobalAveragePooling2D(), layers.LayerNormalization(), layers.Dense(CLASSES))

    assert heads.derive(model) is None


@pytest.mark.parametrize("sign", [1, -1])
def test_weights_that_are_least_or_most_at_the_first_place_are_not_the_same_everywhere(sign: int) -> None:
    model = head(layers.Flatten(), layers.Dense(CLASSES))
    kernel = sign * np.arange(PLACES * CHANNELS * CLASSES, dtype=np.float32).reshape(-1, CLASSES) / 100
    model.set_weights([kernel, np.zeros(CLASSES)])
    derives(model, kernel.reshape(HEIGHT, WIDTH, CHANNELS, CLASSES), np.zeros(CLASSES))


def test_dense_without_bias() -> None:
    model = head(layers.GlobalAveragePooling2D(), layers.Dense(CLASSES, use_bias=False))
    derives(model, model.get_weights()[0] / PLACES, np.zeros(CLASSES))


def test_dropout_counts_for_nothing_and_normalization_scales_and_shifts() -> None:
    normalization = layers.BatchNormalization(epsilon=0.01)
    model = head(layers.GlobalAveragePooling2D(), layers.Dropout(0.5), normalization, layers.Dense(CLASSES))
    gamma, beta, mean, variance, weights, bias = model.get_weights()
    gain = gamma / np.sqrt(variance + 0.01)
    derives(model, gain[:, np.newaxis] * weights / PLACES, (beta - mean * gain) @ weights + bias)


def test_pooling_behind_a_channel_per_class() -> None:
    model = keras.Sequential([keras.Input((HEIGHT, WIDTH, CLASSES)), layers.GlobalAveragePooling2D()])
    derives(model, np.eye(CLASSES) / PLACES, np.zeros(CLASSES))


def test_1_x_1_convolution_in_front_of_pooling() -> None:
    model = head(layers.Conv2D(CLASSES, 1), layers.GlobalAveragePooling2D())
    weights, bias = model.get_weights()
    derives(model, weights[0, 0] / PLACES, bias)


def test_1_x_1_convolution_behind_pooling() -> None:
    model = head(layers.GlobalAveragePooling2D(keepdims=True), layers.Conv2D(CLASSES, 1), layers.Flatten())
    weights, bias = model.get_weights()
    derives(model, weights[0, 0] / PLACES, bias)


def test_average_pooling_of_all_places_is_one_set_of_weights() -> None:
    model = head(layers.AveragePooling2D((HEIGHT, WIDTH)), layers.Flatten(), layers.Dense(CLASSES))
    weights, bias = model.get_weights()
    derives(model, weights / PLACES, bias)


def test_average_pooling_to_several_places_has_weights_a_place() -> None:
    model = head(layers.AveragePooling2D(2), layers.Flatten(), layers.Dense(CLASSES))
    weights, bias = model.get_weights()
    pooled = weights.reshape(HEIGHT // 2, WIDTH // 2, CHANNELS, CLASSES)
    derives(model, pooled.repeat(2, axis=0).repeat(2, axis=1) / 4, bias)


def test_flatten_has_weights_a_place() -> None:
    model = head(layers.Flatten(), layers.Dense(CLASSES))
    weights, bias = model.get_weights()
    derives(model, weights.reshape(HEIGHT, WIDTH, CHANNELS, CLASSES), bias)


def test_a_convolution_in_the_head_has_weights_a_place_at_its_edges() -> None:
    """Where the border cuts the kernel, a place counts less often."""
    model = head(layers.Conv2D(CLASSES, 3), layers.GlobalAveragePooling2D())
    kernel, bias = model.get_weights()
    weights = np.zeros((HEIGHT, WIDTH, CHANNELS, CLASSES))
    for y, x in np.ndindex(HEIGHT - 2, WIDTH - 2):
        weights[y : y + 3, x : x + 3] += kernel / ((HEIGHT - 2) * (WIDTH - 2))
    derives(model, weights, bias)


def test_layers_without_an_activation_between_are_multiplied() -> None:
    model = head(layers.GlobalAveragePooling2D(), layers.Dense(7), layers.Dense(CLASSES))
    first, first_bias, second, second_bias = model.get_weights()
    derives(model, first @ second / PLACES, first_bias @ second + second_bias)


@pytest.mark.parametrize("kind", AFFINE_HEADS, ids=str)
def test_evidence_and_bias_add_up_to_the_scores(kind: Kind) -> None:
    """Completeness: 2e-7 was the most that was measured, of scores between 0 and 1."""
    model = kinds.cut(kind)
    assert isinstance(model, two_output.TwoOutputModel)
    outputs = model.model(kinds.images(model).astype(np.float32))
    for features, scores in zip(np.asarray(outputs["features"]), np.asarray(outputs["scores"]), strict=True):
        derived = affine(model.head)
        scale = max(1.0, float(np.abs(scores).max()))  # linear scores are not bounded
        logits = cam.logits(features, derived.weights, derived.bias)
        assert cam.completeness(logits, scores, model.activation) <= 1e-5 * scale


@pytest.mark.parametrize("kind", OTHER_HEADS, ids=str)
def test_a_head_that_is_not_affine_has_no_class_weights(kind: Kind) -> None:
    model = kinds.cut(kind)
    assert isinstance(model, two_output.TwoOutputModel)
    assert heads.derive(model.head) is None


@pytest.mark.parametrize(
    "bending",
    [
        lambda: layers.ReLU(),
        lambda: layers.ReLU(6.0),
        lambda: layers.LeakyReLU(negative_slope=0.9),
        lambda: layers.Activation("tanh"),
        lambda: layers.Activation("gelu"),
        lambda: layers.UnitNormalization(),
    ],
    ids=["relu", "relu6", "nearly linear", "an odd function", "gelu", "normalization by the features themselves"],
)
def test_what_bends_is_not_affine(bending: Any) -> None:
    assert heads.derive(head(layers.GlobalAveragePooling2D(), bending(), layers.Dense(CLASSES))) is None


def test_what_bends_only_far_from_zero_is_not_affine() -> None:
    """A hidden layer whose biases keep all units active for small features."""
    model = head(layers.GlobalAveragePooling2D(), layers.Dense(4, activation="relu"), layers.Dense(CLASSES))
    weights, bias, *others = model.get_weights()
    model.set_weights([weights, np.full_like(bias, 50), *others])
    assert heads.derive(model) is None


def test_softmax_inside_the_head_is_not_affine() -> None:
    assert heads.derive(head(layers.GlobalAveragePooling2D(), layers.Softmax(), layers.Dense(CLASSES))) is None


def test_many_places_do_not_make_an_affine_head_look_bent() -> None:
    """112 x 112 places of 32 channels: rounding grows with the number of terms."""
    model = kinds.lively(
        keras.Sequential([keras.Input((112, 112, 32)), layers.GlobalAveragePooling2D(), layers.Dense(10)])
    )
    assert affine(model).weights.shape == (32, 10)


def test_the_reference_takes_evidence_from_class_weights_or_from_kerass_own_gradient() -> None:
    """Both say the same where the head is affine."""
    kind = next(kind for kind in AFFINE_HEADS if "BatchNormalization" in kind.title)
    model = kinds.cut(kind)
    assert isinstance(model, two_output.TwoOutputModel)
    inputs = kinds.images(model).astype(np.float32)
    by_weights = reference_of(model, inputs)
    features = np.asarray(model.model(inputs)["features"])
    by_gradient = evidence.by_gradient(model, features, by_weights.classes)
    np.testing.assert_allclose(by_weights.evidence, by_gradient, rtol=1e-4, atol=1e-5 * np.abs(by_gradient).max())


@pytest.mark.parametrize(
    ("affine", "classes", "methods"),
    [
        (True, 3, ("device", "graph")),
        (True, 1000, ("device", "graph")),
        (False, 64, ("gradient", "gradient_top")),
        (False, 65, ("gradient_top", "gradient")),
    ],
)
def test_evidence_methods_are_those_of_the_head_with_the_default_first(
    affine: bool, classes: int, methods: tuple[str, ...]
) -> None:
    head = heads.AffineHead(np.zeros((2, classes), np.float32), np.zeros(classes, np.float32)) if affine else None
    assert heads.evidence_methods(head, classes) == methods


@pytest.mark.parametrize("classes_at_once", [1, 2, 3])
def test_class_weights_do_not_depend_on_how_many_are_computed_at_once(
    classes_at_once: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    model = head(layers.Conv2D(4, 3), layers.Flatten(), layers.Dense(5))
    expected = affine(model)
    monkeypatch.setattr(heads, "_MOST_NUMBERS", classes_at_once * PLACES * CHANNELS)

    derived = affine(model)

    np.testing.assert_array_equal(derived.weights, expected.weights)
    assert derived.weights.shape == (HEIGHT, WIDTH, CHANNELS, 5)
