"""The pictures that a command line means: files, folders, patterns, standard input."""

from __future__ import annotations

import contextlib
import itertools
import os
import re
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import BinaryIO

import numpy as np
from numpy.typing import NDArray

from camlite.errors import ImageError
from camlite.images import picture_files
from camlite.show.drawing import STYLES
from camlite.system import files

STANDARD_INPUT = "-"
_MOST_BYTES = 1 << 28  # of a pipe: a program may write there for ever
_DRAWN = rf"\.({'|'.join(STYLES)})\.png$"


def expand(argument: str) -> list[str]:
    """Names of the pictures that an argument of the command line stands for, in order.

    A folder stands for the picture files in it, without those that `camlite explain` has drawn; a pattern
    (``photos/**/*.jpg``) for the files that match it, where the shell has not expanded it. Drawn ones are left out,
    unless it matches nothing else. Folders that cannot be read are named, too, so that nobody misses their pictures
    unawares: see `read`.

    Raises:
        ImageError: a folder or a pattern without pictures.
    """
    path = Path(argument)
    if files.is_folder(path):
        try:
            names = [str(file) for file in sorted(path.iterdir()) if is_picture(file)]
        except OSError as error:
            raise ImageError(f"{argument}: cannot read this folder ({error.strerror}); check its permissions") from None
        if not names:
            raise ImageError(f"{argument}: no pictures in this folder; {_hint(path)}")
        return names
    if os.path.lexists(path):
        return [argument]
    import glob  # few calls need it, and start sooner

    if glob.has_magic(argument):
        found = glob.glob(argument, recursive=True)  # noqa: PTH207 - Path.glob takes no absolute pattern
        matching = [name for name in found if files.is_file(name)]
        names = [name for name in matching if not re.search(_DRAWN, name)] or matching
        if "**" in argument:
            names += _unreadable_folders(argument)
        if not names:
            raise ImageError(f"{argument}: no file matches this pattern; check it")
        return sorted(names)
    return [argument]


def _unreadable_folders(pattern: str) -> Iterator[str]:
    """Those that ``**`` would look into, but may not; it skips hidden ones."""
    import glob

    fixed = itertools.takewhile(lambda part: not glob.has_magic(part), Path(pattern).parts)
    failed: list[OSError] = []
    for _, folders, _ in os.walk(Path(*fixed), onerror=failed.append):
        folders[:] = [name for name in folders if not name.startswith(".")]
    return (str(Path(error.filename)) for error in failed if not isinstance(error, FileNotFoundError))


def _hint(folder: Path) -> str:
    """What to give in place of a folder without pictures: those of its folders, as calibration pictures have them."""
    import shlex

    for inner in sorted(filter(files.is_folder, folder.iterdir())):
        with contextlib.suppress(OSError):  # it may not be read
            for file in filter(is_picture, inner.iterdir()):
                return f"for those in the folders below it, give {shlex.quote(f'{folder}/**/*{file.suffix}')}"
    return f"expected files such as {_examples()}"


def is_picture(file: Path) -> bool:
    """Whether a file in a folder is a picture by its name, not hidden, and not one that was drawn by camlite."""
    return picture_files.has_picture_name(file) and not re.search(_DRAWN, file.name) and picture_files.may_be_file(file)


def read(name: str) -> NDArray[np.uint8]:
    """The pixels of a file, of a pipe that was named, or of standard input.

    Raises:
        ImageError: see `camlite.images.picture_files.read_image`; or a pipe has more than `_MOST_BYTES`, standard
            input is closed, or it is a folder that cannot be read.
    """
    if name == STANDARD_INPUT:
        if sys.stdin is None:
            raise ImageError("standard input is closed; expected the bytes of a picture there")
        return _piped(sys.stdin.buffer, "standard input")
    path = Path(name)
    if files.is_folder(path):  # see `expand`
        raise ImageError(f"{name}: cannot read this folder; check its permissions, or leave it out")
    try:
        if path.is_fifo():  # as in ``camlite explain ARTIFACT <(curl ...)``
            with path.open("rb") as pipe:
                return _piped(pipe, name)
    except OSError as error:
        raise ImageError(f"{name}: cannot read it ({error.strerror}); check the path") from None
    return picture_files.read_image(name)


def _piped(pipe: BinaryIO, name: str) -> NDArray[np.uint8]:
    content = pipe.read(_MOST_BYTES + 1)
    if len(content) > _MOST_BYTES:
        raise ImageError(f"{name}: more than {_MOST_BYTES} bytes; expected those of one picture")
    return picture_files.decode(content, name)


def drawn_names(names: Sequence[str], style: str) -> Iterator[str]:
    """``STEM.STYLE.png``; a stem that comes again gets a number, so that no picture replaces another."""
    taken: set[str] = set()
    for name in names:
        stem = "stdin" if name == STANDARD_INPUT else files.fitting(Path(name).stem, len(f".12345678.{style}.png"))
        drawn, count = f"{stem}.{style}.png", 1
        while drawn in taken:
            count += 1
            drawn = f"{stem}.{count}.{style}.png"
        taken.add(drawn)
        yield drawn


def _examples() -> str:
    return ", ".join(sorted(picture_files.SUFFIXES)[:4])
