"""Open a trained classifier."""

from __future__ import annotations

import hashlib
import zipfile
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from camlite.errors import ClassifierError

if TYPE_CHECKING:
    import keras

SUFFIXES = (".keras", ".h5", ".hdf5")


def open_classifier(path: Path) -> keras.Model:
    """Open a classifier that Keras saved. No code that the file may carry is run.

    Raises:
        ClassifierError: no such file, no Keras model, or one that Keras cannot open.
    """
    if not path.exists():
        raise ClassifierError(f"{path}: no such file; expected a trained Keras classifier ({', '.join(SUFFIXES)})")
    if path.suffix not in SUFFIXES or not path.is_file():
        raise ClassifierError(f"{path}: not a Keras model file; expected one of {', '.join(SUFFIXES)}")
    import keras

    try:
        model = keras.saving.load_model(path, compile=False, safe_mode=True)
    except (OSError, ValueError, TypeError, KeyError, zipfile.BadZipFile) as error:
        reason = " ".join(str(error).split())[:300]
        raise ClassifierError(f"{path}: Keras {keras.__version__} cannot open it: {reason}") from error
    return model


def digest(model: keras.Model) -> str:
    """SHA-256 over the shapes, dtypes and values of all weights, in their order."""
    hasher = hashlib.sha256()
    for weight in model.get_weights():
        hasher.update(f"{weight.dtype.str}{weight.shape}".encode())
        hasher.update(np.ascontiguousarray(weight).tobytes())
    return hasher.hexdigest()
