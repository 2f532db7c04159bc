"""Which classes of an image are explained: the top one, the top ones, or those that are named; and against which."""

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
        against: the class that they are explained against, like one of `classes`; it is none of the top ones then.
    """

    classes: tuple[str, ...] = ()
    top: int | None = None
    against: str | None = None

    def check(self, explainer: Explainer) -> None:
        """See whether an artifact can explain what is chosen, before any image is.

        Raises:
            CamliteError: a class is unknown or explained against itself, or the artifact explains its top class alone.
        """
        other = self._other(explainer)
        if other in self._indices(explainer):
            raise CamliteError(f"class {explainer.labels[other]!r} is explained against itself; name another class")
        if self.top is not None and self.top > 1 and not explainer.any_class:
            name = explainer.artifact.path
            raise CamliteError(f"{name}: holds evidence of the top class only; ask for --top 1")

    def explain(self, explainer: Explainer, pixels: NDArray[np.uint8]) -> Explanation:
        """Explain an image, uint8 (H, W) or (H, W, channels).

        Raises:
            ImageError: the image has another dtype or shape.
            CamliteError: see `check`.
        """
        self.check(explainer)
        other = self._other(explainer)
        explanation = explainer.explain(pixels, self._indices(explainer) or None, against=other)
        if self.top is None or self.top == 1:
            return explanation
        ranked = np.argsort(-explanation.scores, kind="stable")
        return explainer.explain(pixels, ranked[ranked != other][: self.top].tolist(), against=other)

    def _indices(self, explainer: Explainer) -> list[int]:
        return [_index(explainer, text) for text in self.classes]

    def _other(self, explainer: Explainer) -> int | None:
        return None if self.against is None else _index(explainer, self.against)


def _index(explainer: Explainer, text: str) -> int:
    number = text not in explainer.labels and text.isdecimal() and len(text) < _MOST_DIGITS
    return explainer.class_index(int(text) if number else text)
