"""The file: model bytes, then a payload that holds the card and its arrays, then a seal.

=========  ======================================  ============================================
part       ``.tflite``                             ``.onnx``
=========  ======================================  ============================================
model      the flatbuffer                          the ModelProto
card       ``card.json`` in a zip that is          metadata_props ``camlite.card``
           appended (``unzip -l`` lists it)
arrays     ``NAME.npy`` in the same zip            metadata_props ``camlite.arrays``: base64
                                                   of a zip of ``NAME.npy``
seal       comment of the zip                      metadata_props ``camlite.seal``
=========  ======================================  ============================================

The seal is the SHA-256 of all payload bytes in front of it, and the card holds the SHA-256 of the model:
every byte of the file is under one of the two, and both are verified before a native parser sees a byte.
Protobuf lets fields be appended to a serialized message, so both formats are sealed by appending, and
reading an ONNX artifact needs no protobuf library.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import io
import math
import zipfile
import zlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from camlite import card as cards
from camlite.card import Arrays, Card
from camlite.errors import ArtifactError

Format = Literal["tflite", "onnx"]

_SEAL_MARK = b"camlite seal sha256:"
_SEAL_LENGTH = len(_SEAL_MARK) + 64
_CARD_ENTRY = "card.json"
_CARD_KEY, _ARRAYS_KEY, _SEAL_KEY = "camlite.card", "camlite.arrays", "camlite.seal"
_MOST_UNPACKED = 1 << 30
_ZIP_EPOCH = (1980, 1, 1, 0, 0, 0)
_ZIP_LOCAL = b"PK\x03\x04"
_ZIP_ENCRYPTED = 0x1
_METADATA_TAG = b"\x72"  # ModelProto.metadata_props: field 14, length-delimited


@dataclass(frozen=True)
class Artifact:
    """A verified artifact. ``model`` is what the interpreter is given: the bytes in front of the payload."""

    path: Path
    format: Format
    model: bytes
    card: Card
    arrays: Arrays


def read(path: str | Path) -> Artifact:
    """Read an artifact and verify every byte of it.

    Raises:
        ArtifactError: no such file, neither format, truncated, altered, or of another format version.
    """
    path = Path(path)
    try:
        content = path.read_bytes()
    except OSError as error:
        raise ArtifactError(f"{path}: cannot read it ({error.strerror}); check the path") from None
    where = str(path)
    format_ = format_of(content)
    if format_ is None:
        raise ArtifactError(f"{where}: neither a TFLite nor an ONNX file; expected an artifact of `camlite export`")
    split = _split_tflite if format_ == "tflite" else _split_onnx
    try:
        start, card_text, packed = split(content, where)
        card = cards.from_json(card_text, where)
        if hashlib.sha256(memoryview(content)[:start]).hexdigest() != card.model_sha256:
            raise _damaged(where, "the model bytes are not those that the card was sealed with")
        arrays = _unpack_arrays(packed, where)
    except (zipfile.BadZipFile, UnicodeDecodeError, EOFError, NotImplementedError, zlib.error) as error:
        raise _damaged(where, str(error) or type(error).__name__) from None
    cards.check_arrays(card, arrays, where)
    return Artifact(path, format_, content[:start], card, arrays)


def format_of(content: bytes) -> Format | None:
    """Tell a TFLite flatbuffer (file identifier TFL3) from an ONNX ModelProto (ir_version first)."""
    if content[4:8] == b"TFL3":
        return "tflite"
    if content[:1] == b"\x08" and len(content) > 2:
        return "onnx"
    return None


def pack(format_: Format, model: bytes, card: Card, arrays: Arrays) -> bytes:
    """Model bytes + card + arrays -> the bytes of an artifact; the same bytes for the same input."""
    text = cards.to_json(card).encode()
    present = {name: getattr(arrays, name) for name in cards.ARRAY_DTYPES if getattr(arrays, name) is not None}
    files = {f"{name}.npy": _npy(array) for name, array in present.items()}
    if format_ == "tflite":
        unsealed = _zip({_CARD_ENTRY: text, **files}, after=model, comment_length=_SEAL_LENGTH)
        return unsealed + _seal(memoryview(unsealed)[len(model) :])
    payload = _property(_CARD_KEY, text) + _property(_ARRAYS_KEY, base64.b64encode(_zip(files)))
    return model + payload + _property(_SEAL_KEY, _seal(payload))


def _seal(payload: bytes | memoryview) -> bytes:
    return _SEAL_MARK + hashlib.sha256(payload).hexdigest().encode()


def _damaged(where: str, what: str) -> ArtifactError:
    return ArtifactError(f"{where}: damaged artifact: {what[:200]}; copy or export it again")


def _unsealed(where: str) -> ArtifactError:
    return ArtifactError(f"{where}: no camlite card at its end; it is truncated, or `camlite export` did not make it")


def _zip(files: Mapping[str, bytes], after: bytes = b"", comment_length: int = 0) -> bytes:
    """A zip with fixed dates and modes, behind other bytes. A comment that is to follow is counted, not written."""
    buffer = io.BytesIO(after)
    buffer.seek(len(after))
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED, compresslevel=9) as archive:
        for name, content in files.items():
            entry = zipfile.ZipInfo(name, _ZIP_EPOCH)
            entry.compress_type = zipfile.ZIP_DEFLATED
            entry.create_system = 3
            entry.external_attr = 0o644 << 16
            archive.writestr(entry, content)
        archive.comment = b"\0" * comment_length
    packed = buffer.getvalue()
    return packed[: len(packed) - comment_length]


def _npy(array: NDArray[np.generic]) -> bytes:
    buffer = io.BytesIO()
    np.save(buffer, np.ascontiguousarray(array), allow_pickle=False)
    return buffer.getvalue()


def _split_tflite(content: bytes, where: str) -> tuple[int, str, zipfile.ZipFile]:
    if content[-_SEAL_LENGTH:-64] != _SEAL_MARK:
        raise _unsealed(where)
    archive = zipfile.ZipFile(io.BytesIO(content))
    start = min((entry.header_offset for entry in archive.infolist()), default=-1)
    if start < 0 or content[start : start + 4] != _ZIP_LOCAL:
        raise _damaged(where, "the card's zip has no beginning")
    _check_seal(memoryview(content)[start:-_SEAL_LENGTH], content[-_SEAL_LENGTH:], where)
    return start, _entry(archive, _CARD_ENTRY, where).decode(), archive


def _split_onnx(content: bytes, where: str) -> tuple[int, str, zipfile.ZipFile]:
    start, properties, seal_start = -1, dict[str, bytes](), -1
    for begin, end, tag, body in _fields(content, where):
        if tag != _METADATA_TAG[0]:
            continue
        entry = {inner_tag: content[a:b] for _, b, inner_tag, a in _fields(content, where, body, end)}
        key = entry.get(0x0A, b"").decode()
        if key == _CARD_KEY:
            start = begin
        if key == _SEAL_KEY:
            seal_start = begin
        properties[key] = entry.get(0x12, b"")
    if start < 0 or seal_start < start or _ARRAYS_KEY not in properties:
        raise _unsealed(where)
    _check_seal(memoryview(content)[start:seal_start], properties[_SEAL_KEY], where)
    if content[seal_start:] != _property(_SEAL_KEY, properties[_SEAL_KEY]):
        raise _damaged(where, "bytes follow the seal")
    try:
        packed = base64.b64decode(properties[_ARRAYS_KEY], validate=True)
    except binascii.Error as error:
        raise _damaged(where, f"arrays: {error}") from None
    return start, properties[_CARD_KEY].decode(), zipfile.ZipFile(io.BytesIO(packed))


def _check_seal(payload: memoryview, seal: bytes, where: str) -> None:
    if _seal(payload) != seal:
        raise _damaged(where, "the card and its arrays are not those that were sealed")


def _unpack_arrays(archive: zipfile.ZipFile, where: str) -> Arrays:
    arrays: dict[str, NDArray[Any] | None] = {}
    present = set(archive.namelist())
    for name, dtype in cards.ARRAY_DTYPES.items():
        if name in cards.OPTIONAL_ARRAYS and f"{name}.npy" not in present:
            arrays[name] = None
            continue
        npy = _entry(archive, f"{name}.npy", where)
        try:
            arrays[name] = _array(npy, np.dtype(dtype))
        except ValueError as error:
            raise _damaged(where, f"{name}: {error}") from None
    return Arrays(**arrays)  # type: ignore[arg-type]


def _array(npy: bytes, dtype: np.dtype[Any]) -> NDArray[Any]:
    """A read-only view of an .npy. `np.load` would allocate what the header claims before it looks at the bytes."""
    stream = io.BytesIO(npy)
    try:
        version = np.lib.format.read_magic(stream)  # type: ignore[no-untyped-call]
        if version != (1, 0):
            raise ValueError(f"version {version}, expected (1, 0)")
        shape, fortran_order, received = np.lib.format.read_array_header_1_0(stream)  # type: ignore[no-untyped-call]
    except Exception as error:  # numpy lets the tokenizer's and the literal parser's own errors through
        raise ValueError(f"no .npy header ({error})") from None
    if fortran_order or received != dtype:
        order = "Fortran" if fortran_order else "C"
        raise ValueError(f"dtype {received} in {order} order, expected {dtype} in C order")
    values = memoryview(npy)[stream.tell() :]
    if math.prod(shape) * dtype.itemsize != len(values):
        raise ValueError(f"shape {shape} does not fit its {len(values)} bytes")
    return np.frombuffer(values, dtype).reshape(shape)


def _entry(archive: zipfile.ZipFile, name: str, where: str) -> bytes:
    try:
        entry = archive.getinfo(name)
    except KeyError:
        raise _damaged(where, f"{name} is missing") from None
    if entry.file_size > _MOST_UNPACKED:
        raise _damaged(where, f"{name} says it unpacks to {entry.file_size} bytes")
    if entry.compress_type != zipfile.ZIP_DEFLATED or entry.flag_bits & _ZIP_ENCRYPTED:
        raise _damaged(where, f"{name} is not packed as camlite packs it")
    return archive.read(entry)


def _property(key: str, value: bytes) -> bytes:
    """One metadata_props entry: StringStringEntryProto {key = 1; value = 2} as field 14."""
    body = b"".join(tag + _varint(len(part)) + part for tag, part in ((b"\x0a", key.encode()), (b"\x12", value)))
    return _METADATA_TAG + _varint(len(body)) + body


def _varint(number: int) -> bytes:
    digits = bytearray()
    while number > 0x7F:
        digits.append(number & 0x7F | 0x80)
        number >>= 7
    return bytes(digits) + bytes([number])


def _fields(content: bytes, where: str, start: int = 0, end: int | None = None) -> Iterator[tuple[int, int, int, int]]:
    """Walk the fields of a protobuf message: (begin, end, tag, start of the body) of each."""
    end = len(content) if end is None else end
    while start < end:
        tag, body = _read_varint(content, start, end, where)
        wire_type = tag & 7
        if wire_type == 0:
            _, stop = _read_varint(content, body, end, where)
        elif wire_type == 2:
            length, body = _read_varint(content, body, end, where)
            stop = body + length
        elif wire_type in (1, 5):
            stop = body + (8 if wire_type == 1 else 4)
        else:
            raise _damaged(where, f"no ONNX file: wire type {wire_type} at byte {start}")
        if stop > end:
            raise _damaged(where, f"truncated: the field at byte {start} ends behind the file")
        yield start, stop, tag, body
        start = stop


def _read_varint(content: bytes, start: int, end: int, where: str) -> tuple[int, int]:
    number = 0
    for index in range(start, min(start + 10, end)):
        byte = content[index]
        number |= (byte & 0x7F) << (7 * (index - start))
        if byte < 0x80:
            return number, index + 1
    raise _damaged(where, f"truncated at byte {end}")
