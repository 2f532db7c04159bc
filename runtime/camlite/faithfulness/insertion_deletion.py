"""Insertion and deletion (Petsiuk, Das and Saenko, RISE, BMVC 2018): does the score follow the order of the heat?

Insertion begins with a baseline, here the blurred picture, and puts in the picture's own pixels, the hottest first: a
good map lets the score rise at once. Deletion takes them away in the same order: it falls at once. Both are areas under
the curve of the class's score, divided by its score on the whole picture.

    pictures = frames(image, heat, blurred(image), steps)         # (2 * steps, H, W, C)
    found = areas(curves(score(pictures)[:, k]))                  # of class k
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from camlite.faithfulness.blurring import blurred
from camlite.faithfulness.score import Floats, Heat, Picture, Score

STEPS = 10
"""In how many steps the pixels are put in, or taken away, by default."""


class Areas(NamedTuple):
    """Areas under the two curves, 0..1 and beyond where parts score higher than the whole.

    Attributes:
        insertion: higher is better.
        deletion: lower is better.
    """

    insertion: float
    deletion: float

    @property
    def difference(self) -> float:
        """Insertion minus deletion: higher is better; about 0 for a map that knows nothing."""
        return self.insertion - self.deletion


def order(heat: Heat) -> NDArray[np.intp]:
    """Flat indices of pixels, (H * W,), the hottest first; those of equal heat line by line."""
    return np.argsort(-heat.ravel(), kind="stable")


def frames(image: Picture, heat: Heat, baseline: Picture, steps: int = STEPS) -> Picture:
    """The pictures that insertion and deletion score: (2 * steps, H, W, C) of the picture's dtype.

    Frame 0 is the baseline and frame `steps` the whole picture; in between are those of insertion, after it those of
    deletion without its ends, which are the same two. So for several maps of one picture, frames 0 and `steps` need to
    be scored only once.

    Args:
        image: (H, W, C), of any dtype: pixels, or the classifier's prepared input.
        heat: (H, W).
        baseline: (H, W, C), see `camlite.faithfulness.blurring.blurred`.
        steps: at least 1.
    """
    rank = np.empty(heat.size, np.intp)
    rank[order(heat)] = np.arange(heat.size)
    counts = heat.size * np.arange(steps + 1) // steps
    hot = (rank < counts[:, np.newaxis]).reshape(steps + 1, *heat.shape, 1)
    inserted = np.where(hot, image, baseline)
    deleted = np.where(hot[1:-1], baseline, image)
    pictures: Picture = np.concatenate([inserted, deleted]).astype(image.dtype, copy=False)
    return pictures


def curves(scores: NDArray[np.floating[Any]]) -> Floats:
    """Scores of one class on `frames`, (2 * steps,), as the curves of insertion and deletion, (2, steps + 1).

    Both are divided by the score of the whole picture; NaN where that is 0.
    """
    steps = len(scores) // 2
    values = scores.astype(np.float64)
    inserted = values[: steps + 1]
    deleted = np.concatenate([values[steps : steps + 1], values[steps + 1 :], values[:1]])
    whole = values[steps] if values[steps] > 0 else np.nan
    return np.asarray(np.stack([inserted, deleted]) / whole)


def areas(found: Floats) -> Areas:
    """Areas under `curves`, (2, steps + 1), by the trapezoidal rule over 0..1."""
    insertion, deletion = ((found[:, 1:] + found[:, :-1]) / 2).mean(axis=1)
    return Areas(float(insertion), float(deletion))


def measure(score: Score, image: Picture, heats: NDArray[np.floating[Any]], k: int, steps: int = STEPS) -> list[Areas]:
    """Insertion and deletion of several maps of one picture, with a blurred baseline.

    Args:
        score: of pictures such as `image`.
        image: (H, W, C).
        heats: (n, H, W).
        k: the class whose score is followed.
        steps: at least 1.
    """
    return [areas(one) for one in measured_curves(score, image, heats, k, steps)]


def measured_curves(
    score: Score, image: Picture, heats: NDArray[np.floating[Any]], k: int, steps: int = STEPS
) -> Floats:
    """The curves of `measure`: (n, 2, steps + 1). Whole picture and baseline are scored once."""
    baseline = blurred(image)
    ends = score(np.stack([baseline, image]))[:, k]
    found = []
    for heat in heats:
        pictures = frames(image, heat, baseline, steps)
        scores = np.empty(2 * steps)
        scores[0], scores[steps] = ends
        between = np.delete(np.arange(2 * steps), [0, steps])
        if len(between):
            scores[between] = score(pictures[between])[:, k]
        found.append(curves(scores))
    return np.stack(found)
