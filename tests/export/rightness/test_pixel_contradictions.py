"""Where the evidence is against every range with a name, or against what layers and families say: stopped, or said."""

from __future__ import annotations

import keras
import numpy as np
import pytest
from keras import layers

from camlite.images.labelled_images import LabelledImages
from camlite_export.rightness import candidates
from camlite_export.rightness.pixel_decision import Decision, decide
from camlite_export.rightness.training_pictures import Estimate, likelihoods
from camlite_export.sources.opening import open_source
from camlite_export.sources.pixel_conventions import preprocessing
from camlite_export.sources.pixel_views import view_of
from support.pixel_classifiers import SHAPES, SIDE, as_given, behind, network, pictures, scaled_before, trained

SHAPE = (SIDE, SIDE, 3)
IMAGES, CLASSES = pictures(160, 9)
BLUE = np.clip(IMAGES * np.array([0.35, 0.7, 1.0]), 0, 255).astype(np.uint8)


def decided(model: keras.Model, shown: LabelledImages | None, **options: object) -> Decision:
    return decide(view_of(open_source(model)), shown, SHAPES, **options)


def remembering(images: np.ndarray, *front: keras.Layer) -> keras.Model:
    """A classifier whose first normalization has seen these images, behind some layers."""
    chain = [keras.Input(SHAPE), *front, layers.BatchNormalization(), layers.Conv2D(6, 3, activation="relu")]
    model = keras.Sequential([*chain, layers.GlobalAveragePooling2D(), layers.Dense(4, activation="softmax")])
    seen = images.astype(np.float32)
    for layer in front:
        seen = np.asarray(layer(seen))
    values = seen.reshape(-1, 3)
    model.layers[len(front)].set_weights([np.ones(3), np.zeros(3), values.mean(axis=0), values.var(axis=0)])
    return model


# What is in front, and what the classifier was trained on.
FRONTS = {
    "0..1 inside": ([layers.Rescaling(1 / 255)], 1.0, "raw"),
    "-1..1 inside": ([layers.Rescaling(1 / 127.5, -1.0)], 1.0, "raw"),
    "-1..1 of 0..1 inside": ([layers.Rescaling(2.0, -1.0)], 1 / 255, "unit"),
    "nothing": ([], 1 / 255, "unit"),
}


@pytest.mark.parametrize("what", FRONTS)
def test_normalizations_tell_the_order_of_the_channels_where_pictures_have_a_tint(what: str) -> None:
    front, scale, name = FRONTS[what]

    turned = decided(remembering(BLUE[..., ::-1] * scale, *front), as_given(BLUE))
    assert turned.name == f"{name} bgr", turned.reason
    assert decided(remembering(BLUE * scale, *front), as_given(BLUE)).name == name


@pytest.mark.parametrize("images", [BLUE, IMAGES // 3, 255 - IMAGES // 3], ids=["blue", "dark", "bright"])
def test_pictures_that_are_not_those_of_the_training_are_said_where_layers_decide(images: np.ndarray) -> None:
    decision = decided(remembering(IMAGES, layers.Rescaling(1 / 255)), as_given(images))

    assert decision.name == "raw"
    (warning,) = decision.warnings
    assert "stored the statistics of other pictures than these, or of other pixels" in warning
    assert "expected at most 0.05" in warning
    assert decided(remembering(IMAGES, layers.Rescaling(1 / 255)), as_given(IMAGES)).warnings == ()


# What a network trained on 0..1 is given in front, and the pixels that it was trained on then.
NAMELESS = {
    "-0.5..0.5": (lambda: layers.Rescaling(1.0, 0.5), 127.5, 255.0),
    "0..2": (lambda: layers.Rescaling(0.5), 0.0, 127.5),
    "0..4": (lambda: layers.Rescaling(0.25), 0.0, 63.75),
}


@pytest.mark.parametrize("labelled", [False, True], ids=["unlabelled", "labelled"])
@pytest.mark.parametrize("what", NAMELESS)
def test_a_range_without_a_name_is_asked_for_with_the_option_that_gives_it(what: str, labelled: bool) -> None:
    front, mean, std = NAMELESS[what]
    model = behind([front()], trained("normalized", "unit"))
    given = as_given(IMAGES, CLASSES if labelled else None)
    decision = decided(model, given)

    assert decision.name is None
    words = decision.reason.split("(or --mean and --std), as --mean ")[1].split(", or")[0].split()
    assert float(words[0]) == pytest.approx(mean, abs=25)
    assert float(words[2]) == pytest.approx(std, rel=0.2)
    assert any(row[0] == f"--mean {words[0]} --std {words[2]}" for row in decision.table)
    told = preprocessing(SHAPE, mean=[float(words[0])], std=[float(words[2])])
    right = decided(model, given, given=told)
    assert right.warnings == ()
    assert right.labels is None or right.labels.accuracy > 0.95


@pytest.mark.parametrize("labelled", [False, True], ids=["unlabelled", "labelled"])
def test_a_network_that_scales_what_was_scaled_already_is_asked_about(labelled: bool) -> None:
    twice = behind([layers.Rescaling(1 / 255)], scaled_before(trained("plain", "unit"), 255.0))
    decision = decided(twice, as_given(IMAGES, CLASSES if labelled else None))

    assert decision.name is None
    assert "the evidence contradicts itself: its own first layers scale them" in decision.reason
    assert "it tells these pictures apart as 0..1 as well" in decision.reason


# As measured of classifiers that were trained on pictures standardized each by itself, by CIFAR-10's mean and
# deviation, and on two ranges.
STANDARDIZED = {
    "each by itself": Estimate(0.0013, 0.54, 0.0014),
    "by CIFAR-10's": Estimate(0.0965, 1.07, 0.0286),
    "-0.5..0.5": Estimate(0.0022, 0.281, 0.001),
    "0..2": Estimate(0.923, 0.533, 0.02),
}


@pytest.mark.parametrize("what", STANDARDIZED)
def test_without_pictures_a_range_without_a_name_is_possible_too(what: str) -> None:
    likely = likelihoods(STANDARDIZED[what], candidates.usual(SHAPE))

    assert sum(likely.values()) == pytest.approx(1)
    assert max(likely[name] for name in candidates.SHOWN) < 0.99


@pytest.mark.parametrize("convention", ["signed", "imagenet"])
def test_without_pictures_mean_0_is_asked_about(convention: str) -> None:
    decision = decided(trained("normalized", convention), None)

    assert decision.name is None
    assert f"the pixels may be {convention}, or in a range without a name" in decision.reason


def inverted_residuals(normalized: bool) -> keras.Model:
    """Built like MobileNetV2, a hundredth of its size."""

    def normal(values: object) -> object:
        return layers.BatchNormalization(momentum=0.9)(values) if normalized else values

    image = keras.Input(SHAPE)
    values = layers.ReLU()(normal(layers.Conv2D(12, 3, 2, "same", use_bias=False)(image)))
    values = layers.ReLU()(normal(layers.DepthwiseConv2D(3, padding="same", use_bias=False)(values)))
    values = normal(layers.Conv2D(12, 1, use_bias=False)(values))
    for block in range(5):
        wide = layers.ReLU()(normal(layers.Conv2D(24, 1, use_bias=False)(values)))
        stride = 2 if block == 1 else 1
        wide = layers.ReLU()(normal(layers.DepthwiseConv2D(3, stride, "same", use_bias=False)(wide)))
        narrow = normal(layers.Conv2D(12, 1, use_bias=False)(wide))
        values = narrow if stride == 2 else layers.add([values, narrow])
    scores = layers.Dense(4, activation="softmax")(layers.GlobalAveragePooling2D()(layers.ReLU()(values)))
    return keras.Model(image, scores)


def test_labelled_pictures_against_a_family_are_asked_about() -> None:
    keras.utils.set_random_seed(0)
    model = inverted_residuals(normalized=False)
    images, classes = pictures(800, 0)
    model.compile(keras.optimizers.Adam(5e-3), "sparse_categorical_crossentropy", jit_compile=False)
    model.fit(images / np.float32(255), classes, batch_size=50, epochs=15, verbose=0)
    decision = decided(model, as_given(IMAGES, CLASSES))

    assert decision.name is None
    assert "the evidence contradicts itself: its layers are built like MobileNetV2's" in decision.reason
    assert "labelled pictures are classified correctly as 0.." in decision.reason  # no biases: any multiple is as good


@pytest.mark.parametrize("given", [as_given(IMAGES), None], ids=["pictures", "no pictures"])
def test_a_normalization_against_a_family_is_asked_about(given: LabelledImages | None) -> None:
    keras.utils.set_random_seed(0)
    model = inverted_residuals(normalized=True)
    first = next(layer for layer in model.layers if isinstance(layer, layers.BatchNormalization))
    values = np.asarray(keras.Model(model.input, first.input)(IMAGES / np.float32(255)))
    first.set_weights([*first.get_weights()[:2], values.mean(axis=(0, 1, 2)), values.var(axis=(0, 1, 2))])
    decision = decided(model, given)

    assert decision.name is None
    assert "the evidence contradicts itself: its layers are built like MobileNetV2's" in decision.reason
    assert "but BatchNormalization" in decision.reason


def test_an_order_that_was_told_is_kept_and_the_range_is_decided() -> None:
    decision = decided(trained("normalized", "raw"), as_given(IMAGES), order="bgr")

    assert decision.target == preprocessing(SHAPE, "raw", order="bgr")
    assert decision.name == "raw bgr"
    assert "BGR, as was asked for" in decision.reason
    labelled = decided(behind([layers.Rescaling(1 / 255)], trained("plain", "unit")), None, order="bgr")
    assert labelled.name == "raw bgr"


def test_the_table_offers_the_other_order_where_it_fits_better() -> None:
    model = behind([layers.Rescaling(1.0, 0.5)], network("plain"))
    assert not any("--order" in row[0] for row in decided(model, as_given(IMAGES)).table)
    turned = remembering(BLUE[..., ::-1] / 255)
    assert any(row[0] == "--preprocess unit --order bgr" for row in decided(turned, as_given(BLUE)).table)
