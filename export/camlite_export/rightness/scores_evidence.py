"""What unlabelled pictures say by their scores: whether the classifier tells them apart at all."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from camlite_export.rightness import candidates, pixel_evidence
from camlite_export.rightness.pixel_evidence import Evidence, Targets, silent
from camlite_export.sources.pixel_view import View

# Of what scores can tell at most, log(classes): near 0 for pictures in 0..1 or -1..1 that are black to a network that
# scales 0..255 inside, and most of it where those are the pixels of its training (tried on constructed ones only).
_TELLS = 0.15
_SMALL = ("unit", "signed")
_LITTLE = 0.1  # that the layers leave of them, from black to white


def of_the_scores(
    view: View, scores: Mapping[str, NDArray[np.float32]], targets: Targets, layers: Evidence
) -> Evidence:
    """Layers that scale 0..255 leave next to nothing of 0..1: a classifier that still tells such pictures apart was
    trained on them, and scales what was scaled already.
    """
    everything = frozenset(targets)
    small = candidates.in_any_order(_SMALL, targets)
    if layers.permits == everything or layers.permits & small:
        return silent("scores", targets, "no layer scales 0..255")
    left = [name for name in small if pixel_evidence.left_of(view, targets[name]) < _LITTLE]
    told = {name: told_apart(scores[name]) for name in left}
    best = max(told, key=lambda name: told[name], default=None)
    if best is None or told[best] < _TELLS:
        return silent("scores", targets, "it does not tell smaller pixels apart")
    reason = (
        f"it tells these pictures apart as {candidates.shown(best)} as well, of which its first layers leave little"
    )
    return Evidence("scores", small, reason, {})


def told_apart(scores: NDArray[np.float32]) -> float:
    """How much the scores say of which picture it was, 0 to 1: their entropy over all pictures, less that of each, of
    the logarithm of the number of classes.
    """
    shares = np.clip(np.asarray(scores, np.float64), 1e-12, None)
    shares /= shares.sum(axis=1, keepdims=True)
    of_all = shares.mean(axis=0)
    together, each = -(of_all * np.log(of_all)).sum(), -(shares * np.log(shares)).sum(axis=1).mean()
    return float((together - each) / np.log(max(shares.shape[1], 2)))
