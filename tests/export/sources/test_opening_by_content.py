"""`camlite_export.sources.keras_files`: what a file is, its content says; layers may stand beside their weights."""

from __future__ import annotations

import json
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest
from keras import layers

import support.classifier_kinds as kinds
from camlite.errors import ClassifierError
from camlite_export.sources.keras_files import open_classifier

IMAGES = np.random.default_rng(0).uniform(0, 1, (4, 16, 16, 3)).astype(np.float32)


def small() -> keras.Model:
    convolutions = (layers.Conv2D(4, 3), layers.BatchNormalization(), layers.Conv2D(4, 3))
    head = (layers.GlobalAveragePooling2D(), layers.Dense(3, activation="softmax"))
    return kinds.lively(keras.Sequential([keras.Input((16, 16, 3)), *convolutions, *head], name="small"))


def same(opened: keras.Model, expected: keras.Model) -> None:
    np.testing.assert_array_equal(np.asarray(opened(IMAGES)), np.asarray(expected(IMAGES)))


def refusal(path: Path, structure: Path | None = None, trusted: bool = False) -> str:
    with pytest.raises(ClassifierError) as raised:
        open_classifier(path, trusted, structure)
    assert "\n" not in str(raised.value)
    return str(raised.value)


def structure_of(model: keras.Model, path: Path) -> Path:
    path.write_text(model.to_json())
    return path


@pytest.mark.parametrize("trusted", [False, True])
@pytest.mark.parametrize("name", ["a.model", "a.keras", "a.h5", "A.H5"])
@pytest.mark.parametrize("saved", ["saved.keras", "saved.h5"])
def test_a_zip_and_hdf5_are_opened_by_any_name(tmp_path: Path, saved: str, name: str, trusted: bool) -> None:
    model = small()
    model.save(tmp_path / saved)
    same(open_classifier((tmp_path / saved).rename(tmp_path / name), trusted), model)


def with_code_of_ones_own(model: keras.Model, path: Path, marker: Path) -> Path:
    class Loss(keras.losses.Loss):
        def __init__(self, **options: Any) -> None:
            marker.touch()
            super().__init__(**options)

        def call(self, y_true: Any, y_pred: Any) -> Any:
            return keras.ops.mean(y_pred - y_true)

    class Schedule(keras.optimizers.schedules.LearningRateSchedule):
        def __call__(self, step: Any) -> Any:  # noqa: ARG002 - Keras gives it
            return 0.1

        def get_config(self) -> dict[str, Any]:
            marker.touch()
            return {}

    def metric(y_true: Any, y_pred: Any) -> Any:  # noqa: ARG001 - Keras gives it
        return keras.ops.mean(y_pred)

    model.compile(keras.optimizers.SGD(Schedule()), Loss(), [metric])
    model.save(path)
    marker.unlink()
    return path


@pytest.mark.parametrize("trusted", [False, True])
@pytest.mark.parametrize("name", ["compiled.keras", "compiled.h5"])
def test_a_loss_a_metric_and_a_schedule_of_ones_own_are_not_asked_for(tmp_path: Path, name: str, trusted: bool) -> None:
    model, marker = small(), tmp_path / "code has run"
    opened = open_classifier(with_code_of_ones_own(model, tmp_path / name, marker), trusted)
    same(opened, model)
    assert not opened.compiled
    assert not marker.exists()


@pytest.mark.parametrize("trusted", [False, True])
def test_weights_are_opened_beside_their_structure(tmp_path: Path, trusted: bool) -> None:
    model = small()
    model.save_weights(tmp_path / "small.weights.h5")
    structure = structure_of(model, tmp_path / "small.json")
    same(open_classifier(tmp_path / "small.weights.h5", trusted, structure), model)


def test_a_structure_written_as_json_in_json_is_read(tmp_path: Path) -> None:
    """What json.dump(model.to_json(), file) makes."""
    model = small()
    model.save_weights(tmp_path / "small.weights.h5")
    (tmp_path / "small.json").write_text(json.dumps(model.to_json()))
    same(open_classifier(tmp_path / "small.weights.h5", structure=tmp_path / "small.json"), model)


def test_a_keras_file_that_was_unpacked_is_opened_by_its_parts(tmp_path: Path) -> None:
    model, folder = small(), tmp_path / "unpacked"
    model.save(tmp_path / "small.keras")
    with zipfile.ZipFile(tmp_path / "small.keras") as archive:
        archive.extractall(folder)
    weights, structure = folder / "model.weights.h5", folder / "config.json"
    assert f"give {weights} with --structure {structure}" in refusal(folder)
    same(open_classifier(weights, structure=structure), model)


def test_weights_of_another_structure_are_refused(tmp_path: Path) -> None:
    small().save_weights(tmp_path / "small.weights.h5")
    other = keras.Sequential([keras.Input((16, 16, 3)), layers.Conv2D(9, 3), layers.Flatten(), layers.Dense(3)])
    structure = structure_of(other, tmp_path / "other.json")
    assert f"{structure} must be the structure" in refusal(tmp_path / "small.weights.h5", structure)


@pytest.mark.parametrize(
    ("content", "why"),
    [
        ("", "no structure of a Keras model"),
        ("layers:\n- Conv2D", "no structure of a Keras model"),
        ("[]", "no structure of a Keras model (a list)"),
        ("[" * 100_000, "no structure of a Keras model"),
        ("{}", "holds a None"),
        ('{"class_name": "Sequential", "config": {"layers": "none"}}', "a Sequential without layers"),
    ],
)
def test_what_is_no_structure_is_refused(tmp_path: Path, content: str, why: str) -> None:
    small().save_weights(tmp_path / "small.weights.h5")
    (tmp_path / "s.json").write_text(content)
    assert why in refusal(tmp_path / "small.weights.h5", tmp_path / "s.json")


def test_a_structure_that_is_not_there_is_named(tmp_path: Path) -> None:
    small().save_weights(tmp_path / "small.weights.h5")
    assert f"{tmp_path / 'gone.json'}: no such file" in refusal(tmp_path / "small.weights.h5", tmp_path / "gone.json")


def _with_lambda(config: dict[str, Any]) -> None:
    config["config"]["layers"][-1] = {"class_name": "Lambda", "config": {"name": "harm", "function": "eval"}}


def _with_function(config: dict[str, Any]) -> None:
    config["config"]["layers"][-1]["config"]["activation"] = {
        "module": "os", "class_name": "function", "config": "system", "registered_name": "function",
    }  # fmt: skip


def _enormous(config: dict[str, Any]) -> None:
    config["config"]["layers"][-1]["config"]["units"] = 2_000_000_000


@pytest.mark.parametrize(
    ("change", "why"),
    [
        (_with_lambda, "carries code (a Lambda layer)"),
        (_with_function, "carries code (the function system)"),
        (_enormous, "parameters, its"),
    ],
)
def test_a_strangers_structure_is_as_hostile_as_a_strangers_file(
    tmp_path: Path, change: Callable[[dict[str, Any]], None], why: str, little_memory: Callable[[], int]
) -> None:
    model = small()
    model.save_weights(tmp_path / "small.weights.h5")
    config = json.loads(model.to_json())
    change(config)
    (tmp_path / "s.json").write_text(json.dumps(config))
    assert why in refusal(tmp_path / "small.weights.h5", tmp_path / "s.json")
    assert little_memory() < 64 << 20


def test_a_pointer_of_git_lfs_is_told_from_a_model(tmp_path: Path) -> None:
    (tmp_path / "small.keras").write_text("version https://git-lfs.github.com/spec/v1\noid sha256:00\nsize 9\n")
    assert "git lfs pull" in refusal(tmp_path / "small.keras")
