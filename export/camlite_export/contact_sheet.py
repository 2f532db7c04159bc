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
    from matplotlib.figure import Figure

    rows = _rows(columns)
    above, below = (
        [_wrapped(text) for text in texts] for texts in zip(*((one.above, one.below) for one in columns), strict=True)
    )
    lines = sum(1 + max(text.count("\n") for text in texts) for texts in (above, below))
    figure = Figure(figsize=(1.3 * len(columns), 0.35 + 0.17 * lines + 1.2 * len(rows)), dpi=120, layout="constrained")
    figure.suptitle(title, fontsize=9, color="0.4")
    grid = figure.subplots(len(rows), len(columns), squeeze=False)
    for line, (name, pictures) in zip(grid, rows, strict=True):
        line[0].set_ylabel(name, fontsize=9, color="0.4")
        for axes, pixels in zip(line, pictures, strict=True):
            axes.imshow(pixels[..., 0] if pixels.shape[2] == 1 else pixels, cmap="gray", vmin=0, vmax=255)
            axes.set(xticks=[], yticks=[])
            axes.spines[:].set_visible(False)
    for axes, title_above, text_below in zip(grid.T, above, below, strict=True):
        axes[0].set_title(title_above, fontsize=9)
        axes[-1].set_xlabel(text_below, fontsize=9)
    buffer = io.BytesIO()
    figure.savefig(buffer, format="png", metadata={"Software": None})
    return buffer.getvalue()
