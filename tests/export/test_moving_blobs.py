"""A blob that moves over the image, through classifiers that crop, pad, resize or shift inside: the peak is on it.

The whole way: export, artifact, a process of the device, JSON. Weights are fixed: each classifier finds what is bright.
"""

from __future__ import annotations

import itertools
import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest
from keras import layers

from camlite import artifact
from camlite.artifact import Container
from camlite.artifact.card import Preprocessing
from camlite.images.labelled_images import LabelledImages
from camlite_export import exporting
from camlite_export.cutting import two_output
from support.fresh_process import run_python

Size = tuple[int, int]


@dataclass(frozen=True)
class Geometry:
    """What a classifier does in front of its trunk.

    Attributes:
        front: layers. image: height and width of the classifier's input.
        window: (top, left, bottom, right) of the grid, in pixels of the input.
        cell: height and width of a cell, in pixels of the input.
        picture: height and width of the pictures, where they are others; they are cropped to fit.
        containers: that have its operators.
    """

    front: tuple[Any, ...]
    image: Size
    window: tuple[int, int, int, int]
    cell: Size = (4, 4)
    picture: Size | None = None
    containers: tuple[Container, ...] = ("tflite", "onnx")


GEOMETRIES = {
    "centre crop": Geometry((layers.CenterCrop(32, 32),), (64, 64), (16, 16, 48, 48)),
    "cropped above": Geometry((layers.Cropping2D(((32, 0), (0, 0))),), (64, 64), (32, 0, 64, 64)),
    "resized with a crop": Geometry(
        (layers.Resizing(32, 32, crop_to_aspect_ratio=True),), (64, 96), (0, 16, 64, 80), (8, 8)
    ),
    "padded": Geometry((layers.ZeroPadding2D(16),), (64, 64), (-16, -16, 80, 80)),
    "letterbox": Geometry(  # Keras pads under a condition, which camlite takes in no ONNX model
        *((layers.Resizing(48, 48, pad_to_aspect_ratio=True),), (48, 72), (-12, 0, 60, 72), (6, 6)),
        containers=("tflite",),
    ),
    "padded, cropped and resized": Geometry(
        (layers.ZeroPadding2D(((0, 16), (8, 0))), layers.Cropping2D(((16, 0), (0, 8))), layers.Resizing(32, 32)),
        *((64, 64), (16, -8, 80, 56), (8, 8)),
    ),
    "a crop of a crop": Geometry((layers.CenterCrop(32, 32),), (64, 64), (16, 16, 48, 48), picture=(64, 128)),
}


EXPORTED = [(name, container) for name, geometry in GEOMETRIES.items() for container in geometry.containers]


def mean(size: int) -> layers.Layer:
    """A convolution that blurs."""
    return layers.Conv2D(1, size, padding="same", kernel_initializer="ones", use_bias=False, activation="relu")


def classifier(geometry: Geometry) -> keras.Model:
    trunk = (mean(3), layers.AveragePooling2D(2), mean(3), layers.AveragePooling2D(2), layers.GlobalAveragePooling2D())
    scores = layers.Dense(
        2, activation="softmax", use_bias=False, kernel_initializer=keras.initializers.Constant([[1, -1]])
    )
    return keras.Sequential([keras.Input((*geometry.image, 1)), *geometry.front, *trunk, scores])


def blob(size: Size, x: int, y: int) -> np.ndarray:
    rows, columns = np.mgrid[: size[0], : size[1]]
    bright = 255 * np.exp(-((rows - y) ** 2 + (columns - x) ** 2) / 8)
    return np.rint(bright).astype(np.uint8)[..., np.newaxis]


_EXPLAIN = """
import sys, json, numpy, camlite
from camlite.show import json_record
from pathlib import Path
for name in sys.argv[1:]:
    explainer = camlite.load(name)
    pictures = numpy.load(Path(name).with_suffix("").with_suffix(".npy"))
    found = [explainer.explain(one) for one in pictures]
    numpy.save(name + ".heat.npy", numpy.stack([one.spread(*one.image.shape[:2]) for one in found]))
    Path(name + ".json").write_text(json.dumps([json_record.of(one) for one in found]))
"""


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Artifacts of all geometries, and what a device says of blobs."""
    folder = tmp_path_factory.mktemp("blobs")
    for name, geometry in GEOMETRIES.items():
        export(folder, name, geometry)
    for suffix in ("tflite", "onnx"):
        finished = run_python(_EXPLAIN, *map(str, sorted(folder.glob(f"*.{suffix}"))))
        assert finished.returncode == 0, finished.stderr
    return folder


def export(folder: Path, name: str, geometry: Geometry) -> None:
    model = classifier(geometry)
    size = geometry.picture or geometry.image
    np.save(folder / f"{name}.npy", np.stack([blob(size, x, y) for x, y in places(geometry)]))
    exporting.export(
        two_output.cut(model),
        name=name,
        labels=("bright", "dark"),
        target=Preprocessing(*geometry.image, 1, (1 / 255,), (0.0,), "crop" if geometry.picture else "stretch"),
        calibration=LabelledImages(["blob"], None, lambda _: blob(geometry.image, 40, 40)),
        wanted=[(container, "float32") for container in geometry.containers],
        folder=folder,
    )


def places(geometry: Geometry) -> Sequence[tuple[int, int]]:
    """x and y of blobs all over the picture, the ones that were reported among them."""
    height, width = geometry.picture or geometry.image
    return [(21, 21), (21, 43), (23, 31), *itertools.product(range(2, width, 7), range(2, height, 7))]


def covered(geometry: Geometry) -> tuple[int, int, int, int]:
    """Left, top, right and bottom of the part of the picture that cells lie over."""
    height, width = geometry.picture or geometry.image
    x = (width - geometry.image[1]) // 2
    top, left, bottom, right = geometry.window
    return max(0, left) + x, max(0, top), min(geometry.image[1], right) + x, min(height, bottom)


@pytest.mark.parametrize(("name", "suffix"), EXPORTED)
def test_the_peak_is_on_the_blob_to_a_cell(folder: Path, name: str, suffix: str) -> None:
    geometry = GEOMETRIES[name]
    left, top, right, bottom = covered(geometry)
    tried = 0
    for (x, y), record in zip(places(geometry), records(folder, name, suffix), strict=True):
        if left <= x < right and top <= y < bottom:
            tried += 1
            explained = record["explained"][0]
            peak, box = explained["peak"], explained["box"]
            assert abs(peak["x"] - x) <= geometry.cell[1], (x, y, peak)
            assert abs(peak["y"] - y) <= geometry.cell[0], (x, y, peak)
            assert box["left"] <= peak["x"] < box["right"]
            assert box["top"] <= peak["y"] < box["bottom"]
    assert tried >= 15


@pytest.mark.parametrize(("name", "suffix"), EXPORTED)
def test_there_is_no_heat_where_it_was_cropped_away(folder: Path, name: str, suffix: str) -> None:
    left, top, right, bottom = covered(GEOMETRIES[name])
    heat = np.load(folder / f"{name}.float32.{suffix}.heat.npy")
    assert heat[:, top:bottom, left:right].any()
    heat[:, top:bottom, left:right] = 0
    assert not heat.any()


@pytest.mark.parametrize("name", GEOMETRIES)
def test_the_card_and_json_say_where_the_cells_lie(folder: Path, name: str) -> None:
    geometry = GEOMETRIES[name]
    window = artifact.read(folder / f"{name}.float32.tflite").card.head.window
    (height, width), x = geometry.image, covered(geometry)[0] - max(0, geometry.window[1])
    top, left, bottom, right = geometry.window
    assert window == pytest.approx((top / height, left / width, bottom / height, right / width), abs=0.01)
    record = records(folder, name, "tflite")[0]
    assert list(record["grid"].values()) == pytest.approx([left + x, top, right + x, bottom], abs=0.6)
    assert list(record["window"].values()) == pytest.approx(covered(geometry), abs=1)


def records(folder: Path, name: str, suffix: str) -> list[dict[str, Any]]:
    return json.loads((folder / f"{name}.float32.{suffix}.json").read_text())
