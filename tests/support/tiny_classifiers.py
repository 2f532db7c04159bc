"""Make what tests need TensorFlow for, once: ``python tiny_classifiers.py FOLDER``.

First of all the artifacts of four tiny classifiers.

Their weights are set by hand, so that every test knows what they see and where:

=========  ==============  ================  ======================================================
name       image           features          answers
=========  ==============  ================  ======================================================
stripes    16 x 24 grey    8 x 12 x 4        which way stripes run; one set of class weights; softmax
graph      16 x 24 grey    8 x 12 x 4        the same, with evidence in the graph
hidden     16 x 24 grey    8 x 12 x 4        the same, through a hidden layer: evidence by gradients
colours    12 x 20 RGB     3 x 5 x 3         which colour is there; class weights a place; sigmoid; crop
=========  ==============  ================  ======================================================

Keras is imported inside the functions: the exporter's interpreter processes import this file again, and they must
not load TensorFlow. Beside them, ``resized.npz`` has what `tf.image.resize` makes of the unit vectors of an axis.
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from camlite import cli

if TYPE_CHECKING:
    import keras

STRIPES = ("horizontal", "vertical", "plain")
COLOURS = ("red", "green", "blue")


def stripes(name: str = "stripes", hidden: bool = False) -> keras.Model:
    """Four edge directions, blurred; horizontal stripes are edges from row to row."""
    import keras
    from keras import layers

    model = keras.Sequential(name=name)
    model.add(keras.Input((16, 24, 1)))
    model.add(layers.Conv2D(4, 3, padding="same", activation="relu", name="edges"))
    model.add(layers.MaxPooling2D(2))
    model.add(layers.Conv2D(4, 3, padding="same", activation="relu", name="blurred"))
    model.add(layers.GlobalAveragePooling2D())
    if hidden:
        model.add(layers.Dense(4, activation="relu"))
    model.add(layers.Dense(3, activation="softmax"))
    slope = np.outer([-1, 0, 1], [1, 2, 1]) / 8
    edges = np.stack([slope, -slope, slope.T, -slope.T], axis=-1)[:, :, np.newaxis]
    blur = np.tile(np.eye(4) / 9, (3, 3, 1, 1))
    classes = 24 * np.array([[1, -0.5, -0.5], [1, -0.5, -0.5], [-0.5, 1, -0.5], [-0.5, 1, -0.5]])
    bias = np.array([0, 0, 1.5])
    between = [np.eye(4), np.zeros(4)] if hidden else []
    model.set_weights([edges, np.zeros(4), blur, np.zeros(4), *between, classes, bias])
    return model


def save_two(folder: Path) -> list[Path]:
    """`stripes` twice, the second with other weights, under the same name in two folders."""
    paths = []
    for number in range(2):
        model = stripes()
        model.set_weights([weights * (1 + number / 10) for weights in model.get_weights()])
        paths.append(folder / str(number) / "stripes.keras")
        paths[-1].parent.mkdir()
        model.save(paths[-1])
    return paths


def colours() -> keras.Model:
    """How far each colour stands out; places to the right count more, so that class weights differ by place."""
    import keras
    from keras import layers

    model = keras.Sequential(name="colours")
    model.add(keras.Input((12, 20, 3)))
    model.add(layers.Conv2D(3, 1, strides=2, activation="relu", name="excess"))
    model.add(layers.AveragePooling2D(2, name="averaged"))
    model.add(layers.Flatten())
    model.add(layers.Dense(3, activation="sigmoid"))
    excess = (np.eye(3) * 1.5 - 0.5)[np.newaxis, np.newaxis]
    sway = 1 + np.arange(15).reshape(3, 5, 1, 1) / 15
    classes = sway * (np.eye(3) * 1.5 - 0.5) / 3
    model.set_weights([excess, np.zeros(3), classes.reshape(45, 3), np.full(3, -2.0)])
    return model


def striped_images(count: int = 30) -> tuple[np.ndarray, np.ndarray]:
    """Uint8 (count, 16, 24, 1) and the class of each: stripes over a part of the image, and plain ones."""
    random = np.random.default_rng(0)
    images = np.zeros((count, 16, 24, 1), np.uint8)
    classes = np.arange(count) % 3
    for image, k in zip(images, classes, strict=True):
        low, high = sorted(random.integers(0, 256, 2))
        rows, columns = np.indices((16, 24))
        run = np.stack([rows, columns, np.zeros_like(rows)])[k]
        image[..., 0] = np.where(run // 2 % 2, low, high) if k < 2 else 0
    return images, classes


def coloured_images() -> tuple[np.ndarray, np.ndarray]:
    """Uint8 (30, 12, 20, 3) and the class of each: noise in one channel, brighter than in the others."""
    random = np.random.default_rng(1)
    classes = np.arange(30) % 3
    images = random.integers(0, 100, (30, 12, 20, 3))
    images[np.arange(30), :, :, classes] += 155
    return images.astype(np.uint8), classes


def resized_unit_vectors() -> dict[str, np.ndarray]:
    """``SIZE to TARGET``: float32 (TARGET, SIZE), what `tf.image.resize` makes of the unit vectors of an axis."""
    import tensorflow as tf

    return {
        f"{size} to {target}": tf.image.resize(np.eye(size)[..., np.newaxis], (target, size)).numpy()[..., 0]
        for size, target in ((3, 28), (7, 224), (28, 3), (5, 5), (1, 4), (4, 1), (13, 8))
    }


def main(folder: Path) -> None:
    """Write FOLDER/NAME.keras, the artifacts FOLDER/NAME/NAME.PRECISION.FORMAT, and FOLDER/resized.npz."""
    np.savez(folder / "resized.npz", **resized_unit_vectors())
    for model, labels, (images, classes), options in (
        (stripes(), STRIPES, striped_images(), ["--preprocess", "unit"]),
        (
            stripes("graph"),
            STRIPES,
            striped_images(),
            ["--preprocess", "unit", "--evidence", "graph", "--precisions", "float32", "int8"],
        ),
        (
            stripes("hidden", hidden=True),
            STRIPES,
            striped_images(),
            ["--preprocess", "unit", "--precisions", "float32"],
        ),
        (
            colours(),
            COLOURS,
            coloured_images(),
            ["--preprocess", "imagenet", "--fit", "crop", "--precisions", "float32", "int8"],
        ),
    ):
        classifier = folder / f"{model.name}.keras"
        model.save(classifier)
        classifier.with_suffix(".txt").write_text("\n".join(labels))
        np.savez(classifier.with_suffix(".npz"), images=images, classes=classes)
        calibration, label_file = (str(classifier.with_suffix(suffix)) for suffix in (".npz", ".txt"))
        status = cli.main(
            ["export", str(classifier), "--maps", "cam", "--labels", label_file, "--calibration", calibration, *options]
        )
        if status:
            raise SystemExit(status)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
