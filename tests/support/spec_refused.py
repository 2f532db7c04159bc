"""Files that every reader refuses, for ``refused.json`` of the test vectors: changed, cut, or crafted and sealed."""

from __future__ import annotations

import base64
import hashlib
import io
import struct
import warnings
import zipfile
import zlib
from collections.abc import Container, Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np

import camlite.artifact
from camlite.artifact import card as cards
from camlite.artifact import map_choice
from camlite.artifact.arrays import ARRAY_DTYPES, to_npy
from camlite.artifact.container import (
    ARRAYS_KEY,
    CARD_ENTRY,
    CARD_KEY,
    MAPS_ENTRY,
    SEAL_KEY,
    SIGNED_KEY,
    SIGNED_WITH,
    STORED_WEIGHTS_ENTRY,
    seal_of,
)
from camlite.artifact.protobuf import metadata_entry

_SEAL, _SIGNATURE = 84, 219

# The smallest of each container that is not signed.
_CRAFTED_TFLITE, _CRAFTED_ONNX = "bgr.int8.tflite", "places.float32.onnx"
_CRAFTED_GUIDED = "guided_top.float32.tflite"
_UNKNOWN_FIELD = b"\xc2\xb5\x03\x00"  # 7000, no bytes
# The public key of test 2 in RFC 8032, section 7.1.
_OTHER_KEY = "3d4017c3e843895a92b70aa74d1b7ebc9c982ccf2ec4968cc0cd55f12af4660c"


def changed(artifacts: Path) -> Iterator[dict[str, Any]]:
    """Changes after which every reader refuses a file."""
    for name in (
        "bgr.int8.tflite",
        "graph.int8.tflite",
        "bgr.float32.tflite",
        "stripes.int8.onnx",
        "graph.float32.onnx",
    ):
        content = (artifacts / name).read_bytes()
        size, container = len(content), name.rsplit(".", 1)[1]
        signed = _SIGNATURE if b"camlite signature ed25519:" in content else 0
        model = len(camlite.artifact.read(artifacts / name).model)
        seal = content.rindex(b"camlite seal sha256:")
        changes = [
            ("a byte of the model", {"flip": model // 2}),
            ("the first byte of the payload", {"flip": model}),
            ("a byte of the arrays", {"flip": (model + seal) // 2}),
            ("a digit of the seal", {"flip": seal + _SEAL - 1}),
            ("the last byte", {"flip": size - 1}),
            ("cut off within the payload", {"keep": (model + seal) // 2}),
            ("the last byte is missing", {"keep": size - 1}),
            ("only the model is left", {"keep": model}),
            ("a byte more", {"append": "00"}),
        ]
        if signed:
            kept = seal + _SEAL
            changes.append(("the signature is missing", {"keep": kept}))
        else:
            text = f"camlite signature ed25519:{'0' * 64}:{'0' * 128}"
            if container == "tflite":
                changes.append(("a signature that the payload does not know of", {"append": text.encode().hex()}))
        yield from ({"artifact": name, **change, "reason": reason} for reason, change in changes)


def crafted(artifacts: Path) -> Iterator[dict[str, Any]]:
    """Files under a seal that fits, which `camlite export` would not make; and files that trusted keys refuse."""
    tflite, onnx = (camlite.artifact.read(artifacts / name) for name in (_CRAFTED_TFLITE, _CRAFTED_ONNX))
    entries = _entries(tflite)
    card = entries[CARD_ENTRY].decode()
    bias = tflite.arrays.bias
    for reason, changes in (
        ("class weights both as an array and in the model", {"weights.npy": to_npy(tflite.arrays.weights)}),
        ("an array of another dtype", {"bias.npy": to_npy(bias.astype(np.float64))}),
        ("an array of another shape", {"bias.npy": to_npy(bias[:-1])}),
        ("a number that is not finite", {"bias.npy": to_npy(bias * np.float32("nan"))}),
        ("an array is missing", {"bias.npy": None}),
        ("an entry of an unknown name", {"more.npy": to_npy(bias)}),
        ("an invisible character in a label", {CARD_ENTRY: card.replace("plain", "pla\u202ein").encode()}),
        ("a key of the card is there twice", {CARD_ENTRY: card.replace("{", '{"name": "other",', 1).encode()}),
        ("a field of the card is unknown", {CARD_ENTRY: card.replace("{", '{"more": "",', 1).encode()}),
        ("a later format version", {CARD_ENTRY: card.replace('"format": 2', '"format": 3').encode()}),
        ("class weights outside of the model", {STORED_WEIGHTS_ENTRY: _far(tflite)}),
    ):
        kept = {name: content for name, content in (entries | changes).items() if content is not None}
        yield _sealed_tflite(tflite, list(kept.items()), reason)
    yield _sealed_tflite(tflite, [*entries.items(), ("bias.npy", entries["bias.npy"])], "an entry is there twice")
    labels = "\n".join(tflite.card.labels)
    for reason, content in (
        ("labels.txt with a line break at its end", f"{labels}\n"),
        ("labels.txt with the labels in another order", "\n".join(reversed(tflite.card.labels))),
    ):
        yield _sealed_tflite(tflite, [*entries.items(), ("labels.txt", content.encode())], reason)
    yield _sealed_tflite(
        tflite, list(entries.items()), "a byte after the Deflate stream of an entry", more=[*entries][-1]
    )
    yield from _crafted_maps(camlite.artifact.read(artifacts / _CRAFTED_GUIDED))

    properties = [(CARD_KEY, cards.to_json(onnx.card).encode()), (ARRAYS_KEY, _packed(onnx))]
    written = [metadata_entry(*one) for one in properties]
    with_card = [*_entries(onnx).items()]
    announced = metadata_entry(SIGNED_KEY, SIGNED_WITH)
    for reason, payload in (
        ("a graph in the payload", [*written, b"\x3a\x00"]),
        ("an unknown field in the payload", [*written, _UNKNOWN_FIELD]),
        ("an unknown field between card and arrays", [written[0], _UNKNOWN_FIELD, written[1]]),
        ("a signature is announced and missing", [*written, announced]),
        ("card.json in the zip of an ONNX artifact", [written[0], metadata_entry(ARRAYS_KEY, _zipped(with_card))]),
        ("labels.txt in the zip of an ONNX artifact", [written[0], metadata_entry(ARRAYS_KEY, _with_labels(onnx))]),
    ):
        yield _sealed_onnx(onnx, b"".join(payload), reason)
    yield with_a_field_in_the_model(onnx, 2**29, "a field in the model whose number is larger than protobuf has")
    for name in (_CRAFTED_ONNX, "graph.float32.onnx"):
        yield {"artifact": name, "append": _UNKNOWN_FIELD.hex(), "reason": "an unknown field at the end"}

    for name in ("graph.int8.tflite", "graph.float32.onnx"):
        content, key = (artifacts / name).read_bytes(), camlite.artifact.read(artifacts / name).signer.hex()
        other = "0" if content[-1:] != b"0" else "1"
        wrong = {"keep": len(content) - 1, "append": other.encode().hex()}
        yield {"artifact": name, **wrong, "trusted": key, "reason": "a digit of the signature, under its trusted key"}
        yield {"artifact": name, "trusted": _OTHER_KEY, "reason": "signed with a key that is not trusted"}
    yield {"artifact": _CRAFTED_TFLITE, "trusted": _OTHER_KEY, "reason": "not signed, where a key is trusted"}


def _crafted_maps(read: camlite.artifact.Artifact) -> Iterator[dict[str, Any]]:
    entries = _entries(read)
    maps, fine = entries[MAPS_ENTRY].decode(), read.arrays.golden_fine
    for reason, changes in (
        ("a guide without golden_fine", {"golden_fine.npy": None}),
        ("golden_fine without a guide", {MAPS_ENTRY: None}),
        ("golden_fine of another size than the guide", {"golden_fine.npy": to_npy(fine[:, 1:])}),
        ("a radius of 0", {MAPS_ENTRY: maps.replace('"radius": 1.5', '"radius": 0.0').encode()}),
        ("a field of maps.json is unknown", {MAPS_ENTRY: maps.replace('"map":', '"more": 1, "map":', 1).encode()}),
        ("a field of maps.json is missing", {MAPS_ENTRY: maps.replace('"measured_on": 24,', "").encode()}),
        ("a whole number of 2^53", {MAPS_ENTRY: maps.replace('"measured_on": 24', f'"measured_on": {2**53}').encode()}),
        ("a whole number where a fraction is due", {MAPS_ENTRY: maps.replace("0.125", "1", 1).encode()}),
    ):
        if any(content == entries[name] for name, content in changes.items()):
            raise ValueError(f"{reason}: nothing was changed")
        kept = {name: content for name, content in (entries | changes).items() if content is not None}
        yield _sealed_tflite(read, list(kept.items()), reason)


def _entries(read: camlite.artifact.Artifact) -> dict[str, bytes]:
    """What the zip of a TFLite artifact holds."""
    arrays, stored = read.arrays, read.arrays.stored_weights
    names = [name for name in ARRAY_DTYPES if name != ("weights_rest" if stored is None else "weights")]
    present = {name: array for name in names if (array := getattr(arrays, name)) is not None}
    entries = {CARD_ENTRY: cards.to_json(read.card).encode()}
    entries |= {f"{name}.npy": to_npy(array) for name, array in present.items()}
    if stored is not None:
        entries[STORED_WEIGHTS_ENTRY] = stored.to_json().encode()
    if arrays.maps is not None:
        entries[MAPS_ENTRY] = map_choice.to_json(arrays.maps).encode()
    return entries


def _far(read: camlite.artifact.Artifact) -> bytes:
    return read.arrays.stored_weights._replace(offset=len(read.model) - 1).to_json().encode()


def _packed(read: camlite.artifact.Artifact) -> bytes:
    return _zipped([(name, content) for name, content in _entries(read).items() if name != CARD_ENTRY])


def _with_labels(read: camlite.artifact.Artifact) -> bytes:
    entries = {name: content for name, content in _entries(read).items() if name != CARD_ENTRY}
    return _zipped([*entries.items(), ("labels.txt", "\n".join(read.card.labels).encode())])


def with_a_field_in_the_model(read: camlite.artifact.Artifact, number: int, reason: str) -> dict[str, Any]:
    """An ONNX artifact whose model ends with a varint of 0, under this field number; its card and seal fit."""
    tag, digits = number * 8, bytearray()
    while tag > 127:
        digits.append(tag & 127 | 128)
        tag >>= 7
    model = bytes(read.model) + bytes(digits) + bytes([tag, 0])
    card = read.card._replace(model_sha256=hashlib.sha256(model).hexdigest())
    payload = metadata_entry(CARD_KEY, cards.to_json(card).encode()) + metadata_entry(ARRAYS_KEY, _packed(read))
    return _sealed_onnx(read._replace(model=model), payload, reason)


def _zipped(entries: Sequence[tuple[str, bytes]]) -> bytes:
    return base64.b64encode(_zip(entries, b"", 0))


def _zip(entries: Sequence[tuple[str, bytes]], after: bytes, comment: int, as_it_is: Container[str] = ()) -> bytes:
    """A zip behind other bytes, an entry twice where it is named twice; its comment is zeros.

    Args:
        as_it_is: names of entries that are not compressed.
    """
    buffer = io.BytesIO(after)
    with warnings.catch_warnings(), zipfile.ZipFile(buffer, "a", zipfile.ZIP_DEFLATED, compresslevel=9) as archive:
        warnings.simplefilter("ignore")  # of the name that is there twice
        for name, content in entries:
            entry = zipfile.ZipInfo(name)
            entry.compress_type = zipfile.ZIP_STORED if name in as_it_is else zipfile.ZIP_DEFLATED
            entry.create_system, entry.external_attr = 3, 0o644 << 16
            archive.writestr(entry, content)
        archive.comment = bytes(comment)
    return buffer.getvalue()


def _with_more(unsealed: bytes, entries: Sequence[tuple[str, bytes]], name: str) -> bytes:
    """A zip in which a byte follows the Deflate stream of an entry: written as it is, and then called Deflate."""
    (content,) = (content for one, content in entries if one == name)
    packer = zlib.compressobj(9, zlib.DEFLATED, -zlib.MAX_WBITS)
    packed = packer.compress(content) + packer.flush() + b"\0"
    made = bytearray(_zip([(one, packed if one == name else held) for one, held in entries], unsealed, _SEAL, {name}))
    start = made.rindex(b"PK\x01\x02", 0, made.rindex(name.encode()))  # its entry in the directory
    struct.pack_into("<H", made, start + 10, zipfile.ZIP_DEFLATED)
    struct.pack_into("<LLL", made, start + 16, zlib.crc32(content), len(packed), len(content))
    return bytes(made)


def _sealed_tflite(
    read: camlite.artifact.Artifact, entries: Sequence[tuple[str, bytes]], reason: str, more: str = ""
) -> dict[str, Any]:
    zipped = _with_more(read.model, entries, more) if more else _zip(entries, read.model, _SEAL)
    unsealed = zipped[:-_SEAL]
    return _replaced(read.path, unsealed + seal_of(unsealed[len(read.model) :]), reason)


def _sealed_onnx(read: camlite.artifact.Artifact, payload: bytes, reason: str) -> dict[str, Any]:
    return _replaced(read.path, read.model + payload + metadata_entry(SEAL_KEY, seal_of(payload)), reason)


def _replaced(path: Path, crafted: bytes, reason: str) -> dict[str, Any]:
    """The file is kept as far as the crafted one is the same."""
    pairs = zip(path.read_bytes(), crafted, strict=False)
    same = next((index for index, (one, other) in enumerate(pairs) if one != other), len(crafted))
    return {
        "artifact": path.name,
        "keep": same,
        "append": crafted[same:].hex(),
        "reason": f"under a seal that fits: {reason}",
    }
