"""What the first normalization of a classifier remembers of its training, against what the pictures give there."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from camlite.artifact.card import Preprocessing
from camlite_export.rightness import candidates, training_pictures
from camlite_export.rightness.pixel_evidence import Evidence, Targets, silent
from camlite_export.sources.pixel_conventions import preprocessing
from camlite_export.sources.pixel_view import Moments, Remembered, View

# Bhattacharyya distance from what the first normalization remembers. Measured on 11 small networks, a Teachable Machine
# and a Mini-Xception: the right convention at most 0.028 (on pictures of another kind), the others at least 0.055;
# pictures of half the brightness at least 0.083 under any.
FITS = 0.05
_FURTHER, _TIMES_FURTHER = 0.025, 2.0
_FEWEST_PICTURES = 5
_RESAMPLINGS = 200
_SURE = 0.99


def of_the_statistics(view: View, targets: Targets, decoys: Targets, raw: NDArray[np.float32] | None) -> Evidence:
    """What the first normalization remembers of its training, against what the pictures give there.

    Where no candidate fits, either the pictures are other than those of the training, or the pixels are: that cannot
    decide, and is a doubt about whatever else does.

    Args:
        raw: the pictures, see `candidates.resized`; where there are none or few, their prior takes their place.
    """
    if not view.remembered:
        return silent("statistics", targets, "no normalization stored statistics of them")
    if raw is None or len(raw) < _FEWEST_PICTURES:
        return _of_the_training(view, targets)
    first = view.remembered[0]
    moments = {name: view.moments(candidates.scaled(raw, target))[0] for name, target in {**targets, **decoys}.items()}
    figures = {name: distance(first, one) for name, one in moments.items()}
    best = min(targets, key=lambda name: figures[name])
    what = f"{first.kind} {first.name!r}"
    much_further = _further_in_resamplings(first, moments, best, [name for name in targets if name != best])
    if not figures[best] <= FITS:
        return _of_others(what, targets, decoys, figures, much_further)
    centred, own = (figures.get(name, np.inf) for name in (candidates.CENTRED, candidates.OWN))
    if figures[best] > further(centred):
        reason = (
            f"{what} stored the statistics that these pictures have as {candidates.CENTRED} (distance {centred:.3f}"
        )
        reason += f", in any range with a name {figures[best]:.3f} or more)"
        return Evidence("statistics", frozenset(), reason, figures)
    if figures[best] > further(own):  # that follows the pictures wherever they go, and so is no proof of itself
        reason = f"{what} stored the statistics of pixels like {candidates.OWN}, which have no name here"
        return Evidence("statistics", frozenset(targets), reason, figures, warning=reason)
    return _of_the_nearest(what, best, targets, figures, much_further)


def _of_the_nearest(
    what: str, best: str, targets: Targets, figures: Mapping[str, float], much_further: frozenset[str]
) -> Evidence:
    """Colours of pictures differ more than their brightness: for the unusual order, the usual one must not fit."""
    usual = candidates.convention(best)
    kept = {usual} if figures.get(usual, np.inf) <= FITS else set[str]()
    excluded = much_further - kept
    shown = candidates.shown(best if best == usual or not kept else usual)
    nearest = figures[usual if kept else best]
    reason = f"{what} stored the statistics that these pictures have as {shown} (distance {nearest:.3f}"
    others = [figures[name] for name in excluded]
    reason += f", otherwise {min(others):.3f} or more)" if others else ")"
    return Evidence("statistics", frozenset(targets) - excluded, reason, figures)


def _of_others(
    what: str, targets: Targets, decoys: Targets, figures: Mapping[str, float], much_further: frozenset[str]
) -> Evidence:
    """No convention with a name fits: doubts about all of them, and more about those that fit worst."""
    least = min(targets, key=lambda name: figures[name])
    reason = f"{what} stored the statistics of other pictures than these, or of other pixels: the nearest is "
    reason += f"{candidates.shown(least)}, at a distance of {figures[least]:.3f}, expected at most {FITS}"
    fitting = [name for name in decoys if figures[name] <= FITS]
    if fitting:
        best = min(
            fitting, key=lambda name: (figures[name] > further(min(figures.values())), name != candidates.CENTRED)
        )
        shown = "" if best == candidates.FITTED else f"{best}, "
        reason += f"; they fit as {shown}{candidates.option(best, decoys[best])} (distance {figures[best]:.3f})"
    return Evidence("statistics", frozenset(targets), reason, figures, warning=reason, against=much_further)


def fitted(view: View, raw: NDArray[np.float32], base: Preprocessing) -> Preprocessing | None:
    """The mean and deviation, the same for all channels, under which these pictures give what is remembered.

    Where only linear layers stand in front: with L(x) for what they make of a picture, less what they make of black,
    the pictures x * a + b give the mean a L(x) + b L(1) + L0 and the variance a^2 var L(x).
    """
    if not view.remembered or len(raw) < _FEWEST_PICTURES:
        return None
    memory = view.remembered[0]
    ones = np.ones((1, *view.image_shape), np.float32)
    black, white = (view.moments(one)[0].mean.mean(axis=0) for one in (0 * ones, ones))
    # in steps of 0..1: a network of other functions is not linear over 255 times as much
    pictures = view.moments(raw / np.float32(255))[0]
    mean = pictures.mean.mean(axis=0)
    variance = np.maximum(pictures.square.mean(axis=0) - np.square(mean), 1e-30)
    size = np.sqrt(np.maximum(memory.variance, 0) + max(memory.epsilon, 1e-12))
    slope = float(np.sqrt(np.median(np.maximum(memory.variance, 0) / variance)))
    weights, wanted = (white - black) / size, (memory.mean - black - slope * (mean - black)) / size
    if not (slope > 0 and np.isfinite(slope) and weights @ weights > 0):
        return None
    deviation = 255 / slope
    centre = -float(weights @ wanted / (weights @ weights)) * deviation
    if not (np.isfinite(centre) and np.isfinite(deviation)):
        return None
    height, width, channels = view.image_shape
    rounded = [float(f"{number:.3g}") for number in (centre, deviation)]
    shape = (height, width, channels)
    return preprocessing(shape, mean=rounded[:1], std=rounded[1:], fit=base.fit, order=base.order, measured=True)


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


def further(near: float) -> float:
    """The distance from which on another candidate is further off than one at this distance."""
    return near + max(_FURTHER, _TIMES_FURTHER * near)


def _further_in_resamplings(
    first: Remembered, moments: Mapping[str, Moments], best: str, others: Sequence[str]
) -> frozenset[str]:
    """Those that are further off than the best, whichever of the pictures had been given: a bootstrap over them."""
    random = np.random.default_rng(0)
    count = len(moments[best].mean)
    counts = dict.fromkeys(others, 0)
    for _ in range(_RESAMPLINGS):
        drawn = random.integers(count, size=count)
        at = {name: distance(first, Moments(*(part[drawn] for part in moments[name]))) for name in (best, *others)}
        for name in others:
            counts[name] += at[name] > further(at[best])
    return frozenset(name for name in others if counts[name] >= _SURE * _RESAMPLINGS)


def _of_the_training(view: View, targets: Targets) -> Evidence:
    """Without pictures: what the pictures of the training must have been like under each convention.

    That says nothing of the order of the channels.
    """
    found = training_pictures.estimate(view)
    if found is None:
        return silent(
            "statistics", targets, "the statistics that its normalizations stored tell nothing without pictures"
        )
    given = {"given": targets["given"]} if "given" in targets else {}
    likely = training_pictures.likelihoods(found, {**candidates.usual(view.image_shape), **given})
    possible = [name for name, share in likely.items() if share > 1 - _SURE]
    remembered = f"{view.remembered[0].kind} {view.remembered[0].name!r} stored statistics of inputs of mean "
    remembered += f"{found.mean:.3g} and deviation {found.deviation:.3g}"
    permits = candidates.in_any_order(possible, targets)
    figures = {name: likely[candidates.convention(name)] for name in targets if candidates.convention(name) in likely}
    if not permits:
        return silent("statistics", targets, f"{remembered}, as pictures have in no range with a name", figures)
    nameless = [name for name in possible if name not in figures]
    if nameless:
        reason = f"{remembered}, as pictures may have in {' or '.join(map(candidates.shown, possible))}"
        return Evidence("statistics", permits, reason, figures, sure=False)
    best = max(possible, key=lambda name: likely[name])
    return Evidence("statistics", permits, f"{remembered}, as photographs have in {candidates.shown(best)}", figures)
