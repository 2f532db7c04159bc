"""Measure the maps of an artifact on pictures, beside the two controls, with the interpreter that it ships for."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from camlite.errors import AnswerError, ImageError
from camlite.explainer import Explainer, Explanation
from camlite.faithfulness import controls, one_picture
from camlite.faithfulness.insertion_deletion import STEPS
from camlite.faithfulness.score import Floats, Picture
from camlite.images import copies
from camlite.images.fitting import Fitting
from camlite.images.masked_images import Mask, MaskedImages
from camlite.images.preprocessing import Pixels
from camlite.maps import cam

MAPS = ("artifact", "random", "centre")
"""Whose maps are measured, in the order in which they stand in arrays."""

_RANDOM_MAP, _NOISE = 0, 1  # each its own stream of random numbers

Progress = Callable[[int, int], object]


@dataclass(frozen=True)
class Figures:
    """Figures of n pictures, in their order.

    Attributes:
        index: of each picture, int64 (n,); those that could not be measured are left out.
        named: the class with the highest score, whose map was measured, int64 (n,).
        score: of that class, float64 (n,).
        values: float64 (n, 3, F): of `MAPS` and `camlite.faithfulness.measures.MEASURES`; NaN where there is none.
        curves: of insertion and deletion, float64 (n, 3, 2, steps + 1).
        bad: a line for each picture that could not be measured.
        seen: of each picture and its mask as the classifier sees them, see `camlite.images.copies`; int64 (n,).
    """

    index: NDArray[np.int64]
    named: NDArray[np.int64]
    score: Floats
    values: Floats
    curves: Floats
    bad: tuple[str, ...]
    seen: copies.Checksums = field(default_factory=lambda: np.empty(0, np.int64))

    @property
    def different(self) -> int:
        """How many of the pictures are no copies of others."""
        return copies.different(self.seen, np.ones(len(self.index), np.bool_))


class ArtifactScore:
    """Probabilities of pictures by an artifact, see `camlite.faithfulness.score.Score`."""

    def __init__(self, explainer: Explainer) -> None:
        self._explainer = explainer
        self._linear = explainer.artifact.card.head.activation == "linear"

    def __call__(self, images: Picture, /) -> NDArray[np.floating[Any]]:
        """Of uint8 (N, H, W, C): (N, K), in 0..1."""
        return np.stack([self.of(self._explainer.explain(image)) for image in images])

    def of(self, explanation: Explanation) -> NDArray[np.floating[Any]]:
        """Of a picture that is explained already: (K,)."""
        scores = explanation.scores
        return cam.activate(scores, "softmax") if self._linear else scores


class Measured:
    """An artifact and pictures, open."""

    def __init__(self, explainer: Explainer, data: MaskedImages) -> None:
        self.explainer, self.data = explainer, data
        self._fitting = Fitting(explainer.artifact.card.preprocessing)
        self._score = ArtifactScore(explainer)

    def look(self, index: int) -> tuple[Pixels, Mask | None, Explanation]:
        """A picture and its mask as the classifier sees them, and the picture explained.

        Raises:
            ImageError: picture or mask cannot be read.
            AnswerError: the artifact's answer is not finite.
        """
        pixels = self.data.images[index]
        mask = self._fitting.mask(self.data.mask(index, pixels))
        picture = self._fitting.picture(pixels)
        return picture, mask, self.explainer.explain(picture)

    def run(self, steps: int = STEPS, progress: Progress = lambda _done, _all: None) -> Figures:
        """Measure all pictures; one that cannot be measured is a line, and the others go on.

        Args:
            steps: of insertion and deletion.
            progress: called with the number of pictures that are done, and of all.

        Raises:
            ImageError, AnswerError: none can be measured.
        """
        rows: dict[int, tuple[int, float, int, one_picture.PictureFigures]] = {}
        bad: list[str] = []
        for index in range(len(self.data)):
            progress(index, len(self.data))
            try:
                rows[index] = self._measure(index, steps)
            except (ImageError, AnswerError) as error:
                if index + 1 == len(self.data) and not rows:
                    raise
                bad.append(str(error))
        progress(len(self.data), len(self.data))
        return Figures(
            index=np.array(list(rows), np.int64),
            named=np.array([named for named, _, _, _ in rows.values()], np.int64),
            score=np.array([score for _, score, _, _ in rows.values()]),
            values=np.stack([figures.values for _, _, _, figures in rows.values()]),
            curves=np.stack([figures.curves for _, _, _, figures in rows.values()]),
            bad=tuple(bad),
            seen=np.array([seen for _, _, seen, _ in rows.values()], np.int64),
        )

    def _measure(self, index: int, steps: int) -> tuple[int, float, int, one_picture.PictureFigures]:
        picture, mask, explanation = self.look(index)
        scores = self._score.of(explanation)
        named = int(scores.argmax())
        # Drawn by the picture, not by its place among the others: under another name it has the same figures.
        drawn_by = copies.checksum(picture, None) % 2**64
        heats = _heats(explanation, (_RANDOM_MAP, drawn_by))
        found = one_picture.measure(self._score, picture, heats, named, mask, steps, (_NOISE, drawn_by))
        return named, float(scores[named]), copies.checksum(picture, mask), found


def _heats(explanation: Explanation, seed: tuple[int, ...]) -> NDArray[np.float32]:
    """The heatmap of an explanation and those of the controls, (3, H, W), see `MAPS`."""
    heat = explanation.heatmap
    height, width = heat.shape
    return np.stack([heat, controls.random(height, width, seed), controls.centred(height, width)])
