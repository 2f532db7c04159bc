"""Pieces of C source text: names, strings and arrays.

What an artifact says becomes strings, escaped, and nothing else: nobody's label is compiled as code.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable, Iterator
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

_WIDTH = 120
_LONGEST_TEXT = 1000  # bytes; C99 promises 4,095 in all of a literal

# What may not be a name: words of C, C++ and compilers, names of the C library, of its headers and of Arduino, files
# that Windows cannot have, and those that the files of `to-c` use themselves.
_TAKEN = frozenset((Path(__file__).parent / "taken_words.txt").read_text("ascii").split())


def identifier(name: str) -> str:
    """A name of C and C++ that resembles this one, in ASCII; ``model_NAME`` where that is none, or is taken.

    >>> identifier("Fashion-MNIST 28 x 28"), identifier("int"), identifier("3d")
    ('fashion_mnist_28_x_28', 'model_int', 'model_3d')
    """
    plain = unicodedata.normalize("NFKD", name).encode("ascii", "ignore").decode()
    made = re.sub(r"[^0-9a-z]+", "_", plain.lower())[:60].strip("_")
    if not made:
        return "model"
    if made[0].isdigit() or made in _TAKEN or made.startswith("camlite"):
        return f"model_{made}"
    return made


def string(text: str) -> str:
    """A string literal of UTF-8: only letters, digits and harmless signs stand for themselves."""
    content = text.encode("utf-8", "replace")
    if len(content) > _LONGEST_TEXT:
        content = content[: _LONGEST_TEXT - 3].decode("utf-8", "ignore").encode() + b"..."
    return '"' + "".join(_escaped(byte) for byte in content) + '"'


def _escaped(byte: int) -> str:
    """Three octal digits end by themselves; `?` could begin a trigraph."""
    harmless = 0x20 <= byte < 0x7F and chr(byte) not in '"\\?'
    return chr(byte) if harmless else f"\\{byte:03o}"


def numbers(values: Iterable[int] | bytes | NDArray[np.generic]) -> Iterator[str]:
    """The lines of an array's numbers: integers in decimal, float32 so that a compiler reads the same bits."""
    if isinstance(values, bytes):
        return _lines(map(str, values))
    array = np.asarray(values)
    if array.dtype.kind == "f":
        return _lines(_float(one) for one in array.ravel())
    return _lines(str(int(one)) for one in array.ravel())


def real(value: float) -> str:
    """A float32 as C reads it back, to the bit."""
    return _float(np.float32(value))


def _float(value: np.float32) -> str:
    text = format(float(value), ".9g")
    return f"{text}f" if any(mark in text for mark in ".e") else f"{text}.0f"


def _lines(words: Iterable[str]) -> Iterator[str]:
    line = ""
    for word in words:
        if len(line) + len(word) + 2 > _WIDTH:
            yield f"    {line}\n"
            line = ""
        line += f"{word},"
    if line:
        yield f"    {line}\n"
