"""The pictures that a command line means: files, folders, patterns, standard input."""

from __future__ import annotations

import re
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from camlite.errors import ImageError
from camlite.images import picture_files
from camlite.show.drawing import STYLES

STANDARD_INPUT = "-"
_DRAWN = rf"\.({'|'.join(STYLES)})\.png$"


def expand(argument: str) -> list[str]:
    """Names of the pictures that an argument of the command line stands for, in order.

    A folder stands for the picture files in it, without those that `camlite explain` has drawn; a pattern
    (``photos/**/*.jpg``) for the files that match it, where the shell has not expanded it.

    Raises:
        ImageError: a folder or a pattern without pictures.
    """
    path = Path(argument)
    if path.is_dir():
        names = [str(file) for file in sorted(path.iterdir()) if is_picture(file)]
        if not names:
            raise ImageError(f"{argument}: no pictures in this folder; expected files such as {_examples()}")
        return names
    if path.exists():
        return [argument]
    import glob  # few calls need it, and start sooner

    if glob.has_magic(argument):
        found = glob.glob(argument, recursive=True)  # noqa: PTH207 - Path.glob takes no absolute pattern
        names = sorted(name for name in found if Path(name).is_file())
        if not names:
            raise ImageError(f"{argument}: no file matches this pattern; check it")
        return names
    return [argument]


def is_picture(file: Path) -> bool:
    """Whether a name in a folder is that of a picture, and not of one that was drawn by camlite."""
    other = file.name.startswith(".") or re.search(_DRAWN, file.name)
    return file.suffix.lower() in picture_files.SUFFIXES and not other and file.is_file()


def read(name: str) -> NDArray[np.uint8]:
    """The pixels of a file, or of standard input."""
    return (
        picture_files.decode(sys.stdin.buffer.read(), name)
        if name == STANDARD_INPUT
        else picture_files.read_image(name)
    )


def drawn_names(names: Sequence[str], style: str) -> Iterator[str]:
    """``STEM.STYLE.png``; a stem that comes again gets a number, so that no picture replaces another."""
    taken: set[str] = set()
    for name in names:
        stem = "stdin" if name == STANDARD_INPUT else Path(name).stem
        drawn, count = f"{stem}.{style}.png", 1
        while drawn in taken:
            count += 1
            drawn = f"{stem}.{count}.{style}.png"
        taken.add(drawn)
        yield drawn


def _examples() -> str:
    return ", ".join(sorted(picture_files.SUFFIXES)[:4])
