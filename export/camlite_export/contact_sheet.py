"""One picture that shows an artifact at work: a column a class, the image above its heatmaps.

Where the artifact carries a guide there are two, plain and fine.
"""

from __future__ import annotations

import copy
import importlib
import io
import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

import camlite
from camlite.images.labelled_images import LabelledImages
from camlite.show import text_strip
from camlite.texts import printable
from camlite_export import output_folder
from camlite_export.agreement.interpreter_process import interpreter_process
from camlite_export.reports import data_uri

NAME = "heatmaps.png"

_MOST_COLUMNS = 10
# Of a class, so many images are tried until the artifact names one rightly.
_MOST_TRIED = 5
_LINE, _MOST_LINES = 17, 3  # letters of the size that is drawn, above a column
# In inches: a picture with the gap to the next, a letter, a line of text, the title at the top, the name of a row at
# the left.
_CELL, _GAP, _LETTER, _TEXT, _TITLE, _NAME = 1.3, 0.1, 0.08, 0.16, 0.3, 0.25

Pixels = NDArray[np.uint8]


@dataclass(frozen=True)
class Column:
    """One image, what stands above and below it, and its overlays, uint8 (H, W, 3): of the plain map, and of the fine
    one where there is one.
    """

    image: Pixels
    overlay: Pixels
    above: str
    below: str
    fine: Pixels | None = None


def draw(artifact: Path, images: LabelledImages) -> Path:
    """Explain one image a class with an artifact, and write ``heatmaps.png`` beside it."""
    picture = artifact.with_name(NAME)
    output_folder.write_all(picture.parent, {picture.name: sheet(columns(artifact, images), artifact.name)})
    return picture


def columns(artifact: Path, images: LabelledImages) -> list[Column]:
    """One image a class, as the artifact explains it: the first that it names rightly, or the first of all.

    Where the classes of the images are not known, images that are spread evenly over all of them.
    """
    candidates = images.of_each_class(_MOST_COLUMNS, _MOST_TRIED)
    truths = [None if images.classes is None else int(images.classes[indices[0]]) for indices in candidates]
    pixels = [[images[i] for i in indices] for indices in candidates]
    with interpreter_process() as process:
        explained = process.submit(_explain, artifact, pixels, truths)
        importlib.import_module("matplotlib.figure")  # which takes as long, and draws them afterwards
        return explained.result()


def _explain(artifact: Path, candidates: Sequence[Sequence[Pixels]], truths: Sequence[int | None]) -> list[Column]:
    explainer = camlite.load(artifact)
    found = []
    for images, truth in zip(candidates, truths, strict=True):
        explanations = [explainer.explain(pixels) for pixels in images]
        shown = next((one for one in explanations if one.classes[0] == truth), explanations[0])
        expected = shown.classes[0] if truth is None else truth
        named = "" if shown.classes[0] == expected else f"taken for {_name(explainer, shown.classes[0])}, "
        plain, fine = _overlays(shown)
        found.append(Column(shown.image, plain, _name(explainer, expected), f"{named}{shown.score:.2f}", fine))
    return found


def _overlays(shown: camlite.Explanation) -> tuple[Pixels, Pixels | None]:
    """Of the plain map, and of the fine one where there is one."""
    zoom = max(1, 224 // max(shown.image.shape))
    finest = shown.overlay(zoom=zoom)
    if shown.fine is None:
        return finest, None
    plain = copy.copy(shown)
    plain.fine = None
    return plain.overlay(zoom=zoom), finest


def _name(explainer: camlite.Explainer, number: int) -> str:
    return text_strip.name_of(explainer.labels, number)


def sheet(columns: Sequence[Column], title: str) -> bytes:
    """The picture, as PNG."""
    import matplotlib

    texts = "".join(column.above + column.below for column in columns) + printable(title)
    with matplotlib.rc_context({**data_uri.PLAIN_TEXT, "font.family": data_uri.families(texts)}):
        return _drawn(columns, printable(title))


def _rows(columns: Sequence[Column]) -> list[tuple[str, list[Pixels]]]:
    """Pictures side by side, and what they are called at the left: nothing where there is one heatmap only."""
    fine = [column.fine for column in columns if column.fine is not None]
    rows = [("", [column.image for column in columns]), ("", [column.overlay for column in columns])]
    if len(fine) == len(columns):
        return [rows[0], ("plain", rows[1][1]), ("fine", fine)]
    return rows


def _wrapped(text: str) -> str:
    """In lines that fit above a column, of which there are three at the most; of what is longer the end stays."""
    words = printable(text).split()
    lines, line = [], ""
    for word in words:
        for part in _parts(word):
            joined = f"{line} {part}".strip()
            if line and _width(joined) > _LINE:
                lines.append(line)
                joined = part
            line = joined
    lines.append(line)
    if len(lines) > _MOST_LINES:
        lines = [*lines[: _MOST_LINES - 1], f"...{lines[-1][-12:]}"]
    return "\n".join(lines)


def _parts(word: str) -> list[str]:
    """A word in pieces, each no wider than a line."""
    parts = [""]
    for character in word:
        if _width(parts[-1] + character) > _LINE:
            parts.append("")
        parts[-1] += character
    return parts


def _width(text: str) -> int:
    """Of a text in letters; those of Chinese, Japanese and Korean are two wide."""
    return sum(2 if unicodedata.east_asian_width(one) in "WF" else 1 for one in text)


def _drawn(columns: Sequence[Column], title: str) -> bytes:
    """All on one pair of axes, measured in inches from the top left: one for each picture takes three times as long."""
    from matplotlib.figure import Figure

    rows = _rows(columns)
    above, below = (
        [_wrapped(text) for text in texts] for texts in zip(*((one.above, one.below) for one in columns), strict=True)
    )
    named = _NAME if any(name for name, _ in rows) else 0.0
    pictures_wide = named + _CELL * len(columns) + _GAP
    width = max(pictures_wide, _LETTER * (_width(title) + 1))
    left = named + (width - pictures_wide) / 2
    top = _TITLE + _height(above)
    bottom = top + _CELL * len(rows)
    height = bottom + _height(below)
    figure = Figure(figsize=(width, height), dpi=120)
    axes = figure.add_axes((0, 0, 1, 1))
    axes.set_axis_off()
    grey: dict[str, Any] = {"fontsize": 9, "color": "0.4"}
    axes.text(width / 2, _TITLE / 2, title, ha="center", va="center", **grey)
    centres = [left + _CELL * (column + 0.5) + _GAP / 2 for column in range(len(columns))]
    for row, (name, pictures) in enumerate(rows):
        middle = top + _CELL * (row + 0.5)
        axes.text(left - named / 2, middle, name, ha="center", va="center", rotation=90, **grey)
        for centre, pixels in zip(centres, pictures, strict=True):
            _put(axes, pixels, centre, middle)
    for centre, over, under in zip(centres, above, below, strict=True):
        axes.text(centre, top, over, ha="center", va="bottom", fontsize=9)
        axes.text(centre, bottom + _GAP / 2, under, ha="center", va="top", fontsize=9)
    axes.set(xlim=(0, width), ylim=(height, 0))
    buffer = io.BytesIO()
    figure.savefig(buffer, format="png", metadata={"Software": None})
    return buffer.getvalue()


def _height(texts: Sequence[str]) -> float:
    """Of a line of texts, in inches."""
    return _GAP + _TEXT * (1 + max(text.count("\n") for text in texts))


def _put(axes: Any, pixels: Pixels, x: float, y: float) -> None:
    """A picture in the middle of its cell, as large as that lets it be."""
    height, width = (side * (_CELL - _GAP) / max(pixels.shape[:2]) / 2 for side in pixels.shape[:2])
    shown = pixels[..., 0] if pixels.shape[2] == 1 else pixels
    where = (x - width, x + width, y + height, y - height)
    axes.imshow(shown, cmap="gray", vmin=0, vmax=255, extent=where, aspect="auto")
