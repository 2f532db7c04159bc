"""Networks of keras.applications that are converted to plain files, each with the side of its images."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import numpy as np

SMALL = {"MobileNet": 64}
LARGE = {
    "MobileNetV2": 96,
    "MobileNetV3Small": 96,
    "EfficientNetB0": 96,
    "EfficientNetV2B0": 96,
    "ResNet50": 64,
    "ResNet50V2": 64,
    "DenseNet121": 64,
    "InceptionV3": 160,  # of 96 its last maps are 1 x 1, and normalized by two numbers: 1e-5 becomes 0.7
    "Xception": 96,
    "NASNetMobile": 224,
    "ConvNeXtTiny": 64,
    "VGG16": 64,
}


FIGURES = Path(__file__).with_name("converted_networks.json")


def keep(name: str, container: str, side: int, evidence: float) -> None:
    """Add a figure to the file that docs/classifiers.md shows, where CAMLITE_WRITE_FIGURES asks for that."""
    if os.environ.get("CAMLITE_WRITE_FIGURES"):
        known = json.loads(FIGURES.read_text())
        known.setdefault(name, {})[container] = {"side": side, "evidence": float(f"{evidence:.2g}")}
        ordered = {one: known[one] for one in (*SMALL, *LARGE) if one in known}
        FIGURES.write_text(json.dumps(ordered, indent=1) + "\n")


def network(name: str, side: int) -> tuple[Any, np.ndarray]:
    """With random weights, and normalizations that normalize the images that are returned with it."""
    import keras

    keras.utils.set_random_seed(0)
    options = {"alpha": 0.25} if name == "MobileNet" else {}
    model = getattr(keras.applications, name)(weights=None, input_shape=(side, side, 3), classes=1000, **options)
    images = np.random.default_rng(0).uniform(-1, 1, (2, side, side, 3)).astype(np.float32)
    for layer in model.layers:
        if type(layer).__name__ == "BatchNormalization":
            layer.momentum = 0.0
    for _ in range(3):
        model(images, training=True)
    return model, images
