"""Every number of a TFLite model that its schema knows, and models in which one or two of them are others.

Flipped bits seldom leave a structure that is right; these do: an option, a shape, an axis, a scale, an index that some
kernel does not expect.
"""

from __future__ import annotations

import collections
import random
import struct
from collections.abc import Iterator
from typing import NamedTuple

from camlite.soundness.flatbuffer import Reader
from camlite.soundness.tflite_schema import SCHEMA

_VALUES = (
    *(0, 1, -1, 2, -2, 3, -3, 4, 5, 7, 8, 9, 16, 24, 32, 64, 100, -100, 127, 128, 255, 256, 1000, 32767, 65535),
    *(1 << 20, (1 << 31) - 1, -(1 << 31), -(1 << 31) + 1),
)
_FLOATS = (0.0, -1.0, 1.0, 1e-45, 1e-30, 1e30, 3e38, float("inf"), float("nan"))
_MOST_ELEMENTS = 64  # of a vector, and bytes of a constant: axes, paddings, sizes; not weights


class Number(NamedTuple):
    """Where a number is, what it belongs to, and its letter in `struct`; `absent`: takes its field away."""

    path: tuple[str, ...]
    place: int
    letter: str


def numbers(model: bytes) -> list[Number]:
    """All of them."""
    return list(_Numbers(model).of_table(_unpack(model, "I", 0), "Model", ()))


def changed(model: bytes, known: list[Number], chance: random.Random) -> bytes:
    """One or two numbers changed; half of the time each kind of number has the same chance, however many there are."""
    kinds = collections.defaultdict(list)
    for number in known:
        kinds[number.path].append(number)
    other = bytearray(model)
    for _ in range(chance.choice([1, 1, 1, 2])):
        number = chance.choice(kinds[chance.choice(sorted(kinds))] if chance.random() < 0.5 else known)
        if number.letter == "absent":
            struct.pack_into("<H", other, number.place, 0)
        elif number.letter == "f":
            struct.pack_into("<f", other, number.place, chance.choice(_FLOATS))
        else:
            near = _unpack(other, number.letter, number.place) + chance.choice([1, -1, 2, -2])
            value = chance.choice(_VALUES) if chance.random() < 0.8 else near
            width = struct.calcsize(number.letter)
            other[number.place : number.place + width] = (value % (1 << 8 * width)).to_bytes(width, "little")
    return bytes(other)


class _Numbers:
    def __init__(self, model: bytes) -> None:
        self._model, self._reader, self._seen = model, Reader(model, SCHEMA), set[tuple[int, str]]()

    def of_table(self, start: int, kind: str, path: tuple[str, ...]) -> Iterator[Number]:
        if (start, kind) in self._seen:
            return
        self._seen.add((start, kind))
        places, _ = self._reader.places(start)
        vtable = start - _unpack(self._model, "i", start)
        yield from (Number((*path, "absent"), vtable + 4 + 2 * k, "absent") for k, place in enumerate(places) if place)
        if kind == "Options":  # of whatever widths
            yield from (Number((*path, letter), place, letter) for place in places if place for letter in "ib")
            return
        for place, field in zip(places, SCHEMA[kind], strict=False):
            name, _, what = field.partition(" ")
            if place:
                yield from self._of_field(place, what, (*path, name))

    def _of_field(self, place: int, what: str, path: tuple[str, ...]) -> Iterator[Number]:
        if what.startswith("["):
            yield from self._of_vector(place + _unpack(self._model, "I", place), what[1:-1], path)
        elif what in SCHEMA:
            yield from self.of_table(place + _unpack(self._model, "I", place), what, path)
        elif what != "str":
            yield Number(path, place, what)

    def _of_vector(self, start: int, element: str, path: tuple[str, ...]) -> Iterator[Number]:
        count = _unpack(self._model, "I", start)
        yield Number((*path, "count"), start, "I")
        for k in range(count if element in SCHEMA else 0):
            place = start + 4 + 4 * k
            yield from self.of_table(place + _unpack(self._model, "I", place), element, path)
        if element == "data":
            element, count = "i", count // 4 if count <= _MOST_ELEMENTS else 0
        if element not in SCHEMA:
            width = struct.calcsize(element)
            yield from (Number(path, start + 4 + width * k, element) for k in range(min(count, _MOST_ELEMENTS)))


def _unpack(content: bytes | bytearray, letter: str, place: int) -> int:
    value: int = struct.unpack_from(f"<{letter}", content, place)[0]
    return value
