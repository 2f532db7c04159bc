"""Which classes of an image are explained: the top one, the top ones, or those that are named."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from camlite.errors import CamliteError
from camlite.explainer import Explainer, Explanation

_MOST_DIGITS = 10  # of an index; Python refuses to read thousands of them


class Choice(NamedTuple):
    """By default the class with the highest score.

    Attributes:
        classes: labels, or indices as text; a number that is a label is the label.
        top: the classes with the highest scores, so many, the highest first; None where `classes` says.
    """

    classes: tuple[str, ...] = ()
    top: int | None = None

    def check(self, explainer: Explainer) -> None:
        """See whether an artifact can explain what is chosen, before any image is.

        Raises:
            CamliteError: a class is unknown, or the artifact explains its top class alone.
        """
        self._indices(explainer)
        if self.top is not None and self.top > 1 and not explainer.any_class:
            name = explainer.artifact.path
            raise CamliteError(f"{name}: carries evidence of the top class alone; ask for no more than the top 1")

    def explain(self, explainer: Explainer, pixels: NDArray[np.uint8]) -> Explanation:
        """Explain an image, uint8 (H, W) or (H, W, channels).

        Raises:
            ImageError: the image has another dtype or shape.
            CamliteError: see `check`.
        """
        self.check(explainer)
        explanation = explainer.explain(pixels, self._indices(explainer) or None)
        if self.top is None or self.top == 1:
            return explanation
        best = np.argsort(-explanation.scores, kind="stable")[: self.top]
        return explainer.explain(pixels, best.tolist())

    def _indices(self, explainer: Explainer) -> list[int]:
        labels = explainer.labels
        wanted = (
            int(text) if text not in labels and text.isdecimal() and len(text) < _MOST_DIGITS else text
            for text in self.classes
        )
        return [explainer.class_index(one) for one in wanted]
