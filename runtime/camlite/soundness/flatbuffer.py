"""Read a flatbuffer by its schema, and trust none of its offsets.

The accessors that native parsers are generated with follow every offset unchecked: one that leads out of the file
reads whatever memory is there, or ends the process. Here each table, vtable, vector and string is proven to lie
inside the file before anybody else reads it, in one pass without recursion into what was seen before.

A schema says of each table what its fields are, in their order, as ``NAME KIND``:

=========  ==========================================================
kind       field
=========  ==========================================================
``i``      a number, by its letter in `struct`
``[i]``    a vector of numbers
``str``    a string
``T``      another table of the schema
``[T]``    a vector of tables
``[data]`` the bytes of a vector of them
``-``      must be absent
=========  ==========================================================
"""

from __future__ import annotations

import struct
from collections.abc import Collection, Mapping, Sequence
from typing import Any

Schema = Mapping[str, Sequence[str]]
Table = Mapping[str, Any]

_HEADER = 4  # a table begins with the offset of its vtable, a vtable with the two sizes


class Reader:
    """Reads the tables of one file.

    Raises:
        ValueError: (all methods) an offset leads out of the file, or a field is there that must be absent.
    """

    def __init__(self, content: bytes, schema: Schema, unread: Collection[str] = ()) -> None:
        """
        Args:
            content: of the file; schema: see above.
            unread: tables of which only the place is given, as ``place``: what they are, something else says.
        """
        self._content, self._schema, self._unread = content, schema, frozenset(unread)
        self._seen: dict[tuple[int, str], Table] = {}

    def root(self, kind: str) -> Table:
        """The table that the file begins with: field name -> number, text, tuple of numbers, or tables."""
        return self.table(self._unpack("I", 0)[0], kind)

    def table(self, start: int, kind: str) -> Table:
        """The table at a place; the same object for the same place, so that no file can ask for more than it holds."""
        if kind in self._unread:
            return {"place": start}
        if (start, kind) not in self._seen:
            places, end = self.places(start)
            fields = {}
            for index, (place, field) in enumerate(zip(places, self._schema[kind], strict=False)):
                name, _, what = field.partition(" ")
                if place and what == "-":
                    raise ValueError(f"{kind} at byte {start} has field {index} ({name}), which camlite does not write")
                if place:
                    fields[name] = self._value(place, end, what)
            if any(places[len(self._schema[kind]) :]):
                raise ValueError(f"{kind} at byte {start} has fields that camlite does not know")
            self._seen[start, kind] = fields
        return self._seen[start, kind]

    def places(self, start: int) -> tuple[list[int], int]:
        """Where each field of a table is, 0 for one that is absent, and where the table ends."""
        vtable = start - self._unpack("i", start)[0]
        vtable_size, size = self._unpack("HH", vtable)
        end = start + size
        if vtable_size < _HEADER or vtable_size % 2 or size < _HEADER or end > len(self._content):
            raise ValueError(f"the table at byte {start} is not inside the file")
        offsets = self._unpack(f"{(vtable_size - _HEADER) // 2}H", vtable + _HEADER)
        if any(offset and not _HEADER <= offset < size for offset in offsets):
            raise ValueError(f"the table at byte {start} has a field outside of it")
        return [start + offset if offset else 0 for offset in offsets], end

    def numbers(self, place: int, letter: str) -> tuple[Any, ...]:
        """The vector that an offset leads to."""
        start, count = self._vector(place, struct.calcsize(letter))
        return self._unpack(f"{count}{letter}", start)

    def _value(self, place: int, end: int, what: str) -> Any:
        if what == "str":
            start, length = self._vector(place, 1)
            if self._content[start + length : start + length + 1] != b"\0":
                raise ValueError(f"the string at byte {start} has no end")
            return self._content[start : start + length].decode("utf-8", "replace")
        if what == "[data]":
            start, length = self._vector(place, 1)
            return memoryview(self._content)[start : start + length]
        if what.startswith("["):
            element = what[1:-1]
            if element not in self._schema:
                return self.numbers(place, element)
            start, count = self._vector(place, 4)
            offsets = self._unpack(f"{count}I", start)
            return [self.table(start + 4 * i + offset, element) for i, offset in enumerate(offsets)]
        if what in self._schema:
            return self.table(place + self._unpack("I", place)[0], what)
        if place + struct.calcsize(what) > end:
            raise ValueError(f"the number at byte {place} is not inside its table")
        return self._unpack(what, place)[0]

    def _vector(self, place: int, width: int) -> tuple[int, int]:
        """Where the elements that an offset leads to begin, and how many they are."""
        start = place + self._unpack("I", place)[0]
        (count,) = self._unpack("I", start)
        start += 4
        if start + count * width > len(self._content) or start % min(width, 4):
            raise ValueError(f"the vector at byte {start} is not inside the file")
        return start, count

    def _unpack(self, layout: str, start: int) -> tuple[Any, ...]:
        if start < 0 or start + struct.calcsize(f"<{layout}") > len(self._content):
            raise ValueError(f"an offset leads to byte {start} of {len(self._content)}")
        return struct.unpack_from(f"<{layout}", self._content, start)
