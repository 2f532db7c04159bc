"""Open a trained classifier."""

from __future__ import annotations

import hashlib
import json
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import h5py
import numpy as np

from camlite.errors import ClassifierError
from camlite_export import legacy

if TYPE_CHECKING:
    import keras

SUFFIXES = (".keras", ".h5", ".hdf5")

_KERAS_2 = ("1", "2")

_MODULES_OF_KERAS = frozenset({"keras", "tf_keras", "builtins"})


def open_classifier(path: Path, trusted: bool = False) -> keras.Model:
    """Open a classifier that Keras 3 or Keras 2 saved.

    Args:
        path: of a ``.keras``, ``.h5`` or ``.hdf5`` file.
        trusted: whether code that the file carries (Lambda layers, custom objects) may run.

    Raises:
        ClassifierError: no such file, no Keras model, one that carries code, or one that Keras cannot open.
    """
    if path.is_dir():
        raise ClassifierError(
            f"{path}: a folder (a SavedModel?), which has no layers to cut; open it where it was trained and "
            f"save it with model.save('classifier.keras')"
        )
    if not path.exists():
        raise ClassifierError(f"{path}: no such file; expected a trained Keras classifier ({', '.join(SUFFIXES)})")
    if path.suffix not in SUFFIXES or not path.is_file():
        raise ClassifierError(f"{path}: not a Keras model file; expected one of {', '.join(SUFFIXES)}")
    structure, version = _read(path)
    _refuse_code(path, structure, trusted)
    if version.startswith(_KERAS_2):
        return legacy.open_keras2(path, trusted)
    import keras

    try:
        return keras.saving.load_model(path, compile=False, safe_mode=not trusted)
    except Exception as error:  # the layers raise anything on a file's content
        reason = " ".join(str(error).split())[:300]
        raise ClassifierError(f"{path}: Keras {keras.__version__} cannot open it: {reason}") from error


def from_object(model: Any) -> keras.Model:
    """A model object of Keras 3, as it is, or of tf_keras, rebuilt in Keras 3.

    Raises:
        ClassifierError: neither, or a tf_keras model that cannot be rebuilt.
    """
    import keras

    if isinstance(model, keras.Model):
        return model
    if any(kind.__module__.startswith("tf_keras.") for kind in type(model).__mro__):
        return legacy.rebuild(model, model.name)
    raise ClassifierError(f"a {type(model).__name__}: expected a model of Keras 3 or of tf_keras")


def _read(path: Path) -> tuple[Any, str]:
    """The JSON of the model's layers, and the Keras that saved it: a ``.keras`` is a zip, an ``.h5`` HDF5."""
    try:
        if path.suffix == ".keras":
            with zipfile.ZipFile(path) as archive:
                version = json.loads(archive.read("metadata.json"))["keras_version"]
                return json.loads(archive.read("config.json")), str(version)
        with h5py.File(path) as file:
            if "model_config" not in file.attrs:
                raise ClassifierError(f"{path}: holds weights alone, no layers; save the whole model with model.save()")
            # The first versions did not say theirs.
            return json.loads(file.attrs["model_config"]), str(file.attrs.get("keras_version", "1"))
    except ClassifierError:
        raise
    except (OSError, ValueError, TypeError, KeyError, RecursionError, zipfile.BadZipFile) as error:
        raise ClassifierError(f"{path}: no Keras model ({' '.join(str(error).split())[:200]}); save it again") from None


def _refuse_code(path: Path, structure: Any, trusted: bool) -> None:
    """Refuse what would run code, by the structure that the file declares, before Keras acts on it."""
    code = next(_carried_code(structure), None)
    if code and not trusted:
        raise ClassifierError(
            f"{path}: carries code ({code}), which opening it would run; "
            f"where you trust whoever made it, say so with --trust"
        )


def _carried_code(structure: Any) -> Iterator[str]:
    """Names of the layers and functions in a structure that are not Keras's own."""
    if isinstance(structure, list):
        for item in structure:
            yield from _carried_code(item)
    if isinstance(structure, dict):
        kind = structure.get("class_name")
        if kind in ("Lambda", "__lambda__"):
            yield f"a {kind} layer" if kind == "Lambda" else "a lambda"
        module = structure.get("module")
        if isinstance(module, str) and module.partition(".")[0] not in _MODULES_OF_KERAS:
            yield f"{module}.{kind}"
        registered = structure.get("registered_name")
        if isinstance(registered, str) and ">" in registered and registered.partition(">")[0] not in _MODULES_OF_KERAS:
            yield registered
        for item in structure.values():
            yield from _carried_code(item)


def digest(model: keras.Model) -> str:
    """SHA-256 over the shapes, dtypes and values of all weights, in their order."""
    hasher = hashlib.sha256()
    for weight in model.get_weights():
        hasher.update(f"{weight.dtype.str}{weight.shape}".encode())
        hasher.update(np.ascontiguousarray(weight).tobytes())
    return hasher.hexdigest()
