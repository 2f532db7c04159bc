"""`camlite_export.sources.float32`: a copy in float32 has all that the original has, not its weights only."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest
from keras import layers

import camlite_export
from camlite.errors import ClassifierError
from camlite_export import workarounds
from camlite_export.sources.float32 import in_float32

RANDOM = np.random.default_rng(0)
# Colours that lie far apart: a Normalization that is left out is seen.
COLOURS = RANDOM.uniform(0, 2, (36, 1, 1, 3)) * [1.0, 0.5, 0.1]
PIXELS = (RANDOM.gamma(2.0, 40.0, (36, 16, 16, 3)) * COLOURS).clip(0, 255).astype(np.uint8)


def in_16_bits(build: Any, policy: str = "mixed_float16") -> keras.Model:
    keras.config.set_dtype_policy(policy)
    try:
        return build()
    finally:
        keras.config.set_dtype_policy("float32")


def normalized(scaled: bool) -> keras.Model:
    """On pixels 0..255, which it scales or not, and then normalizes by what it has seen."""
    normalization = layers.Normalization()
    normalization.adapt(PIXELS / np.float32(255) if scaled else PIXELS.astype(np.float32))
    keras.utils.set_random_seed(1)
    front = [layers.Rescaling(1 / 255), normalization] if scaled else [normalization]
    body = [layers.Conv2D(8, 3, activation="relu"), layers.GlobalAveragePooling2D(), layers.Dense(3)]
    return keras.Sequential([keras.Input((16, 16, 3)), *front, *body, layers.Softmax(dtype="float32")])


@pytest.mark.parametrize("scaled", [True, False])
@pytest.mark.parametrize("policy", ["mixed_float16", "mixed_bfloat16"])
def test_what_normalization_has_seen_is_carried_over(policy: str, scaled: bool) -> None:
    model = in_16_bits(lambda: normalized(scaled), policy)
    copy = in_float32(model)
    assert copy is not model
    difference = np.abs(np.asarray(copy(PIXELS)) - np.asarray(model(PIXELS), np.float32)).max()
    assert difference < (1e-2 if policy == "mixed_float16" else 8e-2)


def test_layers_inside_of_layers_compute_in_float32_too() -> None:
    def build() -> keras.Model:
        image = keras.Input((8, 8, 3))
        x = layers.SpectralNormalization(layers.Conv2D(4, 3, activation=layers.LeakyReLU(0.1)))(image)
        x = layers.Bidirectional(layers.GRU(3))(layers.Reshape((6, 24))(x))
        return keras.Model(image, layers.Dense(2)(x))

    model = in_16_bits(build)
    given = {layer.compute_dtype for layer in workarounds.all_layers(model)}
    copied = {layer.compute_dtype for layer in workarounds.all_layers(in_float32(model))}
    assert (given, copied) == ({"float16"}, {"float32"})


def test_what_is_in_float32_is_not_copied() -> None:
    model = normalized(scaled=True)
    assert in_float32(model) is model
    integers = keras.Sequential([keras.Input((8, 8, 3), dtype="uint8"), layers.Rescaling(1 / 255)])
    assert in_float32(integers) is integers


def test_a_layer_that_was_quantized_inside_of_another_is_refused() -> None:
    inner = layers.Dense(4)
    model = keras.Sequential([keras.Input((8, 8, 3)), layers.TimeDistributed(inner)])
    inner.quantize("int8")
    with pytest.raises(ClassifierError, match=r"layer 'dense.*' was quantized by Keras"):
        in_float32(model)


def test_an_artifact_is_right_on_pictures_as_the_original_is(tmp_path: Path) -> None:
    """Of mixed precision with a Normalization inside: accuracy was 0.275 where Keras had 1, and agreement 100 %."""
    model = in_16_bits(lambda: normalized(scaled=True))
    classes = np.asarray(model(PIXELS)).argmax(axis=1)
    assert len(np.unique(classes)) > 1
    model.save(tmp_path / "model.keras")
    np.savez(tmp_path / "pictures.npz", images=PIXELS, classes=classes)
    exported = camlite_export.export(
        tmp_path / "model.keras", formats="tflite", precisions="float32", calibration=tmp_path / "pictures.npz"
    )
    measured = exported.artifacts[0].measurement
    assert measured is not None
    assert measured.correct.mean() == measured.correct_reference.mean() == 1
    assert measured.score_difference.max() < 1e-2
    compared = camlite_export.parity(tmp_path / "model.keras", exported.artifacts[0].path, tmp_path / "pictures.npz")
    assert compared.passed, compared.results[0].failures
