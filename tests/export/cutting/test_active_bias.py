"""`camlite_export.cutting.active_bias`: heads that are linear in pieces add up, and others do not claim to."""

from __future__ import annotations

import dataclasses
import os
from pathlib import Path

import keras
import numpy as np
import pytest
import tensorflow as tf
from keras import layers

from camlite.artifact.evidence_methods import EvidenceMethod
from camlite_export.cutting import active_bias, file_cut, two_output
from camlite_export.cutting.two_output import TwoOutputModel
from camlite_export.sources import original_process
from camlite_export.sources.opening import open_source
from camlite_export.targets import tflite_file
from support import active_pieces, tflite_files

# Of the largest logit; 3.9e-7 was the most here, 3.3e-7 on Teachable Machine from Keras, 2.9e-7 from its .tflite.
ROUNDING = 1e-5
TEACHABLE = Path(os.environ.get("TEACHABLE_MACHINE_DIR", "no such folder")) / "keras_model.h5"

PIECEWISE_LINEAR = {
    "hidden ReLU": lambda: [layers.GlobalAveragePooling2D(), layers.Dense(9, activation="relu")],
    "leaky ReLU": lambda: [layers.GlobalAveragePooling2D(), layers.Dense(9, activation="leaky_relu")],
    "ReLU6 and hard sigmoid": lambda: [
        layers.Flatten(),
        layers.Dense(9, activation="relu6"),
        layers.Dense(9, activation="hard_sigmoid"),
    ],
    "max pooling, side by side": lambda: [layers.MaxPooling2D(2), layers.Flatten(), layers.Dense(9, activation="relu")],
    "max pooling, overlapping and padded": lambda: [
        layers.MaxPooling2D(3, 2, padding="same"),
        layers.Flatten(),
        layers.Dense(9, activation="relu"),
    ],
    "global max pooling": lambda: [layers.GlobalMaxPooling2D(), layers.Dense(9, activation="relu")],
    "convolutions and normalization": lambda: [
        layers.Conv2D(5, 3, padding="same"),
        layers.BatchNormalization(),
        layers.ReLU(max_value=1.5, negative_slope=0.1, threshold=0.2),
        layers.AveragePooling2D(2),
        layers.Flatten(),
    ],
    "PReLU": lambda: [layers.GlobalAveragePooling2D(), layers.Dense(9), layers.PReLU("uniform")],
}
OTHERS = {
    "hard swish": lambda: [layers.GlobalAveragePooling2D(), layers.Dense(9, activation="hard_silu")],
    "tanh": lambda: [layers.GlobalAveragePooling2D(), layers.Dense(9, activation="tanh")],
    "ELU": lambda: [layers.GlobalAveragePooling2D(), layers.Dense(9, activation="elu")],
    "normalized by itself": lambda: [layers.GlobalAveragePooling2D(), layers.LayerNormalization()],
}
named = pytest.mark.parametrize("name", list(PIECEWISE_LINEAR))


def cut(parts: list[keras.Layer], classes: int = 4) -> TwoOutputModel:
    """16 x 16 -> features 8 x 8 x 6 -> the head; all of its biases are random, too."""
    keras.utils.set_random_seed(0)
    first = [layers.Conv2D(6, 3, padding="same", activation="relu", strides=2, name="last")]
    last = layers.Dense(classes, activation="softmax")
    model = keras.Sequential([keras.Input((16, 16, 3)), *first, *parts, last])
    random = np.random.default_rng(1)
    for weight in model.weights:
        if weight.ndim == 1:
            weight.assign(random.uniform(0.1, 1, weight.shape))
    return two_output.cut(model, layer="last")


def images(count: int = 6) -> np.ndarray:
    return np.random.default_rng(2).uniform(-1, 1, (count, 16, 16, 3)).astype(np.float32)


def exported(model: TwoOutputModel, given: np.ndarray) -> dict[str, np.ndarray]:
    traced = tf.function(model.function(), autograph=False)
    return {name: np.asarray(value) for name, value in traced(given).items()}


@named
@pytest.mark.parametrize("method", ["gradient", "gradient_top"])
def test_evidence_and_bias_add_up_to_the_logits(name: str, method: EvidenceMethod) -> None:
    model = cut(PIECEWISE_LINEAR[name]())
    assert model.affine is None
    assert model.gives_bias
    outputs = exported(dataclasses.replace(model, evidence_method=method), images())
    logits = np.asarray(model.head(outputs["features"]))
    received = active_pieces.logits(outputs["evidence"], outputs["bias"], logits.argmax(axis=1))
    assert np.abs(received - logits).max() <= ROUNDING * np.abs(logits).max()
    assert np.abs(outputs["bias"]).max() > 0.01 * np.abs(logits).max()


@pytest.mark.parametrize("name", list(OTHERS))
def test_other_heads_give_no_bias(name: str) -> None:
    model = cut(OTHERS[name]())
    assert model.affine is None
    assert not model.gives_bias
    assert "bias" not in exported(model, images(1))


def test_an_affine_head_needs_none() -> None:
    assert not cut([layers.GlobalAveragePooling2D()]).gives_bias


def test_a_pass_that_follows_wrong_pieces_is_found_out(monkeypatch: pytest.MonkeyPatch) -> None:
    """The proof tells a bias of the active pieces from one of others."""
    model = cut(PIECEWISE_LINEAR["hidden ReLU"]())
    probes = active_bias.probes(model.feature_shape)
    assert active_bias.adds_up(model.head, probes)
    monkeypatch.setitem(active_bias._BENDS, "Relu", lambda _, active: tf.nn.relu(active(0)))
    assert not active_bias.adds_up(model.head, probes)


def test_the_operators_of_a_file_add_up_too(tmp_path: Path) -> None:
    found = of_a_file(tflite_files.converted(whole(cut(PIECEWISE_LINEAR["hidden ReLU"]()))), tmp_path, images())
    assert found <= ROUNDING


@pytest.mark.endurance
@pytest.mark.skipif(not TEACHABLE.is_file(), reason="TEACHABLE_MACHINE_DIR names no folder")
def test_teachable_machine_adds_up_from_keras_and_from_its_file(tmp_path: Path) -> None:
    model = two_output.cut(open_source(TEACHABLE))
    random = np.random.default_rng(0)
    given = np.kron(random.uniform(-1, 1, (50, 14, 14, 3)), np.ones((1, 16, 16, 1))).astype(np.float32)
    outputs = exported(model, given)
    logits = np.asarray(model.head(outputs["features"]))
    assert (
        np.abs(active_pieces.logits(outputs["evidence"], outputs["bias"], logits.argmax(axis=1)) - logits).max()
        <= ROUNDING * np.abs(logits).max()
    )
    assert of_a_file(tflite_files.converted(whole(model)), tmp_path, given) <= ROUNDING


def whole(model: TwoOutputModel) -> keras.Model:
    return keras.Model(model.model.inputs[0], model.model.output["scores"])


def of_a_file(content: bytes, folder: Path, given: np.ndarray) -> float:
    """How far the artifact of a .tflite file is from adding up, as a share of the largest logit."""
    path = folder / "model.tflite"
    path.write_bytes(content)
    opened = file_cut.cut(open_source(path))
    assert opened.gives_bias
    model = tflite_file.convert(opened)
    (signature,) = tflite_file.flatbuffer.read(model).signatureDefs
    indices = {one.name.decode(): one.tensorIndex for one in signature.outputs}
    names = ("features", "evidence", "bias")
    process = original_process.process_of("tflite")
    found = process.answer("ai-edge-litert", model, tuple(indices[name] for name in names), given, "model")
    outputs = dict(zip(names, found, strict=True))
    logits = np.concatenate([np.asarray(opened.head(tf.constant(one[np.newaxis]))) for one in outputs["features"]])
    return float(
        np.abs(active_pieces.logits(outputs["evidence"], outputs["bias"], logits.argmax(axis=1)) - logits).max()
        / np.abs(logits).max()
    )
