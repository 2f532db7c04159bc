"""Read and write picture files with Pillow, the one optional dependency of the device (extra ``image``)."""

from __future__ import annotations

import contextlib
import os
import warnings
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from camlite.errors import ImageError

SUFFIXES = frozenset({".png", ".jpg", ".jpeg", ".bmp", ".webp", ".gif", ".tif", ".tiff", ".pgm", ".ppm"})


def read(path: str | Path) -> NDArray[np.uint8]:
    """Read a picture upright: uint8 (H, W) where it is grey, else (H, W, 3).

    Transparency is dropped. Of 16 bits a channel the upper 8 are kept.

    Raises:
        ImageError: no such file, no picture, truncated, of more than 16 bits, or Pillow is not installed.
    """
    image_module, operations = _pillow("PIL.Image"), _pillow("PIL.ImageOps")
    try:
        # What Pillow notices on the way (EXIF it cannot read) changes no pixel, and a command's errors are one line.
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            with image_module.open(path) as picture:
                picture.load()
                upright = picture
                with contextlib.suppress(Exception):  # EXIF that cannot be read says nothing about the orientation
                    upright = operations.exif_transpose(picture)
                return _pixels(upright)
    except FileNotFoundError:
        raise ImageError(f"{path}: no such file; check the path") from None
    except Exception as error:  # Pillow's decoders meet a damaged file with TypeError, KeyError, struct.error, ...
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
        raise ImageError(f"{path}: cannot write it ({error.strerror or error}); check the folder") from None
    finally:
        with contextlib.suppress(OSError):
            part.unlink()


def _pixels(picture: Any) -> NDArray[np.uint8]:
    mode = picture.mode
    if mode == "F":
        raise ValueError("32-bit floating point pixels")
    if mode.startswith("I"):  # "I;16", "I;16B", and "I" where Pillow has no 16-bit mode; convert("L") would clip
        wide = np.asarray(picture, np.int64)
        if wide.size and not 0 <= wide.min() <= wide.max() <= 0xFFFF:
            raise ValueError("32-bit integer pixels")
        return (wide >> 8).astype(np.uint8)
    return np.asarray(picture.convert("L" if mode in ("1", "L", "LA", "La") else "RGB"))


def _pillow(module: str) -> Any:
    import importlib

    try:
        return importlib.import_module(module)
    except ImportError:
        raise ImageError("image files need Pillow: pip install 'camlite[image]'") from None
