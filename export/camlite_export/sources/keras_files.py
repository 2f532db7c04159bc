"""Open a trained classifier."""

from __future__ import annotations

import functools
import json
import zipfile
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import h5py

from camlite.errors import ClassifierError
from camlite_export import workarounds
from camlite_export.sources import keras2

if TYPE_CHECKING:
    import keras

SUFFIXES = (".keras", ".h5", ".hdf5")

_KERAS_2 = ("1", "2")
_KERAS_WEIGHTS = "model.weights.h5"

# Weights are stored as they are, 2 to 4 bytes each; an optimizer's moments, too. Compressed by hand they lose a tenth;
# zeros, as of a model whose training has not begun, are what the second number is for: 32 MB.
_BYTES_A_PARAMETER = 4
_MOST_PARAMETERS_A_BYTE = 4
_PARAMETERS_OF_ANY = 1 << 23

_MODULES_OF_KERAS = frozenset({"keras", "tf_keras", "builtins"})


def open_classifier(path: Path, trusted: bool = False) -> keras.Model:
    """Open a classifier that Keras 3 or Keras 2 saved as a model of Keras 3, see `open_original`."""
    opened = open_original(path, trusted)
    return opened.model if isinstance(opened, keras2.Rebuilt) else opened


def open_original(path: Path, trusted: bool = False) -> keras.Model | keras2.Rebuilt:
    """Open a classifier that Keras 3 or Keras 2 saved.

    Args:
        path: of a ``.keras``, ``.h5`` or ``.hdf5`` file.
        trusted: whether code that the file carries (Lambda layers, custom objects) may run.

    Raises:
        ClassifierError: see `examine`; or Keras cannot open it.
    """
    structure, version = examine(path, trusted)
    if version.startswith(_KERAS_2):
        return keras2.open_keras2(path, trusted, functools.partial(_refuse_bomb, path))
    import keras

    try:
        _refuse_bomb(
            path, workarounds.count_parameters_unmade(structure, path.suffix != ".keras", safe_mode=not trusted)
        )
        return keras.saving.load_model(path, compile=False, safe_mode=not trusted)
    except ClassifierError:
        raise
    except Exception as error:  # the layers raise anything on a file's content
        reason = keras2.reason(error)
        raise ClassifierError(f"{path}: Keras {keras.__version__} cannot open it: {reason}") from error


def examine(path: Path, trusted: bool = False) -> tuple[Any, str]:
    """What can be told of a classifier's file without Keras: the structure of its layers, and the Keras that saved it.

    Args:
        path, trusted: see `open_classifier`.

    Raises:
        ClassifierError: no such file, no Keras model, one that carries code, or one that declares more than it has.
    """
    if path.is_dir():
        what = "a SavedModel" if (path / "saved_model.pb").exists() else "a folder"
        raise ClassifierError(
            f"{path}: {what}, which has no layers to cut; open it where it was trained and save it with "
            f"model.save('classifier.keras')"
        )
    if not path.exists():
        raise ClassifierError(f"{path}: no such file; expected a trained Keras classifier ({', '.join(SUFFIXES)})")
    if path.suffix not in SUFFIXES or not path.is_file():
        raise ClassifierError(f"{path}: not a Keras model file; expected one of {', '.join(SUFFIXES)}")
    structure, version = _read(path)
    _refuse_code(path, structure, trusted)
    return structure, version


def from_object(model: Any) -> keras.Model | keras2.Rebuilt:
    """A model object of Keras 3, as it is, or of tf_keras, rebuilt in Keras 3.

    Raises:
        ClassifierError: neither, or a tf_keras model that cannot be rebuilt.
    """
    import keras

    if isinstance(model, keras.Model):
        return model
    if any(kind.__module__.startswith("tf_keras.") for kind in type(model).__mro__):
        return keras2.rebuild(model, model.name)
    raise ClassifierError(f"a {type(model).__name__}: expected a model of Keras 3 or of tf_keras")


def _read(path: Path) -> tuple[Any, str]:
    """The JSON of the model's layers, and the Keras that saved it: a ``.keras`` is a zip, an ``.h5`` HDF5."""
    try:
        if path.suffix == ".keras":
            with zipfile.ZipFile(path) as archive:
                _refuse_bomb(path, sum(entry.file_size for entry in archive.infolist()) // _BYTES_A_PARAMETER)
                if _KERAS_WEIGHTS in archive.namelist():
                    with archive.open(_KERAS_WEIGHTS) as entry, h5py.File(entry) as weights:
                        _refuse_bomb(path, _declared(weights))
                version = json.loads(archive.read("metadata.json"))["keras_version"]
                return json.loads(archive.read("config.json")), str(version)
        with h5py.File(path) as file:
            _refuse_bomb(path, _declared(file))
            if "model_config" not in file.attrs:
                raise ClassifierError(f"{path}: holds weights alone, no layers; save the whole model with model.save()")
            # The first versions did not say theirs.
            return json.loads(file.attrs["model_config"]), str(file.attrs.get("keras_version", "1"))
    except ClassifierError:
        raise
    except (OSError, ValueError, TypeError, KeyError, RuntimeError, EOFError, zipfile.BadZipFile, zlib.error) as error:
        raise ClassifierError(f"{path}: no Keras model ({' '.join(str(error).split())[:200]}); save it again") from None


def _declared(file: h5py.File) -> int:
    """How many numbers the arrays of an HDF5 file say they have; what was never written is not in the file."""
    sizes = []
    file.visititems(lambda _, one: sizes.append(one.size or 0) if isinstance(one, h5py.Dataset) else None)
    return sum(sizes)


def _refuse_bomb(path: Path, parameters: int) -> None:
    """Refuse a file that asks for far more memory than it has bytes, before it gets any."""
    most = _MOST_PARAMETERS_A_BYTE * path.stat().st_size + _PARAMETERS_OF_ANY
    if parameters > most:
        raise ClassifierError(
            f"{path}: declares {parameters} parameters, its {path.stat().st_size} bytes can hold {most} at the most; "
            f"save it again where it was trained"
        )


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
        function = str((structure.get("config") or {}).get("function")) if kind == "TFOpLambda" else ""
        if function and not keras2.is_harmless(function):
            yield f"a call of tf.{function}"
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
