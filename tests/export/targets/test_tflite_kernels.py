"""`camlite_export.targets.tflite_kernels`: the way back takes weights of the forward pass, which a file has once."""

from __future__ import annotations

from collections.abc import Callable

import keras
import numpy as np
import pytest

from camlite.artifact.precisions import Precision
from camlite_export.cutting import two_output
from camlite_export.cutting.guide import GuideLayers
from camlite_export.targets import tflite_target
from camlite_export.targets.tflite_editing import TfliteGraph
from support.classifier_kinds import lively

CHANNELS, UNITS = 32, 48


def _one_by_one() -> keras.layers.Layer:
    return keras.layers.Conv2D(UNITS, 1, activation="relu")


def _dense_of_a_map() -> keras.layers.Layer:
    """As ConvNeXt has them: FULLY_CONNECTED that keeps the axes of the map."""
    return keras.layers.Dense(UNITS, activation="relu")


@pytest.mark.parametrize("precision", ["float32", "int8"])
@pytest.mark.parametrize("mixed", [_one_by_one, _dense_of_a_map])
def test_a_matrix_is_in_a_file_with_a_guide_once(mixed: Callable[[], keras.layers.Layer], precision: Precision) -> None:
    parts = [keras.layers.Conv2D(CHANNELS, 3, padding="same", activation="relu"), keras.layers.MaxPooling2D(), mixed()]
    head = [keras.layers.GlobalAveragePooling2D(), keras.layers.Dense(3, activation="softmax")]
    cut = two_output.cut(lively(keras.Sequential([keras.Input((16, 16, 3)), *parts, *head])))
    guided = cut.guided_by(GuideLayers("layercam", cut.finer_steps[-1:], smooth=False))
    images = np.random.default_rng(0).uniform(0, 1, (8, 16, 16, 3)).astype(np.float32)

    graph = TfliteGraph(tflite_target.convert(guided, precision, images))

    taken = {int(tensor) for operator in graph.graph.operators for tensor in operator.inputs if tensor >= 0}
    sizes = {
        graph.graph.tensors[one].buffer: graph.constant(one).size for one in taken if graph.constant(one) is not None
    }
    assert list(sizes.values()).count(CHANNELS * UNITS) == 1
