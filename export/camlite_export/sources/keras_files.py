"""Open a trained classifier."""

from __future__ import annotations

import contextlib
import dataclasses
from pathlib import Path
from typing import TYPE_CHECKING, Any

from camlite.errors import ClassifierError
from camlite_export import workarounds
from camlite_export.sources import keras2
from camlite_export.sources.untrusted import building, configuration, model_file, rehearsal
from camlite_export.sources.untrusted.model_file import SUFFIXES, ModelFile

if TYPE_CHECKING:
    import keras

_KERAS_2 = ("1", "2")


def open_classifier(path: Path, trusted: bool = False) -> keras.Model:
    """Open a classifier that Keras 3 or Keras 2 saved as a model of Keras 3, see `open_original`."""
    opened = open_original(path, trusted)
    return opened.model if isinstance(opened, keras2.Rebuilt) else opened


def open_original(path: Path, trusted: bool = False) -> keras.Model | keras2.Rebuilt:
    """Open a classifier that Keras 3 or Keras 2 saved. It is not compiled, whatever the file says of that.

    Args:
        path: of a ``.keras``, ``.h5`` or ``.hdf5`` file.
        trusted: whether code that the file carries (Lambda layers, custom objects) may run.

    Raises:
        ClassifierError: see `examine`; or Keras cannot open it.
    """
    file = examine(path, trusted)
    if trusted:
        with contextlib.suppress(ClassifierError):  # what holds no code is opened like any other
            file, trusted = _cleaned(file), False
    with contextlib.nullcontext() if trusted else building.watched(path, file.structure):
        return _open(file, trusted)


def _open(file: ModelFile, trusted: bool) -> keras.Model | keras2.Rebuilt:
    if _is_of_keras_2(file):
        return keras2.open_keras2(file, trusted)
    import keras

    path = file.path
    try:
        if trusted:
            own = workarounds.layers_of_applications()
            return keras.saving.load_model(path, custom_objects=own, compile=False, safe_mode=False)
        model_file.refuse_bomb(path, workarounds.count_parameters_unmade(file.structure))
        model = workarounds.keras3_model(file.structure)
        with model_file.open_weights(path) as weights:
            workarounds.load_keras3_weights(model, weights, file.is_zip)
        return model
    except ClassifierError:
        raise
    except Exception as error:  # the layers raise anything on a file's content
        reason = keras2.reason(error)
        raise ClassifierError(f"{path}: Keras {keras.__version__} cannot open it: {reason}") from error


def examine(path: Path, trusted: bool = False) -> ModelFile:
    """What can be told of a classifier's file without Keras; the structure is made anew, of what is allowed.

    Args:
        path, trusted: see `open_classifier`; where the file is trusted, the structure is as it stands there.

    Raises:
        ClassifierError: no such file, no Keras model, one that holds what is on no list of what image classifiers are
            made of, or one that declares more than it has.
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
    if trusted:
        return model_file.read(path)
    rehearsal.rehearse(path)
    return _cleaned(model_file.read(path))


def _cleaned(file: ModelFile) -> ModelFile:
    """Its structure made anew, of what is allowed.

    Raises:
        ClassifierError: it holds what is not.
    """
    structure = configuration.read(file.structure, str(file.path), keras2=_is_of_keras_2(file))
    return dataclasses.replace(file, structure=structure)


def _is_of_keras_2(file: ModelFile) -> bool:
    return file.version.startswith(_KERAS_2)


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
