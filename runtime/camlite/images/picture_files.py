"""Read and write picture files with Pillow, the one optional dependency of the device (extra ``image``)."""

from __future__ import annotations

import contextlib
import importlib
import io
import os
import struct
import warnings
import zlib
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, BinaryIO, Literal, NamedTuple

import numpy as np
from numpy.typing import NDArray

from camlite.errors import ImageError
from camlite.images import picture_memory
from camlite.system import files
from camlite.system.installing import remedy
from camlite.system.quiet_native_code import without_notices

SUFFIXES = frozenset({".png", ".jpg", ".jpeg", ".bmp", ".webp", ".gif", ".tif", ".tiff", ".pgm", ".ppm"})


# Of what Pillow can open, those that are pictures and nothing else: EPS, for one, starts a program.
_FORMATS = ("PNG", "JPEG", "BMP", "WEBP", "GIF", "TIFF", "PPM")
# Deflate packs at most 1032 bytes into one, and JPEG 1024. Formats that pack a single colour better have room in the
# first number: 12 megapixels of RGB, which Pillow keeps in 48 MB.
_ALWAYS_CREDIBLE = 36_000_000
_MOST_TIMES = 1032

# Pillow 9 to 12 make up to two canvases of an animated PNG when they open it, before anything can be asked. Of this
# size they take what `picture_memory` has for buffers.
_MOST_ANIMATED_PIXELS = 1 << 19
_PNG_SIGNATURE = b"\x89PNG\r\n\x1a\n"

_SLOW_DECODERS = frozenset({"ppm", "ppm_plain"})
_MOST_SLOW_PIXELS = 250_000

Form = Literal["PNG", "JPEG"]
"""What pictures are written as."""

FORMS: Mapping[str, Form] = {".png": "PNG", ".jpg": "JPEG", ".jpeg": "JPEG"}
"""By suffix, in lower case."""

_JPEG_QUALITY = 92  # thin lines and text stay clean

_OF_THE_SYSTEM = {"lost+found", "System Volume Information", "$RECYCLE.BIN"}  # at the top of a disk, for root only
_ORIENTATION = 0x0112  # EXIF's tag
_ON_ITS_SIDE = frozenset({5, 6, 7, 8})
# How the stored rows and columns lie in the upright picture: views of it, none of which copies.
_STORED: Mapping[int, Callable[[NDArray[np.uint8]], NDArray[np.uint8]]] = {
    1: lambda upright: upright,
    2: lambda upright: upright[:, ::-1],
    3: lambda upright: upright[::-1, ::-1],
    4: lambda upright: upright[::-1],
    5: lambda upright: upright.swapaxes(0, 1),
    6: lambda upright: upright.swapaxes(0, 1)[::-1],
    7: lambda upright: upright.swapaxes(0, 1)[::-1, ::-1],
    8: lambda upright: upright.swapaxes(0, 1)[:, ::-1],
}
_STRIP = 64  # rows


def has_picture_name(file: Path) -> bool:
    """Whether a file's name is that of a picture; hidden files, such as macOS's ``._photo.jpg``, do not count."""
    return file.suffix.lower() in SUFFIXES and not file.name.startswith(".")


def below(folder: Path) -> list[Path]:
    """Picture files in a folder and its subfolders, sorted, without hidden files and folders.

    Raises:
        ImageError: a folder cannot be read. Who would skip it measured without a class, and did not know.
    """

    def refuse(error: OSError) -> None:
        raise ImageError(
            f"{error.filename}: cannot read this folder ({error.strerror}); check its permissions, or move it elsewhere"
        )

    found: list[Path] = []
    for parent, folders, names in os.walk(folder, onerror=refuse):
        folders[:] = [name for name in folders if not name.startswith(".") and name not in _OF_THE_SYSTEM]
        found += (file for name in names if has_picture_name(file := Path(parent, name)) and may_be_file(file))
    return sorted(found)


def may_be_file(file: Path) -> bool:
    """Also one of which nobody can tell: who reads it meets the reason, and says it."""
    try:
        return file.is_file()
    except OSError:
        return True


class Size(NamedTuple):
    """What the header of a picture says.

    Attributes:
        height: as stored, in pixels.
        width: likewise.
        memory: bytes that reading and explaining take at the most beside the file, see `picture_memory`.
    """

    height: int
    width: int
    memory: int


class TooLargeError(ImageError):
    """The picture's header asks for more pixels or memory than is allowed; nothing was decoded."""


Reserve = Callable[[Size], None]


def at_most(memory: int) -> Reserve:
    """For `read_image` and `decode`: refuse what takes more bytes of memory than these."""

    def reserve(size: Size) -> None:
        if size.memory > memory:
            raise TooLargeError(
                f"{size.width} x {size.height} pixels of this kind take {size.memory} bytes of memory, expected at "
                f"most {memory}; make it smaller"
            )

    return reserve


def read_image(
    path: str | Path, most_pixels: int | None = None, reserve: Reserve = lambda _: None
) -> NDArray[np.uint8]:
    """Read a picture, upright: uint8 (H, W) if it is grey, else (H, W, 3).

    Transparency is dropped. Of 16 bits per channel the upper 8 are kept.

    Args:
        path: of the file.
        most_pixels: largest height times width, read from the header; by default Pillow's own limit of 179 million.
        reserve: called once, before anything is decoded, with what the header says. It may wait for memory, or raise
            `TooLargeError`, as `at_most` does.

    Raises:
        ImageError: the file does not exist, is not a picture, is truncated or has more than 16 bits, or Pillow is not
            installed.
        TooLargeError: the picture is larger than allowed.
    """
    pillow("PIL.Image")  # where it is missing, that is what is wrong
    try:
        # Pillow maps raw pixels of a path into memory, where a file that is cut short meanwhile kills the process.
        with files.regular(path) as file:
            return _read(file, str(path), most_pixels, reserve)
    except FileNotFoundError:
        raise ImageError(f"{path}: no such file; check the path") from None
    except OSError as error:
        raise ImageError(f"{path}: cannot read it as an image ({error.strerror or error}); expected a file") from None


def read_open(
    file: BinaryIO, name: str, most_pixels: int | None = None, reserve: Reserve = lambda _: None
) -> NDArray[np.uint8]:
    """Read a picture from an open file, as `read_image` does; `name` is what errors call it."""
    return _read(file, name, most_pixels, reserve)


def decode(
    content: bytes, name: str, most_pixels: int | None = None, reserve: Reserve = lambda _: None
) -> NDArray[np.uint8]:
    """Read a picture from the bytes of its file, as `read_image` does; `name` is what errors call it."""
    return _read(io.BytesIO(content), name, most_pixels, reserve)


def _read(source: BinaryIO, name: str, most_pixels: int | None, reserve: Reserve) -> NDArray[np.uint8]:
    image_module = pillow("PIL.Image")
    try:
        file_size = _size(source)
        _check_animated(source)
        # What Pillow notices on the way (EXIF it cannot read) changes no pixel, and a command's errors are one line.
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            with image_module.open(source, formats=_FORMATS) as picture:
                if most_pixels is not None and picture.width * picture.height > most_pixels:
                    size = f"{picture.width} x {picture.height} pixels"
                    raise TooLargeError(f"{size}, expected at most {most_pixels}; make it smaller")
                _check_credible(picture, file_size)
                _check_quick(picture)
                reserve(Size(picture.height, picture.width, picture_memory.needed(picture)))
                with without_notices() if picture.format == "TIFF" else contextlib.nullcontext():
                    picture.load()
                return _upright(picture)
    except ImageError as error:
        raise type(error)(f"{name}: {error}") from None
    except Exception as error:  # Pillow's decoders meet a damaged file with TypeError, KeyError, struct.error, ...
        reason = "not a picture that Pillow knows" if "cannot identify" in str(error) else str(error)
        raise ImageError(f"{name}: cannot read it as an image ({reason}); expected PNG, JPEG or the like") from None


def _size(file: BinaryIO) -> int:
    end = file.seek(0, io.SEEK_END)
    file.seek(0)
    return end


def encode(pixels: NDArray[np.uint8], form: Form = "PNG", quality: int = _JPEG_QUALITY) -> bytes:
    """The file of a picture, uint8 (H, W) or (H, W, 3); a quality, 1 to 95, is that of JPEG."""
    if form == "JPEG":
        jpeg = io.BytesIO()
        pillow("PIL.Image").fromarray(pixels).save(jpeg, form, quality=quality)
        return jpeg.getvalue()
    stream = _PNG()
    # To pack runs of one byte alone takes a quarter of the time; a small image drawn large is 7 % larger, a photo 12 %.
    pillow("PIL.Image").fromarray(pixels).save(stream, compress_type=zlib.Z_RLE)
    return stream.getvalue()


def shrunk(pixels: NDArray[np.uint8], longest: int) -> NDArray[np.uint8]:
    """A picture, uint8 (H, W) or (H, W, 3), with at most so many pixels on its longer side."""
    if max(pixels.shape[:2]) <= longest:
        return pixels
    picture = pillow("PIL.Image").fromarray(pixels)
    picture.thumbnail((longest, longest))
    return np.asarray(picture)


class _PNG(io.BytesIO):
    """Pillow tells the format by the name; where it is told the format, it first loads those that are common."""

    name = "picture.png"


def write(path: Path, pixels: NDArray[np.uint8], form: Form = "PNG") -> None:
    """Write uint8 (H, W) or (H, W, 3), whatever the file's name; the file appears whole or not at all.

    Raises:
        ImageError: the folder cannot be written to, or Pillow is not installed.
    """
    content = encode(pixels, form)
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
    except ImportError as error:
        raise ImageError(f"image files need Pillow: {remedy(error, 'PIL', 'image')}") from None
    import logging  # Pillow imports it, too

    log = logging.getLogger("PIL")
    if not log.handlers:  # what it logs of a damaged file would go to standard error, where a refusal is one line
        log.addHandler(logging.NullHandler())
    return found


def _check_animated(file: BinaryIO) -> None:
    """Refuse a large animated PNG, by its chunks in front of the pixels; damaged ones are Pillow's to refuse."""
    pixels = 0
    if file.read(len(_PNG_SIGNATURE)) == _PNG_SIGNATURE:
        while len(head := file.read(8)) == 8 and head[4:] != b"IDAT":
            length = int.from_bytes(head[:4], "big")
            if head[4:] == b"IHDR":
                width, height = struct.unpack(">II", file.read(8).ljust(8, b"\0"))
                pixels = width * height
                length -= 8
            elif head[4:] == b"acTL" and pixels > _MOST_ANIMATED_PIXELS:
                raise TooLargeError(
                    f"an animated PNG of {pixels} pixels, expected at most {_MOST_ANIMATED_PIXELS}; save one frame"
                )
            file.seek(length + 4, io.SEEK_CUR)
    file.seek(0)


def _check_credible(picture: Any, size: int) -> None:
    """Refuse what says it is large and is not: decoders allocate what the header asks for."""
    decoded = picture.width * picture.height * len(picture.getbands())
    if decoded > max(_ALWAYS_CREDIBLE, _MOST_TIMES * size):
        raise TooLargeError(
            f"says it is {picture.width} x {picture.height}, which its {size} bytes cannot hold; save it again"
        )


def _check_quick(picture: Any) -> None:
    """Refuse what Pillow decodes in Python, number by number, in up to 8 seconds for a megapixel."""
    if any(tile[0] in _SLOW_DECODERS for tile in picture.tile) and picture.width * picture.height > _MOST_SLOW_PIXELS:
        raise TooLargeError(
            f"{picture.width} x {picture.height} pixels of a {picture.format} that is slow to read, expected at most "
            f"{_MOST_SLOW_PIXELS}; save it as PNG"
        )


def _upright(picture: Any) -> NDArray[np.uint8]:
    """The pixels of a loaded picture, turned as its EXIF says.

    Strip by strip, straight into their place: a conversion or a turn of the whole would be one more copy of it.
    """
    orientation = 1
    with contextlib.suppress(Exception):  # EXIF that cannot be read says nothing about the orientation
        orientation = picture.getexif().get(_ORIENTATION, 1)
    to_stored = _STORED.get(orientation, _STORED[1])
    grey = picture_memory.is_grey(picture.mode)
    size = picture.size if orientation in _ON_ITS_SIDE else picture.size[::-1]
    upright = np.empty(size if grey else (*size, 3), np.uint8)
    stored = to_stored(upright)
    for top in range(0, picture.height, _STRIP):
        strip = picture.crop((0, top, picture.width, min(top + _STRIP, picture.height)))
        stored[top : top + _STRIP] = _pixels(strip)
    return upright


def _pixels(picture: Any) -> NDArray[np.uint8]:
    mode = picture.mode
    if mode == "F":
        raise ValueError("32-bit floating point pixels")
    if mode.startswith("I"):  # "I;16", "I;16B", and "I" where Pillow has no 16-bit mode; convert("L") would clip
        wide = np.asarray(picture)
        if wide.size and not 0 <= wide.min() <= wide.max() <= 0xFFFF:
            raise ValueError("32-bit integer pixels")
        return (wide >> 8).astype(np.uint8)
    wanted = "L" if picture_memory.is_grey(mode) else "RGB"
    return np.asarray(picture if mode == wanted else picture.convert(wanted))
