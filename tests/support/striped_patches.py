"""Data sets for the stripes of tiny_classifiers.py: a striped patch, and a mask on it or beside it."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from camlite.images import picture_files

LABELS = ("horizontal", "vertical")


def patches(count: int, beside: bool, seed: int = 0) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Images uint8 (N, 16, 24), their classes, and masks bool.

    Args:
        count: of images.
        beside: whether the object is a plain square in the one half, and the stripes lie in the other; else the
            object is what is striped.
        seed: of places and greys.
    """
    random = np.random.default_rng(seed)
    rows, columns = np.indices((16, 24))
    images, masks = np.full((count, 16, 24), 60, np.uint8), np.zeros((count, 16, 24), np.bool_)
    classes = np.arange(count) % 2
    for image, mask, k in zip(images, masks, classes, strict=True):
        top, left = random.integers(0, 9), random.integers(0, 5)
        stripes = np.where((rows, columns)[k] // 2 % 2, 30, random.integers(200, 256))
        patch = np.s_[top : top + 8, left : left + 8]
        image[patch] = stripes[patch]
        if beside:
            patch = np.s_[top : top + 6, 15 : 15 + 6]
            image[patch] = 150
        mask[patch] = True
    return images, classes, masks


def write_folder(folder: Path, count: int, beside: bool) -> Path:
    """As ``images/LABEL/N.png`` and ``masks/LABEL/N.png``."""
    images, classes, masks = patches(count, beside)
    for index, (image, k, mask) in enumerate(zip(images, classes, masks, strict=True)):
        for kind, pixels in (("images", image), ("masks", mask.astype(np.uint8) * 255)):
            path = folder / kind / LABELS[k] / f"{index}.png"
            path.parent.mkdir(parents=True, exist_ok=True)
            picture_files.write(path, pixels)
    return folder
