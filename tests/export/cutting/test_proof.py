"""`camlite_export.cutting.proof`: what is converted is held against the original, on all that pixels can be."""

from __future__ import annotations

import warnings
from typing import Any

import keras
import numpy as np
import pytest
from keras import layers

from camlite.errors import ClassifierError
from camlite_export.cutting import proof, two_output
from camlite_export.sources import same_answers
from camlite_export.sources.keras3 import Keras3Source
from camlite_export.sources.pixel_conventions import preprocessing
from camlite_export.sources.source import Answer, Step


def bends_at(where: float) -> keras.Model:
    """Does something else with pixels above a number."""
    image = keras.Input((8, 8, 3))
    x = layers.Concatenate()([image, layers.ReLU(threshold=where, name="bend")(image)])
    x = layers.GlobalAveragePooling2D()(layers.Conv2D(4, 3)(x))
    keras.utils.set_random_seed(0)
    return keras.Model(image, layers.Dense(2)(x))


class WithAnother(Keras3Source):
    """Answers by another model than that which is cut, as if rebuilding had gone wrong."""

    def answer(self, images: Any, step: Step) -> Answer:
        other = bends_at(200.0)
        other.set_weights(self.model.get_weights())
        return Answer(super().answer(images, step).features, np.asarray(other(images), np.float32))


def test_it_looks_at_pixels_0_to_255() -> None:
    """Between -1 and 1 the two are the same."""
    model = bends_at(100.0)
    with pytest.raises(ClassifierError, match="its scores differ by"):
        two_output.cut(WithAnother(model))
    cut = two_output.cut(model)
    source = WithAnother(model)
    unit = same_answers.probes_of(preprocessing((8, 8, 3), "unit"))
    step = next(one for one in source.steps if one.name == cut.step.name)
    proof.prove(source, step, cut.model, cut.head, unit)


def test_pictures_are_proven_as_well() -> None:
    cut = two_output.cut(bends_at(100.0))
    pictures = np.random.default_rng(0).uniform(0, 255, (4, 8, 8, 3)).astype(np.float32)
    cut.prove(pictures)
    wrong = two_output.cut(bends_at(100.0))
    object.__setattr__(wrong, "model", two_output.cut(bends_at(200.0)).model)
    with pytest.raises(ClassifierError, match=r"its (features|scores) differ by"):
        wrong.prove(pictures)


def test_damaged_weights_are_named() -> None:
    model = bends_at(100.0)
    model.layers[-1].bias.assign([np.nan, 0.0])
    with pytest.raises(ClassifierError, match="not finite numbers; its weights are damaged"):
        two_output.cut(model)


def test_integers_are_probed_as_pixels() -> None:
    image = keras.Input((8, 8, 3), dtype="uint8")
    x = layers.GlobalAveragePooling2D()(layers.Conv2D(4, 3)(layers.Rescaling(1 / 255)(image)))
    probes = proof.probes(Keras3Source(keras.Model(image, layers.Dense(2)(x))))
    assert probes.max() > 200
    np.testing.assert_array_equal(probes, np.rint(probes))


class Exponential(layers.Layer):
    """The mean of exp(z): too large for float32 where pixels are 0..255."""

    def call(self, image: Any) -> Any:
        return keras.ops.mean(keras.ops.exp(image), axis=(1, 2))


def test_images_whose_logits_are_too_large_for_float32_do_not_count_and_nothing_is_warned_of() -> None:
    keras.utils.set_random_seed(0)
    parts = [layers.Conv2D(1, 3, kernel_initializer="ones"), Exponential(), layers.Dense(3, "softmax")]
    model = keras.Sequential([keras.Input((8, 8, 3)), *parts])
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert two_output.cut(model).affine is None
