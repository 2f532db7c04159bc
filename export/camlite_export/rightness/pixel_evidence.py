"""What speaks for one convention of pixels and against others. Each piece of evidence names those it permits.

A piece of evidence excludes a convention only where it is sure; that is why its thresholds are far from what was
measured of the right convention. Confidence of the scores excludes none: a wrong convention of larger numbers
saturates a network, and a classifier that was fed 0..255 in place of 0..1 is nearly always surer of what it says
(mean confidence 1.00 where the right pixels gave 0.97, and accuracy 0.74 where they gave 0.95).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from camlite.artifact.card import Preprocessing
from camlite.images.labelled_images import UNKNOWN
from camlite_export.rightness import candidates, label_evidence, training_pictures
from camlite_export.sources.known_families import Family
from camlite_export.sources.pixel_view import Floats, Moments, Remembered, View

Source = Literal["layers", "family", "statistics", "accuracy"]
Targets = Mapping[str, Preprocessing]

# Layers in front of the first learned one land on a convention to 4e-7 of its width. Some divide by 127 or 128, which
# is 0.8 % of it; the nearest two conventions, -1..1 and that of ImageNet, are a whole width apart.
_SAME_COLOURS = 0.02
# Otherwise, what a network can begin with: black and white apart by so much. 0..255 fed to what expects 0..1, or the
# other way round, is 1/255 or 255.
_LEAST_WIDTH, _MOST_WIDTH = 0.2, 12.0

# Bhattacharyya distance from what the first normalization remembers. Measured on 11 small networks, a Teachable Machine
# and a Mini-Xception: the right convention at most 0.028 (on pictures of another kind), the others at least 0.055;
# pictures of half the brightness at least 0.083 under any.
_FITS = 0.05
_FURTHER, _TIMES_FURTHER = 0.025, 2.0
_FEWEST_PICTURES = 5
_RESAMPLINGS = 200
_SURE = 0.99

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
        reordered: the accuracies if labels changed places, where that makes more pictures right; else empty.
    """

    source: Source
    permits: frozenset[str]
    reason: str
    figures: Mapping[str, float]
    reordered: Mapping[str, float] = field(default_factory=dict)


def silent(source: Source, targets: Targets, reason: str, figures: Mapping[str, float] | None = None) -> Evidence:
    """Evidence that excludes nothing, and why."""
    return Evidence(source, frozenset(targets), reason, figures or {})


def of_the_layers(view: View, targets: Targets) -> Evidence:
    """What stands in front of the first learned layer makes white, black, grey and the primary colours of it."""
    arrivals = {name: _arrival(view, target) for name, target in targets.items()}
    given = {name: _middle(candidates.plain_colours(target)) for name, target in targets.items()}
    if all(_alike(arrivals[name], given[name]) for name in targets):
        return silent("layers", targets, "no layer scales them")
    shapes = candidates.named(view.image_shape)
    known = {name: _middle(candidates.plain_colours(target)) for name, target in shapes.items()}
    landing = {
        name: next((one for one in known if _alike(arrival, known[one])), None) for name, arrival in arrivals.items()
    }
    exact = {name: one for name, one in landing.items() if one}
    if exact:
        what = " or ".join(f"{_shown(name)} becomes {candidates.SHOWN[one]}" for name, one in exact.items())
        return Evidence("layers", frozenset(exact), f"its own first layers scale them: {what}", {})
    widths = {name: _width(arrival) for name, arrival in arrivals.items()}
    # Whoever takes off a mean outside the classifier does not scale inside it.
    able = {name for name, width in widths.items() if _LEAST_WIDTH <= width <= _MOST_WIDTH and name != "caffe"}
    if not able:
        return silent("layers", targets, "its own first layers change them to no range that is known", widths)
    reason = f"its own first layers leave black and white {min(widths[name] for name in able):.2g} apart"
    return Evidence("layers", frozenset(able), reason, widths)


def of_the_family(view: View, targets: Targets, family: Family | None) -> Evidence:
    """Networks of its family are given one convention, at their first learned layer."""
    if family is None:
        return silent("family", targets, "its layers are of no family that is known")
    known = _middle(candidates.plain_colours(candidates.named(view.image_shape)[family.convention]))
    permits = frozenset(name for name, target in targets.items() if _alike(_arrival(view, target), known))
    if not permits:
        return silent("family", targets, f"its layers are built like {family.name}'s, which are given other pixels")
    return Evidence(
        "family",
        permits,
        f"its layers are built like {family.name}'s, which is trained on {candidates.SHOWN[family.convention]}",
        {},
    )


def of_the_statistics(view: View, targets: Targets, decoys: Targets, raw: NDArray[np.float32] | None) -> Evidence:
    """What the first normalization remembers of its training, against what the pictures give there.

    Args:
        raw: the pictures, see `candidates.resized`; where there are none or few, their prior takes their place.
    """
    if not view.remembered:
        return silent("statistics", targets, "no normalization remembers them")
    if raw is None or len(raw) < _FEWEST_PICTURES:
        return _of_the_training(view, targets)
    first = view.remembered[0]
    moments = {name: view.moments(candidates.scaled(raw, target))[0] for name, target in {**targets, **decoys}.items()}
    distances = {name: distance(first, one) for name, one in moments.items()}
    figures = {name: distances[name] for name in targets}
    best = min(figures, key=lambda name: figures[name])
    what = f"{first.kind} {first.name!r}"
    if not figures[best] <= _FITS:
        return silent("statistics", targets, f"{what} remembers other pictures than these", figures)
    odd = min(decoys, key=lambda name: distances[name], default=None)
    if odd and figures[best] > _further(distances[odd]):
        return silent("statistics", targets, f"{what} remembers pixels like {odd}, which have no name here", figures)
    excluded = _further_in_resamplings(first, moments, best, [name for name in targets if name != best])
    reason = f"{what} remembers what these pictures give as {_shown(best)} (distance {figures[best]:.3f}"
    others = [figures[name] for name in excluded]
    reason += f", otherwise {min(others):.3f} or more)" if others else ")"
    return Evidence("statistics", frozenset(targets) - excluded, reason, figures)


def of_the_accuracy(
    scores: Mapping[str, NDArray[np.float32]], targets: Targets, decoys: Sequence[str], truth: NDArray[np.int64] | None
) -> Evidence:
    """How often the labelled pictures are named right, picture by picture.

    Pixels are one question and the order of the labels is another. Where the labels in another order make more
    pictures right than any convention does in theirs, the conventions are compared in that order.
    """
    known = None if truth is None else truth != UNKNOWN
    if truth is None or known is None or not known.any():
        return silent("accuracy", targets, "the pictures have no labels")
    truth = truth[known]
    named = {name: one[known].argmax(axis=1) for name, one in scores.items()}
    figures = {name: float((named[name] == truth).mean()) for name in targets}
    others = {name: label_evidence.in_another_order(one, truth) for name, one in named.items()}
    if not _more_are_right(others, named, truth):
        return _of_the_named(named, truth, targets, decoys, figures)
    reordered = {name: float((others[name] == truth).mean()) for name in targets}
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
    best = max(accuracy, key=lambda name: accuracy[name])
    chance = float(sum((truth == k).mean() * (named[best] == k).mean() for k in np.unique(truth)))
    if stats.binom.sf(right[best].sum() - 1, len(truth), chance) > _UNLIKELY:
        return silent("accuracy", targets, "the pictures' labels are met by chance under every convention", figures)
    odd = next((name for name in decoys if _worse(right[best], right[name])), None)
    if odd:
        return silent("accuracy", targets, f"more pictures are named right as {odd}, which has no name here", figures)
    excluded = frozenset(name for name in targets if name != best and _worse(right[name], right[best]))
    order = " if some labels changed places" if reordered else ""
    reason = f"{accuracy[best]:.0%} of {len(truth)} labelled pictures are named right as {_shown(best)}{order}"
    if excluded:
        reason += f", at most {max(accuracy[name] for name in excluded):.0%} otherwise"
    return Evidence("accuracy", frozenset(targets) - excluded, reason, figures, reordered or {})


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


def distance(memory: Remembered, moments: Moments) -> float:
    """How far what a layer is given lies from what it remembers: Bhattacharyya's distance of two normal distributions,
    mean of the channels (Bhattacharyya, 1943).

        (m1 - m2)^2 / (4 (v1 + v2)) + log((v1 + v2) / (2 sqrt(v1 v2))) / 2
    """
    mean = moments.mean.mean(axis=0)
    variance = np.maximum(moments.square.mean(axis=0) - np.square(mean), 0)
    # Below the layer's own epsilon a variance makes no difference to what it gives.
    given, known = (one + max(memory.epsilon, 1e-12) for one in (variance, np.maximum(memory.variance, 0)))
    apart = np.square(mean - memory.mean) / (4 * (given + known))
    spread = np.log((given + known) / (2 * np.sqrt(given * known))) / 2
    return float(np.mean(apart + spread))


def _further(near: float) -> float:
    return near + max(_FURTHER, _TIMES_FURTHER * near)


def _further_in_resamplings(
    first: Remembered, moments: Mapping[str, Moments], best: str, others: Sequence[str]
) -> frozenset[str]:
    """Those that are further off than the best, whichever of the pictures had been given: a bootstrap over them."""
    random = np.random.default_rng(0)
    count = len(moments[best].mean)
    further = dict.fromkeys(others, 0)
    for _ in range(_RESAMPLINGS):
        drawn = random.integers(count, size=count)
        at = {name: distance(first, Moments(*(part[drawn] for part in moments[name]))) for name in (best, *others)}
        for name in others:
            further[name] += at[name] > _further(at[best])
    return frozenset(name for name in others if further[name] >= _SURE * _RESAMPLINGS)


def _of_the_training(view: View, targets: Targets) -> Evidence:
    """Without pictures: what the pictures of the training must have been like under each convention."""
    found = training_pictures.estimate(view)
    if found is None:
        return silent("statistics", targets, "what its normalizations remember tells nothing without pictures")
    likely = training_pictures.likelihoods(found, targets)
    permits = frozenset(name for name, share in likely.items() if share > 1 - _SURE)
    if not permits:
        return silent("statistics", targets, "what its normalizations remember fits no convention", likely)
    best = max(likely, key=lambda name: likely[name])
    reason = (
        f"{view.remembered[0].kind} {view.remembered[0].name!r} remembers inputs of mean {found.mean:.3g} and "
        f"deviation {found.deviation:.3g}, as photographs have in {_shown(best)}"
    )
    return Evidence("statistics", permits, reason, likely)


def _shown(name: str) -> str:
    return candidates.SHOWN.get(name, name)


def _arrival(view: View, target: Preprocessing) -> Floats:
    return _middle(view.at_first_learned_layer(candidates.plain_colours(target)))


def _middle(values: NDArray[np.float32]) -> Floats:
    """Of each colour and channel the median over the places, which padding does not move: (6, channels)."""
    places = np.asarray(values, np.float64).reshape(len(values), -1, values.shape[-1])
    return np.asarray(np.median(places, axis=1))


def _alike(arrival: Floats, known: Floats) -> bool:
    if arrival.shape != known.shape:
        return False
    return bool(np.abs(arrival - known).max() <= _SAME_COLOURS * np.ptp(known, axis=0).max())


def _width(arrival: Floats) -> float:
    """From black to white, the median of the channels."""
    return float(np.median(np.abs(arrival[2] - arrival[0])))
