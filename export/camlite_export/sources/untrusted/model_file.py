"""The file that Keras saved a model in: a zip or HDF5, told apart by how it begins, whatever its name.

Both are bounded before they are read. A ``.keras`` of Keras 2.10 and before is HDF5; a ``.model`` is either. The layers
may stand in a file of their own, the JSON that ``model.to_json()`` gives.
"""

from __future__ import annotations

import contextlib
import io
import json
import shutil
import zipfile
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import h5py

from camlite.errors import ClassifierError
from camlite.system import files
from camlite.texts import printable
from camlite_export.sources.untrusted import hdf5

SUFFIXES = (".keras", ".h5", ".hdf5", ".model")

_CONFIG, _METADATA, _WEIGHTS = "config.json", "metadata.json", "model.weights.h5"

_HDF5 = b"\x89HDF\r\n\x1a\n"
_ZIP = b"PK"
_POINTER = b"version https://git-lfs"
_LARGEST_CONFIG = 32 << 20
_MOST_ENTRIES = 10_000

# Weights are stored as they are, 2 to 4 bytes each; an optimizer's moments, too. Compressed by hand they lose a tenth;
# zeros, as of a model whose training has not begun, are what the second number is for: 32 MB.
_BYTES_A_PARAMETER = 4
_MOST_PARAMETERS_A_BYTE = 4
_PARAMETERS_OF_ANY = 1 << 23

_AGAIN = "save it again with model.save(), or copy it again"

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
        beside: the file of the layers, where they stand in one of their own.
    """

    path: Path
    is_zip: bool
    structure: Any
    version: str
    beside: Path | None = None


def read(path: Path, beside: Path | None = None) -> ModelFile:
    """Read the structure, and look at everything else.

    Args:
        path: of a model, or of weights.
        beside: a JSON of the structure, which is read in place of the file's own.

    Raises:
        ClassifierError: no Keras model, one whose weights are elsewhere, or one that declares more than it has.
    """
    is_zip = _is_zip(path)
    if beside is not None:
        structure, version = _structure(beside)
        with open_weights(path):
            return ModelFile(path, is_zip, structure, version, beside)
    with errors(path):
        if not is_zip:
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
            if _is_zip(path):
                with zipfile.ZipFile(path) as archive:
                    _check(path, archive)
                    if _WEIGHTS not in archive.namelist():
                        raise ClassifierError(f"{path}: cannot open it: holds no weights ({_WEIGHTS}); save it again")
                    source = io.BytesIO(archive.read(_WEIGHTS))
            file = opened.enter_context(h5py.File(source, "r"))
            refuse_bomb(path, hdf5.check(file, str(path)))
        yield file


@contextlib.contextmanager
def under_its_suffix(file: ModelFile) -> Iterator[Path]:
    """The path of a file by a name that Keras opens: it goes by the suffix, not by the content."""
    if file.path.is_dir() or file.path.suffix in ((".keras",) if file.is_zip else (".h5", ".hdf5")):
        yield file.path
        return
    with files.scratch() as folder:
        link = folder / ("model.keras" if file.is_zip else "model.h5")
        try:
            link.symlink_to(file.path.absolute())
        except OSError:  # Windows, without the right to
            shutil.copyfile(file.path, link)
        yield link


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
        raise ClassifierError(f"{path}: no Keras model ({reason}); {_AGAIN}") from None


def _is_zip(path: Path) -> bool:
    """A zip, else HDF5.

    Raises:
        ClassifierError: neither of them.
    """
    with errors(path), path.open("rb") as file:
        begin = file.read(len(_POINTER))
    if begin == _POINTER:
        raise ClassifierError(f"{path}: no Keras model but a pointer of Git LFS to one; fetch it with `git lfs pull`")
    if not begin.startswith((_HDF5, _ZIP)):
        raise ClassifierError(f"{path}: no Keras model (begins as neither HDF5 nor a zip); {_AGAIN}")
    return begin.startswith(_ZIP)


def _structure(path: Path) -> tuple[Any, str]:
    """The layers in a JSON of their own, and the version of Keras that wrote it."""
    if not path.is_file():
        raise ClassifierError(
            f"{path}: no such file; expected the structure of a classifier, as model.to_json() gives it"
        )
    try:
        with errors(path):
            size = path.stat().st_size
            if size > _LARGEST_CONFIG:
                raise ValueError(f"{size} bytes, {_LARGEST_CONFIG} at the most")
            text = path.read_text("utf-8")
            found = json.loads(text)
            if isinstance(found, str):  # json.dump(model.to_json(), file) writes JSON in JSON
                found = json.loads(found)
            if not isinstance(found, dict):
                raise TypeError(f"a {type(found).__name__}")
    except ClassifierError as error:
        reason = str(error).partition("no Keras model (")[2].rpartition(")")[0]
        raise ClassifierError(
            f"{path}: no structure of a Keras model ({reason}); write what model.to_json() gives into a file"
        ) from None
    version = found.get("keras_version")
    if isinstance(version, str):
        return found, version[:40]
    return found, "3" if "module" in found and "batch_input_shape" not in text else "2"


def _of_attributes(path: Path, file: h5py.File) -> ModelFile:
    if "model_config" not in file.attrs:
        raise ClassifierError(
            f"{path}: holds weights only, no layers; give their structure, --structure FILE.json, which "
            f"model.to_json() gives where it was trained, or save the whole model there with model.save()"
        )
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
