"""Text for pictures: a strip with a label and its score, by Pillow.

The text stands on a strip of its own and not on the image: it hides no evidence, and reads as well below snow as below
a night sky.
"""

from __future__ import annotations

import itertools
import math
import unicodedata
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np

from camlite.images import picture_files
from camlite.images.preprocessing import Pixels
from camlite.show import fonts, say

NARROWEST = 112
"""A strip is at least so many pixels wide: a word of ten letters."""

INK, PAPER = (255, 255, 255), (22, 22, 26)

_MARGIN = 6
_TALLEST = 40
_MOST_TOLD = 5


def strip(text: str, width: int) -> Pixels:
    """Text in white on near black, broken into as many lines as it needs: uint8 (h, width, 3).

    Args:
        text: characters that no font at hand has are replaced by the nearest ASCII, or their code.
        width: in pixels, at least `NARROWEST`.
    """
    letters = Letters(" ".join(text.split()), min(_TALLEST, max(13, width // 18)))
    lines = letters.lines(width - 2 * _MARGIN)
    left, top, bottom = letters.extent
    step = bottom - top + 4
    image = picture_files.pillow("PIL.Image").new("RGB", (width, step * len(lines) + 2 * _MARGIN), PAPER)
    drawing = picture_files.pillow("PIL.ImageDraw").Draw(image)
    for row, line in enumerate(lines):
        letters.draw(drawing, line, _MARGIN - min(0, left), _MARGIN + row * step - top + 2)
    return np.asarray(image)


class Letters:
    """A text and the fonts of its characters.

    Attributes:
        text: in characters that the fonts at hand have.
        extent: the leftmost, the highest and the lowest edge of the ink, in pixels from where a line begins on its
            base line.
    """

    def __init__(self, text: str, size: int) -> None:
        self._files = fonts.files_of(text)
        self._size = size
        self.text = "".join(one if one in self._files else _spelled(one) for one in text)
        boxes = [(self._ascent(font), font.getbbox(piece)) for piece, font in self._pieces(self.text + "Agjpqy|")]
        self.extent = (
            min(math.floor(box[0]) for _, box in boxes),
            min(math.floor(box[1]) - ascent for ascent, box in boxes),
            max(math.ceil(box[3]) - ascent for ascent, box in boxes),
        )

    def draw(self, drawing: Any, line: str, left: float, base: int) -> None:
        """Draw a line of the text."""
        for piece, font in self._pieces(line):
            drawing.text((left, base - self._ascent(font)), piece, fill=INK, font=font)
            left += font.getlength(piece)

    def lines(self, width: int) -> list[str]:
        """The text broken at spaces, and inside a word where the word itself is too wide."""
        lines = [""]
        for word in self.text.split(" "):
            joined = f"{lines[-1]} {word}".lstrip()
            if self.width(joined) <= width:
                lines[-1] = joined
                continue
            if lines[-1]:
                lines.append("")
            for character in word:
                if self.width(lines[-1] + character) > width:
                    lines.append("")
                lines[-1] += character
        return lines

    def width(self, line: str) -> float:
        """Pixels from the beginning of a line to its last ink."""
        *before, last = list(self._pieces(line)) or [("", self._font(" "))]
        return float(sum(font.getlength(piece) for piece, font in before) + last[1].getbbox(last[0])[2])

    def _pieces(self, line: str) -> Iterator[tuple[str, Any]]:
        """A line in pieces of one font each."""
        for file, piece in itertools.groupby(line, lambda one: self._files.get(one, fonts.OWN)):
            yield "".join(piece), fonts.opened(file, self._size)

    def _font(self, character: str) -> Any:
        return fonts.opened(self._files.get(character, fonts.OWN), self._size)

    @staticmethod
    def _ascent(font: Any) -> int:
        """Pixels from the top of a font's lines to their base line."""
        return int(font.getmetrics()[0]) if hasattr(font, "getmetrics") else int(font.getbbox("A")[3])


def name_of(labels: Sequence[str], number: int) -> str:
    """A label as pictures show it: itself where fonts at hand have its characters or nearly so, else its number.

    Says once for all labels, on standard error, which are not drawn, and why.

    Args:
        labels: of all classes.
        number: of the class.
    """
    if not _can_be_read(labels[number]):
        _tell_of([(k, label) for k, label in enumerate(labels) if not _can_be_read(label)])
        return f"class {number}"
    return labels[number]


def _can_be_read(label: str) -> bool:
    return label.isascii() or not any(_spelled(one).startswith("\\") for one in fonts.missing(" ".join(label.split())))


_told: set[str] = set()


def _tell_of(numbered: Sequence[tuple[int, str]]) -> None:
    """Say which labels are drawn as their numbers, unless it was said."""
    if _told.issuperset(label for _, label in numbered):
        return
    _told.update(label for _, label in numbered)
    named = ", ".join(f"'{label}' (class {k})" for k, label in numbered[:_MOST_TOLD])
    more = f" and {len(numbered) - _MOST_TOLD} more" if len(numbered) > _MOST_TOLD else ""
    font = "fonts-noto-cjk" if any(_is_east_asian(one) for _, label in numbered for one in label) else "fonts-noto-core"
    say.notice(
        f"pictures show the number in place of a label: no font here has the characters of {named}{more}; "
        f"install one that has, such as Debian's {font}"
    )


def _is_east_asian(character: str) -> bool:
    return unicodedata.name(character, "").startswith(("CJK", "HIRAGANA", "KATAKANA", "HANGUL"))


def _spelled(character: str) -> str:
    """A character that no font has, in ASCII: without its accents, or its code."""
    plain = (one for one in unicodedata.normalize("NFKD", character) if not unicodedata.combining(one))
    return "".join(
        one if one.isascii() and one.isprintable() else one.encode("unicode_escape").decode() for one in plain
    )
