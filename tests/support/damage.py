"""What accidents and enemies do to files of every kind that camlite reads, the same for the same seed.

Each function takes the content of a whole file and gives a damaged one: bytes anywhere, or what stands in them where
the form is known (JSON, XML, zips, HDF5), so that readers are met behind their first look, too.
"""

from __future__ import annotations

import io
import json
import random
import re
import struct
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

from support.mutants import flip, npy_claiming, stretch

Damage = Callable[[bytes, random.Random], bytes]

_JUNK_TEXT = (
    *(
        "",
        " ",
        "\x1b[31m",
        "\u202e",
        "-1",
        "0",
        "1e308",
        "nan",
        "9" * 5000,
        "x" * 70_000,
        "None",
        "../../x",
        "/dev/zero",
    ),
    *("a\nb", "\ud7ff", "²", "1.5", "%s", "{0}", "&", "<", "$x$"),
)
_JUNK: tuple[Any, ...] = (
    *(None, True, -1, 0, 1.5, 1 << 70, 1e308, float("nan"), float("-inf"), "\ud800", [], {}, [[]], [None] * 9),
    *({"a": {}}, [1.5, "a"], *_JUNK_TEXT),
)


def any_bytes(content: bytes, chance: random.Random) -> bytes:
    """Flipped, lost, doubled, zeroed, cut off, or random."""
    harm = chance.randrange(7)
    if not content or harm == 0:
        return chance.randbytes(chance.choice([0, 1, 9, 5000]))
    if harm == 1:
        return content[: chance.randrange(len(content))]
    if harm == 2:
        return stretch(content, chance, lambda part: bytes(len(part)))
    if harm == 3:
        return stretch(content, chance, lambda part: part * chance.choice([0, 2]))
    if harm == 4:
        place = chance.randrange(len(content))
        return content[:place] + chance.choice(_JUNK_TEXT).encode("utf-8", "surrogatepass") + content[place:]
    return flip(content, chance)


def text(content: bytes, chance: random.Random) -> bytes:
    """Another coding, odd lines, or any bytes."""
    lines = content.decode().splitlines()
    harm = chance.randrange(6)
    if harm == 0:
        return content.decode().encode(chance.choice(["utf-16", "utf-32", "utf-8-sig", "utf-7", "cp500"]))
    if harm == 1:
        lines[chance.randrange(len(lines))] = chance.choice(_JUNK_TEXT)
    elif harm == 2:
        lines.insert(chance.randrange(len(lines) + 1), chance.choice(_JUNK_TEXT))
    elif harm == 3:
        chance.shuffle(lines)
        lines = lines[: chance.randrange(len(lines) + 1)]
    else:
        return any_bytes(content, chance)
    return "\n".join(lines).encode("utf-8", "surrogatepass")


def json_values(content: bytes, chance: random.Random) -> bytes:
    """One value, at any depth, replaced, left out or doubled; or deeper than any reader goes; or any bytes."""
    harm = chance.randrange(8)
    if harm == 0:
        return any_bytes(content, chance)
    if harm == 1:
        depth = chance.choice([1000, 100_000])
        return chance.choice([b"[" * depth, b'{"a":' * depth, b"[" * depth + b"]" * depth])
    root = {"": json.loads(content)}
    place: Any = root
    while True:
        keys = list(place) if isinstance(place, dict) else list(range(len(place)))
        key = chance.choice(keys)
        inner = place[key]
        if not isinstance(inner, (dict, list)) or not inner or (place is not root and chance.random() < 0.3):
            break
        place = inner
    if harm == 2 and place is not root:
        del place[key]
    elif harm == 3 and isinstance(place, list):
        place.append(place[key])
    else:
        place[key] = chance.choice(_JUNK)
    return json.dumps(root[""]).encode()


def xml(content: bytes, chance: random.Random) -> bytes:
    """Texts, tags, declarations and entities; or any bytes."""
    source = content.decode()
    harm = chance.randrange(7)
    if harm == 0:
        coding = chance.choice(["x-unknown", "utf-16", "utf-7", "cp037", "idna", "rot13", "utf-8\x00", "hex", "zlib"])
        return f'<?xml version="1.0" encoding="{coding}"?>\n{source}'.encode()
    if harm == 1:
        entities = "".join(f'<!ENTITY e{n} "{f"&e{n - 1};" * 10 if n else "ha"}">' for n in range(9))
        outside = '<!ENTITY e8 SYSTEM "file:///etc/passwd">'
        return f"<!DOCTYPE a [{chance.choice([entities, outside])}]>{source.replace('>', '>&e8;', 1)}".encode()
    if harm == 2:
        return b"<a>" * chance.choice([1000, 100_000])
    places = list(re.finditer(r">([^<>]+)<", source)) if harm in (3, 4) else list(re.finditer(r"</?(\w+)", source))
    if harm == 6:
        return any_bytes(content, chance)
    one = chance.choice(places)
    junk = (
        chance.choice(_JUNK_TEXT).replace("&", "&amp;").replace("<", "&lt;") if harm == 3 else chance.choice(["", "x"])
    )
    return (source[: one.start(1)] + junk + source[one.end(1) :]).encode("utf-8", "surrogatepass")


def zipped(content: bytes, chance: random.Random) -> bytes:
    """An entry of a zip, packed again; the zip's own numbers; or any bytes."""
    harm = chance.randrange(6)
    if harm == 0:
        return any_bytes(content, chance)
    if harm == 1:  # flags (1: encrypted) and methods, in the headers before the data and at the end
        changed, field, value = (
            bytearray(content),
            chance.choice([0, 2]),
            chance.choice([1, 9, 12, 14, 93, 95, 99, 65535]),
        )
        for mark, offset in ((b"PK\3\4", 6), (b"PK\1\2", 8)):
            for found in re.finditer(mark, content):
                struct.pack_into("<H", changed, found.start() + offset + field, value)
        return bytes(changed)
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        entries = {name: archive.read(name) for name in archive.namelist()}
    name = chance.choice(list(entries))
    if harm == 2 and name.endswith(".npy"):
        shape = chance.choice(
            ["()", "(0,)", "(-1,)", "(3, 4)", "(1 << 60,)", "(4294967296, 4294967296)", "(2, 2, 2, 2, 2)"]
        )
        dtype = chance.choice(["<f8", "|u1", "|O", "<U9", "|V4", "<m8", "<c16", "|b1", "<i8", "garbage"])
        entries[name] = npy_claiming(dtype, shape, bytes(chance.choice([0, 12, 16])))
    elif harm == 3:
        del entries[name]
    elif name.endswith(".json"):
        entries[name] = json_values(entries[name], chance)
    elif name.endswith(".h5"):
        entries[name] = hdf5(entries[name], chance)
    else:
        entries[name] = any_bytes(entries[name], chance)
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        for each, body in entries.items():
            archive.writestr(each, body)
    return buffer.getvalue()


def hdf5(content: bytes, chance: random.Random) -> bytes:
    """A text of an HDF5 file that holds JSON; data sets and groups; or any bytes."""
    harm = chance.randrange(5)
    try:
        return any_bytes(content, chance) if harm < 2 else _hdf5_values(content, harm, chance)
    except (ValueError, TypeError, OSError, RuntimeError):  # h5py writes no such value
        return any_bytes(content, chance)


def _hdf5_values(content: bytes, harm: int, chance: random.Random) -> bytes:
    import h5py

    memory = io.BytesIO(content)
    with h5py.File(memory, "r+") as file:
        if harm == 2 and "model_config" in file.attrs:
            config = file.attrs["model_config"]
            config = config if isinstance(config, bytes) else config.encode()
            file.attrs["model_config"] = json_values(config, chance)
            file.flush()
            return memory.getvalue()
        names: list[str] = []
        file.visit(names.append)
        name = chance.choice(names)
        if harm == 3:
            del file[name]
        else:
            attributes = list(file[name].attrs) or list(file.attrs)
            if attributes:
                owner = file[name] if list(file[name].attrs) else file
                owner.attrs[chance.choice(attributes)] = chance.choice([0, "x", b"\xff", [1.5, 2], "9" * 5000])
    return memory.getvalue()


BY_SUFFIX: dict[str, Damage] = {
    ".json": json_values,
    ".xml": xml,
    ".npz": zipped,
    ".keras": zipped,
    ".h5": hdf5,
    ".txt": text,
    ".pub": text,
    ".key": text,
    ".avi": any_bytes,
}


def of(path: Path, chance: random.Random) -> bytes:
    """A damaged version of a whole file, by its suffix."""
    return BY_SUFFIX.get(path.suffix, any_bytes)(path.read_bytes(), chance)
