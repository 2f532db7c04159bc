"""MobileNetV2 (Sandler et al., 2018) for 1000 classes at 224 x 224, with random weights: speed and size do not depend
on them. Makes the Keras file, calibration images and artifacts in the folder that the command line names."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import numpy as np


def main() -> None:
    """Export it in float32 and int8, with class weights and with evidence in the graph."""
    import keras

    from camlite.cli import main as camlite

    folder = Path(sys.argv[1])
    keras.utils.set_random_seed(0)
    path = folder / "mobilenet.keras"
    classifier = keras.applications.MobileNetV2(weights=None)
    _as_if_trained(classifier)
    classifier.save(path)
    images = np.random.default_rng(0).integers(0, 256, (8, 224, 224, 3)).astype(np.uint8)
    np.savez(folder / "images.npz", images=images)
    (folder / "labels.txt").write_text("".join(f"class {k}\n" for k in range(1000)))
    options = ["--labels", folder / "labels.txt", "--calibration", folder / "images.npz", "--preprocess", "signed"]
    options += ["--maps", "cam", "--formats", "tflite", "--precisions", "float32", "int8", "--output", folder]
    export = ["export", str(path), *map(str, options)]
    for more in ([], ["--name", "mobilenet_graph", "--evidence", "graph"]):
        status = camlite([*export, *more])
        if status > 1:  # 1: random weights see other things in 8 bits, at the same speed
            sys.exit(status)


def _as_if_trained(classifier: Any) -> None:
    """Normalizations that differ from channel to channel: where all are new, converters keep one bias for many."""
    random = np.random.default_rng(0)
    for layer in classifier.layers:
        if type(layer).__name__ == "BatchNormalization":
            gamma, beta, mean, variance = layer.get_weights()
            centres = [random.normal(0, 0.3, one.shape) for one in (beta, mean)]
            gamma, variance = (random.uniform(0.5, 1.5, one.shape) for one in (gamma, variance))
            layer.set_weights([gamma, *centres, variance])


if __name__ == "__main__":
    main()
