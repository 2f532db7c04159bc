"""Evidence by gradient that adds up to nothing at every place, whatever the image shows.

Where each place of the features is normalized over its channels right behind the cut, the scores do not change with
the size of what stands there. Then features times gradient, summed over the channels, is 0 but for the normalization's
epsilon: a map of what is left shows that, and rounding. FocalNet of Hugging Face, whose last maps are lists of places,
would be cut like that.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from camlite.errors import ClassifierError
from camlite_export.cutting import evidence
from camlite_export.cutting.halves import HasHead

# Features are made so much larger that no epsilon matters beside them; Keras's is 1e-3, and pixels may be below 1.
_LARGER = np.float32(1e3)
# Evidence as a share of what is summed for it, in magnitude, at the most of all places. Where it cancels, 4e-7 was the
# most; of other heads 0.2 the least, of GhostNet. Of 2,048 channels with random signs, 1 / sqrt(2,048) = 0.02 is left.
_LEAST = 1e-4


def refuse(halves: HasHead, features: NDArray[np.float32], name: str, layer: str) -> None:
    """For a head that is not affine.

    Args:
        halves: of the cut classifier.
        features: of some images, float32 (N, h, w, C).
        name, layer: of the classifier, and where it is cut.

    Raises:
        ClassifierError: its evidence is what an epsilon and rounding leave of a sum that is 0.
    """
    found = share(halves, features * _LARGER)
    if found is not None and found < _LEAST:
        raise ClassifierError(
            f"{name}: cut at layer {layer!r}, its evidence cancels out: right behind it each place is normalized over "
            f"its channels, so that features times gradient add up to 0 there; cut it at an earlier --layer, "
            f"`camlite inspect` lists the layers"
        )


def share(halves: HasHead, features: NDArray[np.float32]) -> float | None:
    """Evidence of the top class as a share of what is summed for it, at the most; None where all of it is 0.

    Features (N, h, w, C) that are not finite, or whose gradient is not, do not count.
    """
    found = []
    for one in features[np.isfinite(features).all(axis=(1, 2, 3))]:
        given = one[np.newaxis]
        top = np.asarray(halves.head(given, training=False)).argmax(axis=-1)
        terms = evidence.terms_by_gradient(halves, given, top)
        magnitude = np.abs(terms).sum(axis=-1).max()
        if np.isfinite(terms).all() and magnitude > 0:
            found.append(float(np.abs(terms.sum(axis=-1)).max() / magnitude))
    return max(found, default=None)
