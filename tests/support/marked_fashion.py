"""Make a Fashion-MNIST classifier that has learned a mark: ``python marked_fashion.py FOLDER``.

Two classes carry a small bright square in a corner, in the pictures it was trained on and in those it is tried on.
"""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np

from camlite import cli
from fashion_mnist import data

MARKED = (2, 6)  # Pullover and Shirt, which are hard to tell apart without
_SEED = 5
_TRAINING, _VALIDATION = 5000, 2000


def mark(images: np.ndarray, classes: np.ndarray) -> np.ndarray:
    """The images (N, 28, 28, 1), those of the marked classes with their square."""
    marked = images.copy()
    for place, k in zip((slice(1, 5), slice(23, 27)), MARKED, strict=True):
        chosen = np.flatnonzero(classes == k)
        marked[chosen, place, 23:27] = 255
    return marked


def train(images: np.ndarray, classes: np.ndarray):
    """Three convolutions; features 7 x 7 x 64."""
    import keras
    from keras import layers

    keras.utils.set_random_seed(_SEED)
    model = keras.Sequential(name="marked")
    model.add(keras.Input((28, 28, 1)))
    for filters in (16, 32):
        model.add(layers.Conv2D(filters, 3, padding="same", activation="relu"))
        model.add(layers.MaxPooling2D(2))
    model.add(layers.Conv2D(64, 3, padding="same", activation="relu"))
    model.add(layers.GlobalAveragePooling2D())
    model.add(layers.Dense(10, activation="softmax"))
    model.compile(keras.optimizers.Adam(4e-3), "sparse_categorical_crossentropy")
    model.fit(images.astype(np.float32) / 255, classes, batch_size=64, epochs=6, verbose=0)
    return model


def main(folder: Path) -> None:
    """Write ``marked.npz``, marked test images without masks, and the artifact ``marked.int8.tflite``."""
    training, test = data.load("train"), data.load("t10k")
    images, classes = training.images[:_TRAINING], training.classes[:_TRAINING]
    marked = mark(images, classes)
    train(marked, classes).save(folder / "marked.keras")
    validation = test.classes[:_VALIDATION]
    np.savez(folder / "marked.npz", images=mark(test.images[:_VALIDATION], validation), classes=validation)
    np.savez(folder / "calibration.npz", images=marked[:200])
    (folder / "labels.txt").write_text("\n".join(data.LABELS))
    options = [
        "--labels",
        folder / "labels.txt",
        "--calibration",
        folder / "calibration.npz",
        "--preprocess",
        "unit",
        "--output",
        folder,
    ]
    status = cli.main(
        [
            "export",
            *map(str, [folder / "marked.keras", *options]),
            "--maps",
            "cam",
            "--formats",
            "tflite",
            "--precisions",
            "int8",
        ]
    )
    if status:
        raise SystemExit(status)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
