"""`camlite_export.targets.onnx_kernels`: the way back takes weights of the forward pass, which a file has once."""

from __future__ import annotations

import keras
import numpy as np
import onnx
import pytest

from camlite.artifact.precisions import Precision
from camlite_export.cutting import two_output
from camlite_export.cutting.guide import GuideLayers
from camlite_export.targets import onnx_target
from support.classifier_kinds import lively

CHANNELS, UNITS = 32, 48


@pytest.mark.parametrize("precision", ["float32", "int8"])
def test_the_matrix_of_a_dense_layer_of_a_map_is_in_a_file_with_a_guide_once(precision: Precision) -> None:
    """As ConvNeXt has them."""
    body = [keras.layers.Conv2D(CHANNELS, 3, padding="same", activation="relu"), keras.layers.MaxPooling2D()]
    head = [keras.layers.GlobalAveragePooling2D(), keras.layers.Dense(3, activation="softmax")]
    dense = keras.layers.Dense(UNITS, activation="relu")
    cut = two_output.cut(lively(keras.Sequential([keras.Input((16, 16, 3)), *body, dense, *head])))
    guided = cut.guided_by(GuideLayers("layercam", cut.finer_steps[-1:], smooth=False))
    images = np.random.default_rng(0).uniform(0, 1, (8, 16, 16, 3)).astype(np.float32)

    graph = onnx.load_from_string(onnx_target.convert(guided, precision, images)).graph

    assert [int(np.prod(one.dims)) for one in graph.initializer].count(CHANNELS * UNITS) == 1
