"""Write an artifact: card, arrays, seal and perhaps a signature behind a model. The layout is in `container`."""

from __future__ import annotations

import base64
import io
from collections.abc import Callable, Mapping

import numpy as np

from camlite.artifact import card as cards
from camlite.artifact import map_choice, signature
from camlite.artifact.arrays import ARRAY_DTYPES, Arrays, to_npy
from camlite.artifact.card import Card
from camlite.artifact.container import (
    ARRAYS_KEY,
    CARD_ENTRY,
    CARD_KEY,
    LABELS_ENTRY,
    MAPS_ENTRY,
    SEAL_KEY,
    SEAL_LENGTH,
    SIGNATURE_KEY,
    SIGNED_KEY,
    SIGNED_WITH,
    STORED_WEIGHTS_ENTRY,
    Container,
    check_sizes,
    label_text,
    seal_of,
)
from camlite.artifact.protobuf import metadata_entry
from camlite.artifact.signature import Signature
from camlite.artifact.weights_in_model import StoredWeights

Sign = Callable[[bytes], Signature]

_ZIP_EPOCH = (1980, 1, 1, 0, 0, 0)


def pack(container: Container, model: bytes, card: Card, arrays: Arrays, sign: Sign | None = None) -> bytes:
    """Model bytes + card + arrays -> the bytes of an artifact; the same bytes for the same input.

    Args:
        container: ``tflite`` or ``onnx``.
        model: what the converter has made.
        card: with the digest of the model.
        arrays: those that the card implies.
        sign: signs the seal; None for an artifact without signature.

    Raises:
        ArtifactError: `read` would refuse it: the card, or its arrays, are too large, or what is said of maps is wrong.
    """
    text = cards.to_json(card).encode()
    stored = _stored_weights(model, card, arrays)
    left_out = "weights_rest" if stored is None else "weights"
    present = {name: getattr(arrays, name) for name in ARRAY_DTYPES if name != left_out}
    entries = {f"{name}.npy": to_npy(array) for name, array in present.items() if array is not None}
    if stored is not None:
        entries[STORED_WEIGHTS_ENTRY] = stored.to_json().encode()
    if arrays.maps is not None:
        choice = map_choice.to_json(arrays.maps)
        map_choice.from_json(choice, card.name)  # what is said of maps, no other check sees before a device does
        entries[MAPS_ENTRY] = choice.encode()
    if arrays.label_file and container == "tflite":
        entries[LABELS_ENTRY] = label_text(card.labels)
    sizes = {name: len(content) for name, content in {CARD_ENTRY: text, **entries}.items()}
    check_sizes(sizes, len(model), card.name)
    return _PACK[container](model, text, entries, sign)


def _pack_tflite(model: bytes, card: bytes, entries: Mapping[str, bytes], sign: Sign | None) -> bytes:
    behind = SEAL_LENGTH + (signature.LENGTH if sign else 0)
    packed = LABELS_ENTRY not in entries  # MediaPipe takes a zip only where nothing in it is compressed
    unsealed = _zip({CARD_ENTRY: card, **entries}, after=model, comment_length=behind, packed=packed)
    seal = seal_of(memoryview(unsealed)[len(model) :])
    return unsealed + seal + (sign(seal).to_bytes() if sign else b"")


def _pack_onnx(model: bytes, card: bytes, entries: Mapping[str, bytes], sign: Sign | None) -> bytes:
    payload = metadata_entry(CARD_KEY, card) + metadata_entry(ARRAYS_KEY, base64.b64encode(_zip(entries)))
    payload += metadata_entry(SIGNED_KEY, SIGNED_WITH) if sign else b""
    seal = seal_of(payload)
    signed = metadata_entry(SIGNATURE_KEY, sign(seal).to_bytes()) if sign else b""
    return model + payload + metadata_entry(SEAL_KEY, seal) + signed


_PACK: Mapping[Container, Callable[[bytes, bytes, Mapping[str, bytes], Sign | None], bytes]] = {
    "tflite": _pack_tflite,
    "onnx": _pack_onnx,
}


def _stored_weights(model: bytes, card: Card, arrays: Arrays) -> StoredWeights | None:
    """Where the model has the class weights, if they are those that it has there."""
    stored, weights = arrays.stored_weights, arrays.weights
    if stored is None or weights is None:
        return None
    try:
        there = stored.read(model, card.head.channels, len(card.labels), arrays.weights_rest)
    except ValueError:  # another model, which is too short for them
        return None
    return stored if np.array_equal(there, weights) else None


def _zip(entries: Mapping[str, bytes], after: bytes = b"", comment_length: int = 0, packed: bool = True) -> bytes:
    """A zip with fixed dates and modes, behind other bytes. A comment that is to follow is counted, not written."""
    import zipfile  # see `camlite.artifact.zip_reader`

    buffer = io.BytesIO(after)
    buffer.seek(len(after))
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED, compresslevel=9) as archive:
        for name, content in entries.items():
            entry = zipfile.ZipInfo(name, _ZIP_EPOCH)
            entry.compress_type = zipfile.ZIP_DEFLATED if packed else zipfile.ZIP_STORED
            entry.create_system = 3
            entry.external_attr = 0o644 << 16
            archive.writestr(entry, content)
        archive.comment = b"\0" * comment_length
    written = buffer.getvalue()
    return written[: len(written) - comment_length]
