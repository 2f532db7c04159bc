"""Text for pictures: a strip with a label and its score, by Pillow.

The text stands on a strip of its own and not on the image: it hides no evidence, and reads as well below snow as below
a night sky.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from camlite.images import picture_files
from camlite.images.preprocessing import Pixels
from camlite.show import say

NARROWEST = 112
"""A strip is at least so many pixels wide: a word of ten letters."""

INK, PAPER = (255, 255, 255), (22, 22, 26)

# Pillow's own font has ASCII alone. These are looked for on the system where a label has more: those of Debian, of
# Raspberry Pi OS, of Windows and macOS; the CJK ones last, for they are large.
SYSTEM_FONTS = (
    "DejaVuSans.ttf",
    "NotoSans-Regular.ttf",
    "arial.ttf",
    "Arial Unicode.ttf",
    "NotoSansCJK-Regular.ttc",
    "DroidSansFallbackFull.ttf",
    "ipag.ttf",
    "wqy-zenhei.ttc",
    "msgothic.ttc",
    "msyh.ttc",
    "malgun.ttf",
    "ヒラギノ角ゴシック W3.ttc",
    "PingFang.ttc",
    "AppleSDGothicNeo.ttc",
)
_MARGIN = 6
_TALLEST = 40


def strip(text: str, width: int) -> Pixels:
    """Text in white on near black, broken into as many lines as it needs: uint8 (h, width, 3).

    Args:
        text: characters that no font at hand has are replaced by the nearest ASCII, or their code.
        width: in pixels, at least `NARROWEST`.
    """
    font, text = _font(" ".join(text.split()), min(_TALLEST, max(13, width // 18)))
    lines = _wrap(text, font, width - 2 * _MARGIN)
    left, top, _, bottom = font.getbbox("Agjpqy|Å" if not text.isascii() else "Agjpqy|")
    step = bottom - top + 4
    image = picture_files.pillow("PIL.Image").new("RGB", (width, step * len(lines) + 2 * _MARGIN), PAPER)
    drawing = picture_files.pillow("PIL.ImageDraw").Draw(image)
    for row, line in enumerate(lines):
        drawing.text((_MARGIN - min(0, left), _MARGIN + row * step - top + 2), line, fill=INK, font=font)
    return np.asarray(image)


def name_of(label: str, number: int) -> str:
    """A label as pictures show it: itself where a font at hand has its characters or nearly so, else its number.

    Says once for a label, on standard error, that it is not drawn, and why.
    """
    if label not in _undrawn:
        _, plain = _font(" ".join(label.split()), 13)
        if "\\" not in plain or "\\" in label:
            return label
        say.errors(
            f"label '{label}' is drawn as 'class {number}': no font here has its characters; install one that does, "
            f"as fonts-noto-cjk"
        )
        _undrawn.add(label)
    return f"class {number}"


_undrawn: set[str] = set()


def _wrap(text: str, font: Any, width: int) -> list[str]:
    """Break at spaces, and inside a word where it alone is too wide."""
    lines = [""]
    for word in text.split(" "):
        joined = f"{lines[-1]} {word}".lstrip()
        if font.getbbox(joined)[2] <= width:
            lines[-1] = joined
            continue
        if lines[-1]:
            lines.append("")
        for character in word:
            if font.getbbox(lines[-1] + character)[2] > width:
                lines.append("")
            lines[-1] += character
    return lines


def _font(text: str, size: int) -> tuple[Any, str]:
    """A font, and the text in characters that it has."""
    fonts = picture_files.pillow("PIL.ImageFont")
    try:
        default = fonts.load_default(size)
        candidates: tuple[str, ...] = () if text.isascii() and text.isprintable() else SYSTEM_FONTS
    except TypeError:  # before Pillow 10.1: one size alone, 11 pixels
        default, candidates = fonts.load_default(), SYSTEM_FONTS
    for name in candidates:
        try:
            font = fonts.truetype(name, size)
        except OSError:
            continue
        if _has(font, text):
            return font, text
    if text.isascii() and text.isprintable():
        return default, text
    import unicodedata

    plain = (character for character in unicodedata.normalize("NFKD", text) if not unicodedata.combining(character))
    return default, "".join(one if one.isascii() and one.isprintable() else _code(one) for one in plain)


def _code(character: str) -> str:
    return character.encode("unicode_escape").decode()


def _has(font: Any, text: str) -> bool:
    """Whether no character of the text is drawn as the box that stands for a missing one."""
    missing = _drawn(font, "\uffff")
    return text.isprintable() and all(_drawn(font, character) != missing for character in set(text) - {" "})


def _drawn(font: Any, character: str) -> bytes:
    image = picture_files.pillow("PIL.Image").new("L", (64, 64))
    picture_files.pillow("PIL.ImageDraw").Draw(image).text((8, 8), character, fill=255, font=font)
    drawn: bytes = image.tobytes()
    return drawn
