"""Fine maps are held against the original's own, by `parity` and by `export`; `auto` leaves out spoiled ones."""

from __future__ import annotations

import functools
from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest
from keras import layers

import camlite_export
from camlite import artifact
from camlite.images.labelled_images import of_arrays
from camlite_export.precisions import PRECISIONS
from support import classifier_kinds

RANDOM = np.random.default_rng(0)
COARSE = RANDOM.integers(0, 256, (60, 6, 6, 1), np.uint8)
IMAGES = np.repeat(np.repeat(COARSE, 4, axis=1), 4, axis=2)
"""Flat squares: equal numbers side by side, of which max pooling takes one."""


@functools.cache
def pooled() -> keras.Model:
    keras.utils.set_random_seed(0)
    chain = [
        keras.Input((24, 24, 1), name="image"),
        layers.Conv2D(8, 3, padding="same", activation="relu", name="early"),
        layers.MaxPooling2D(2),
        layers.Conv2D(8, 3, padding="same", activation="relu", name="middle"),
        layers.MaxPooling2D(2),
        layers.Conv2D(8, 3, padding="same", activation="relu", name="late"),
        layers.GlobalAveragePooling2D(),
        layers.Dense(6, activation="softmax"),
    ]
    return classifier_kinds.lively(keras.Sequential(chain, name="pooled"))


def export(folder: Path, *precisions: Any, maps: Any = "sharp") -> camlite_export.Export:
    given = {"calibration": of_arrays(IMAGES), "formats": "onnx", "preprocess": "unit"}
    return camlite_export.export(pooled(), folder, precisions=precisions, maps=maps, **given)


def parity(path: Path, **options: Any) -> Any:
    (result,) = camlite_export.parity(pooled(), path, of_arrays(IMAGES), **options).results
    return result


@pytest.fixture(scope="module")
def sharp(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return export(tmp_path_factory.mktemp("sharp"), "float32").paths["float32.onnx"]


def test_in_float32_they_are_the_originals_on_every_picture_also_on_flat_ones(sharp: Path) -> None:
    result = parity(sharp)

    assert result.passed, result.failures
    assert len(result.measurement) == len(IMAGES)
    assert np.nanmin(result.measurement.fine_correlation) > 0.9999
    assert {verdict.gate.figure.name for verdict in result.verdicts} >= {"fine_correlation_p5", "fine_elsewhere_mean"}


@pytest.mark.parametrize("field", ["method", "smooth", "radius"])
def test_a_map_that_was_made_otherwise_than_it_says_fails(sharp: Path, tmp_path: Path, field: str) -> None:
    read = artifact.read(sharp)
    guide = read.arrays.guide
    others = {
        "method": "layercam" if guide.method == "hirescam" else "hirescam",
        "smooth": not guide.smooth,
        "radius": 1.0,
    }
    maps = read.arrays.maps._replace(guide=guide._replace(**{field: others[field]}))
    path = tmp_path / sharp.name
    path.write_bytes(artifact.pack(read.container, read.model, read.card, read.arrays._replace(maps=maps)))

    result = parity(path)

    failed = {failure.check for failure in result.failures}
    # The radius is the device's part: its golden samples are of the one that the original was taken with.
    assert failed & ({"golden samples"} if field == "radius" else {"fine_correlation_p5", "fine_elsewhere_mean"})


def test_a_guide_of_layers_that_the_original_has_not_is_told(sharp: Path, tmp_path: Path) -> None:
    read = artifact.read(sharp)
    maps = read.arrays.maps._replace(guide=read.arrays.guide._replace(layers=("nowhere",)))
    path = tmp_path / sharp.name
    path.write_bytes(artifact.pack(read.container, read.model, read.card, read.arrays._replace(maps=maps)))

    result = parity(path)

    (failure,) = (failure for failure in result.failures if failure.check == "card")
    assert "its guide is made of nowhere" in failure.message
    assert np.isnan(result.measurement.fine_correlation).all()
    assert not np.isnan(result.measurement.correlation).any()


def test_export_holds_them_against_the_original_on_the_calibration_pictures(tmp_path: Path) -> None:
    (one,) = export(tmp_path, "int8").artifacts

    assert one.measurement is not None
    assert not np.isnan(one.measurement.fine_correlation).any()


@pytest.fixture
def strict(monkeypatch: pytest.MonkeyPatch) -> None:
    """8 bits never reach this."""
    traits = PRECISIONS["int8"]
    gates = {**traits.gates, "fine_correlation_p5": (0.99999, "for this test")}
    monkeypatch.setitem(PRECISIONS, "int8", traits._replace(gates=gates))


@pytest.mark.usefixtures("strict")
def test_auto_gives_plain_maps_to_the_precision_that_spoils_fine_ones(tmp_path: Path) -> None:
    found = export(tmp_path, "float32", "int8", maps="auto")

    assert found.passed, found.failures
    fine, plain = (artifact.read(found.paths[kind]).arrays for kind in ("float32.onnx", "int8.onnx"))
    assert fine.guide is not None
    assert plain.guide is None
    assert plain.maps.chosen.startswith("cam: in this precision")
    assert plain.maps.measured == fine.maps.measured
    (line,) = (line for line in found.notes if line.startswith("int8.onnx has plain maps only"))
    assert "fine map correlation" in line


@pytest.mark.usefixtures("strict")
def test_sharp_gives_them_all_the_same_and_calls_them_unfit(tmp_path: Path) -> None:
    found = export(tmp_path, "float32", "int8", maps="sharp")

    assert [one.verdict for one in found.artifacts] == ["fit", "UNFIT"]
    assert artifact.read(found.paths["int8.onnx"]).arrays.guide is not None


def test_cam_is_what_it_always_was(tmp_path: Path) -> None:
    (path,) = export(tmp_path, "float32", maps="cam").paths.values()

    assert artifact.read(path).arrays.maps is None


def test_where_nothing_can_be_tried_auto_gives_plain_maps_and_says_why(tmp_path: Path) -> None:
    image = keras.Input((8, 8, 1))
    x = layers.Conv2D(4, 3, padding="same", activation="relu")(image)
    x = layers.GlobalAveragePooling2D()(layers.MaxPooling2D(2)(x))
    model = keras.Model(image, layers.Dense(3, activation="relu")(x), name="dead")
    model.layers[-1].bias.assign(np.full(3, -1000, np.float32))

    options = {"formats": "onnx", "precisions": "float32", "preprocess": "unit"}
    found = camlite_export.export(model, tmp_path, calibration=of_arrays(IMAGES[:, :8, :8]), **options)

    assert artifact.read(found.paths["float32.onnx"]).arrays.guide is None
    assert any(line.startswith("plain maps cam: ") for line in found.notes)
