"""Pictures on which maps are measured, with masks where the object is known.

Stamps: photographs of things with a transparent ground (Debian's tuxpaint-stamps-default), each pasted at several
places of blurred photographs of scikit-learn. The mask is where the stamp is more than half opaque.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import NamedTuple

import numpy as np

DEBIAN_PACKAGE = "tuxpaint-stamps-default"

# Folders with photographs of things that ImageNet has classes of; those of drawings are left out.
_FOLDERS = ("animals", "clothes", "food", "hobbies", "household", "vehicles")
_PASTES = 4
# The longer side of the object in pixels of 224, as large as things are in ImageNet's own pictures.
_SMALLEST, _LARGEST = 90, 130
_GROUND_BLUR = 5
# The network must name the object, and must not name it where only the ground is left.
_SURE, _ABSENT = 0.35, 0.05

Scores = Callable[[np.ndarray], np.ndarray]


class Pictures(NamedTuple):
    """N pictures.

    Attributes:
        images: uint8 (N, H, W, channels).
        masks: bool (N, H, W), where the object is; empty where that is not known.
    """

    images: np.ndarray
    masks: np.ndarray


def spread(pictures: Pictures, count: int) -> Pictures:
    """So many of them, evenly."""
    chosen = np.unique(np.linspace(0, len(pictures.images) - 1, min(count, len(pictures.images))).astype(int))
    return Pictures(pictures.images[chosen], pictures.masks[chosen] if len(pictures.masks) else pictures.masks)


def stamps(folder: Path, side: int, scores: Scores) -> Pictures:
    """Stamps on photographs, those that a network names.

    Args:
        folder: with the stamps' folders.
        side: of the pictures.
        scores: of the network, of uint8 (N, side, side, 3): (N, K) probabilities.
    """
    drawn = list(_pastes(folder, side))
    if not drawn:
        raise FileNotFoundError(
            f"{folder}: has no stamps with a transparent ground; give the folder with animals/ in it"
        )
    images, grounds, masks = (np.stack(one) for one in zip(*drawn, strict=True))
    of_images, of_grounds = scores(images), scores(grounds)
    rows, named = np.arange(len(images)), of_images.argmax(axis=1)
    known = (of_images[rows, named] > _SURE) & (of_grounds[rows, named] < _ABSENT)
    return Pictures(images[known], masks[known])


def _pastes(folder: Path, side: int) -> Iterator[tuple[np.ndarray, np.ndarray, np.ndarray]]:
    """Each picture, its ground without the object, and the mask."""
    from PIL import Image, ImageFilter
    from sklearn.datasets import load_sample_images

    random, photographs = np.random.default_rng(16), load_sample_images().images
    paths = sorted(path for name in _FOLDERS for path in (folder / name).rglob("*.png") if "cartoon" not in str(path))
    for path in paths:
        with Image.open(path) as file:
            stamp = file.copy()
        if stamp.mode != "RGBA" or stamp.getbbox() is None:
            continue
        stamp = stamp.crop(stamp.getbbox())
        scale = random.uniform(_SMALLEST, _LARGEST) * side / 224 / max(stamp.size)
        stamp = stamp.resize([max(8, round(length * scale)) for length in stamp.size], Image.Resampling.LANCZOS)
        opaque = np.asarray(stamp)[..., 3] > 127
        if not 0.15 <= opaque.mean() <= 0.97:  # a hair, or a photograph that fills its frame
            continue
        for _ in range(_PASTES):
            photograph = photographs[random.integers(len(photographs))]
            top, left = (random.integers(length - side) for length in photograph.shape[:2])
            ground = Image.fromarray(photograph[top : top + side, left : left + side])
            ground = ground.filter(ImageFilter.GaussianBlur(_GROUND_BLUR))
            x, y = (int(random.integers(0, side + 1 - length)) for length in stamp.size)
            picture, mask = ground.copy(), np.zeros((side, side), np.bool_)
            picture.paste(stamp, (x, y), stamp)
            mask[y : y + stamp.height, x : x + stamp.width] = opaque
            yield np.asarray(picture), np.asarray(ground), mask


def tanks(folder: Path) -> Pictures:
    """Pictures with a tank that the example wrote, see examples/tanks: drawn, so the mask is exact."""
    from PIL import Image

    masks = sorted((folder / "masks" / "tank").glob("*.png"))
    if not masks:
        raise FileNotFoundError(f"{folder}: no masks of tanks there; `make tanks` draws them")
    images = [np.asarray(Image.open(folder / "images" / "tank" / path.name).convert("RGB")) for path in masks]
    return Pictures(np.stack(images), np.stack([np.asarray(Image.open(path).convert("L")) > 127 for path in masks]))
