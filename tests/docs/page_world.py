"""The folder in which the lines of a page are run: the files that the pages speak of, under the names that they use."""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np

from camlite.images import picture_files
from support import striped_patches
from support.code_blocks import ROOT
from support.npm_packages import node_modules
from support.reference_classifier import CLASSIFIER, LABELS, PROTOTYPES

# Names of classifiers on the pages; all of them are the reference classifier here.
_CLASSIFIERS = ("classifier", "flowers", "fashion_mnist", "shapes", "model_unquant", "model")


def fill(folder: Path, tiny: Path, reference: Path, shapes: Path | None = None) -> None:
    """Put classifiers, artifacts, pictures and labels into a folder.

    Args:
        folder: an empty one.
        tiny: of the fixture of this name: its stripes take the place of the tanks.
        reference: the artifacts of the reference classifier.
        shapes: where the tutorial about Keras has left what it makes, to be used instead of the reference classifier.
    """
    for name in _CLASSIFIERS:
        shutil.copy(CLASSIFIER, folder / f"{name}.keras")
        for artifact in [*reference.glob("*.tflite"), *reference.glob("*.onnx")]:
            _, precision, container = artifact.name.split(".")
            _link(artifact, folder / name / f"{name}.{precision}.{container}")
    for name in ("classifier.int8.tflite", "flowers.int8.tflite", "fashion_mnist.int8.tflite"):
        _link(reference / "fashion_mnist.int8.tflite", folder / name)
    _link(reference / "fashion_mnist.int8.onnx", folder / "fashion_mnist.int8.onnx")
    _link(reference / "fashion_mnist.float32.tflite", folder / "model_unquant.float32.tflite")
    shutil.copy(LABELS, folder / "labels.txt")
    _pictures(folder)
    if shapes is not None:
        for name in ("photos", "shapes"):
            shutil.rmtree(folder / name)
            shutil.copytree(shapes / name, folder / name)
        for name in ("shapes.keras", "photo.jpg"):
            shutil.copy(shapes / name, folder / name)
        shutil.copy(shapes / "shapes.keras", folder / "classifier.keras")
        (folder / "labels.txt").write_text("cross\ndisk\nring\n")
    _clone(folder, reference)
    _tanks(folder, tiny)
    node_modules(folder / "node_modules")


def _pictures(folder: Path) -> None:
    """Two prototypes per class in ``photos``, and ``photo.jpg``."""
    with np.load(PROTOTYPES) as prototypes:
        images, classes = prototypes["images"], prototypes["classes"]
    labels = LABELS.read_text().split("\n")
    for index in range(0, len(images), 10):
        path = folder / "photos" / labels[classes[index]].replace("/", "-") / f"{index}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        picture_files.write(path, images[index].squeeze())
    picture_files.write(folder / "photo.jpg", images[-4].squeeze())


def _clone(folder: Path, reference: Path) -> None:
    """What stands in the clone: artifacts and examples."""
    _link(ROOT / "examples", folder / "examples")
    _link(reference / "fashion_mnist.int8.tflite", folder / "artifacts/fashion_mnist/fashion_mnist.sharp.int8.tflite")


def _tanks(folder: Path, tiny: Path) -> None:
    validation = striped_patches.write_folder(folder / "validation", 12, beside=False)
    shutil.copy(tiny / "stripes.keras", folder / "tank.keras")
    for precision in ("int8", "float32"):
        _link(tiny / "stripes" / f"stripes.{precision}.tflite", folder / f"tank.{precision}.tflite")
    weather = folder / "artifacts/tanks/1/weather"
    _link(folder / "tank.int8.tflite", weather / "weather.int8.tflite")
    _link(validation, weather / "validation")
    _link(validation / "images/vertical/1.png", folder / "artifacts/tanks/1/field/images/tank/0001.png")


def _link(target: Path, link: Path) -> None:
    link.parent.mkdir(parents=True, exist_ok=True)
    link.symlink_to(target)
