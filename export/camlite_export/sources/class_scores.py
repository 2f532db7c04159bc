"""Whether what a file gives are scores of classes: refusals that all kinds of files share."""

from __future__ import annotations

from collections.abc import Hashable, Iterable, Sequence
from typing import NamedTuple

from camlite.errors import ClassifierError
from camlite.texts import printable
from camlite_export.sources import operations
from camlite_export.sources.operations import Operation


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


class Output(NamedTuple):
    """One of several outputs: what its graph knows it by, what people do, and its shape."""

    key: Hashable
    name: str
    sides: Sequence[int | str]


def refuse_several(outputs: Sequence[Output], graph: Iterable[Operation], where: str, remedy: str) -> None:
    """Refuse several outputs, told apart by how they are made: of one classifier, or of more than that.

    Args:
        graph: what makes them.
        remedy: how a file with one output is made; ``{name}`` in it becomes that of the scores.

    Raises:
        ClassifierError: always.
    """
    makers, keys = operations.makers_of(graph), [one.key for one in outputs]
    shown = ", ".join(f"{printable(one.name[:30])} {sides_text(one.sides)}".strip() for one in outputs[:4])
    told = f"{where}: gives {len(outputs)} outputs ({shown}), expected one score per class"
    lists = [one for one in outputs if _is_list(one.sides) and operations.decision(makers, one.key) is None]
    if not lists or not operations.are_of_one_classifier(makers, keys):
        raise ClassifierError(
            f"{told}: a detector, or several heads; convert it with the output of one classifier only"
        )
    last = max(lists, key=lambda one: len(operations.made_from(makers, one.key)))  # probabilities follow from logits
    kept = remedy.replace("{name}", printable(last.name[:60]))
    raise ClassifierError(f"{told}: they are of one classifier, one made of the other; keep the scores only: {kept}")


def _is_list(sides: Sequence[int | str]) -> bool:
    many = [side for side in sides[1:] if side != 1]
    return len(many) == 1 or not sides  # some exporters leave shapes out


def sides_text(sides: Sequence[int | str]) -> str:
    """A shape for people; a side that is free is a text."""
    return printable(" x ".join(map(str, sides))[:80]) or "one number"
