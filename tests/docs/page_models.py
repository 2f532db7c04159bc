"""The model files that readers of the tutorials bring: from Teachable Machine, and from PyTorch."""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Sequence
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np

from camlite import read_image
from camlite.images import picture_files
from camlite_export.cutting import two_output
from camlite_export.sources.opening import open_source
from camlite_export.sources.tflite import flatbuffer
from support import tflite_files
from support.onnx_files import KINDS, OnnxKind, pooled, write
from support.photographs import write_crops

PICTURES = 60
LABELS = ("cardboard", "plastic", "glass", "metal")
# What a page finds in the reader's folder. README's two models share their labels.
BROUGHT = {
    "README.md": ("teachable/model_unquant.tflite", "teachable/labels.txt", "torch/model.onnx"),
    "teachable-machine.md": tuple(
        f"teachable/{name}" for name in ("model_unquant.tflite", "keras_model.h5", "labels.txt", "photos")
    ),
    "pytorch.md": tuple(f"torch/{name}" for name in ("model.onnx", "labels.txt", "photos")),
}


def make(folder: Path) -> None:
    """Make all of them."""
    for name in ("teachable", "torch"):
        (folder / name).mkdir()
    teachable_machine(folder / "teachable")
    pytorch(folder / "torch", _labels(folder / "teachable"))


def bring(page: Path, made: Path, folder: Path) -> None:
    """Put what `make` has made for a page into its folder, in the place of what is there under these names."""
    for name in BROUGHT.get(page.name, ()):
        source, target = made / name, folder / Path(name).name
        if source.is_dir():
            shutil.rmtree(target)
            shutil.copytree(source, target)
        else:
            shutil.copy(source, target)


def teachable_machine(folder: Path) -> None:
    """``keras_model.h5``, ``labels.txt``, ``model_unquant.tflite``, and ``photos``, sorted by what the model says.

    The model of ``TEACHABLE_MACHINE_DIR`` if that is set. Otherwise one of the same layers with random weights.
    """
    given = os.environ.get("TEACHABLE_MACHINE_DIR")
    if given:
        for name in ("keras_model.h5", "labels.txt"):
            shutil.copy(Path(given) / name, folder / name)
    else:
        _layers_of_teachable_machine().save(folder / "keras_model.h5")
        (folder / "labels.txt").write_text("".join(f"{k} {label}\n" for k, label in enumerate(LABELS)))
    cut = two_output.cut(open_source(folder / "keras_model.h5"))
    (folder / "model_unquant.tflite").write_bytes(_as_the_site_gives_it(cut))
    labels = _labels(folder)
    pictures = _pictures()
    for number, top in enumerate(cut.answer(pictures / np.float32(127.5) - 1).scores.argmax(axis=1)):
        path = folder / "photos" / labels[top] / f"{number}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        picture_files.write(path, pictures[number])


def pytorch(folder: Path, labels: Sequence[str]) -> None:
    """``model.onnx``, ``labels.txt`` and ``photos``: node by node as torch.onnx.export writes it."""
    kind = next(one for one in KINDS if one.title.startswith("global pooling and a linear layer"))
    write(OnnxKind(kind.title, pooled(classes=len(labels)), classes=len(labels)), folder / "model.onnx")
    (folder / "labels.txt").write_text("\n".join(labels))
    (folder / "photos").mkdir()
    for number, picture in enumerate(_pictures()):
        picture_files.write(folder / "photos" / f"{number}.png", picture)


def _labels(folder: Path) -> list[str]:
    """Teachable Machine numbers them: ``0 cardboard``."""
    return [line.split(" ", 1)[1] for line in (folder / "labels.txt").read_text().splitlines()]


def _layers_of_teachable_machine() -> Any:
    import keras

    keras.utils.set_random_seed(0)
    options = {"alpha": 0.35, "input_shape": (224, 224, 3), "include_top": False, "weights": None}
    backbone = keras.applications.MobileNetV2(**options)
    for layer in backbone.layers:
        if isinstance(layer, keras.layers.BatchNormalization):
            layer.momentum = 0.0
    images = _pictures() / np.float32(127.5) - 1
    for _ in range(3):
        backbone(images, training=True)  # so that no layer's output dies
    layers = keras.layers
    first = keras.Sequential([backbone, layers.GlobalAveragePooling2D(), layers.Dense(100, activation="relu")])
    scores = layers.Dense(len(LABELS), activation="softmax", use_bias=False)
    model = keras.Sequential([first, scores])
    hidden = first(images).numpy().mean(axis=0)
    kernel = 10 * np.random.default_rng(0).normal(size=(100, len(LABELS)))
    scores.set_weights([kernel - np.outer(hidden, hidden @ kernel) / (hidden @ hidden)])  # no class wins everywhere
    return model


def _as_the_site_gives_it(cut: two_output.TwoOutputModel) -> bytes:
    """The file of *TensorFlow Lite, Floating point*: it has no signatures."""
    import keras

    whole = keras.Model(cut.model.inputs[0], cut.model.output["scores"])
    model = flatbuffer.read(tflite_files.converted(whole))
    model.signatureDefs = None
    return flatbuffer.write(model)


@cache
def _pictures() -> np.ndarray:
    """Crops of photographs, uint8 (N, 224, 224, 3). Artificial pictures would make 8-bit files UNFIT."""
    with tempfile.TemporaryDirectory() as folder:
        write_crops(Path(folder), "left", PICTURES, 224)
        return np.stack([read_image(path) for path in sorted(Path(folder).glob("*.png"))])
