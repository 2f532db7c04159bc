"""An explanation as JSON: what ``camlite explain --json``, ``camlite watch`` and ``camlite serve`` say."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import numpy as np

from camlite.images import preprocessing
from camlite.maps import hot_region
from camlite.show import say
from camlite.show.explained import Explained


def of(explanation: Explained) -> dict[str, Any]:
    """What is known of an image.

    ``label`` and ``score`` of the class with the highest score; ``scores`` of all; ``completeness``, see
    `camlite.Explanation`; ``width`` and ``height`` of the image in pixels; the ``window`` of it that the map covers;
    ``map``, whether the map is ``fine`` or ``plain``, see `camlite.Explanation.finest`;
    ``grid``, the edges of the map itself in pixels of the image, which may lie outside of it where the classifier pads;
    ``against``, the label of the class that the others are explained against, or null: the class with
    the highest score may be that one, and then another is explained; and ``explained``, one a class:
    its ``label``, ``score``, ``evidence`` (rows of the raw map, in logits), ``peak`` (x, y, evidence), ``box`` (left,
    top, right, bottom) and ``quadrants``, see `camlite.maps.hot_region.Region`; the last three are null where nothing
    speaks for the class.
    """
    labels, scores = explanation.explainer.labels, explanation.scores.tolist()
    height, width = explanation.image.shape[:2]
    left, top, right, bottom = _grid(explanation)
    rows, columns = _window(explanation)
    return {
        "label": explanation.label,
        "score": explanation.score,
        "scores": dict(zip(labels, scores, strict=True)),
        "completeness": explanation.completeness,
        "width": width,
        "height": height,
        "window": _box(
            max(columns.start, math.floor(left)),
            max(rows.start, math.floor(top)),
            min(columns.stop, math.ceil(right)),
            min(rows.stop, math.ceil(bottom)),
        ),
        "against": None if explanation.against is None else labels[explanation.against],
        "map": explanation.finest.kind,
        "grid": {"left": left, "top": top, "right": right, "bottom": bottom},
        "explained": [_explained(explanation, index) for index in range(len(explanation.classes))],
    }


def _explained(explanation: Explained, index: int) -> dict[str, Any]:
    evidence, heatmap = (
        maps.reshape(-1, *maps.shape[-2:])[index] for maps in (explanation.finest.evidence, explanation.heatmap)
    )
    region = hot_region.find(heatmap, _window(explanation))
    peak = region and {"x": region.peak[0], "y": region.peak[1], "evidence": float(evidence.max())}
    chosen = explanation.classes[index]
    return {
        "label": explanation.explainer.labels[chosen],
        "score": float(explanation.scores[chosen]),
        "peak": peak,
        "box": region and _box(*region.box),
        "quadrants": region and dict(region.quadrants),
        "evidence": np.asarray(evidence).tolist(),
    }


def _window(explanation: Explained) -> tuple[slice, slice]:
    height, width = explanation.image.shape[:2]
    return preprocessing.window(height, width, explanation.explainer.artifact.card.preprocessing)


def _grid(explanation: Explained) -> tuple[float, float, float, float]:
    """Left, top, right and bottom of the grid of cells, in pixels of the image."""
    rows, columns = _window(explanation)
    grid = explanation.finest.window
    height, width = rows.stop - rows.start, columns.stop - columns.start
    return (
        columns.start + grid.left * width,
        rows.start + grid.top * height,
        columns.start + grid.right * width,
        rows.start + grid.bottom * height,
    )


def _box(left: int, top: int, right: int, bottom: int) -> dict[str, int]:
    return {"left": left, "top": top, "right": right, "bottom": bottom}


def line(record: Mapping[str, Any]) -> str:
    """One line of JSON, see `camlite.show.say.to_json`."""
    return say.to_json(record)
