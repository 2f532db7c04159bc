"""Networks of `keras.applications` with random weights, at their own input size, on every backend against Keras.

Deselected unless asked for: ``pytest -m applications`` takes half an hour. With CAMLITE_WRITE_FIGURES set, it writes
what it measures to tests/applications.json, which docs/classifiers.md shows.
"""

from __future__ import annotations

import gc
import json
import os
from collections.abc import Callable, Mapping
from concurrent.futures import ProcessPoolExecutor
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest

import bare_artifacts
from camlite import cam
from camlite.artifact import Format
from camlite_export import classifier, keras_reference, to_onnx, to_tflite, two_output
from camlite_export.preprocessing import preprocessing
from classifier_kinds import APPLICATION_FIGURES
from fresh_process import BACKENDS

pytestmark = pytest.mark.applications

IMAGES = 4

# What the classifiers of this project promise; test_the_figures says what was measured.
SCORES, EVIDENCE, COMPLETENESS = 1e-4, 1e-3, 1e-4


@dataclass(frozen=True)
class Application:
    """What is expected of a network: where it is cut, how it is explained, and what pixels it takes."""

    build: Callable[..., keras.Model]
    layer: str
    method: str
    preprocess: str

    def __str__(self) -> str:
        return self.build.__name__


APPLICATIONS = [
    Application(keras.applications.MobileNet, "conv_pw_13_relu", "cam", "signed"),
    Application(keras.applications.MobileNetV2, "out_relu", "cam", "signed"),
    Application(keras.applications.MobileNetV3Small, "activation_17", "hirescam", "raw"),
    Application(keras.applications.EfficientNetB0, "top_activation", "cam", "raw"),
    Application(keras.applications.EfficientNetV2B0, "top_activation", "cam", "raw"),
    Application(keras.applications.ResNet50, "conv5_block3_out", "cam", "caffe"),
    Application(keras.applications.ResNet50V2, "post_relu", "cam", "signed"),
    Application(keras.applications.DenseNet121, "relu", "cam", "imagenet"),
    Application(keras.applications.InceptionV3, "mixed10", "cam", "signed"),
    Application(keras.applications.Xception, "block14_sepconv2_act", "cam", "signed"),
    Application(keras.applications.NASNetMobile, "activation_187", "cam", "signed"),
    Application(keras.applications.ConvNeXtTiny, "convnext_tiny_stage_3_block_2_identity", "hirescam", "raw"),
    Application(keras.applications.VGG16, "block5_pool", "hirescam", "caffe"),
]


def images_of(height: int, width: int) -> np.ndarray:
    """Seeded fields of colour, coarse and fine together: uint8 (4, height, width, 3)."""
    random = np.random.default_rng(0)
    total = np.zeros((IMAGES, 3, height, width))
    for detail in (4, 16, 64):
        rows, columns = cam.resize_matrix(detail, height), cam.resize_matrix(detail, width)
        total += rows @ random.uniform(0, 85, (IMAGES, 3, detail, detail)) @ columns.T
    return np.rint(np.moveaxis(total, 1, -1)).astype(np.uint8)


def with_sane_statistics(model: keras.Model, inputs: np.ndarray) -> keras.Model:
    """What training leaves behind: normalizations that normalize, scores that differ.

    The statistics of a new network's normalizations are those of nothing, and its activations grow or die from layer
    to layer.
    """
    keras.utils.set_random_seed(0)
    for layer in model.layers:
        if isinstance(layer, keras.layers.BatchNormalization):
            layer.momentum = 0.0
        if type(layer).__name__ == "LayerScale":  # of ConvNeXt: begins at 1e-6, where its blocks do nothing
            layer.gamma.assign(np.full(layer.gamma.shape, 0.5))
    model(inputs, training=True)
    kernel, *bias = model.layers[-1].get_weights() or model.layers[-3].get_weights()
    return model


def saved_and_opened(application: Application, folder: Path) -> tuple[keras.Model, np.ndarray]:
    """The network as people have it: a file. And images of its size."""
    keras.utils.set_random_seed(0)
    model = application.build(weights=None)
    images = images_of(*model.input_shape[1:3])
    target = preprocessing(model.input_shape[1:], application.preprocess)
    with_sane_statistics(model, keras_reference.inputs(list(images), target))
    model.save(folder / "network.keras")
    del model
    keras.utils.clear_session()
    return classifier.open_classifier(folder / "network.keras"), images
