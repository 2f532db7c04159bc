"""Read and write picture files with Pillow, the one optional dependency of the device (extra ``image``)."""

from __future__ import annotations

import contextlib
import importlib
import io
import warnings
import zlib
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
from numpy.typing import NDArray

from camlite.errors import ImageError
from camlite.system import files
from camlite.system.quiet_native_code import without_notices

SUFFIXES = frozenset({".png", ".jpg", ".jpeg", ".bmp", ".webp", ".gif", ".tif", ".tiff", ".pgm", ".ppm"})


# Of what Pillow can open, those that are pictures and nothing else: EPS, for one, starts a program.
_FORMATS = ("PNG", "JPEG", "BMP", "WEBP", "GIF", "TIFF", "PPM")
# Deflate packs at most 1032 bytes into one, and JPEG 1024. Formats that pack a single colour better have room in the
# first number: 12 megapixels of RGB, which Pillow keeps in 48 MB.
_ALWAYS_CREDIBLE = 36_000_000
_MOST_TIMES = 1032


_ORIENTATION = 0x0112  # EXIF's tag


class TooManyPixelsError(ImageError):
    """The picture's header says that it has more pixels than are allowed; none of them was decoded."""


def read_image(path: str | Path, most_pixels: int | None = None) -> NDArray[np.uint8]:
    """Read a picture upright: uint8 (H, W) where it is grey, else (H, W, 3).

    Transparency is dropped. Of 16 bits a channel the upper 8 are kept.

    Args:
        path: of the file.
        most_pixels: height times width that is accepted, looked up in the header; by default Pillow's own limit of
            179 million.

    Raises:
        ImageError: no such file, no picture, truncated, of more than 16 bits, or Pillow is not installed.
        TooManyPixelsError: it is larger than accepted.
    """
    pillow("PIL.Image")  # where it is missing, that is what is wrong
    try:
        # Pillow maps raw pixels of a path into memory, where a file that is cut short meanwhile kills the process.
        with files.regular(path) as file:
            return _read(file, str(path), most_pixels)
    except FileNotFoundError:
        raise ImageError(f"{path}: no such file; check the path") from None
    except OSError as error:
        raise ImageError(f"{path}: cannot read it as an image ({error.strerror or error}); expected a file") from None


def read_open(file: BinaryIO, name: str, most_pixels: int | None = None) -> NDArray[np.uint8]:
    """Read a picture from an open file, as `read_image` does; `name` is what errors call it."""
    return _read(file, name, most_pixels)


def decode(content: bytes, name: str, most_pixels: int | None = None) -> NDArray[np.uint8]:
    """Read a picture from the bytes of its file, as `read_image` does; `name` is what errors call it."""
    return _read(io.BytesIO(content), name, most_pixels)


def _read(source: BinaryIO, name: str, most_pixels: int | None) -> NDArray[np.uint8]:
    image_module = pillow("PIL.Image")
    try:
        file_size = _size(source)
        # What Pillow notices on the way (EXIF it cannot read) changes no pixel, and a command's errors are one line.
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            with image_module.open(source, formats=_FORMATS) as picture:
                if most_pixels is not None and picture.width * picture.height > most_pixels:
                    size = f"{picture.width} x {picture.height} pixels"
                    raise TooManyPixelsError(f"{name}: {size}, expected at most {most_pixels}; make it smaller")
                _check_credible(picture, file_size, name)
                with without_notices() if picture.format == "TIFF" else contextlib.nullcontext():
                    picture.load()
                upright = picture
                with contextlib.suppress(Exception):  # EXIF that cannot be read says nothing about the orientation
                    if picture.getexif().get(_ORIENTATION, 1) != 1:  # else `exif_transpose` copies the picture
                        upright = pillow("PIL.ImageOps").exif_transpose(picture)
                return _pixels(upright)
    except ImageError:
        raise
    except Exception as error:  # Pillow's decoders meet a damaged file with TypeError, KeyError, struct.error, ...
        reason = "not a picture that Pillow knows" if "cannot identify" in str(error) else str(error)
        raise ImageError(f"{name}: cannot read it as an image ({reason}); expected PNG, JPEG or the like") from None


def _size(file: BinaryIO) -> int:
    end = file.seek(0, io.SEEK_END)
    file.seek(0)
    return end


def encode(pixels: NDArray[np.uint8]) -> bytes:
    """The PNG file of uint8 (H, W) or (H, W, 3)."""
    stream = _PNG()
    # To pack runs of one byte alone takes a quarter of the time; a small image drawn large is 7 % larger, a photo 12 %.
    pillow("PIL.Image").fromarray(pixels).save(stream, compress_type=zlib.Z_RLE)
    return stream.getvalue()


class _PNG(io.BytesIO):
    """Pillow tells the format by the name; where it is told the format, it first loads those that are common."""

    name = "picture.png"


def write(path: Path, pixels: NDArray[np.uint8]) -> None:
    """Write uint8 (H, W) or (H, W, 3) as PNG; the file appears whole or not at all.

    Raises:
        ImageError: the folder cannot be written to, or Pillow is not installed.
    """
    content = encode(pixels)
    try:
        files.write(path, content)
    except OSError as error:
        raise ImageError(f"{path}: cannot write it ({error.strerror or error}); check the folder") from None


def pillow(module: str) -> Any:
    """A module of Pillow.

    Raises:
        ImageError: Pillow is not installed.
    """
    try:
        found = importlib.import_module(module)
    except ImportError:
        raise ImageError("image files need Pillow: pip install 'camlite[image]'") from None
    import logging  # Pillow imports it, too

    log = logging.getLogger("PIL")
    if not log.handlers:  # what it logs of a damaged file would go to standard error, where a refusal is one line
        log.addHandler(logging.NullHandler())
    return found


def _check_credible(picture: Any, size: int, name: str) -> None:
    """Refuse what says it is large and is not: decoders allocate what the header asks for."""
    decoded = picture.width * picture.height * len(picture.getbands())
    if decoded > max(_ALWAYS_CREDIBLE, _MOST_TIMES * size):
        raise TooManyPixelsError(
            f"{name}: says it is {picture.width} x {picture.height}, which its {size} bytes cannot hold; save it again"
        )


def _pixels(picture: Any) -> NDArray[np.uint8]:
    mode = picture.mode
    if mode == "F":
        raise ValueError("32-bit floating point pixels")
    if mode.startswith("I"):  # "I;16", "I;16B", and "I" where Pillow has no 16-bit mode; convert("L") would clip
        wide = np.asarray(picture, np.int64)
        if wide.size and not 0 <= wide.min() <= wide.max() <= 0xFFFF:
            raise ValueError("32-bit integer pixels")
        return (wide >> 8).astype(np.uint8)
    wanted = "L" if mode in ("1", "L", "LA", "La") else "RGB"
    return np.asarray(picture if mode == wanted else picture.convert(wanted))
