"""Whether what a file gives are scores of classes: refusals that all kinds of files share."""

from __future__ import annotations

from collections.abc import Sequence

from camlite.errors import ClassifierError
from camlite.texts import printable


def refuse_others(shape: Sequence[int], where: str) -> None:
    """Refuse an output that is no list of scores.

    Args:
        shape: of the output, with a batch of 1.

    Raises:
        ClassifierError: it is a map, or several lists.
    """
    many = [side for side in shape[1:] if side != 1]
    if len(shape) == 4 and len(many) > 1:
        raise ClassifierError(
            f"{where}: its output is {sides_text(shape)}, a value per place: a segmenter or a depth map, whose output "
            f"is a map itself; camlite explains classifiers, which give one score per class"
        )
    if len(many) > 1:
        raise ClassifierError(
            f"{where}: its output is {sides_text(shape)}, expected one score per class (1 x classes): a detector, or a "
            f"reader of text; give a classifier"
        )


def sides_text(sides: Sequence[int | str]) -> str:
    """A shape for people; a side that is free is a text."""
    return printable(" x ".join(map(str, sides))[:80]) or "one number"
