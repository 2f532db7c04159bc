"""As much of protobuf's wire format as an ONNX artifact needs: walk a message's fields, append an entry."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

_TAGS = 2**32  # field numbers have 29 bits, a wire type 3
METADATA_TAG = b"\x72"  # ModelProto.metadata_props: field 14, length-delimited


class Field(NamedTuple):
    """One field: where it begins and ends, its tag (number * 8 + wire type), and where its body starts."""

    begin: int
    end: int
    tag: int
    body: int


def metadata_entry(key: str, value: bytes) -> bytes:
    """One metadata_props entry: StringStringEntryProto {key = 1; value = 2} as field 14."""
    body = b"".join(tag + _varint(len(part)) + part for tag, part in ((b"\x0a", key.encode()), (b"\x12", value)))
    return METADATA_TAG + _varint(len(body)) + body


def fields(content: bytes, start: int = 0, end: int | None = None) -> Iterator[Field]:
    """Walk the fields of the message in content[start:end].

    Raises:
        ValueError: it is truncated, or no message.
    """
    end = len(content) if end is None else end
    while start < end:
        tag, body = varint(content, start, end)
        if tag >= _TAGS:
            raise ValueError(f"no ONNX file: field {tag >> 3} at byte {start}")
        wire_type = tag & 7
        if wire_type == 0:
            _, stop = varint(content, body, end)
        elif wire_type == 2:
            length, body = varint(content, body, end)
            stop = body + length
        elif wire_type in (1, 5):
            stop = body + (8 if wire_type == 1 else 4)
        else:
            raise ValueError(f"no ONNX file: wire type {wire_type} at byte {start}")
        if stop > end:
            raise ValueError(f"truncated: the field at byte {start} ends behind the file")
        yield Field(start, stop, tag, body)
        start = stop


def varint(content: bytes, start: int, end: int) -> tuple[int, int]:
    """A number, and where it ends.

    Raises:
        ValueError: it does not end within content[start:end].
    """
    number = 0
    for index in range(start, min(start + 10, end)):
        byte = content[index]
        number |= (byte & 0x7F) << (7 * (index - start))
        if byte < 0x80:
            return number, index + 1
    raise ValueError(f"truncated at byte {end}")


def _varint(number: int) -> bytes:
    digits = bytearray()
    while number > 0x7F:
        digits.append(number & 0x7F | 0x80)
        number >>= 7
    return bytes(digits) + bytes([number])
