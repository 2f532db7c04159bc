"""`camlite_export.cutting.two_output`: where a classifier is cut, what the cut keeps, and which cuts are refused."""

from __future__ import annotations

import re
from typing import Any

import keras
import numpy as np
import pytest
from keras import layers

import support.classifier_kinds as kinds
from camlite.errors import ClassifierError
from camlite.maps import cam
from camlite_export.cutting import two_output
from camlite_export.cutting.two_output import TwoOutputModel
from camlite_export.sources import fixed_batches
from camlite_export.sources.keras3 import Keras3Source
from support.classifier_kinds import AFFINE_HEADS, OTHER_HEADS, REFUSALS, SHAPES, Kind, Refusal

# Whole and halves run the same float32 kernels, fused differently; 3e-7 was the most that was measured.
ROUNDING = 2e-6
# A classifier in 16 bits against its halves in float32; 4e-4 was the most that was measured.
ROUNDING_16_BITS = 5e-3

titled = pytest.mark.parametrize("kind", [*SHAPES, *AFFINE_HEADS, *OTHER_HEADS], ids=str)


def cut(kind: Kind) -> TwoOutputModel:
    model = kinds.cut(kind)
    assert isinstance(model, TwoOutputModel), model
    return model


def inputs(model: TwoOutputModel) -> np.ndarray:
    return kinds.images(model).astype(np.float32)


def pooled(*parts: Any, side: int = 16) -> keras.Model:
    """Three convolutions, pooling, three classes."""
    convolutions = [layers.Conv2D(4, 3, padding="same", activation="relu", name=f"conv_{i}") for i in range(3)]
    tail = [layers.GlobalAveragePooling2D(name="pool"), layers.Dense(3, activation="softmax", name="scores")]
    return kinds.lively(
        keras.Sequential([keras.Input((side, side, 3)), *convolutions, *parts, *tail], name="classifier")
    )


def refusal(model: keras.Model, layer: int | str | None = None) -> str:
    with pytest.raises(ClassifierError) as raised:
        two_output.cut(model, layer)
    message = str(raised.value)
    assert message.startswith("classifier: ")
    assert "\n" not in message
    return message


@titled
def test_the_scores_are_those_of_the_classifier(kind: Kind) -> None:
    model, classifier = cut(kind), kinds.classifier(kind)
    images = inputs(model)
    taken = images[..., 0] if len(classifier.inputs[0].shape) == 3 else images
    expected = fixed_batches.scores(classifier, taken)
    received = np.asarray(model.model(images, training=False)["scores"])
    in_16_bits = "16" in kind.title and "computed in float32" in kind.title
    np.testing.assert_allclose(
        received[:, -expected.shape[1] :], expected, rtol=0, atol=ROUNDING_16_BITS if in_16_bits else ROUNDING
    )


@titled
def test_features_head_and_activation_make_the_scores(kind: Kind) -> None:
    model = cut(kind)
    outputs = model.model(inputs(model), training=False)
    logits = np.asarray(model.head(outputs["features"], training=False))
    np.testing.assert_allclose(
        cam.activate(logits, model.activation), np.asarray(outputs["scores"]), rtol=1e-5, atol=ROUNDING
    )


@titled
def test_evidence_activation_and_layer_are_found(kind: Kind) -> None:
    model = cut(kind)
    assert (model.evidence_method, model.activation) == (kind.evidence, kind.activation)
    assert kind.layer in (None, model.layer)
    assert (model.affine is not None and model.affine.weights.ndim == 4) == kind.places


@pytest.mark.parametrize("kind", REFUSALS, ids=str)
def test_what_cannot_be_explained_is_refused_in_one_line_with_the_reason(kind: Refusal) -> None:
    reason = kinds.cut(kind)
    assert isinstance(reason, str), "it was not refused"
    assert reason.startswith("classifier: ")
    assert re.search(kind.why, reason)
    assert "\n" not in reason


@pytest.mark.parametrize(("layer", "name"), [(-3, "conv_2"), (2, "conv_2"), (-5, "conv_0"), ("conv_1", "conv_1")])
def test_the_layer_is_given_by_index_or_by_name(layer: int | str, name: str) -> None:
    assert two_output.cut(pooled(), layer).layer == name


def test_an_index_counts_the_layers_of_the_classifier_itself() -> None:
    inner = keras.Sequential([layers.Conv2D(4, 3, name="inner_0"), layers.Conv2D(4, 3, name="inner_1")], name="inner")
    classifier = pooled(inner)
    assert two_output.cut(classifier, -3).layer == "inner_1"
    assert two_output.cut(classifier, "inner").layer == "inner_1"
    assert two_output.cut(classifier, "inner_0").layer == "inner_0"


@pytest.mark.parametrize("layer", [5, -6])
def test_an_index_outside_the_layers_is_refused(layer: int) -> None:
    assert "expected -5 to 4" in refusal(pooled(), layer)


def test_the_input_is_no_layer_to_cut_at() -> None:
    image = keras.Input((16, 16, 3))
    x = layers.GlobalAveragePooling2D()(layers.Conv2D(4, 3)(image))
    assert "is the input" in refusal(keras.Model(image, layers.Dense(3)(x), name="classifier"), 0)


@pytest.mark.parametrize("layer", [-1, "pool"])
def test_a_vector_is_no_feature_map(layer: int | str) -> None:
    assert "no feature map" in refusal(pooled(), layer)


def test_a_map_of_one_place_is_no_feature_map() -> None:
    classifier = pooled(layers.MaxPooling2D(16, name="one_place"))
    assert two_output.cut(classifier).layer == "conv_2"
    assert "more than one place" in refusal(classifier, "one_place")


def test_a_transformer_is_explained_by_gradient_where_its_layer_is_named() -> None:
    transformer = kinds.classifier(next(kind for kind in REFUSALS if kind.title == "a transformer"))
    assert two_output.cut(transformer, "patches").evidence_method == "gradient"


def test_the_journey_lists_every_layer_on_the_way_and_those_of_inner_models() -> None:
    inner = keras.Sequential([layers.Conv2D(8, 3, name="inner_conv"), layers.ReLU(name="inner_relu")], name="inner")
    journey = two_output.cut(pooled(inner)).source.steps
    assert [step.name for step in journey] == [
        *("conv_0", "conv_1", "conv_2", "inner_conv", "inner_relu", "pool", "scores")
    ]
    step = journey[3]
    assert (step.kind, step.shape, step.parameters) == ("Conv2D", (None, 14, 14, 8), 4 * 9 * 8 + 8)


def test_one_sigmoid_unit_gives_two_scores_and_opposite_evidence() -> None:
    model = cut(next(kind for kind in AFFINE_HEADS if kind.title.startswith("one sigmoid unit")))
    scores = np.asarray(model.model(inputs(model))["scores"])
    np.testing.assert_allclose(scores.sum(axis=1), 1, atol=1e-6)
    assert model.affine is not None
    np.testing.assert_allclose(model.affine.weights[:, 0], -model.affine.weights[:, 1])
    np.testing.assert_allclose(model.affine.bias[0], -model.affine.bias[1])


def test_the_size_of_the_images_is_fixed_where_the_classifier_takes_any() -> None:
    kind = next(kind for kind in SHAPES if "--size" in kind.title)
    assert cut(kind).image_shape == (16, 20, 3)
    assert two_output.cut(kinds.classifier(kind), size=(31, 8)).feature_shape == (31, 8, 6)


def test_reduced_precision_becomes_float32_with_the_same_weights() -> None:
    kind = next(kind for kind in SHAPES if "mixed_bfloat16" in kind.title)
    model = cut(kind)
    assert {str(weight.dtype) for weight in model.model.weights} == {"float32"}
    for ours, theirs in zip(model.model.get_weights(), kinds.classifier(kind).get_weights(), strict=True):
        np.testing.assert_array_equal(ours, np.asarray(theirs, np.float32))


@pytest.mark.parametrize("kind", SHAPES, ids=str)
def test_the_classifier_stays_as_it_was(kind: Kind) -> None:
    classifier = kind.build(keras, layers)
    kinds.lively(classifier)
    before = classifier.to_json(), [weight.copy() for weight in classifier.get_weights()], classifier.count_params()
    names = [weight.path for weight in classifier.weights]
    two_output.cut(classifier, **(kind.options or {}))
    assert (classifier.to_json(), classifier.count_params()) == (before[0], before[2])
    assert [weight.path for weight in classifier.weights] == names
    for ours, theirs in zip(classifier.get_weights(), before[1], strict=True):
        np.testing.assert_array_equal(ours, theirs)


def test_a_wrong_cut_would_be_noticed(monkeypatch: pytest.MonkeyPatch) -> None:
    """The proof that the halves say what the whole says can fail."""
    classifier = pooled()
    monkeypatch.setattr(Keras3Source, "head", lambda _source, _step: two_output_head(classifier))
    assert "scores differ by" in refusal(classifier)


def two_output_head(classifier: keras.Model) -> keras.Model:
    """A head that forgets the bias."""
    features = keras.Input((16, 16, 4))
    weights, bias = classifier.layers[-1].get_weights()
    last = layers.Dense(3)
    logits = last(layers.GlobalAveragePooling2D()(features))
    last.set_weights([weights, np.zeros_like(bias)])
    return keras.Model(features, logits)


@pytest.mark.parametrize(
    ("front", "expected"),
    [
        ((), "unit"),
        ((layers.RandomFlip(),), "unit"),
        ((layers.RandomFlip(), layers.Rescaling(1 / 255)), "raw"),
        ((layers.Normalization(mean=[1.0, 2, 3], variance=[4.0, 5, 6]),), "raw"),
        ((keras.Sequential([layers.Rescaling(1 / 127.5, offset=-1)]),), "raw"),
        ((layers.Lambda(lambda pixels: pixels / 127.5 - 1),), "raw"),
        ((layers.Conv2D(3, 1), layers.Rescaling(0.5)), "unit"),
        ((layers.BatchNormalization(),), "unit"),
        ((layers.ZeroPadding2D(1), layers.Resizing(12, 12)), "unit"),
    ],
    ids=[
        *("nothing", "augmentation", "rescaling", "normalization", "nested rescaling", "a function"),
        *("rescaling behind a convolution", "batch normalization, which has learned", "padding"),
    ],
)
def test_pixels_are_taken_raw_where_the_classifier_begins_by_scaling_them(
    front: tuple[Any, ...], expected: str
) -> None:
    classifier = keras.Sequential(
        [keras.Input((8, 8, 3)), *front, layers.Conv2D(2, 3), layers.GlobalAveragePooling2D(), layers.Dense(2)],
        name="classifier",
    )
    assert two_output.cut(classifier).default_preprocessing == expected


def test_a_sigmoid_that_is_no_layer_is_the_activation_too() -> None:
    model = pooled()
    logits = layers.Dense(3, name="logits")(model.get_layer("pool").output)

    assert two_output.cut(keras.Model(model.inputs[0], keras.ops.sigmoid(logits))).activation == "sigmoid"


def small(*front: keras.layers.Layer, shape: tuple[int, int] = (32, 32)) -> keras.Model:
    """What stands in front of a convolution and a head."""
    layers = keras.layers
    tail = (layers.Conv2D(4, 3, activation="relu"), layers.GlobalAveragePooling2D(), layers.Dense(2))
    return keras.Sequential([keras.Input((*shape, 3)), *front, *tail])


MOVING = {
    "Lambda": lambda x: keras.ops.roll(x, 16, axis=1),
    "Permute": keras.layers.Permute((2, 1, 3)),
    "Reshape": keras.layers.Reshape((16, 64, 3)),
}


@pytest.mark.parametrize("kind", MOVING)
def test_an_image_whose_places_are_moved_first_is_refused_with_the_step_that_moves_them(kind: str) -> None:
    step = MOVING[kind] if kind != "Lambda" else keras.layers.Lambda(MOVING[kind])
    with pytest.raises(ClassifierError, match=rf"flipped, turned, rolled, .* by '.*' \({kind}\) or in front of it"):
        two_output.cut(small(step))


class OtherSize(keras.layers.Layer):
    """Crops in training only, as RandomCrop does, and declares what it gives there."""

    def call(self, image: Any) -> Any:
        return image

    def compute_output_spec(self, image: Any) -> Any:
        return keras.KerasTensor((image.shape[0], 20, 20, image.shape[3]), image.dtype)


@pytest.mark.parametrize(
    ("layer", "declared"),
    [
        (keras.layers.RandomCrop(16, 16), "(batch, 16, 16, 3)"),
        (keras.layers.RandomCrop(16, 24), "(batch, 16, 24, 3)"),
        (OtherSize(), "(batch, 20, 20, 3)"),
    ],
)
def test_a_layer_that_gives_another_size_than_it_declares_is_named(layer: keras.layers.Layer, declared: str) -> None:
    kind = type(layer).__name__
    said = f"({kind}) declares {declared} and gives (batch, 32, 32, 3) when the classifier is used"
    with pytest.raises(ClassifierError, match=re.escape(said)):
        two_output.cut(small(layer))
