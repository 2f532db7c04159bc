"""What the converter gives: one signature, ends under camlite's names, and nothing said on the way."""

from __future__ import annotations

import warnings
from functools import cache

import keras
import numpy as np
import pytest
from keras import layers

from camlite.artifact.precisions import Precision
from camlite_export.cutting import two_output
from camlite_export.precisions import precisions_of
from camlite_export.sources.tflite import flatbuffer
from camlite_export.targets import tflite_target

IMAGES = np.random.default_rng(0).uniform(size=(4, 12, 12, 3)).astype(np.float32)


@cache
def classifier() -> two_output.TwoOutputModel:
    parts = [layers.Conv2D(4, 3, activation="relu"), layers.GlobalAveragePooling2D(), layers.Dense(3, "softmax")]
    return two_output.cut(keras.Sequential([keras.Input((12, 12, 3)), *parts]))


@pytest.mark.parametrize("precision", precisions_of("tflite"))
def test_the_ends_have_camlites_names_in_the_graph_and_in_the_signature(precision: Precision) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        model = flatbuffer.read(tflite_target.convert(classifier(), precision, IMAGES))
    (graph,) = model.subgraphs
    (signature,) = model.signatureDefs
    named = {one.name.decode(): int(one.tensorIndex) for one in (*signature.inputs, *signature.outputs)}
    assert sorted(named) == ["features", "image", "scores"]
    assert {name: graph.tensors[index].name.decode() for name, index in named.items()} == {n: n for n in named}
    assert [int(index) for index in graph.inputs] == [named["image"]]
    assert [int(index) for index in graph.outputs] == [named["scores"], named["features"]]


def test_a_conversion_leaves_the_weights_as_they_were() -> None:
    """Rounding is made up for in the weights while it lasts, and the next precision starts from the original's."""
    before = tflite_target.convert(classifier(), "float32", IMAGES)
    tflite_target.convert(classifier(), "int8", IMAGES)
    assert tflite_target.convert(classifier(), "float32", IMAGES) == before
