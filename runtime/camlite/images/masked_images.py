"""Images with the masks of their objects."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from camlite.images.labelled_images import LabelledImages
from camlite.images.preprocessing import Pixels

Mask = NDArray[np.bool_]


@dataclass(frozen=True)
class MaskedImages:
    """Labelled images, and where the object of each one is.

    Attributes:
        images: the images.
        read_mask: gives bool (H, W) of an image that was read; None where no masks are known at all. A mask may be
            empty: the image shows no object.
    """

    images: LabelledImages
    read_mask: Callable[[int, Pixels], Mask] | None

    def __len__(self) -> int:
        return len(self.images)

    def mask(self, index: int, image: Pixels) -> Mask | None:
        """Where the object is, bool (H, W); None where it shows none, or no masks are known."""
        if self.read_mask is None:
            return None
        mask = self.read_mask(index, image)
        return mask if mask.any() else None


class Partners:
    """For each image another one of another class: the same one at each run, wherever it runs."""

    def __init__(self, classes: NDArray[np.int64] | None, count: int, seed: int) -> None:
        self._seed, self._count = seed, count
        self._classes = np.zeros(count, np.int64) if classes is None else classes - classes.min()
        self._order = np.argsort(self._classes, kind="stable")
        self._starts = np.searchsorted(self._classes[self._order], np.arange(self._classes.max() + 2))

    def of(self, index: int) -> int | None:
        """An image of another class, drawn by seed and index; of the same where there is but one; None of no other."""
        start, stop = self._starts[self._classes[index] : self._classes[index] + 2]
        random = np.random.default_rng([self._seed, index])
        others = self._count - int(stop - start)
        if others:
            place = int(random.integers(others))
            return int(self._order[place if place < start else place + stop - start])
        if self._count == 1:
            return None
        return int((index + 1 + random.integers(self._count - 1)) % self._count)
