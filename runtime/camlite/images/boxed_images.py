"""Images with annotated objects of several classes, as detection data sets have them: one class and one mask each."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Generic, TypeVar

import numpy as np

from camlite.errors import ImageError
from camlite.images import picture_files, preprocessing
from camlite.images.labelled_images import LabelledImages
from camlite.images.masked_images import Mask, MaskedImages
from camlite.images.preprocessing import Pixels

T = TypeVar("T")


@dataclass(frozen=True)
class Object(Generic[T]):
    """An annotated object: its label, its area in pixels, and what its mask is drawn from."""

    label: str
    area: float
    shape: T


def masked_images(
    where: Path,
    files: Sequence[Path],
    objects: Sequence[Sequence[Object[T]]],
    labels: Sequence[str],
    draw: Callable[[T, Mask], None],
) -> MaskedImages:
    """Images of the classifier's classes: each is of the class with the largest area, its mask all objects of that.

    Images without an object of any of the labels are left out: what they show is not known.

    Args:
        where: what to name in a message.
        files: the pictures.
        objects: of each picture.
        labels: the classifier's.
        draw: sets to true the pixels of a shape in a mask (H, W).

    Raises:
        ImageError: no image shows an object of one of the labels.
    """
    chosen = []
    for file, found in zip(files, objects, strict=True):
        areas = [sum(one.area for one in found if one.label == label) for label in labels]
        if any(areas):
            k = int(np.argmax(areas))
            chosen.append((file, k, [one.shape for one in found if one.label == labels[k]]))
    if not chosen:
        named = sorted({one.label for found in objects for one in found})
        raise ImageError(
            f"{where}: no object of the classifier's labels, {', '.join(labels)[:100]}; "
            f"it has {', '.join(named)[:100] or 'none'}; rename one or the other"
        )

    def read_mask(index: int, pixels: Pixels) -> Mask:
        mask = np.zeros(pixels.shape[:2], np.bool_)
        for shape in chosen[index][2]:
            draw(shape, mask)
        return mask

    names = [str(file) for file, _, _ in chosen]
    classes = np.array([k for _, k, _ in chosen], np.int64)
    return MaskedImages(
        LabelledImages(names, classes, lambda i: preprocessing.check(picture_files.read_image(chosen[i][0]))), read_mask
    )
