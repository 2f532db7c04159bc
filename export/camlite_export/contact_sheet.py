"""One picture that shows an artifact at work: a column a class, the image above its overlay."""

from __future__ import annotations

import io
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

Pixels = NDArray[np.uint8]


@dataclass(frozen=True)
class Column:
    """One image, its overlay uint8 (H, W, 3), and what stands above and below the two."""

    image: Pixels
    overlay: Pixels
    above: str
    below: str


def draw(artifact: Path, images: LabelledImages) -> Path:
    """Explain one image a class with an artifact, and write ``heatmaps.png`` beside it."""
    picture = artifact.with_name(NAME)
    output_folder.write_all(picture.parent, {picture.name: _sheet(columns(artifact, images), artifact.name)})
    return picture


def columns(artifact: Path, images: LabelledImages) -> list[Column]:
    """One image a class, as the artifact explains it: the first that it names rightly, or the first of all.

    Where the classes of the images are not known, the first images.
    """
    candidates = images.of_each_class(_MOST_COLUMNS, _MOST_TRIED)
    truths = [None if images.classes is None else int(images.classes[indices[0]]) for indices in candidates]
    pixels = [[images[i] for i in indices] for indices in candidates]
    with interpreter_process() as process:
        return process.submit(_explain, artifact, pixels, truths).result()


def _explain(artifact: Path, candidates: Sequence[Sequence[Pixels]], truths: Sequence[int | None]) -> list[Column]:
    explainer = camlite.load(artifact)
    found = []
    for images, truth in zip(candidates, truths, strict=True):
        explanations = [explainer.explain(pixels) for pixels in images]
        shown = next((one for one in explanations if one.classes[0] == truth), explanations[0])
        expected = shown.classes[0] if truth is None else truth
        named = "" if shown.classes[0] == expected else f"taken for {_name(explainer, shown.classes[0])}, "
        overlay = shown.overlay(zoom=max(1, 224 // max(shown.image.shape)))
        found.append(Column(shown.image, overlay, _name(explainer, expected), f"{named}{shown.score:.2f}"))
    return found


def _name(explainer: camlite.Explainer, number: int) -> str:
    return text_strip.name_of(explainer.labels, number)


def _sheet(columns: Sequence[Column], title: str) -> bytes:
    import matplotlib

    texts = "".join(column.above + column.below for column in columns) + printable(title)
    with matplotlib.rc_context({**data_uri.PLAIN_TEXT, "font.family": data_uri.families(texts)}):
        return _drawn(columns, printable(title))


def _drawn(columns: Sequence[Column], title: str) -> bytes:
    from matplotlib.figure import Figure

    figure = Figure(figsize=(1.3 * len(columns), 3.1), dpi=120, layout="constrained")
    figure.suptitle(title, fontsize=9, color="0.4")
    grid = figure.subplots(2, len(columns), squeeze=False)
    for axes, column in zip(grid.T, columns, strict=True):
        pixels = column.image
        axes[0].imshow(pixels[..., 0] if pixels.shape[2] == 1 else pixels, cmap="gray", vmin=0, vmax=255)
        axes[0].set_title(column.above, fontsize=9)
        axes[1].imshow(column.overlay)
        axes[1].set_xlabel(column.below, fontsize=9)
    for axes in grid.flat:
        axes.set(xticks=[], yticks=[])
        axes.spines[:].set_visible(False)
    buffer = io.BytesIO()
    figure.savefig(buffer, format="png", metadata={"Software": None})
    return buffer.getvalue()
