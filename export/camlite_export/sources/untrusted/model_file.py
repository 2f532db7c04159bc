"""The file that Keras saved a model in: a zip (``.keras``) or HDF5, told apart by how it begins.

Both are bounded before they are read. A ``.keras`` of Keras 2.10 and before is HDF5, too.
"""

from __future__ import annotations

import contextlib
import io
import json
import zipfile
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import h5py

from camlite.errors import ClassifierError
from camlite.texts import printable
from camlite_export.sources.untrusted import hdf5

SUFFIXES = (".keras", ".h5", ".hdf5")

_CONFIG, _METADATA, _WEIGHTS = "config.json", "metadata.json", "model.weights.h5"

_HDF5 = b"\x89HDF\r\n\x1a\n"
_LARGEST_CONFIG = 32 << 20
_MOST_ENTRIES = 10_000

# Weights are stored as they are, 2 to 4 bytes each; an optimizer's moments, too. Compressed by hand they lose a tenth;
# zeros, as of a model whose training has not begun, are what the second number is for: 32 MB.
_BYTES_A_PARAMETER = 4
_MOST_PARAMETERS_A_BYTE = 4
_PARAMETERS_OF_ANY = 1 << 23

_UNREADABLE = (
    *(OSError, ValueError, TypeError, KeyError, AttributeError, IndexError, EOFError, RuntimeError, OverflowError),
    *(NotImplementedError, RecursionError, MemoryError, zipfile.BadZipFile, zlib.error),
)


@dataclass(frozen=True)
class ModelFile:
    """What a file says without Keras.

    Attributes:
        path: of the file.
        is_zip: a zip, else HDF5.
        structure: the JSON of the model's layers.
        version: of the Keras that saved it; the first ones did not say.
    """

    path: Path
    is_zip: bool
    structure: Any
    version: str


def read(path: Path) -> ModelFile:
    """Read the structure, and look at everything else.

    Raises:
        ClassifierError: no Keras model, one whose weights are elsewhere, or one that declares more than it has.
    """
    with errors(path):
        if _is_hdf5(path):
            with h5py.File(path, "r") as file:
                refuse_bomb(path, hdf5.check(file, str(path)))
                return _of_attributes(path, file)
        with zipfile.ZipFile(path) as archive:
            _check(path, archive)
            structure = json.loads(_content(path, archive, _CONFIG, _LARGEST_CONFIG))
            metadata = json.loads(_content(path, archive, _METADATA, _LARGEST_CONFIG))
        with open_weights(path):
            pass
        return ModelFile(path, True, structure, str(metadata["keras_version"])[:40])


@contextlib.contextmanager
def open_weights(path: Path) -> Iterator[h5py.File]:
    """The HDF5 file of the weights, which has been looked at.

    Raises:
        ClassifierError: see `read`; or there are no weights.
    """
    with contextlib.ExitStack() as opened:
        with errors(path):
            source: Any = path
            if not _is_hdf5(path):
                with zipfile.ZipFile(path) as archive:
                    _check(path, archive)
                    if _WEIGHTS not in archive.namelist():
                        raise ClassifierError(f"{path}: cannot open it: holds no weights ({_WEIGHTS}); save it again")
                    source = io.BytesIO(archive.read(_WEIGHTS))
            file = opened.enter_context(h5py.File(source, "r"))
            refuse_bomb(path, hdf5.check(file, str(path)))
        yield file


def refuse_bomb(path: Path, parameters: int) -> None:
    """Refuse a file that asks for far more memory than it has bytes, before it gets any."""
    most = _MOST_PARAMETERS_A_BYTE * path.stat().st_size + _PARAMETERS_OF_ANY
    if parameters > most:
        raise ClassifierError(
            f"{path}: declares {parameters} parameters, its {path.stat().st_size} bytes can hold {most} at the most; "
            f"save it again where it was trained"
        )


@contextlib.contextmanager
def errors(path: Path) -> Iterator[None]:
    """Turn whatever a reader raises on a file's content into a `ClassifierError`."""
    try:
        yield
    except ClassifierError:
        raise
    except _UNREADABLE as error:
        reason = printable(" ".join(str(error).split())[:200]) or type(error).__name__
        raise ClassifierError(f"{path}: no Keras model ({reason}); save it again") from None


def _is_hdf5(path: Path) -> bool:
    """By its suffix, but for a ``.keras`` that begins as HDF5 does."""
    if path.suffix != ".keras":
        return True
    with path.open("rb") as file:
        return file.read(len(_HDF5)) == _HDF5


def _of_attributes(path: Path, file: h5py.File) -> ModelFile:
    if "model_config" not in file.attrs:
        raise ClassifierError(f"{path}: holds weights alone, no layers; save the whole model with model.save()")
    structure = json.loads(file.attrs["model_config"])
    version = file.attrs.get("keras_version", "1")
    return ModelFile(path, False, structure, version.decode() if isinstance(version, bytes) else str(version)[:40])


def _check(path: Path, archive: zipfile.ZipFile) -> None:
    """Refuse entries that could not be read, or that could be read in two ways."""
    entries = archive.infolist()
    if len(entries) > _MOST_ENTRIES:
        raise ClassifierError(f"{path}: {len(entries)} entries, {_MOST_ENTRIES} at the most; save it again")
    refuse_bomb(path, sum(entry.file_size for entry in entries) // _BYTES_A_PARAMETER)
    names = set()
    for entry in entries:
        name = printable(entry.filename[:80])
        if entry.flag_bits & 1:
            raise ClassifierError(f"{path}: {name} is encrypted; save it again without a password")
        if entry.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
            raise ClassifierError(
                f"{path}: {name} is compressed by method {entry.compress_type}, expected 0 (stored) or 8 (deflated); "
                f"save it again"
            )
        if entry.filename in names:
            raise ClassifierError(f"{path}: holds {name} twice; save it again")
        if entry.filename.startswith(("/", "\\")) or ".." in entry.filename.replace("\\", "/").split("/"):
            raise ClassifierError(f"{path}: the entry {name} lies outside of it; save it again")
        names.add(entry.filename)


def _content(path: Path, archive: zipfile.ZipFile, name: str, largest: int) -> bytes:
    size = archive.getinfo(name).file_size
    if size > largest:
        raise ClassifierError(f"{path}: {name} has {size} bytes, {largest} at the most; save it again")
    return archive.read(name)
