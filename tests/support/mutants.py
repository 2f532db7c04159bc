"""Artifacts as an accident or an enemy leaves them: one operator a kind of harm, the same mutants for the same seed.

The first operators are those of accidents, and the seal notices them. The others make a seal that fits, as anybody
can: what they leave is refused for what it is, or is an artifact in every respect.
"""

from __future__ import annotations

import base64
import hashlib
import io
import json
import pickle
import random
import zipfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from camlite import artifact
from camlite.artifact import arrays, card, map_choice
from support.small_artifacts import seal

_EPOCH = (1980, 1, 1, 0, 0, 0)
_SIDES = ("0", "-1", "3", "4", "65536", "4294967296", "18446744073709551616", "10" * 30)
_DTYPES = ("<f8", ">f4", "<f2", "|u1", "|O", "<U9", "|V4", "<m8", "garbage", "")
_NAMES = (
    "../../etc/passwd",
    "/etc/passwd",
    "..\\..\\boot.ini",
    "weights.npy/",
    "\0",
    "a" * 5000,
    "card.json ",
    "CARD.JSON",
)
_JUNK = (None, True, -1, 0, 1 << 40, 1e308, "", "\x1b[2J", "\ud800", "x" * 70_000, [], {}, [[]], [1.5, "a"], {"a": {}})


@dataclass(frozen=True)
class Parent:
    """A whole artifact, taken apart; `entries` are ``card.json`` and ``NAME.npy``."""

    content: bytes
    container: artifact.Container
    model: bytes
    entries: Mapping[str, bytes]

    def seal(self, entries: Sequence[tuple[str, bytes]], model: bytes | None = None) -> bytes:
        """An artifact of other entries, whose seal fits; they may be there twice."""
        model = self.model if model is None else model
        if self.container == "tflite":
            buffer = io.BytesIO(model)
            buffer.seek(len(model))
            _zip(buffer, entries, comment=84)
            content = buffer.getvalue()[:-84]
            return content + seal(content[len(model) :])
        packed = io.BytesIO()
        _zip(packed, [entry for entry in entries if entry[0] != "card.json"], comment=0)
        cards = b"".join(_property(b"camlite.card", body) for name, body in entries if name == "card.json")
        payload = cards + _property(b"camlite.arrays", base64.b64encode(packed.getvalue()))
        return model + payload + _property(b"camlite.seal", seal(payload))

    def card(self) -> dict:
        return json.loads(self.entries["card.json"])

    def with_entry(self, name: str, content: bytes) -> bytes:
        return self.seal([*(self.entries | {name: content}).items()])

    def with_card(self, card: Mapping | Sequence | str, model: bytes | None = None) -> bytes:
        text = card if isinstance(card, str) else json.dumps(card)
        return self.seal([*(self.entries | {"card.json": text.encode()}).items()], model)


def parent(path: Path) -> Parent:
    """Take an artifact apart; class weights that the model has are written out, and so have no rest."""
    read = artifact.read(path)
    entries = {"card.json": card.to_json(read.card).encode()}
    for name in (one for one in arrays.ARRAY_DTYPES if one != "weights_rest"):
        array = getattr(read.arrays, name)
        if array is not None:
            entries[f"{name}.npy"] = _npy(array)
    if read.arrays.maps is not None:
        entries["maps.json"] = map_choice.to_json(read.arrays.maps).encode()
    return Parent(path.read_bytes(), read.container, read.model, entries)


def mutants(parents: Sequence[Parent], count: int, seed: int) -> Iterator[tuple[str, bytes]]:
    """So many (operator, content), the operators in turn."""
    for index in range(count):
        chance = random.Random(seed * 1_000_003 + index)
        operator = OPERATORS[index % len(OPERATORS)]
        one, other = chance.sample(parents, 2)
        content = operator(one, other, chance)
        # Zeros where zeros were, and the like, are no harm.
        yield operator.__name__, content if content != one.content else flipped_bits(one, other, chance)


def flipped_bits(one: Parent, _: Parent, chance: random.Random) -> bytes:
    return flip(one.content, chance)


def truncated(one: Parent, _: Parent, chance: random.Random) -> bytes:
    return one.content[: chance.randrange(len(one.content))]


def zeroed(one: Parent, _: Parent, chance: random.Random) -> bytes:
    return stretch(one.content, chance, lambda part: bytes(len(part)))


def shortened(one: Parent, _: Parent, chance: random.Random) -> bytes:
    return stretch(one.content, chance, lambda _: b"")


def lengthened(one: Parent, _: Parent, chance: random.Random) -> bytes:
    return stretch(one.content, chance, lambda part: part * 2)


def spliced(one: Parent, other: Parent, chance: random.Random) -> bytes:
    return one.content[: chance.randrange(len(one.content))] + other.content[chance.randrange(len(other.content)) :]


def flipped_in_the_payload(one: Parent, _: Parent, chance: random.Random) -> bytes:
    """Under a seal that fits: the zip's own numbers, names and streams."""
    start, end = len(one.model), len(one.content) - 84
    if one.container == "onnx":
        name = chance.choice(list(one.entries))
        return one.with_entry(name, flip(one.entries[name], chance))
    payload = flip(one.content[start:end], chance)
    return one.model + payload + seal(payload)


def bomb(one: Parent, _: Parent, chance: random.Random) -> bytes:
    """Zeros that unpack to a thousand times their size, as an array, as a card, or beside them."""
    name = chance.choice([*one.entries, "golden_errors.npy", "more.npy"])
    return one.with_entry(name, bytes(chance.choice([1 << 20, 1 << 22, 30 << 20])))


def path_in_the_zip(one: Parent, _: Parent, chance: random.Random) -> bytes:
    return one.with_entry(chance.choice(_NAMES), one.entries["golden_images.npy"])


def twice(one: Parent, other: Parent, chance: random.Random) -> bytes:
    name = chance.choice(list(one.entries))
    entries = [*one.entries.items(), (name, other.entries.get(name, b""))]
    chance.shuffle(entries)
    return one.seal(entries)


def giant_shape(one: Parent, _: Parent, chance: random.Random) -> bytes:
    name = chance.choice([name for name in one.entries if name != "card.json"])
    shape = ", ".join(chance.choice(_SIDES) for _ in range(chance.randrange(6)))
    return one.with_entry(name, npy_claiming("<f4", f"({shape},)" if shape else "()", bytes(chance.randrange(99))))


def wrong_dtype(one: Parent, _: Parent, chance: random.Random) -> bytes:
    name = chance.choice([name for name in one.entries if name != "card.json"])
    return one.with_entry(name, npy_claiming(chance.choice(_DTYPES), "(3,)", bytes(12)))


def pickled(one: Parent, _: Parent, chance: random.Random) -> bytes:
    name = chance.choice([name for name in one.entries if name != "card.json"])
    content = pickle.dumps(_Trap())
    return one.with_entry(name, chance.choice([content, npy_claiming("|O", "(1,)", content)]))


def card_of_another(one: Parent, other: Parent, _: random.Random) -> bytes:
    return one.with_card(other.card())


def deep_json(one: Parent, _: Parent, chance: random.Random) -> bytes:
    depth = chance.choice([10, 1000, 100_000, 1_000_000])
    text = chance.choice(["[" * depth, "[" * depth + "]" * depth, '{"a":' * depth, f"[{'[],' * depth}0]"])
    return one.with_card(chance.choice([text, json.dumps({**one.card(), "labels": 0}).replace(": 0", f": {text}")]))


def odd_card(one: Parent, _: Parent, chance: random.Random) -> bytes:
    """One value of the card, at any depth, replaced by another kind of thing, or left out, or one more."""
    return one.with_card(_odd(one.card(), chance))


def odd_maps(one: Parent, other: Parent, chance: random.Random) -> bytes:
    """The same of ``maps.json``; where there is none, that of another artifact, or what an empty one could be."""
    maps = one.entries.get("maps.json")
    if maps is None:
        return one.with_entry("maps.json", other.entries.get("maps.json", b"{}"))
    return one.with_entry("maps.json", json.dumps(_odd(json.loads(maps), chance)).encode())


def _odd(content: dict, chance: random.Random) -> dict:
    place = content
    while True:
        name = chance.choice(list(place))
        if not isinstance(place[name], dict) or chance.random() < 0.3:
            break
        place = place[name] or {"a": "b"}
    if chance.random() < 0.1:
        del place[name]
    else:
        place[chance.choice([name, name, name, "more"])] = chance.choice(_JUNK)
    return content


def odd_model(one: Parent, other: Parent, chance: random.Random) -> bytes:
    """Other model bytes, with a digest and a seal that fit."""
    harm = chance.choice([flipped_bits, truncated, zeroed, shortened, lengthened, spliced])
    model = harm(*(Parent(each.model, each.container, each.model, {}) for each in (one, other)), chance)
    return one.with_card({**one.card(), "model_sha256": hashlib.sha256(model).hexdigest()}, model)


OPERATORS: tuple[Callable[[Parent, Parent, random.Random], bytes], ...] = (
    flipped_bits,
    truncated,
    zeroed,
    shortened,
    lengthened,
    spliced,
    flipped_in_the_payload,
    bomb,
    path_in_the_zip,
    twice,
    giant_shape,
    wrong_dtype,
    pickled,
    card_of_another,
    deep_json,
    odd_card,
    odd_maps,
    odd_model,
)
# Some of whose mutants are artifacts in every respect: another name, another weight.
MAY_BE_SOUND = frozenset({"flipped_in_the_payload", "odd_card", "odd_maps", "odd_model"})


def flip(content: bytes, chance: random.Random) -> bytes:
    """One to eight bits flipped."""
    changed = bytearray(content)
    for _ in range(chance.randint(1, 8)):
        changed[chance.randrange(len(changed))] ^= 1 << chance.randrange(8)
    return bytes(changed)


def stretch(content: bytes, chance: random.Random, change: Callable[[bytes], bytes]) -> bytes:
    """A stretch of up to 4096 bytes changed."""
    start = chance.randrange(len(content))
    end = start + chance.randint(1, 4096)
    return content[:start] + change(content[start:end]) + content[end:]


def npy_claiming(dtype: str, shape: str, body: bytes) -> bytes:
    """An ``.npy`` whose header says what it likes."""
    header = f"{{'descr': {dtype!r}, 'fortran_order': False, 'shape': {shape}, }}".encode()
    padded = header + b" " * (-(len(header) + 11) % 64) + b"\n"
    return b"\x93NUMPY\1\0" + len(padded).to_bytes(2, "little") + padded + body


class _Trap:
    """Ends the process where it is unpickled."""

    def __reduce__(self) -> tuple:
        import os

        return os._exit, (66,)


def _npy(array: np.ndarray) -> bytes:
    buffer = io.BytesIO()
    np.save(buffer, np.ascontiguousarray(array))
    return buffer.getvalue()


def _zip(buffer: io.BytesIO, entries: Sequence[tuple[str, bytes]], comment: int) -> None:
    with zipfile.ZipFile(buffer, "a", zipfile.ZIP_DEFLATED, compresslevel=1) as archive:
        written: set[str] = set()
        for name, content in entries:
            entry = zipfile.ZipInfo(name, _EPOCH)
            entry.compress_type = zipfile.ZIP_DEFLATED
            if name in written:  # zipfile warns of what is meant here
                archive.NameToInfo.pop(entry.filename, None)
            written.add(name)
            archive.writestr(entry, content)
        archive.comment = bytes(comment)


def _property(key: bytes, value: bytes) -> bytes:
    def field(tag: bytes, content: bytes) -> bytes:
        length, digits = len(content), bytearray()
        while length > 0x7F:
            digits.append(length & 0x7F | 0x80)
            length >>= 7
        return tag + bytes(digits) + bytes([length]) + content

    return field(b"\x72", field(b"\x0a", key) + field(b"\x12", value))
