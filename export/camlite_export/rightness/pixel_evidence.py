"""What speaks for one convention of pixels and against others. Each piece of evidence names those it permits.

A piece of evidence excludes a convention only where it is sure; that is why its thresholds are far from what was
measured of the right convention. Confidence of the scores excludes none: a wrong convention of larger numbers
saturates a network, and a classifier that was fed 0..255 in place of 0..1 is nearly always surer of what it says
(mean confidence 1.00 where the right pixels gave 0.97, and accuracy 0.74 where they gave 0.95).
What normalizations remember: `camlite_export.rightness.statistics_evidence`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from camlite.artifact.card import Preprocessing
from camlite.images.labelled_images import UNKNOWN
from camlite_export.rightness import candidates, label_evidence
from camlite_export.sources.known_families import Family
from camlite_export.sources.pixel_view import Floats, View

Source = Literal["layers", "family", "statistics", "accuracy", "scores"]
Targets = Mapping[str, Preprocessing]

# Layers in front of the first learned one land on a convention to 4e-7 of its width. Some divide by 127 or 128, which
# is 0.8 % of it; the nearest two conventions, -1..1 and that of ImageNet, are a whole width apart.
_SAME_COLOURS = 0.02
# Otherwise, what a network can begin with: black and white apart by so much. 0..255 fed to what expects 0..1, or the
# other way round, is 1/255 or 255.
_LEAST_WIDTH, _MOST_WIDTH = 0.2, 12.0

# Of a test of accuracies, with a convention's nearest rivals: eight pictures that only one of them gets right.
_UNLIKELY = 0.005


@dataclass(frozen=True)
class Evidence:
    """One piece of evidence.

    Attributes:
        source: what it was read from.
        permits: the conventions that it does not exclude; all of them where it says nothing.
        reason: the words for it, to stand behind "because".
        figures: what it measured of each convention; empty where nothing was.
        sure: whether it may decide; where not, it can only contradict.
        warning: what is to be said of it where something else decides; empty where nothing is.
        against: those that it speaks against without being sure; only accuracy decides for one of them all the same.
        reordered: the accuracies if labels changed places, where that makes more pictures right; else empty.
    """

    source: Source
    permits: frozenset[str]
    reason: str
    figures: Mapping[str, float]
    sure: bool = True
    warning: str = ""
    against: frozenset[str] = frozenset()
    reordered: Mapping[str, float] = field(default_factory=dict)


def silent(source: Source, targets: Targets, reason: str, figures: Mapping[str, float] | None = None) -> Evidence:
    """Evidence that excludes nothing, and why."""
    return Evidence(source, frozenset(targets), reason, figures or {})


def of_the_layers(view: View, targets: Targets) -> Evidence:
    """What stands in front of the first learned layer makes white, black, grey and the primary colours of it.

    That shows a range and never an order: scaling is the same for all channels.
    """
    known = candidates.usual(view.image_shape)
    tried = {**known, **({"given": targets["given"]} if "given" in targets else {})}
    given = {name: _middle(candidates.plain_colours(target)) for name, target in tried.items()}
    arrivals = {name: _arrival(view, target) for name, target in tried.items()}
    if all(_in_any_order(arrivals[name], given[name]) for name in tried):
        return silent("layers", targets, "no layer scales them")
    landing = {
        name: next((one for one in known if _in_any_order(arrival, given[one])), None)
        for name, arrival in arrivals.items()
    }
    exact = {name: one for name, one in landing.items() if one and one != name}
    if exact:
        what = " or ".join(f"{candidates.shown(name)} becomes {candidates.SHOWN[one]}" for name, one in exact.items())
        permits = candidates.in_any_order(exact, targets)
        return Evidence("layers", permits, f"its own first layers scale them: {what}", {})
    widths = {name: _width(arrival) for name, arrival in arrivals.items()}
    if all(abs(width / _width(given[name]) - 1) <= _SAME_COLOURS for name, width in widths.items()):
        return silent("layers", targets, "its own first layers only shift them")
    # Whoever takes off a mean outside the classifier does not scale inside it.
    able = {name for name, width in widths.items() if _LEAST_WIDTH <= width <= _MOST_WIDTH and name != "caffe"}
    if not able:
        return silent("layers", targets, "its own first layers change them to no range that is known", widths)
    reason = f"its own first layers leave black and white {min(widths[name] for name in able):.2g} apart"
    return Evidence("layers", candidates.in_any_order(able, targets), reason, widths)


def of_the_family(view: View, targets: Targets, family: Family | None) -> Evidence:
    """Networks of its family are given one range, at their first learned layer; pictures may be read in any order."""
    if family is None:
        return silent("family", targets, "its layers are of no family that is known")
    usual = candidates.usual(view.image_shape)
    known = _middle(candidates.plain_colours(usual[family.convention]))
    tried = {**usual, **({"given": targets["given"]} if "given" in targets else {})}
    permits = {name for name, target in tried.items() if _alike(_arrival(view, target), known)}
    if not permits:
        return silent("family", targets, f"its layers are built like {family.name}'s, which are given other pixels")
    return Evidence(
        "family",
        candidates.in_any_order(permits, targets),
        f"its layers are built like {family.name}'s, which is trained on {candidates.SHOWN[family.convention]}",
        {},
    )


def of_the_accuracy(
    scores: Mapping[str, NDArray[np.float32]], targets: Targets, decoys: Sequence[str], truth: NDArray[np.int64] | None
) -> Evidence:
    """How often the labelled pictures are classified correctly, picture by picture.

    Pixels are one question and the order of the labels is another. Where the labels in another order make more
    pictures right than any convention does in theirs, the conventions are compared in that order.
    """
    known = None if truth is None else truth != UNKNOWN
    if truth is None or known is None or not known.any():
        return silent("accuracy", targets, "the pictures have no labels")
    truth = truth[known]
    named = {name: one[known].argmax(axis=1) for name, one in scores.items()}
    figures = {name: float((named[name] == truth).mean()) for name in scores}
    others = {name: label_evidence.in_another_order(one, truth) for name, one in named.items()}
    if not _more_are_right(others, named, truth):
        return _of_the_named(named, truth, targets, decoys, figures)
    reordered = {name: float((others[name] == truth).mean()) for name in scores}
    return _of_the_named(others, truth, targets, decoys, figures, reordered)


def _of_the_named(
    named: Mapping[str, NDArray[np.int64]],
    truth: NDArray[np.int64],
    targets: Targets,
    decoys: Sequence[str],
    figures: Mapping[str, float],
    reordered: Mapping[str, float] | None = None,
) -> Evidence:
    from scipy import stats

    right = {name: one == truth for name, one in named.items()}
    accuracy = reordered or figures
    best = max(targets, key=lambda name: accuracy[name])
    chance = float(sum((truth == k).mean() * (named[best] == k).mean() for k in np.unique(truth)))
    if stats.binom.sf(right[best].sum() - 1, len(truth), chance) > _UNLIKELY:
        return silent("accuracy", targets, "the pictures' labels are met by chance under every convention", figures)
    odd = next((name for name in decoys if _worse(right[best], right[name])), None)
    if odd:
        reason = f"more pictures are classified correctly as {odd} ({accuracy[odd]:.0%}) than in any range with a name"
        return Evidence("accuracy", frozenset(), f"{reason} (at most {accuracy[best]:.0%})", figures)
    excluded = frozenset(name for name in targets if name != best and _worse(right[name], right[best]))
    order = " if some labels changed places" if reordered else ""
    shown = candidates.shown(best)
    reason = f"{accuracy[best]:.0%} of {len(truth)} labelled pictures are classified correctly as {shown}{order}"
    if excluded:
        reason += f", at most {max(accuracy[name] for name in excluded):.0%} otherwise"
    return Evidence("accuracy", frozenset(targets) - excluded, reason, figures, reordered=reordered or {})


def _more_are_right(
    others: Mapping[str, NDArray[np.int64]], named: Mapping[str, NDArray[np.int64]], truth: NDArray[np.int64]
) -> bool:
    """Whether the best convention in another order of the labels is far better than the best in theirs."""
    right, right_in_another = (
        max((one == truth for one in every.values()), key=lambda one: int(one.sum())) for every in (named, others)
    )
    return _worse(right, right_in_another)


def _worse(one: NDArray[np.bool_], than: NDArray[np.bool_]) -> bool:
    """Whether fewer pictures are right, and not by chance: a sign test on those that only one of the two gets right."""
    from scipy import stats

    lost, won = int((than & ~one).sum()), int((one & ~than).sum())
    return bool(lost + won and stats.binom.sf(lost - 1, lost + won, 0.5) < _UNLIKELY)


def _arrival(view: View, target: Preprocessing) -> Floats:
    return _middle(view.at_first_learned_layer(candidates.plain_colours(target)))


def _middle(values: NDArray[np.float32]) -> Floats:
    """Of each colour and channel the median over the places, which padding does not move: (6, channels)."""
    places = np.asarray(values, np.float64).reshape(len(values), -1, values.shape[-1])
    return np.asarray(np.median(places, axis=1))


def left_of(view: View, target: Preprocessing) -> float:
    """How far apart black and white are at the first learned layer."""
    return _width(_arrival(view, target))


def _in_any_order(arrival: Floats, known: Floats) -> bool:
    """Layers may turn the order of the channels as well."""
    return _alike(arrival, known) or _alike(arrival[..., ::-1], known)


def _alike(arrival: Floats, known: Floats) -> bool:
    if arrival.shape != known.shape:
        return False
    return bool(np.abs(arrival - known).max() <= _SAME_COLOURS * np.ptp(known, axis=0).max())


def _width(arrival: Floats) -> float:
    """From black to white, the median of the channels."""
    return float(np.median(np.abs(arrival[2] - arrival[0])))
