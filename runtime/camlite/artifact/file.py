"""The file: model bytes, then a payload that holds the card and its arrays, then a seal.

=========  ======================================  ============================================
part       ``.tflite``                             ``.onnx``
=========  ======================================  ============================================
model      the flatbuffer                          the ModelProto
card       ``card.json`` in a zip that is          metadata_props ``camlite.card``
           appended (``unzip -l`` lists it)
arrays     ``NAME.npy`` in the same zip            metadata_props ``camlite.arrays``: base64
                                                   of a zip of ``NAME.npy``
weights    ``weights_place.json`` says where they lie in the model, and ``weights_rest.npy``
           what its rounding took from them; where it has them in another way, ``weights.npy``
seal       comment of the zip                      metadata_props ``camlite.seal``
signature  comment of the zip, behind the seal     metadata_props ``camlite.signature``, and
                                                   ``camlite.signed`` in front of the seal
=========  ======================================  ============================================

The seal is the SHA-256 of all payload bytes in front of it, and the card holds the SHA-256 of the model:
every byte of the file is under one of the two, and both are verified before a native parser sees a byte.
A signature is of the seal; a file that was made with one and has lost it is damaged.
Protobuf lets fields be appended to a serialized message, so both formats are sealed by appending, and
reading an ONNX artifact needs no protobuf library.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import io
import math
import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, BinaryIO, Literal, NamedTuple

import numpy as np
from numpy.typing import NDArray

from camlite.artifact import card as cards
from camlite.artifact import signature, weights_in_model, zip_reader
from camlite.artifact.card import Arrays, Card
from camlite.artifact.protobuf import METADATA_TAG, fields, metadata_entry
from camlite.artifact.signature import Signature
from camlite.artifact.weights_in_model import Place
from camlite.artifact.zip_reader import Entry
from camlite.errors import ArtifactError, CamliteError
from camlite.system import files
from camlite.texts import printable

Format = Literal["tflite", "onnx"]
Sign = Callable[[bytes], Signature]

_SEAL_MARK = b"camlite seal sha256:"
_SEAL_LENGTH = len(_SEAL_MARK) + 64
_CARD_ENTRY = "card.json"
_PLACE_ENTRY = "weights_place.json"
_CARD_KEY, _ARRAYS_KEY, _SEAL_KEY = "camlite.card", "camlite.arrays", "camlite.seal"
_SIGNED_KEY, _SIGNATURE_KEY = "camlite.signed", "camlite.signature"
_ZIP_EPOCH = (1980, 1, 1, 0, 0, 0)

# A flatbuffer and a protobuf have at most 2 GB. A large file is read when its end, too, is that of an artifact.
_FIRST_BYTES, _LARGE, _MOST_BYTES = 16, 1 << 24, (1 << 31) - 1

# A card is some kB. Parsed, its JSON takes up to 30 times its size (a list of empty objects): 31 MB.
_MOST_CARD_BYTES = 1 << 20
# What a payload unpacks to, beside the size of the whole file: class weights stand in the model, too, in no less than
# an eighth of their 32 bits with pooling windows of 2 x 2; golden samples are small. A zip bomb unpacks to 1,000 times.
_MOST_UNPACKED_TIMES, _MOST_UNPACKED_BESIDE = 32, 24 << 20


class Artifact(NamedTuple):
    """A verified artifact.

    Attributes:
        path, format: of the file.
        model: what the interpreter is given: the bytes in front of the payload.
        card, arrays: what it says about itself.
        signer: the public key, 32 bytes, that it says it was signed with; None where it is not signed.
        trusted: whether that signature was verified, and its key is a trusted one.
    """

    path: Path
    format: Format
    model: bytes
    card: Card
    arrays: Arrays
    signer: bytes | None = None
    trusted: bool = False


class _Zip(NamedTuple):
    """The bytes that a zip stands in, and what its directory says."""

    content: bytes
    entries: Sequence[Entry]


class _Parts(NamedTuple):
    """A file taken apart: where the payload starts, its seal (verified), the signature (not), card and arrays."""

    start: int
    seal: bytes
    signature: Signature | None
    card: bytes | None  # None where it is in the zip
    packed: _Zip


def read(path: str | Path, trusted: Sequence[str | Path] | None = None) -> Artifact:
    """Read an artifact and verify every byte of it.

    Args:
        path: of the file.
        trusted: files of public keys, one of which the artifact must be signed with; None where that does not matter.

    Raises:
        ArtifactError: no such file, neither format, truncated, altered, or of another format version; or not signed
            with one of the trusted keys.
        CamliteError: a key cannot be read, or its library is not installed.
    """
    path = Path(path)
    keys = None if trusted is None else signature.public_keys(trusted)
    where = str(path)
    content, format_ = _content(path, where)
    split = _split_tflite if format_ == "tflite" else _split_onnx
    try:
        parts = split(content, where)
        if keys is not None:
            signature.verify(parts.signature, parts.seal, keys, where)
        _check_entries(parts.packed, len(content), where)
        text = _entry(parts.packed, _CARD_ENTRY) if parts.card is None else parts.card
        _check_sizes({_CARD_ENTRY: len(text)}, len(content), where)  # in an ONNX file it is in no zip
        card = cards.from_json(text.decode(), where)
        model = content[: parts.start]
        if hashlib.sha256(model).hexdigest() != card.model_sha256:
            raise _damaged(where, "the model bytes are not those that the card was sealed with")
        arrays = _unpack_arrays(parts.packed, model, card, where)
    except CamliteError:
        raise
    except ValueError as error:
        raise _damaged(where, str(error)) from None
    cards.check_arrays(card, arrays, where)
    signer = parts.signature.public_key if parts.signature else None
    return Artifact(path, format_, model, card, arrays, signer, trusted=keys is not None)


def _content(path: Path, where: str) -> tuple[bytes, Format]:
    """All bytes of a file, if its size, its first and its last bytes are those of an artifact."""
    try:
        with files.regular(path) as file:
            size, format_ = os.fstat(file.fileno()).st_size, format_of(file.read(_FIRST_BYTES))
            if format_ is None:
                raise ArtifactError(
                    f"{where}: neither a TFLite nor an ONNX file; expected an artifact of `camlite export`"
                )
            if size > _MOST_BYTES:
                raise ArtifactError(f"{where}: {size} bytes, expected at most {_MOST_BYTES}; no artifact is larger")
            if size > _LARGE:
                file.seek(size - signature.LENGTH - _SEAL_LENGTH)
                if _SEAL_MARK not in file.read():
                    raise _unsealed(where)
            file.seek(0)
            return b"".join(_chunks(file, size)), format_
    except (OSError, ValueError) as error:
        if isinstance(error, CamliteError):
            raise
        reason = getattr(error, "strerror", None) or error  # ValueError: a path with a NUL
        raise ArtifactError(f"{path}: cannot read it ({reason}); check the path") from None


def _chunks(file: BinaryIO, size: int) -> Iterator[bytes]:
    """So many bytes, or as many as there are: one system call reads 2 GB at the most."""
    while size > 0 and (chunk := file.read(size)):
        size -= len(chunk)
        yield chunk


def format_of(content: bytes) -> Format | None:
    """Tell a TFLite flatbuffer (file identifier TFL3) from an ONNX ModelProto (ir_version first)."""
    if content[4:8] == b"TFL3":
        return "tflite"
    if content[:1] == b"\x08" and len(content) > 2:
        return "onnx"
    return None


def pack(format_: Format, model: bytes, card: Card, arrays: Arrays, sign: Sign | None = None) -> bytes:
    """Model bytes + card + arrays -> the bytes of an artifact; the same bytes for the same input.

    Args:
        format_: ``tflite`` or ``onnx``.
        model: what the converter has made.
        card: with the digest of the model.
        arrays: those that the card implies.
        sign: signs the seal; None for an artifact without signature.

    Raises:
        ArtifactError: `read` would refuse it: the card, or its arrays, are too large.
    """
    text = cards.to_json(card).encode()
    place = _place(model, card, arrays)
    left_out = "weights_rest" if place is None else "weights"
    present = {name: getattr(arrays, name) for name in cards.ARRAY_DTYPES if name != left_out}
    entries = {f"{name}.npy": _npy(array) for name, array in present.items() if array is not None}
    if place is not None:
        entries[_PLACE_ENTRY] = place.to_json().encode()
    _check_sizes({_CARD_ENTRY: len(text)} | {name: len(npy) for name, npy in entries.items()}, len(model), card.name)
    if format_ == "tflite":
        behind = _SEAL_LENGTH + (signature.LENGTH if sign else 0)
        unsealed = _zip({_CARD_ENTRY: text, **entries}, after=model, comment_length=behind)
        seal = _seal(memoryview(unsealed)[len(model) :])
        return unsealed + seal + (sign(seal).to_bytes() if sign else b"")
    payload = metadata_entry(_CARD_KEY, text) + metadata_entry(_ARRAYS_KEY, base64.b64encode(_zip(entries)))
    payload += metadata_entry(_SIGNED_KEY, b"ed25519") if sign else b""
    seal = _seal(payload)
    signed = metadata_entry(_SIGNATURE_KEY, sign(seal).to_bytes()) if sign else b""
    return model + payload + metadata_entry(_SEAL_KEY, seal) + signed


def _place(model: bytes, card: Card, arrays: Arrays) -> Place | None:
    """Where the model has the class weights, if they are those that it has there."""
    place, weights = arrays.weights_place, arrays.weights
    if place is None or weights is None:
        return None
    there = place.read(model, card.head.channels, len(card.labels), arrays.weights_rest)
    return place if np.array_equal(there, weights) else None


def _seal(payload: bytes | memoryview) -> bytes:
    return _SEAL_MARK + hashlib.sha256(payload).hexdigest().encode()


def _damaged(where: str, what: str) -> ArtifactError:
    return ArtifactError(f"{where}: damaged artifact: {printable(what[:200])}; copy or export it again")


def _unsealed(where: str) -> ArtifactError:
    return ArtifactError(f"{where}: no camlite card at its end; it is truncated, or `camlite export` did not make it")


def _zip(entries: Mapping[str, bytes], after: bytes = b"", comment_length: int = 0) -> bytes:
    """A zip with fixed dates and modes, behind other bytes. A comment that is to follow is counted, not written."""
    import zipfile  # see `camlite.artifact.zip_reader`

    buffer = io.BytesIO(after)
    buffer.seek(len(after))
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED, compresslevel=9) as archive:
        for name, content in entries.items():
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


def _split_tflite(content: bytes, where: str) -> _Parts:
    end, signed = len(content), None
    if content[-signature.LENGTH :].startswith(signature.MARK):
        end -= signature.LENGTH
        signed = signature.from_bytes(content[end:])
    seal = content[end - _SEAL_LENGTH : end] if end >= _SEAL_LENGTH else b""
    if not seal.startswith(_SEAL_MARK):
        raise _unsealed(where)
    entries = zip_reader.entries(content, end - _SEAL_LENGTH)
    start = min((entry.start for entry in entries), default=-1)
    if start < 0 or content[start : start + 4] != zip_reader.LOCAL_MARK:
        raise _damaged(where, "the card's zip has no beginning")
    payload = memoryview(content)[start : end - _SEAL_LENGTH]
    _check_seal(payload, seal, where)
    if int.from_bytes(payload[-2:], "little") != len(content) - end + _SEAL_LENGTH:
        raise _damaged(where, "what stands behind the zip is not what it was sealed with")
    return _Parts(start, seal, signed, None, _Zip(content, entries))


def _split_onnx(content: bytes, where: str) -> _Parts:
    start, properties, seal_start = -1, dict[str, bytes](), -1
    for begin, end, tag, body in fields(content):
        if tag != METADATA_TAG[0]:
            continue
        entry = {inner.tag: content[inner.body : inner.end] for inner in fields(content, body, end)}
        key = entry.get(0x0A, b"").decode()
        if key == _CARD_KEY:
            start = begin
        if key == _SEAL_KEY:
            seal_start = begin
        properties[key] = entry.get(0x12, b"")
    if start < 0 or seal_start < start or _ARRAYS_KEY not in properties:
        raise _unsealed(where)
    _check_seal(memoryview(content)[start:seal_start], properties[_SEAL_KEY], where)
    ending, signed = metadata_entry(_SEAL_KEY, properties[_SEAL_KEY]), None
    if _SIGNED_KEY in properties:
        text = properties.get(_SIGNATURE_KEY, b"")
        ending, signed = ending + metadata_entry(_SIGNATURE_KEY, text), signature.from_bytes(text)
    if content[seal_start:] != ending:
        raise _damaged(where, "bytes follow the seal")
    try:
        packed = base64.b64decode(properties[_ARRAYS_KEY], validate=True)
    except binascii.Error as error:
        raise _damaged(where, f"arrays: {error}") from None
    return _Parts(
        start,
        properties[_SEAL_KEY],
        signed,
        properties[_CARD_KEY],
        _Zip(packed, zip_reader.entries(packed, len(packed))),
    )


def _check_seal(payload: memoryview, seal: bytes, where: str) -> None:
    if _seal(payload) != seal:
        raise _damaged(where, "the card and its arrays are not those that were sealed")


def _check_entries(archive: _Zip, file_size: int, where: str) -> None:
    """The entries must be ours alone, each once: other tools unpack whatever names they find."""
    names = [entry.name for entry in archive.entries]
    known = {_CARD_ENTRY, _PLACE_ENTRY, *(f"{name}.npy" for name in cards.ARRAY_DTYPES)}
    odd = [name for name in names if name not in known or names.count(name) > 1][:1]
    if odd:
        raise _damaged(where, f"entry {odd[0]!r} is unknown, or there twice")
    _check_sizes({entry.name: entry.size for entry in archive.entries}, file_size, where)


def _check_sizes(unpacked: Mapping[str, int], file_size: int, where: str) -> None:
    """Bound the memory that a file can ask for."""
    most = _MOST_UNPACKED_TIMES * file_size + _MOST_UNPACKED_BESIDE
    if unpacked.get(_CARD_ENTRY, 0) > _MOST_CARD_BYTES:
        raise _damaged(where, f"{_CARD_ENTRY} has {unpacked[_CARD_ENTRY]} bytes, expected at most {_MOST_CARD_BYTES}")
    if sum(unpacked.values()) > most:
        raise _damaged(where, f"card and arrays say they unpack to {sum(unpacked.values())} bytes, at most {most} fit")


def _unpack_arrays(archive: _Zip, model: bytes, card: Card, where: str) -> Arrays:
    arrays: dict[str, Any] = {}
    present = {entry.name for entry in archive.entries}
    for name, dtype in cards.ARRAY_DTYPES.items():
        if name in cards.OPTIONAL_ARRAYS and f"{name}.npy" not in present:
            arrays[name] = None
            continue
        npy = _entry(archive, f"{name}.npy")
        try:
            arrays[name] = _array(npy, np.dtype(dtype))
        except ValueError as error:
            raise _damaged(where, f"{name}: {error}") from None
    if _PLACE_ENTRY in present:
        if arrays["weights"] is not None:
            raise _damaged(where, f"class weights are there twice: weights.npy and {_PLACE_ENTRY}")
        try:
            place = weights_in_model.from_json(_entry(archive, _PLACE_ENTRY).decode())
            arrays["weights"] = place.read(model, card.head.channels, len(card.labels), arrays["weights_rest"])
        except ValueError as error:  # numpy's, too, where the rest has another shape
            raise _damaged(where, f"{_PLACE_ENTRY}: {error}") from None
        arrays["weights_place"] = place
    return Arrays(**arrays)


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


def _entry(archive: _Zip, name: str) -> bytes:
    found = next((entry for entry in archive.entries if entry.name == name), None)
    if found is None:
        raise ValueError(f"{name} is missing")
    return zip_reader.unpack(archive.content, found)
