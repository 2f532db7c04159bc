"""What the fuzzer feeds: each target takes any bytes, and fails where a reader does what it has not promised.

A digest is a wall that no mutation of a file gets through, so the targets take what lies behind it, and seal it
themselves, as anybody can.
"""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from pathlib import Path

import numpy as np

from camlite import artifact
from camlite.artifact import arrays, protobuf
from camlite.errors import ArtifactError, ImageError
from camlite.images import picture_files
from camlite.soundness import onnx_model, tflite_model
from support import small_artifacts

CORPUS = Path(__file__).with_name("corpus")
SEPARATOR = b"\n--entry--\n"

_MODELS = small_artifacts.MODELS
_ENTRIES = ("card.json", "weights_place.json", "maps.json", *(f"{name}.npy" for name in arrays.ARRAY_DTYPES))
_FOLDER = tempfile.TemporaryDirectory(dir="/dev/shm" if Path("/dev/shm").is_dir() else None)
_FILE = Path(_FOLDER.name, "case")


def zip_behind_a_model(payload: bytes) -> None:
    """The zip of a ``.tflite`` artifact, without its comment, which is the seal."""
    _read(_MODELS["tflite"] + payload + small_artifacts.seal(payload))


def properties_behind_a_model(payload: bytes) -> None:
    """The metadata_props of an ``.onnx`` artifact, without the seal."""
    seal = protobuf.metadata_entry("camlite.seal", small_artifacts.seal(payload))
    _read(_MODELS["onnx"] + payload + seal)


def card_and_arrays(entries: bytes) -> None:
    """``card.json`` and the others, each behind its name and a colon, in any order."""
    parts = (part.partition(b":") for part in entries.split(SEPARATOR))
    named = {name.decode("latin-1"): content for name, _, content in parts}
    known = {name: named[name] for name in _ENTRIES if name in named}
    _read(small_artifacts.seal_tflite(known))


def tflite_structure(model: bytes) -> None:
    """The flatbuffer of a model."""
    with suppress(ValueError):
        tflite_model.verify(model)


def onnx_structure(model: bytes) -> None:
    """The ModelProto of a model."""
    with suppress(ValueError):
        onnx_model.verify(model)


def picture_file(content: bytes) -> None:
    """A picture in any format; what is read is pixels."""
    try:
        pixels = picture_files.decode(content, "case")
    except ImageError as error:
        _check_line(error)
        return
    if pixels.dtype != np.uint8 or pixels.ndim not in (2, 3) or pixels.shape[2:] not in ((), (3,)):
        raise AssertionError(f"read as {pixels.dtype} {pixels.shape}")


TARGETS: Mapping[str, Callable[[bytes], None]] = {
    target.__name__: target
    for target in (
        zip_behind_a_model,
        properties_behind_a_model,
        card_and_arrays,
        tflite_structure,
        onnx_structure,
        picture_file,
    )
}


def cases(target: str) -> Iterator[Path]:
    """The files of the corpus: what the fuzzer begins with, and what it has found."""
    yield from sorted((CORPUS / target).iterdir())


def _read(content: bytes) -> None:
    """An artifact is refused in one line, or is one in every respect: packed again, it is the same."""
    _FILE.write_bytes(content)
    try:
        read = artifact.read(_FILE)
    except ArtifactError as error:
        _check_line(error)
        return
    _FILE.write_bytes(artifact.pack(read.container, read.model, read.card, read.arrays))
    again = artifact.read(_FILE)
    if again.card != read.card:
        raise AssertionError(f"{read.card} became {again.card}")
    if again.arrays.maps != read.arrays.maps:
        raise AssertionError(f"{read.arrays.maps} became {again.arrays.maps}")
    for name in (one for one in arrays.ARRAY_DTYPES if one != "weights_rest"):
        np.testing.assert_array_equal(getattr(again.arrays, name), getattr(read.arrays, name))


def _check_line(error: Exception) -> None:
    if not str(error).isprintable() or len(str(error)) > 1000:
        raise AssertionError(f"no line, or one that a terminal would obey: {str(error)[:2000]!r}")
