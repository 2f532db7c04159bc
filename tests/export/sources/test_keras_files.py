"""`camlite_export.sources.keras_files`: what is opened, and that nothing that is opened runs code unasked."""

from __future__ import annotations

import json
import shutil
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import h5py
import keras
import numpy as np
import pytest
from keras import layers

import support.classifier_kinds as kinds
from camlite.errors import ClassifierError
from camlite_export.cutting import two_output
from camlite_export.sources import keras_files, weights_digest
from camlite_export.sources.keras_files import open_classifier
from support.classifier_kinds import FILE_REFUSALS, FileRefusal

IMAGES = np.random.default_rng(0).uniform(0, 1, (4, 16, 16, 3)).astype(np.float32)


@keras.saving.register_keras_serializable(package="laboratory")
class Doubling(keras.layers.Layer):
    """A layer that is not Keras's own."""

    def call(self, inputs: Any) -> Any:
        return inputs * 2


def small(*parts: Any) -> keras.Model:
    return kinds.lively(
        keras.Sequential(
            [
                keras.Input((16, 16, 3)),
                layers.Conv2D(4, 3, activation="relu"),
                *parts,
                layers.GlobalAveragePooling2D(),
                layers.Dense(3, activation="softmax"),
            ],
            name="small",
        )
    )


def refusal(path: Path, trusted: bool = False) -> str:
    """The one line that a file is refused with."""
    with pytest.raises(ClassifierError) as raised:
        open_classifier(path, trusted)
    message = str(raised.value)
    assert message.startswith(f"{path}: ")
    assert "\n" not in message
    return message


def same_scores(opened: keras.Model, expected: keras.Model) -> None:
    np.testing.assert_array_equal(np.asarray(opened(IMAGES)), np.asarray(expected(IMAGES)))


def with_config(path: Path, change: Any) -> Path:
    """A .keras file with another structure."""
    changed = path.with_name("changed.keras")
    with zipfile.ZipFile(path) as old, zipfile.ZipFile(changed, "w") as new:
        for name in old.namelist():
            content = old.read(name)
            if name == "config.json":
                config = json.loads(content)
                change(config)
                content = json.dumps(config).encode()
            new.writestr(name, content)
    return changed


@pytest.mark.parametrize("suffix", [".keras", ".h5"])
def test_a_model_of_keras_3_comes_back_as_it_was_saved(tmp_path: Path, suffix: str) -> None:
    model = small()
    model.save(tmp_path / f"model{suffix}")
    same_scores(open_classifier(tmp_path / f"model{suffix}"), model)


def test_nested_models_of_keras_3_come_back_from_hdf5(tmp_path: Path) -> None:
    model = small(keras.Sequential([layers.DepthwiseConv2D(3), layers.BatchNormalization()]))
    model.save(tmp_path / "model.hdf5")
    same_scores(open_classifier(tmp_path / "model.hdf5"), model)


def test_a_compiled_model_is_opened_without_its_loss(tmp_path: Path) -> None:
    model = small()
    model.compile(optimizer="adam", loss="categorical_crossentropy")
    model.save(tmp_path / "model.keras")
    assert not open_classifier(tmp_path / "model.keras").compiled


@pytest.mark.parametrize("kind", FILE_REFUSALS, ids=str)
def test_files_that_are_refused(tmp_path: Path, kind: FileRefusal) -> None:
    reason = kinds.file_refusal(kind, tmp_path)
    assert kind.why in reason
    assert "\n" not in reason


def test_a_missing_file(tmp_path: Path) -> None:
    assert "no such file" in refusal(tmp_path / "model.keras")


def test_another_kind_of_file(tmp_path: Path) -> None:
    path = tmp_path / "model.pt"
    path.write_bytes(b"PK")
    assert "expected one of .keras, .h5, .hdf5, .model" in refusal(path)


def test_a_folder(tmp_path: Path) -> None:
    assert "a folder; give the classifier's file in it (.keras, .h5)" in refusal(tmp_path)


@pytest.mark.parametrize("suffix", [".keras", ".h5", ".hdf5"])
@pytest.mark.parametrize("content", [b"", b"labels\nin a text file\n", b"PK\x03\x04", b"\x89HDF\r\n\x1a\n" + bytes(99)])
def test_a_file_that_is_no_model(tmp_path: Path, suffix: str, content: bytes) -> None:
    path = tmp_path / f"model{suffix}"
    path.write_bytes(content)
    assert "no Keras model" in refusal(path)


@pytest.mark.parametrize("share", [0.2, 0.9, 0.999])
@pytest.mark.parametrize("suffix", [".keras", ".h5"])
def test_a_truncated_file(tmp_path: Path, suffix: str, share: float) -> None:
    path = tmp_path / f"model{suffix}"
    small().save(path)
    path.write_bytes(path.read_bytes()[: int(share * path.stat().st_size)])
    assert "no Keras model" in refusal(path)


def test_a_zip_that_is_no_model(tmp_path: Path) -> None:
    path = tmp_path / "model.keras"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("readme.txt", "nothing here")
    assert "no Keras model" in refusal(path)


def test_weights_without_layers(tmp_path: Path) -> None:
    small().save_weights(tmp_path / "model.weights.h5")
    assert "holds weights only" in refusal(tmp_path / "model.weights.h5")


def test_missing_weights(tmp_path: Path) -> None:
    small().save(tmp_path / "model.keras")
    path = tmp_path / "without.keras"
    with zipfile.ZipFile(tmp_path / "model.keras") as old, zipfile.ZipFile(path, "w") as new:
        for name in ("config.json", "metadata.json"):
            new.writestr(name, old.read(name))
    assert "cannot open it" in refusal(path)


def test_a_structure_that_keras_does_not_understand(tmp_path: Path) -> None:
    small().save(tmp_path / "model.keras")

    def change(config: Any) -> None:
        config["config"]["layers"][1]["class_name"] = "Conv9D"

    path = with_config(tmp_path / "model.keras", change)
    assert "holds a Conv9D, which is on no list" in refusal(path)
    assert "cannot open it" in refusal(path, trusted=True)


def test_a_structure_nested_too_deeply(tmp_path: Path) -> None:
    path = tmp_path / "model.keras"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("metadata.json", json.dumps({"keras_version": keras.__version__}))
        archive.writestr("config.json", "[" * 100_000)
    assert "no Keras model" in refusal(path)


@pytest.mark.parametrize("suffix", [".keras", ".h5"])
def test_a_lambda_layer_runs_only_where_the_file_is_trusted(
    tmp_path: Path, suffix: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    marker, path = tmp_path / "code_has_run", tmp_path / f"model{suffix}"
    monkeypatch.setenv("MARKER", str(marker))
    small(layers.Lambda(lambda x: (open(__import__("os").environ["MARKER"], "w").close(), x)[1])).save(path)  # noqa: PTH123
    marker.unlink()
    assert "carries code (a Lambda layer)" in refusal(path)
    assert not marker.exists()
    open_classifier(path, trusted=True)
    assert marker.exists(), "the code would not have run at all"


def test_a_lambda_inside_an_inner_model_is_found(tmp_path: Path) -> None:
    small(keras.Sequential([layers.Lambda(lambda x: x)])).save(tmp_path / "model.keras")
    assert "carries code" in refusal(tmp_path / "model.keras")


def test_custom_layers_are_opened_only_where_the_file_is_trusted(tmp_path: Path) -> None:
    model = small(Doubling())
    model.save(tmp_path / "model.keras")
    assert "Doubling" in refusal(tmp_path / "model.keras")
    same_scores(open_classifier(tmp_path / "model.keras", trusted=True), model)


@pytest.mark.parametrize("module", ["os", "subprocess", "builtins.evil", "keras_evil.layers"])
def test_a_structure_that_names_other_modules_is_refused_before_they_are_imported(tmp_path: Path, module: str) -> None:
    small().save(tmp_path / "model.keras")

    def change(config: Any) -> None:
        config["config"]["layers"][2] |= {"module": module, "class_name": "system", "registered_name": None}

    path = with_config(tmp_path / "model.keras", change)
    assert f"carries code ({module}.system)" in refusal(path)


def test_the_digest_knows_the_weights_and_their_shapes() -> None:
    model, other = small(), small()
    assert weights_digest.digest(model) == weights_digest.digest(other)
    *others, bias = other.get_weights()
    other.set_weights([*others, np.nextafter(bias, np.float32(9))])
    assert weights_digest.digest(model) != weights_digest.digest(other)


def test_a_model_object_of_keras_3_is_taken_as_it_is() -> None:
    model = small()
    assert keras_files.from_object(model) is model


def test_any_other_object_is_refused() -> None:
    with pytest.raises(ClassifierError, match="a dict: expected a model"):
        keras_files.from_object({})


def test_a_model_object_of_tf_keras_is_rebuilt() -> None:
    import tf_keras

    model = tf_keras.Sequential(
        [
            tf_keras.Input((16, 16, 3)),
            tf_keras.layers.Conv2D(4, 3),
            tf_keras.layers.GlobalAveragePooling2D(),
            tf_keras.layers.Dense(3, activation="softmax"),
        ]
    )
    rebuilt, original, _ = keras_files.from_object(model)
    assert original is model
    assert isinstance(rebuilt, keras.Model)
    np.testing.assert_allclose(np.asarray(rebuilt(IMAGES)), np.asarray(model(IMAGES)), atol=1e-6)
    assert two_output.cut(rebuilt).layer == model.layers[0].name


def test_a_file_is_only_read(tmp_path: Path) -> None:
    path, copy = tmp_path / "model.keras", tmp_path / "copy.keras"
    small().save(path)
    shutil.copy(path, copy)
    open_classifier(path)
    assert path.read_bytes() == copy.read_bytes()
    assert sorted(tmp_path.iterdir()) == sorted([path, copy])


def test_the_version_of_keras_decides_how_a_file_is_opened(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    opened = []
    monkeypatch.setattr(keras_files.keras2, "open_keras2", lambda path, *_: opened.append(path))
    small().save(tmp_path / "model.h5")
    for version, is_legacy in {"3.4.1": False, "2.12.0": True, "2.2.4-tf": True, "2.0.6": True, None: True}.items():
        opened.clear()
        with h5py.File(tmp_path / "model.h5", "r+") as file:
            del file.attrs["keras_version"]
            if version is not None:
                file.attrs["keras_version"] = version
        open_classifier(tmp_path / "model.h5")
        assert bool(opened) == is_legacy, version
        with h5py.File(tmp_path / "model.h5", "r+") as file:
            file.attrs["keras_version"] = "3"


def with_layers(path: Path, change: Any, folder: Path) -> Path:
    """A copy of a ``.keras`` file whose structure is changed."""
    copy = folder / "changed.keras"
    with zipfile.ZipFile(path) as archive, zipfile.ZipFile(copy, "w") as changed:
        for name in archive.namelist():
            content = archive.read(name)
            if name == "config.json":
                structure = json.loads(content)
                change(structure["config"]["layers"])
                content = json.dumps(structure).encode()
            changed.writestr(name, content)
    return copy


@pytest.fixture
def saved(tmp_path: Path) -> Path:
    path = tmp_path / "small.keras"
    small().save(path)
    return path


def test_a_structure_that_declares_far_more_than_the_file_has_gets_no_memory(
    saved: Path, tmp_path: Path, little_memory: Callable[[], int]
) -> None:
    def enlarge(parts: list[dict]) -> None:
        parts[-1]["config"]["units"] = 100_000_000

    assert "declares 500000" in refusal(with_layers(saved, enlarge, tmp_path))
    assert little_memory() < 64 << 20


def test_a_zip_that_unpacks_to_far_more_than_it_has_gets_no_memory(
    saved: Path, tmp_path: Path, little_memory: Callable[[], int]
) -> None:
    bomb = tmp_path / "bomb.keras"
    with zipfile.ZipFile(saved) as archive, zipfile.ZipFile(bomb, "w", zipfile.ZIP_DEFLATED) as changed:
        for name in ("metadata.json", "config.json"):
            changed.writestr(name, archive.read(name))
        with changed.open("model.weights.h5", "w") as entry:
            for _ in range(256):
                entry.write(bytes(1 << 20))

    assert "declares" in refusal(bomb)
    assert little_memory() < 64 << 20


@pytest.mark.parametrize("suffix", [".h5", ".keras"])
def test_arrays_that_were_never_written_get_no_memory(
    suffix: str, saved: Path, tmp_path: Path, little_memory: Callable[[], int]
) -> None:
    """HDF5 gives zeros for them: a file of some kB may declare any shape."""
    if suffix == ".h5":
        hostile = saved.with_suffix(".h5")
        small().save(hostile)
        with h5py.File(hostile, "r+") as file:
            file["model_weights"].create_dataset("more", (1 << 20, 1 << 20), "f4", chunks=(64, 64))
    else:
        hostile = tmp_path / "hostile.keras"
        weights = tmp_path / "model.weights.h5"
        with h5py.File(weights, "w") as file:
            file.create_dataset("more", (1 << 20, 1 << 20), "f4", chunks=(64, 64))
        with zipfile.ZipFile(saved) as archive, zipfile.ZipFile(hostile, "w") as changed:
            for name in ("metadata.json", "config.json"):
                changed.writestr(name, archive.read(name))
            changed.write(weights, "model.weights.h5")

    assert "declares 1099511627" in refusal(hostile)
    assert little_memory() < 64 << 20
