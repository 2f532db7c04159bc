"""Read a message of protobuf by its schema, and take no field that the schema does not name.

A schema says of each message what its fields are, by their numbers, as ``NAME KIND``; its keys are the messages.

===========  ===================================================================================================
kind         field
===========  ===================================================================================================
``int``      an integer, of 64 bits and signed
``[int]``    integers, packed or not
``float``    a number of 32 bits
``[float]``  such numbers, packed or not
``text``     a string
``[text]``   strings
``data``     the place of its bytes, (start, end)
``T``        another message of the schema
``[T]``      messages
``skip``     anything, which no interpreter computes with
``-``        must be absent
===========  ===================================================================================================

A parser of protobuf merges two messages of a field that has only one, and takes the last of two numbers; here such a
field is there once. So all readers see the same model.
"""

from __future__ import annotations

import struct
from collections.abc import Mapping
from typing import Any, NamedTuple

from camlite.artifact.protobuf import varint

Schema = Mapping[str, Mapping[int, str]]
Message = dict[str, Any]

_VARINT, _BYTES, _FIXED32 = 0, 2, 5
_WIRE = {"int": _VARINT, "float": _FIXED32}


class _Field(NamedTuple):
    name: str
    kind: str
    many: bool


class Reader:
    """Reads the messages of one file.

    Raises:
        ValueError: a field that the schema does not name or that must be absent, one that is there twice, or has
            another wire type; or the message is truncated.
    """

    def __init__(self, content: bytes, schema: Schema) -> None:
        self._content = content
        self._known = {kind: _by_tag(fields) for kind, fields in schema.items()}

    def message(self, kind: str, start: int = 0, end: int | None = None) -> Message:
        """The fields of a message by name; repeated ones are lists, and those that are absent are not there."""
        content, known, found = self._content, self._known[kind], Message()
        begin, end = start, len(content) if end is None else end
        while start < end:
            tag, body = (content[start], start + 1) if content[start] < 0x80 else varint(content, start, end)
            field = known.get(tag)
            if field is None or field.kind == "-":
                name = f"a field {tag >> 3} of type {tag & 7}" if field is None else field.name
                raise ValueError(f"{kind} at byte {begin} has {name}, which camlite does not take")
            body, start = self._place(tag & 7, body, end)
            if field.kind == "skip":
                continue
            if field.many:
                self._append(found.setdefault(field.name, []), field.kind, tag & 7, body, start)
            elif field.name in found:
                raise ValueError(f"{kind} at byte {begin} has {field.name} twice")
            else:
                found[field.name] = self._value(field.kind, body, start)
        return found

    def numbers(self, what: str, start: int, end: int) -> list[Any]:
        """The packed numbers, ``int`` or ``float``, between two places."""
        values: list[Any] = []
        self._append(values, what, _BYTES, start, end)
        return values

    def _place(self, wire: int, body: int, end: int) -> tuple[int, int]:
        """Where a field's value begins, and where it ends."""
        if wire == _FIXED32:
            stop = body + 4
        elif body < end and self._content[body] < 0x80:
            stop = body + 1
            if wire == _BYTES:
                body, stop = stop, stop + self._content[body]
        else:
            number, stop = varint(self._content, body, end)
            if wire == _BYTES:
                body, stop = stop, stop + number
        if stop > end:
            raise ValueError(f"truncated: the field at byte {body} ends after the message around it")
        return body, stop

    def _append(self, values: list[Any], what: str, wire: int, start: int, end: int) -> None:
        if wire != _BYTES or what not in _WIRE:
            values.append(self._value(what, start, end))
        elif what == "float":
            if (end - start) % 4:
                raise ValueError(f"truncated numbers at byte {start}")
            values.extend(struct.unpack_from(f"<{(end - start) // 4}f", self._content, start))
        else:
            while start < end:
                number, start = varint(self._content, start, end)
                values.append(_signed(number))

    def _value(self, what: str, start: int, end: int) -> Any:
        if what == "int":
            return _signed(varint(self._content, start, end)[0])
        if what == "float":
            return struct.unpack_from("<f", self._content, start)[0]
        if what == "text":
            return self._content[start:end].decode()
        if what == "data":
            return start, end
        return self.message(what, start, end)


def _by_tag(fields: Mapping[int, str]) -> dict[int, _Field]:
    """The fields of a message by the tags that they may have: number * 8 + wire type."""
    known = {}
    for number, field in fields.items():
        name, _, kind = field.partition(" ")
        many, kind = kind.startswith("["), kind.strip("[]")
        wires = {
            _WIRE.get(kind, _BYTES),
            *([_BYTES] if many else []),
            *(_WIRE.values() if kind in ("-", "skip") else []),
        }
        known.update({number << 3 | wire: _Field(name, kind, many) for wire in wires})
    return known


def _signed(number: int) -> int:
    if number >> 63:
        number &= (1 << 64) - 1
        return number - (1 << 64) if number >> 63 else number
    return number
