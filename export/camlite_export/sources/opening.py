"""Open any classifier, by a path or as an object; what it is, its content says."""

from __future__ import annotations

import sys
import warnings
from pathlib import Path
from typing import TYPE_CHECKING, Any

from camlite.errors import ClassifierError
from camlite_export import stages, workarounds
from camlite_export.sources import keras_files
from camlite_export.sources.journey import Size
from camlite_export.sources.keras2 import Keras2Source, Rebuilt
from camlite_export.sources.keras3 import Keras3Source
from camlite_export.sources.onnx import reading as onnx_reading
from camlite_export.sources.tflite import reading

if TYPE_CHECKING:
    from camlite_export.sources.source import Source


class MendedWarning(UserWarning):
    """A file had to be changed so that interpreters load it, in nothing that it computes."""


def open_source(
    classifier: Any,
    *,
    size: Size | None = None,
    default_size: Size | None = None,
    trusted: bool = False,
    structure: str | Path | None = None,
) -> Source:
    """Open a trained classifier.

    Args:
        classifier: path of a file that Keras 3 or Keras 2 saved, or of a `.tflite` or an `.onnx`; or a model object
            of Keras.
        size: height and width of the images, for a classifier that takes any.
        default_size: the same where nobody said; does not matter to one that takes a certain size.
        trusted: whether code that the file carries may run.
        structure: file of what ``model.to_json()`` gave, where the classifier's file holds weights only.

    Warns:
        MendedWarning: see there.

    Raises:
        ClassifierError: no such file, nothing that camlite can open, or no classifier of images.
    """
    if isinstance(classifier, str | Path):
        path, beside = Path(classifier), None if structure is None else Path(structure)
        stages.begin(f"reading {path.name}")
        if reading.is_one(path):
            return _of_a_file(path, size, beside)
        if onnx_reading.is_one(path):
            return _of_an_onnx_file(path, size, default_size, beside)
        # Importing TensorFlow takes seconds, so what is no classifier is told now.
        keras_files.examine(path, trusted, beside)
        _import_tensorflow()
        stages.begin(f"opening {path.name}")
        opened = keras_files.open_original(path, trusted, beside)
    else:
        if structure is not None:
            raise ClassifierError(
                "a model object already has its layers; leave structure out, or give the file with its weights"
            )
        _import_tensorflow()
        opened = keras_files.from_object(classifier)
    if isinstance(opened, Rebuilt):
        return Keras2Source(opened, size, default_size)
    return Keras3Source(opened, size, default_size)


def is_file_that_ships(path: Path) -> bool:
    """Whether a path is of a `.tflite` or an `.onnx`, by its name or how it begins."""
    return reading.is_one(path) or onnx_reading.is_one(path)


def _of_a_file(path: Path, size: Size | None, structure: Path | None) -> Source:
    """A `.tflite` file; what is asked for of other kinds does not apply, and is told."""
    if structure is not None:
        raise ClassifierError(f"{path}: already holds its operators; leave --structure out")
    content = reading.examine(path)
    _import_tensorflow()
    stages.begin(f"opening {path.name}")
    source = reading.open_file(path, content)
    if size is not None and size != source.image_shape[:2]:
        height, width, _ = source.image_shape
        raise ClassifierError(f"{path}: takes images of {height} x {width} only: leave --size out")
    for line in source.mended:
        warnings.warn(line, MendedWarning, stacklevel=4)
    return source


def _of_an_onnx_file(path: Path, size: Size | None, default_size: Size | None, structure: Path | None) -> Source:
    """An `.onnx` file, which may take images of any size."""
    if structure is not None:
        raise ClassifierError(f"{path}: already holds its operators; leave --structure out")
    examined = onnx_reading.examine(path)
    _import_tensorflow()
    stages.begin(f"opening {path.name}")
    source = onnx_reading.open_file(path, examined, size, default_size)
    for line in source.mended:
        warnings.warn(line, MendedWarning, stacklevel=4)
    return source


def _import_tensorflow() -> None:
    """TensorFlow with its notices kept off the terminal, and Keras upon it."""
    keras = sys.modules.get("keras")
    if keras is not None and keras.config.backend() != "tensorflow":
        raise ClassifierError(
            f"Keras runs on {keras.config.backend()} in this process, and camlite needs it on TensorFlow; "
            f"set KERAS_BACKEND=tensorflow before keras is imported"
        )
    stages.begin("starting TensorFlow")
    workarounds.quieten_tensorflow()
