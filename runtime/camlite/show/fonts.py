"""Fonts for text in pictures: Pillow's own, and those of the system that have what it lacks.

No font has all characters: Droid's and Noto's fonts for Chinese, Japanese and Korean may have no digits, and the others
have none of theirs. So each character is drawn in a font that has it, and a text in as few fonts as can be.
"""

from __future__ import annotations

import functools
import os
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from camlite.images import picture_files

OWN = ""
"""In place of a file: Pillow's own font, which has ASCII only."""

# They are tried first, in this order: plain ones of Debian, Raspberry Pi OS, Windows and macOS, then those for Chinese,
# Japanese and Korean. The others of the system come behind them.
_FIRST = (
    *("DejaVuSans.ttf", "NotoSans-Regular.ttf", "arial.ttf", "Arial Unicode.ttf"),
    *("NotoSansCJK-Regular.ttc", "DroidSansFallbackFull.ttf", "ipag.ttf", "wqy-zenhei.ttc", "msgothic.ttc", "msyh.ttc"),
    *("malgun.ttf", "ヒラギノ角ゴシック W3.ttc", "PingFang.ttc", "AppleSDGothicNeo.ttc"),
)
_SUFFIXES = (".ttf", ".ttc", ".otf")
_MOST_FILES = 1000  # to look into one takes about a millisecond
_PROBE = 13  # pixels, the size at which fonts are looked into


def files_of(text: str) -> Mapping[str, str]:
    """For each character of a text the file of a font that has it, or `OWN`; those that no font here has are left out.

    In the first font that has all of them, else in as few as the order of the fonts allows.
    """
    wanted = frozenset(text)
    if _own_grows() and text.isascii() and text.isprintable():
        return dict.fromkeys(wanted, OWN)
    return _files_of(wanted, folders())


def opened(file: str, size: int) -> Any:
    """Pillow's font of a file, or its own, at a size in pixels."""
    return _opened(file, size)


def missing(text: str) -> str:
    """The characters of a text that no font here has, in order."""
    found = files_of(text)
    return "".join(dict.fromkeys(one for one in text if one not in found))


def folders() -> tuple[str, ...]:
    """The folders of the system and of the user that fonts are installed in."""
    home = os.environ.get("USERPROFILE" if sys.platform == "win32" else "HOME", "")
    if sys.platform == "win32":
        local = os.environ.get("LOCALAPPDATA", f"{home}/AppData/Local")
        return f"{os.environ.get('WINDIR', 'C:/Windows')}/Fonts", f"{local}/Microsoft/Windows/Fonts"
    if sys.platform == "darwin":
        return "/System/Library/Fonts", "/Library/Fonts", f"{home}/Library/Fonts"
    data = os.environ.get("XDG_DATA_DIRS") or "/usr/local/share:/usr/share"
    own = os.environ.get("XDG_DATA_HOME") or f"{home}/.local/share"
    return f"{home}/.fonts", *(f"{folder}/fonts" for folder in (own, *data.split(":")))


@functools.lru_cache(maxsize=4)
def _files(searched: tuple[str, ...]) -> tuple[str, ...]:
    """All fonts of these folders, the well-known first, then the regular ones."""
    found = [
        f"{folder}/{name}"
        for one in searched
        for folder, _, names in os.walk(one)
        for name in names
        if name.lower().endswith(_SUFFIXES) and "LastResort" not in name  # it draws boxes for all
    ]
    return tuple(sorted(found, key=_order)[:_MOST_FILES])


def _order(file: str) -> tuple[int, bool, str]:
    name = Path(file).name
    return _FIRST.index(name) if name in _FIRST else len(_FIRST), "Regular" not in name, file


@functools.lru_cache(maxsize=4096)
def _files_of(wanted: frozenset[str], searched: tuple[str, ...]) -> Mapping[str, str]:
    drawable = {one for one in wanted if one.isprintable()}
    files = _files(searched)
    whole = next((file for file in files if drawable and _has_all(file, drawable)), None)
    if whole is not None:
        return dict.fromkeys(drawable, whole)
    found: dict[str, str] = {}
    for file in files:
        found.update(dict.fromkeys(_had(file, sorted(drawable - set(found))), file))
        if len(found) == len(drawable):
            break
    return {one: OWN for one in drawable if one.isascii()} | found


def _has_all(file: str, characters: set[str]) -> bool:
    """Whether a font has them, those first that fewest have."""
    font, box = _probe(file)
    return font is not None and all(
        _drawn(font, one) not in (box, None) for one in sorted(characters, reverse=True) if one != " "
    )


def _had(file: str, characters: Sequence[str]) -> list[str]:
    font, box = _probe(file)
    return [] if font is None else [one for one in characters if one == " " or _drawn(font, one) not in (box, None)]


@functools.lru_cache(maxsize=8)
def _probe(file: str) -> tuple[Any, bytes | None]:
    """A font, and the box that it draws for a character that it has not; (None, None) where it cannot be opened."""
    try:
        font = picture_files.pillow("PIL.ImageFont").truetype(file, _PROBE)
        return font, _drawn(font, "\uffff")
    except (OSError, ValueError):  # damaged, or of pictures of one size: emoji
        return None, None


def _drawn(font: Any, character: str) -> bytes | None:
    """The ink of a character; None where there is none."""
    image = picture_files.pillow("PIL.Image").new("L", (64, 64))
    picture_files.pillow("PIL.ImageDraw").Draw(image).text((8, 8), character, fill=255, font=font)
    drawn: bytes = image.tobytes()
    return drawn if any(drawn) else None


@functools.lru_cache(maxsize=16)
def _opened(file: str, size: int) -> Any:
    fonts = picture_files.pillow("PIL.ImageFont")
    if file:
        return fonts.truetype(file, size)
    return fonts.load_default(size) if _own_grows() else fonts.load_default()


@functools.cache
def _own_grows() -> bool:
    """Whether Pillow's own font can be had at any size; before 10.1 it had one, 11 pixels."""
    try:
        picture_files.pillow("PIL.ImageFont").load_default(_PROBE)
    except TypeError:
        return False
    return True
