"""Whether labels stand in the right order, told from labelled pictures and the classes that are named for them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from camlite.texts import counted

Counts = NDArray[np.int64]

# At chance: chance explains the pictures, and being half-way from chance to perfect does not. Three pictures that are
# all classified correctly are explained by both, and nothing is said of them.
_UNLIKELY = 0.05
# Far better under another order: of the pictures of the labels that change places, so many more are right, and
# chance would not do that once in a hundred tries of every order there is.
_FAR_BETTER = 0.25
_ONCE_IN = 0.01
_MOST_NAMED = 6
_PARTS = 5


@dataclass(frozen=True)
class LabelVerdict:
    """What labelled pictures say of the labels.

    Attributes:
        accuracy: share of the pictures that are classified correctly.
        failures: what is wrong, each one line; empty where nothing is.
    """

    accuracy: float
    failures: tuple[str, ...]


def judge(named: Counts, truth: Counts, labels: Sequence[str]) -> LabelVerdict:
    """Judge by N pictures.

    Args:
        named: the class that the classifier names, int64 (N,).
        truth: the class by the picture's own label, int64 (N,).
        labels: one a class.
    """
    counts = np.zeros((len(labels),) * 2, np.int64)
    np.add.at(counts, (truth, named), 1)
    accuracy = float(np.trace(counts) / counts.sum())
    failures = [_permuted(cycle, counts, labels) for cycle in _cycles(counts)]
    if not failures and (chance := _chance(counts)) is not None:
        failures.append(
            f"accuracy {accuracy:.1%} of {counted(len(truth), 'picture')} is what chance gives ({chance:.1%}): the "
            f"pixels, the labels' order or the folders are wrong; see --preprocess and --labels"
        )
    return LabelVerdict(accuracy, tuple(failures))


def in_another_order(named: Counts, truth: Counts) -> Counts:
    """What the classifier would name if its labels stood in the order that suits the pictures best, int64 (N,).

    For a fifth of each class at a time it is the order that suits the other pictures: one found on the same pictures
    would make some right by chance. Where those say nothing of a class, its label stays.

    Args:
        named, truth: see `judge`.
    """
    from scipy import optimize

    involved, places = np.unique(np.concatenate([named, truth]), return_inverse=True)
    names, truths = places[: len(named)], places[len(named) :]
    part = np.zeros(len(truth), np.int64)
    for k in np.unique(truths):
        part[truths == k] = np.arange((truths == k).sum()) % _PARTS
    found = names.copy()
    for left_out in range(_PARTS):
        others = part != left_out
        counts = np.eye(len(involved)) / 2  # among equals a label stays
        np.add.at(counts, (names[others], truths[others]), 1)
        order = optimize.linear_sum_assignment(counts, maximize=True)[1]
        found[~others] = order[names[~others]]
    return np.asarray(involved[found])


def _chance(counts: Counts) -> float | None:
    """The accuracy that guessing as often each class would give, where the real one is no better; else None."""
    from scipy import stats

    count, right = int(counts.sum()), int(np.trace(counts))
    chance = float(counts.sum(axis=0) @ counts.sum(axis=1)) / count**2
    if len(np.flatnonzero(counts.sum(axis=1))) < 2:
        return None  # of pictures of one class nothing can be told
    by_chance = stats.binom.sf(right - 1, count, chance)
    by_skill = stats.binom.cdf(right, count, (1 + chance) / 2)
    return chance if by_chance > _UNLIKELY and by_skill < _UNLIKELY else None


def _cycles(counts: Counts) -> Iterator[list[int]]:
    """Classes that change places in a ring, each with the next, where that makes far more pictures right.

    A weak classifier takes one class for another, too, but then not that other one for the first.
    """
    from scipy import optimize, stats

    order = optimize.linear_sum_assignment(counts, maximize=True)[1]
    seen: set[int] = set()
    for start in range(len(order)):
        ring = []
        k = start
        while k not in seen:
            seen.add(k)
            ring.append(k)
            k = int(order[k])
        if len(ring) < 2:
            continue
        better, before = int(counts[ring, order[ring]].sum()), int(counts[ring, ring].sum())
        share = (better - before) / max(int(counts[ring].sum()), 1)
        tries = float(len(order)) ** len(ring)
        if share >= _FAR_BETTER and stats.binom.sf(better - 1, better + before, 0.5) * tries < _ONCE_IN:
            yield ring


def _permuted(ring: list[int], counts: Counts, labels: Sequence[str]) -> str:
    following = [*ring[1:], ring[0]]
    pairs = [f"{labels[k]!r} as {labels[other]!r}" for k, other in zip(ring, following, strict=True)]
    shown = ", ".join(pairs[:_MOST_NAMED]) + (
        f" and {len(pairs) - _MOST_NAMED} more" if len(pairs) > _MOST_NAMED else ""
    )
    before, better = (int(counts[ring, to].sum()) / int(counts[ring].sum()) for to in (ring, following))
    return (
        f"the classifier names pictures of {shown}: of their pictures {before:.0%} are classified correctly, "
        f"{better:.0%} if these labels changed places; the labels, or the classes of the images, are in another order"
    )
