"""Draw README's picture: photographs of scikit-image as EfficientNet-Lite0 explains them, plain and fine."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import numpy as np

from camlite.images.labelled_images import LabelledImages
from camlite_export import contact_sheet

# All in the public domain, or CC0.
_PHOTOGRAPHS = ("chelsea.png", "coffee.png", "rocket.jpg")
_CLASSES = {"class 285": "Egyptian cat", "class 967": "espresso", "class 657": "missile"}
"""Of ImageNet: the artifact itself has no labels."""


def draw(artifact: Path, picture: Path) -> None:
    """Write the picture, a column for each photograph, with the name of the class that the artifact gives it."""
    pixels = [_squared(name) for name in _PHOTOGRAPHS]
    images = LabelledImages(list(_PHOTOGRAPHS), None, lambda index: pixels[index])
    shown = contact_sheet.columns(artifact, images)
    named = [dataclasses.replace(column, above=_CLASSES[column.above]) for column in shown]
    picture.write_bytes(contact_sheet.sheet(named, ""))


def _squared(name: str) -> np.ndarray:
    """The middle square of a photograph, uint8 (side, side, 3), at most 448 a side."""
    import skimage.io
    import skimage.transform

    pixels = skimage.io.imread(Path(skimage.__file__).parent / "data" / name)[..., :3]
    side = min(pixels.shape[:2])
    top, left = ((length - side) // 2 for length in pixels.shape[:2])
    square = pixels[top : top + side, left : left + side]
    resized = skimage.transform.resize(square, (448, 448), anti_aliasing=True, preserve_range=True)
    return np.ascontiguousarray(np.rint(resized).astype(np.uint8))


if __name__ == "__main__":
    import sys

    draw(Path(sys.argv[1]), Path(sys.argv[2]))
