"""Photographs for the tests, from packages that carry some: ``python tests/photographs.py FOLDER``.

Eleven in colour, of scikit-image, scikit-learn and matplotlib. Crops of their left halves go to FOLDER/calibration, of
their right halves to FOLDER/evaluation: the same cameras and lights, and no pixel in both.
"""

from __future__ import annotations

import sys
from importlib.resources import files
from pathlib import Path

import numpy as np
from PIL import Image

_PLACES = {
    "skimage.data": (
        *("astronaut.png", "chelsea.png", "coffee.png", "hubble_deep_field.jpg", "ihc.png"),
        *("motorcycle_left.png", "retina.jpg", "rocket.jpg"),
    ),
    "sklearn.datasets.images": ("china.jpg", "flower.jpg"),
    "matplotlib": ("mpl-data/sample_data/grace_hopper.jpg",),
}


def photograph(name: str) -> Image.Image:
    """One of them in RGB, by the stem of its file, as ``astronaut``."""
    for package, places in _PLACES.items():
        for place in places:
            if Path(place).stem == name:
                with files(package).joinpath(place).open("rb") as file:
                    return Image.open(file).convert("RGB")
    raise ValueError(f"no photograph {name!r}")


def names() -> list[str]:
    """All of them."""
    return [Path(place).stem for places in _PLACES.values() for place in places]


def write_crops(folder: Path, half: str, count: int, side: int = 256) -> Path:
    """Seeded square crops of one half of each photograph in turn, mirrored and lit now and then, as PNG.

    Args:
        half: ``left`` or ``right``.
        side: of a crop that is written, in pixels.
    """
    folder.mkdir(parents=True, exist_ok=True)
    random = np.random.default_rng(["left", "right"].index(half))
    photographs = [photograph(name) for name in names()]
    for number in range(count):
        photo = photographs[number % len(photographs)]
        middle = photo.width // 2
        left, right = (0, middle) if half == "left" else (middle, photo.width)
        size = int(min(right - left, photo.height) * random.uniform(0.4, 1))
        x, y = random.integers(left, right - size + 1), random.integers(0, photo.height - size + 1)
        crop = photo.resize((side, side), Image.Resampling.BILINEAR, (x, y, x + size, y + size))
        pixels = np.asarray(crop, np.float32) * random.uniform(0.7, 1.2)
        pixels = pixels[:, :: random.choice([-1, 1])]
        Image.fromarray(np.rint(pixels).clip(0, 255).astype(np.uint8)).save(folder / f"{number:03}.png")
    return folder


if __name__ == "__main__":
    target = Path(sys.argv[1])
    write_crops(target / "calibration", "left", 220)
    write_crops(target / "evaluation", "right", 220)
