"""Read an artifact and verify every byte of it. The layout is in `container`."""

from __future__ import annotations

import base64
import binascii
import hashlib
import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, BinaryIO, NamedTuple

import numpy as np

from camlite.artifact import card as cards
from camlite.artifact import map_choice, signature, weights_in_model, zip_reader
from camlite.artifact.arrays import ARRAY_DTYPES, OPTIONAL_ARRAYS, Arrays, check_arrays, from_npy
from camlite.artifact.card import Card
from camlite.artifact.container import (
    ARRAYS_KEY,
    CARD_ENTRY,
    CARD_KEY,
    LABELS_ENTRY,
    MAPS_ENTRY,
    SEAL_KEY,
    SEAL_LENGTH,
    SEAL_MARK,
    SIGNATURE_KEY,
    SIGNED_KEY,
    SIGNED_WITH,
    STORED_WEIGHTS_ENTRY,
    Container,
    check_sizes,
    container_of,
    damaged,
    label_text,
    seal_of,
)
from camlite.artifact.protobuf import METADATA_TAG, fields, metadata_entry
from camlite.artifact.signature import Signature
from camlite.artifact.zip_reader import Entry
from camlite.errors import ArtifactError, CamliteError
from camlite.system import files

# A flatbuffer and a protobuf have at most 2 GB. A large file is read when its end, too, is that of an artifact.
_FIRST_BYTES, _LARGE, _MOST_BYTES = 16, 1 << 24, (1 << 31) - 1

_WEIGHTS_ENTRIES = ("weights.npy", STORED_WEIGHTS_ENTRY)


class Artifact(NamedTuple):
    """A verified artifact.

    Attributes:
        path, container: of the file.
        model: what the interpreter is given: the bytes in front of the payload.
        card, arrays: what it says about itself.
        signer: the public key, 32 bytes, that it says it was signed with; None where it is not signed.
        trusted: whether that signature was verified, and its key is a trusted one.
    """

    path: Path
    container: Container
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
        ArtifactError: no such file, neither container, truncated, altered, or of another format version; or not signed
            with one of the trusted keys.
        CamliteError: a key cannot be read, or its library is not installed.
    """
    path = Path(path)
    keys = None if trusted is None else signature.public_keys(trusted)
    where = str(path)
    content, container = _content(path, where)
    try:
        parts = _SPLIT[container](content, where)
        if keys is not None:
            signature.verify(parts.signature, parts.seal, keys, where)
        _check_entries(parts.packed, parts.card is None, len(content), where)
        text = _entry(parts.packed, CARD_ENTRY) if parts.card is None else parts.card
        check_sizes({CARD_ENTRY: len(text)}, len(content), where)  # in an ONNX file it is in no zip
        has_weights = any(entry.name in _WEIGHTS_ENTRIES for entry in parts.packed.entries)
        card = cards.from_json(text.decode(), where, has_weights)
        model = content[: parts.start]
        if hashlib.sha256(model).hexdigest() != card.model_sha256:
            raise damaged(where, "the model bytes are not those that the card was sealed with")
        arrays = _unpack_arrays(parts.packed, model, card, where)
    except CamliteError:
        raise
    except ValueError as error:
        raise damaged(where, str(error)) from None
    check_arrays(card, arrays, where)
    signer = parts.signature.public_key if parts.signature else None
    return Artifact(path, container, model, card, arrays, signer, trusted=keys is not None)


def _content(path: Path, where: str) -> tuple[bytes, Container]:
    """All bytes of a file, if its size, its first and its last bytes are those of an artifact."""
    try:
        with files.regular(path) as file:
            size, container = os.fstat(file.fileno()).st_size, container_of(file.read(_FIRST_BYTES))
            if container is None:
                raise ArtifactError(
                    f"{where}: neither a TFLite nor an ONNX file; expected an artifact of `camlite export`"
                )
            if size > _MOST_BYTES:
                raise ArtifactError(f"{where}: {size} bytes, expected at most {_MOST_BYTES}; no artifact is larger")
            if size > _LARGE and not _ends_with_seal(file, size):
                raise _unsealed(where)
            file.seek(0)
            return b"".join(_chunks(file, size)), container
    except (OSError, ValueError) as error:
        if isinstance(error, CamliteError):
            raise
        if isinstance(error, IsADirectoryError):
            raise ArtifactError(f"{path}: is a folder; expected the file of one artifact in it") from None
        reason = getattr(error, "strerror", None) or error  # ValueError: a path with a NUL
        raise ArtifactError(f"{path}: cannot read it ({reason}); check the path") from None


def _ends_with_seal(file: BinaryIO, size: int) -> bool:
    file.seek(max(0, size - signature.LENGTH - SEAL_LENGTH))
    return SEAL_MARK in file.read(signature.LENGTH + SEAL_LENGTH)


def has_seal(path: str | Path) -> bool:
    """Whether a file ends as an artifact does, sound or not; False where it cannot be read."""
    try:
        with files.regular(path) as file:
            return _ends_with_seal(file, os.fstat(file.fileno()).st_size)
    except (OSError, ValueError):
        return False


def _chunks(file: BinaryIO, size: int) -> Iterator[bytes]:
    """So many bytes, or as many as there are: one system call reads 2 GB at the most."""
    while size > 0 and (chunk := file.read(size)):
        size -= len(chunk)
        yield chunk


def _unsealed(where: str) -> ArtifactError:
    return ArtifactError(f"{where}: no camlite card at its end; it is truncated, or `camlite export` did not make it")


def _split_tflite(content: bytes, where: str) -> _Parts:
    end, signed = len(content), None
    if content[-signature.LENGTH :].startswith(signature.MARK):
        end -= signature.LENGTH
        signed = signature.from_bytes(content[end:])
    seal = content[end - SEAL_LENGTH : end] if end >= SEAL_LENGTH else b""
    if not seal.startswith(SEAL_MARK):
        raise _unsealed(where)
    entries = zip_reader.entries(content, end - SEAL_LENGTH)
    start = min((entry.start for entry in entries), default=-1)
    if start < 0 or content[start : start + 4] != zip_reader.LOCAL_MARK:
        raise damaged(where, "the card's zip has no beginning")
    payload = memoryview(content)[start : end - SEAL_LENGTH]
    _check_seal(payload, seal, where)
    if int.from_bytes(payload[-2:], "little") != len(content) - end + SEAL_LENGTH:
        raise damaged(where, "what stands behind the zip is not what it was sealed with")
    return _Parts(start, seal, signed, None, _Zip(content, entries))


def _split_onnx(content: bytes, where: str) -> _Parts:
    start, properties, seal_start = -1, dict[str, bytes](), -1
    for begin, end, tag, body in fields(content):
        if tag != METADATA_TAG[0]:
            continue
        entry = {inner.tag: content[inner.body : inner.end] for inner in fields(content, body, end)}
        key = entry.get(0x0A, b"").decode()
        if key == CARD_KEY:
            start = begin
        if key == SEAL_KEY:
            seal_start = begin
        properties[key] = entry.get(0x12, b"")
    if start < 0 or seal_start < start or ARRAYS_KEY not in properties:
        raise _unsealed(where)
    _check_seal(memoryview(content)[start:seal_start], properties[SEAL_KEY], where)
    ending, signed = metadata_entry(SEAL_KEY, properties[SEAL_KEY]), None
    if SIGNED_KEY in properties:
        text = properties.get(SIGNATURE_KEY, b"")
        ending, signed = ending + metadata_entry(SIGNATURE_KEY, text), signature.from_bytes(text)
    if content[seal_start:] != ending:
        raise damaged(where, "bytes follow the seal")
    check_sizes({CARD_ENTRY: len(properties[CARD_KEY])}, len(content), where)  # before it is copied
    if content[start:seal_start] != _onnx_payload(properties):
        raise damaged(where, "other fields stand between its card and its seal")
    try:
        packed = base64.b64decode(properties[ARRAYS_KEY], validate=True)
    except binascii.Error as error:
        raise damaged(where, f"arrays: {error}") from None
    return _Parts(
        start,
        properties[SEAL_KEY],
        signed,
        properties[CARD_KEY],
        _Zip(packed, zip_reader.entries(packed, len(packed))),
    )


_SPLIT: Mapping[Container, Callable[[bytes, str], _Parts]] = {"tflite": _split_tflite, "onnx": _split_onnx}


def _onnx_payload(properties: Mapping[str, bytes]) -> bytes:
    """The one payload that these properties make.

    A loader of the whole file merges repeated fields of protobuf. One more field here, a graph, would run under a seal
    that fits, and the card's digest of the model would not know of it.
    """
    payload = metadata_entry(CARD_KEY, properties[CARD_KEY]) + metadata_entry(ARRAYS_KEY, properties[ARRAYS_KEY])
    return payload + (metadata_entry(SIGNED_KEY, SIGNED_WITH) if SIGNED_KEY in properties else b"")


def _check_seal(payload: memoryview, seal: bytes, where: str) -> None:
    if seal_of(payload) != seal:
        raise damaged(where, "the card and its arrays are not those that were sealed")


def _check_entries(archive: _Zip, has_card: bool, file_size: int, where: str) -> None:
    """The entries must be ours alone, each once: other tools unpack whatever names they find."""
    names = [entry.name for entry in archive.entries]
    texts = [STORED_WEIGHTS_ENTRY, MAPS_ENTRY, *([CARD_ENTRY, LABELS_ENTRY] if has_card else [])]
    known = {*texts, *(f"{name}.npy" for name in ARRAY_DTYPES)}
    odd = [name for name in names if name not in known or names.count(name) > 1][:1]
    if odd:
        raise damaged(where, f"entry {odd[0]!r} is unknown, or there twice")
    check_sizes({entry.name: entry.size for entry in archive.entries}, file_size, where)


def _unpack_arrays(archive: _Zip, model: bytes, card: Card, where: str) -> Arrays:
    arrays: dict[str, Any] = {}
    present = {entry.name for entry in archive.entries}
    for name, dtype in ARRAY_DTYPES.items():
        if name in OPTIONAL_ARRAYS and f"{name}.npy" not in present:
            arrays[name] = None
            continue
        npy = _entry(archive, f"{name}.npy")
        try:
            arrays[name] = from_npy(npy, np.dtype(dtype))
        except ValueError as error:
            raise damaged(where, f"{name}: {error}") from None
    if STORED_WEIGHTS_ENTRY in present:
        if arrays["weights"] is not None:
            raise damaged(where, f"class weights are there twice: weights.npy and {STORED_WEIGHTS_ENTRY}")
        try:
            stored = weights_in_model.from_json(_entry(archive, STORED_WEIGHTS_ENTRY).decode())
            arrays["weights"] = stored.read(model, card.head.channels, len(card.labels), arrays["weights_rest"])
        except ValueError as error:  # numpy's, too, where the rest has another shape
            raise damaged(where, f"{STORED_WEIGHTS_ENTRY}: {error}") from None
        arrays["stored_weights"] = stored
    elif arrays["weights_rest"] is not None:
        raise damaged(where, f"weights_rest.npy is there without {STORED_WEIGHTS_ENTRY}")
    if MAPS_ENTRY in present:
        arrays["maps"] = map_choice.from_json(_entry(archive, MAPS_ENTRY).decode(), where)
    arrays["label_file"] = LABELS_ENTRY in present
    if arrays["label_file"] and _entry(archive, LABELS_ENTRY) != label_text(card.labels):
        raise damaged(where, f"{LABELS_ENTRY} does not hold the card's labels")
    return Arrays(**arrays)


def _entry(archive: _Zip, name: str) -> bytes:
    found = next((entry for entry in archive.entries if entry.name == name), None)
    if found is None:
        raise ValueError(f"{name} is missing")
    return zip_reader.unpack(archive.content, found)
