"""Read and write picture files with Pillow, the one optional dependency of the device (extra ``image``)."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from camlite.errors import ImageError

SUFFIXES = frozenset({".png", ".jpg", ".jpeg", ".bmp", ".webp", ".gif", ".tif", ".tiff", ".pgm", ".ppm"})


def read(path: str | Path) -> NDArray[np.uint8]:
    """Read a picture upright: uint8 (H, W) where it is grey, else (H, W, 3).

    Raises:
        ImageError: no such file, no picture, truncated, or Pillow is not installed.
    """
    image_module = _pillow("PIL.Image")
    try:
        with image_module.open(path) as picture:
            upright = _pillow("PIL.ImageOps").exif_transpose(picture)
            grey = upright.mode in ("1", "L", "LA", "I", "I;16", "F")
            return np.asarray(upright.convert("L" if grey else "RGB"))
    except FileNotFoundError:
        raise ImageError(f"{path}: no such file; check the path") from None
    except (OSError, ValueError, SyntaxError, image_module.DecompressionBombError) as error:
        reason = "not a picture that Pillow knows" if "cannot identify" in str(error) else str(error)
        raise ImageError(f"{path}: cannot read it as an image ({reason}); expected PNG, JPEG or the like") from None


def write(path: Path, pixels: NDArray[np.uint8]) -> None:
    """Write uint8 (H, W) or (H, W, 3) as PNG; the file appears whole or not at all.

    Raises:
        ImageError: the folder cannot be written to, or Pillow is not installed.
    """
    picture = _pillow("PIL.Image").fromarray(pixels)
    part = path.with_name(f".{path.name}.{os.getpid()}.part")
    try:
        picture.save(part, format="PNG")
        part.replace(path)
    except OSError as error:
        part.unlink(missing_ok=True)
        raise ImageError(f"{path}: cannot write it ({error.strerror or error}); check the folder") from None


def _pillow(module: str) -> Any:
    import importlib

    try:
        return importlib.import_module(module)
    except ImportError:
        raise ImageError("image files need Pillow: pip install 'camlite[image]'") from None
