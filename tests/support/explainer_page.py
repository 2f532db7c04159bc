"""The page that explains pictures, of `camlite serve` and `camlite to-web`: what its tests wait for and drop."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from camlite.images import picture_files

SAYS_NOTHING = "document.getElementById('message').textContent === ''"
READY = f"!document.getElementById('proof').hidden && {SAYS_NOTHING}"
SHOWN = f"!document.getElementById('result').hidden && {SAYS_NOTHING}"


def write_transparent(folder: Path) -> Path:
    """The same, with colours that nobody sees: half of it is transparent, and some more in part."""
    from PIL import Image

    path = folder / "transparent.png"
    colours = picture_files.read_image(write_photo(folder))
    alpha = np.full((120, 160, 1), 255, np.uint8)
    alpha[:, :80], alpha[:60, 80:100] = 0, 100
    Image.fromarray(np.concatenate([colours, alpha], axis=2)).save(path)
    return path


def write_photo(folder: Path) -> Path:
    """A picture of 160 x 120 pixels, of colours that no golden sample has."""
    path = folder / "photo.png"
    colours = np.random.default_rng(1).integers(0, 256, (30, 40, 3))
    picture_files.write(path, colours.repeat(4, axis=0).repeat(4, axis=1).astype(np.uint8))
    return path
