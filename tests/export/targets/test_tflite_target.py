"""`camlite_export.targets.tflite_target`: what it makes has named ends, and is loaded by every TFLite interpreter."""

from __future__ import annotations

import warnings
from collections.abc import Mapping
from concurrent.futures import Executor
from functools import cache
from pathlib import Path

import keras
import numpy as np
import pytest
import tensorflow as tf
from keras import layers

from camlite.artifact.precisions import Precision
from camlite.errors import ClassifierError
from camlite_export import workarounds
from camlite_export.agreement.reference import inputs_of
from camlite_export.cutting import two_output
from camlite_export.cutting.two_output import TwoOutputModel
from camlite_export.precisions import precisions_of
from camlite_export.sources.pixel_conventions import preprocessing
from camlite_export.sources.tflite import flatbuffer
from camlite_export.targets import tflite_target
from camlite_export.targets.tflite_editing import TfliteGraph
from support import bare_artifacts, classifier_kinds
from support.classifier_kinds import SIDE
from support.fresh_process import BACKENDS, explain

# Their gradient multiplies by the weights of the last layer, whose tensor that layer reads in 8 bits.
READ_TWICE = (
    "global average pooling, LayerNormalization, Dense",
    "global average pooling, Dense with elu, with leaky_relu, with relu6, with hard_silu, Dense",
)
IMAGES = list(np.random.default_rng(0).integers(0, 256, (8, SIDE, SIDE, 3), np.uint8))
PIXELS = preprocessing((SIDE, SIDE, 3), "unit")


def cut(title: str) -> TwoOutputModel:
    kind = next(one for one in classifier_kinds.OTHER_HEADS if one.title == title)
    return two_output.cut(classifier_kinds.lively(kind.build(keras, keras.layers)))


@pytest.mark.parametrize("title", READ_TWICE)
def test_weights_of_a_dense_layer_that_the_gradient_reads_too_load_everywhere(
    title: str, tmp_path: Path, interpreters: Mapping[str, Executor]
) -> None:
    model = cut(title)
    inputs = inputs_of(IMAGES, PIXELS)
    content = tflite_target.convert(model, "int8", inputs)
    path = bare_artifacts.write(model, PIXELS, "tflite", content, tmp_path / "classifier.int8.tflite", "int8")

    expected = model.answer(inputs).scores
    for backend in (one for one in interpreters if BACKENDS[one] == "tflite"):
        seen = interpreters[backend].submit(explain, path, backend, IMAGES).result()
        # One step of 8 bits is 0.004; measured 0.012.
        assert np.abs([one.scores for one in seen] - expected).max() <= 0.05


def test_they_are_in_the_file_once() -> None:
    graph = TfliteGraph(tflite_target.convert(cut(READ_TWICE[0]), "int8", inputs_of(IMAGES, PIXELS)))

    apart = [one for one in graph.graph.tensors if one.name.endswith(b"_apart")]
    assert apart
    for one in apart:
        (theirs,) = (other for other in graph.graph.tensors if other.name == one.name.removesuffix(b"_apart"))
        assert theirs.buffer == one.buffer


@pytest.mark.parametrize("title", ["MaxPooling2D, Flatten, Dense", "global max pooling, Dense"])
def test_the_bias_behind_a_maximum_of_the_features_can_be_written_in_8_bits(title: str) -> None:
    """It is that of the layers behind; none of features over how many are the largest is no number of 8 bits."""
    graph = TfliteGraph(tflite_target.convert(cut(title), "int8", inputs_of(IMAGES, PIXELS)))

    assert "bias" in graph.outputs


def test_a_file_that_litert_would_not_load_is_not_made(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(workarounds, "weights_of_dense_read_apart", lambda *_: False)

    with pytest.raises(ClassifierError, match=r"\(MUL\): input 1 is the weights of a layer of Dense in front of it"):
        tflite_target.convert(cut(READ_TWICE[0]), "int8", inputs_of(IMAGES, PIXELS))


INPUTS = np.random.default_rng(0).uniform(size=(4, 12, 12, 3)).astype(np.float32)


@cache
def classifier() -> two_output.TwoOutputModel:
    parts = [layers.Conv2D(4, 3, activation="relu"), layers.GlobalAveragePooling2D(), layers.Dense(3, "softmax")]
    return two_output.cut(keras.Sequential([keras.Input((12, 12, 3)), *parts]))


@pytest.mark.parametrize("precision", precisions_of("tflite"))
def test_the_ends_have_camlites_names_in_the_graph_and_in_the_signature(precision: Precision) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        model = flatbuffer.read(tflite_target.convert(classifier(), precision, INPUTS))
    (graph,) = model.subgraphs
    (signature,) = model.signatureDefs
    named = {one.name.decode(): int(one.tensorIndex) for one in (*signature.inputs, *signature.outputs)}
    assert sorted(named) == ["features", "image", "scores"]
    assert {name: graph.tensors[index].name.decode() for name, index in named.items()} == {n: n for n in named}
    assert [int(index) for index in graph.inputs] == [named["image"]]
    assert [int(index) for index in graph.outputs] == [named["scores"], named["features"]]


def test_a_conversion_leaves_the_weights_as_they_were() -> None:
    """Rounding is made up for in the weights while it lasts, and the next precision starts from the original's."""
    before = tflite_target.convert(classifier(), "float32", INPUTS)
    tflite_target.convert(classifier(), "int8", INPUTS)
    assert tflite_target.convert(classifier(), "float32", INPUTS) == before


class Counting(layers.Layer):
    """Counts how often it ran, as layers do that gather statistics."""

    def build(self, _: tuple[int | None, ...]) -> None:
        self.runs = self.add_weight(shape=(), initializer="zeros", trainable=False)

    def call(self, image: tf.Tensor) -> tf.Tensor:
        self.runs.assign_add(1.0)
        return image


class Deciding(layers.Layer):
    """Does one thing or the other, by what it sees."""

    def call(self, image: tf.Tensor) -> tf.Tensor:
        return tf.cond(tf.reduce_mean(image) > 0.1, lambda: image * 2.0, lambda: image)

    def compute_output_shape(self, shape: tuple[int | None, ...]) -> tuple[int | None, ...]:
        return shape


class Outside(layers.Layer):
    """Leaves TensorFlow for Python."""

    def call(self, image: tf.Tensor) -> tf.Tensor:
        return tf.ensure_shape(tf.numpy_function(lambda values: values, [image], tf.float32), image.shape)

    def compute_output_shape(self, shape: tuple[int | None, ...]) -> tuple[int | None, ...]:
        return shape


@pytest.mark.parametrize(
    ("layer", "reason"),
    [
        (Counting, "a layer changes a variable while it runs"),
        (Deciding, "it decides or repeats something while it runs (tf.cond, tf.while_loop)"),
        (Outside, "it has no operator PyFunc"),
    ],
)
def test_what_tflite_cannot_do_is_one_line(layer: type[layers.Layer], reason: str) -> None:
    parts = [layers.Conv2D(4, 3), layer(), layers.GlobalAveragePooling2D(), layers.Dense(3, "softmax")]
    made = two_output.cut(keras.Sequential([keras.Input((12, 12, 3)), *parts]))
    with pytest.raises(ClassifierError) as raised:
        tflite_target.convert(made, "float32", None)
    assert reason in str(raised.value)
    assert "\n" not in str(raised.value)
    assert "site-packages" not in str(raised.value)
