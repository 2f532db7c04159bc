"""Open a trained classifier."""

from __future__ import annotations

import contextlib
import dataclasses
from pathlib import Path
from typing import TYPE_CHECKING, Any

from camlite.errors import ClassifierError
from camlite_export import workarounds
from camlite_export.sources import keras2, keras_errors
from camlite_export.sources.untrusted import building, configuration, model_file, rehearsal
from camlite_export.sources.untrusted.model_file import SUFFIXES, ModelFile

if TYPE_CHECKING:
    import keras

_KERAS_2 = ("1", "2")


def open_classifier(path: Path, trusted: bool = False, structure: Path | None = None) -> keras.Model:
    """Open a classifier that Keras 3 or Keras 2 saved as a model of Keras 3, see `open_original`."""
    opened = open_original(path, trusted, structure)
    return opened.model if isinstance(opened, keras2.Rebuilt) else opened


def open_original(path: Path, trusted: bool = False, structure: Path | None = None) -> keras.Model | keras2.Rebuilt:
    """Open a classifier that Keras 3 or Keras 2 saved. It is not compiled, whatever the file says of that.

    Args:
        path: of a file of `model_file.SUFFIXES`, or a SavedModel of Keras 2.
        trusted: whether code that the file carries (Lambda layers, custom objects) may run.
        structure: a JSON of its layers, where the file holds weights only.

    Raises:
        ClassifierError: see `examine`; or Keras cannot open it.
    """
    file = examine(path, trusted, structure)
    if trusted and file.structure is not None:
        with contextlib.suppress(ClassifierError):  # what holds no code is opened like any other
            file, trusted = _cleaned(file, structure), False
    with contextlib.nullcontext() if trusted else building.watched(path, file.structure):
        return _open(file, trusted)


def _open(file: ModelFile, trusted: bool) -> keras.Model | keras2.Rebuilt:
    if _is_of_keras_2(file):
        return keras2.open_keras2(file, trusted)
    import keras

    path = file.path
    try:
        if trusted and file.beside is None:
            functions = {**workarounds.names_for_code(), **workarounds.layers_of_applications()}
            with model_file.under_its_suffix(file) as suffixed:
                return keras.saving.load_model(suffixed, functions, compile=False, safe_mode=False)
        if not trusted:
            model_file.refuse_bomb(path, workarounds.count_parameters_unmade(file.structure))
        model = workarounds.keras3_model(file.structure, trusted)
        with model_file.open_weights(path) as weights:
            workarounds.load_keras3_weights(model, weights)
        return model
    except ClassifierError:
        raise
    except Exception as error:  # the layers raise anything on a file's content
        why = keras_errors.reason(error, file, trusted, "keras")
        raise ClassifierError(f"{path}: Keras {keras.__version__} cannot open it: {why}") from error


def examine(path: Path, trusted: bool = False, structure: Path | None = None) -> ModelFile:
    """What can be told of a classifier's file without Keras; the structure is made anew, of what is allowed.

    Args:
        path, trusted, structure: see `open_original`; where the file is trusted, its layers are as they stand there.

    Raises:
        ClassifierError: no such file, no Keras model, one that holds what is on no list of what image classifiers are
            made of, or one that declares more than it has.
    """
    if path.is_dir():
        if trusted and _is_saved_model_of_keras_2(path):
            return ModelFile(path, False, None, "2")
        raise ClassifierError(f"{path}: {_of_folder(path)}")
    _check_name(path)
    if trusted:
        return model_file.read(path, structure)
    rehearsal.rehearse(path, structure)
    return _cleaned(model_file.read(path, structure), structure)


def _cleaned(file: ModelFile, structure: Path | None) -> ModelFile:
    """Its structure made anew, of what is allowed.

    Raises:
        ClassifierError: it holds what is not.
    """
    clean = configuration.read(file.structure, str(structure or file.path), keras2=_is_of_keras_2(file))
    return dataclasses.replace(file, structure=clean)


def _check_name(path: Path) -> None:
    expected = ", ".join(SUFFIXES)
    if not path.exists():
        raise ClassifierError(f"{path}: no such file; expected a trained Keras classifier ({expected})")
    if path.suffix.lower() == ".json":
        raise ClassifierError(
            f"{path}: a structure without weights; give the file of the weights, and this one with --structure {path}"
        )
    if path.suffix.lower() not in SUFFIXES or not path.is_file():
        raise ClassifierError(
            f"{path}: not a Keras model file; expected one of {expected} (rename it if it is one of them)"
        )


def _is_saved_model_of_keras_2(folder: Path) -> bool:
    return (folder / "saved_model.pb").exists() and (folder / "keras_metadata.pb").exists()


def _of_folder(folder: Path) -> str:
    """What a folder is, and what to do instead."""
    if _is_saved_model_of_keras_2(folder):
        return (
            "a SavedModel of Keras 2, which carries code that opening it would run; "
            "where you trust whoever made it, say so with --trust"
        )
    if (folder / "saved_model.pb").exists():
        return (
            "a SavedModel, which has no layers to cut; open the classifier where it was trained and save it with "
            "model.save('classifier.keras')"
        )
    structure, weights = folder / "config.json", folder / "model.weights.h5"
    if structure.exists() and weights.exists():
        return f"a .keras file that was unpacked; give {weights} with --structure {structure}"
    inside = next((one for one in sorted(folder.iterdir()) if one.suffix in SUFFIXES), None)
    return f"a folder; give the classifier's file in it{f', as {inside}' if inside else f' ({SUFFIXES[0]}, .h5)'}"


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
