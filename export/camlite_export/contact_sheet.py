"""One picture that shows an artifact at work: a column a class, the image above its overlay."""

from __future__ import annotations

import io
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

import camlite
from camlite_export import seal
from camlite_export.interpreter_process import interpreter_process
from camlite_export.labelled_images import LabelledImages

_MOST_COLUMNS = 10


def draw(artifact: Path, images: LabelledImages) -> Path:
    """Explain one image a class with an artifact, and write ``heatmaps.png`` beside it."""
    chosen = [images[i] for i in images.first_of_each_class(_MOST_COLUMNS)]
    with interpreter_process() as process:
        explained = process.submit(_explain, artifact, chosen).result()
    picture = artifact.with_name("heatmaps.png")
    seal.write_all(picture.parent, {picture.name: _sheet(chosen, explained, artifact.name)})
    return picture


def _explain(artifact: Path, images: Sequence[NDArray[np.uint8]]) -> list[tuple[str, float, NDArray[np.uint8]]]:
    explainer = camlite.load(artifact)
    explanations = map(explainer.explain, images)
    return [
        (explanation.label, explanation.score, explanation.overlay(zoom=max(1, 224 // max(explanation.image.shape))))
        for explanation in explanations
    ]


def _sheet(
    images: Sequence[NDArray[np.uint8]], explained: Sequence[tuple[str, float, NDArray[np.uint8]]], title: str
) -> bytes:

    from matplotlib.figure import Figure

    figure = Figure(figsize=(1.3 * len(images), 3.1), dpi=120, layout="constrained")
    figure.suptitle(title, fontsize=9, color="0.4")
    grid = figure.subplots(2, len(images), squeeze=False)
    for column, (pixels, (label, score, overlay)) in enumerate(zip(images, explained, strict=True)):
        grey = pixels.shape[2] == 1
        grid[0, column].imshow(pixels[..., 0] if grey else pixels, cmap="gray", vmin=0, vmax=255)
        grid[0, column].set_title(label, fontsize=9)
        grid[1, column].imshow(overlay)
        grid[1, column].set_xlabel(f"{score:.2f}", fontsize=9)
    for axes in grid.flat:
        axes.set(xticks=[], yticks=[])
        axes.spines[:].set_visible(False)
    buffer = io.BytesIO()
    figure.savefig(buffer, format="png", metadata={"Software": None})
    return buffer.getvalue()
