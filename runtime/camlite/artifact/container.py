"""The file: model bytes, then a payload that holds the card and its arrays, then a seal.

=========  ======================================  ============================================
part       ``.tflite``                             ``.onnx``
=========  ======================================  ============================================
model      the flatbuffer                          the ModelProto
card       ``card.json`` in a zip that is          metadata_props ``camlite.card``
           appended (``unzip -l`` lists it)
arrays     ``NAME.npy`` in the same zip            metadata_props ``camlite.arrays``: base64
                                                   of a zip of ``NAME.npy``
labels     ``labels.txt``, optional: the card's
           labels for other programs, which
           want nothing in the zip compressed
maps       ``maps.json``, optional: the guide of fine evidence, and what maps were measured at
weights    ``weights_place.json`` says where they lie in the model, and ``weights_rest.npy``
           what its rounding took from them; where it has them in another way, ``weights.npy``
seal       comment of the zip                      metadata_props ``camlite.seal``
signature  comment of the zip, behind the seal     metadata_props ``camlite.signature``, and
                                                   ``camlite.signed`` in front of the seal
=========  ======================================  ============================================

The seal is the SHA-256 of all payload bytes in front of it, and the card holds the SHA-256 of the model:
every byte of the file is under one of the two, and both are verified before a native parser sees a byte.
A signature is of the seal; a file that was made with one and has lost it is damaged.
Protobuf lets fields be appended to a serialized message, so both containers are sealed by appending, and
reading an ONNX artifact needs no protobuf library. It merges repeated fields, too, so nothing but the properties above
may stand behind the model: a graph there would run as the model's.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from typing import Literal

from camlite.errors import ArtifactError
from camlite.texts import printable

Container = Literal["tflite", "onnx"]
"""What the file is for whoever knows nothing of camlite: a flatbuffer of TFLite, or a ModelProto of ONNX."""

SUFFIXES: Mapping[Container, str] = {"tflite": ".tflite", "onnx": ".onnx"}

SEAL_MARK = b"camlite seal sha256:"
SEAL_LENGTH = len(SEAL_MARK) + 64
CARD_ENTRY = "card.json"
LABELS_ENTRY = "labels.txt"
STORED_WEIGHTS_ENTRY = "weights_place.json"
MAPS_ENTRY = "maps.json"
CARD_KEY, ARRAYS_KEY, SEAL_KEY = "camlite.card", "camlite.arrays", "camlite.seal"
SIGNED_KEY, SIGNATURE_KEY = "camlite.signed", "camlite.signature"
SIGNED_WITH = b"ed25519"

# A card is some kB. Parsed, JSON takes up to 30 times its size (a list of empty objects): 31 MB.
_MOST_JSON_BYTES = 1 << 20
# What a payload unpacks to, beside the size of the whole file: class weights stand in the model, too, in no less than
# an eighth of their 32 bits with pooling windows of 2 x 2; golden samples are small. A zip bomb unpacks to 1,000 times.
_MOST_UNPACKED_TIMES, _MOST_UNPACKED_BESIDE = 32, 24 << 20


def container_of(content: bytes) -> Container | None:
    """Tell a TFLite flatbuffer (file identifier TFL3) from an ONNX ModelProto (ir_version first)."""
    if content[4:8] == b"TFL3":
        return "tflite"
    if content[:1] == b"\x08" and len(content) > 2:
        return "onnx"
    return None


def seal_of(payload: bytes | memoryview) -> bytes:
    """What stands at the end of a payload."""
    return SEAL_MARK + hashlib.sha256(payload).hexdigest().encode()


def label_text(labels: Sequence[str]) -> bytes:
    """The labels as a file: one a line, in the order of the scores."""
    return "\n".join(labels).encode()


def damaged(where: str, what: str) -> ArtifactError:
    """The error for a file whose bytes are not those that were written."""
    return ArtifactError(f"{where}: damaged artifact: {printable(what[:200])}; copy or export it again")


def check_sizes(unpacked: Mapping[str, int], file_size: int, where: str) -> None:
    """Bound the memory that a file can ask for.

    Args:
        unpacked: the size of each entry; file_size: of the whole file, or of the model in it.

    Raises:
        ArtifactError: card or arrays are larger than such a file may ask for.
    """
    most = _MOST_UNPACKED_TIMES * file_size + _MOST_UNPACKED_BESIDE
    for name in (CARD_ENTRY, STORED_WEIGHTS_ENTRY, MAPS_ENTRY):
        if unpacked.get(name, 0) > _MOST_JSON_BYTES:
            raise damaged(where, f"{name} has {unpacked[name]} bytes, expected at most {_MOST_JSON_BYTES}")
    if sum(unpacked.values()) > most:
        raise damaged(where, f"card and arrays say they unpack to {sum(unpacked.values())} bytes, at most {most} fit")
