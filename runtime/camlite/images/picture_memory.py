"""How much memory a picture takes while it is read, by what its header says.

A limit in pixels is no limit in bytes: 16 megapixels take 48 MB as a grey PNG of 16 bits and 320 MB as WebP.
"""

from __future__ import annotations

import operator
from collections.abc import Mapping
from fractions import Fraction
from typing import Any

# Bytes of a pixel in Pillow's memory, by mode; others take four, RGB among them.
_STORED: Mapping[str, int] = {"1": 1, "L": 1, "P": 1, "I;16": 2, "I;16B": 2, "I;16L": 2, "I;16N": 2}
# Frame, frame before, its bytes for Python, and what the lossless coding keeps. Measured: 19.1 with Pillow's own.
_BESIDE_WEBP = 16
# A strip of a TIFF may be the whole picture as the file has it: 16 bytes a pixel where Pillow keeps 4. These
# compressions keep no more of it than that; LZMA and Zstandard what they have unpacked, JPEG its coefficients.
_STRIP_ONLY = frozenset(
    {"raw", "packbits", "tiff_adobe_deflate", "tiff_deflate", "tiff_lzw", "tiff_ccitt", "group3", "group4"}
)
_BESIDE_STRIP = 2  # times a strip, of others
_TIFF_BITS, _TIFF_SAMPLES, _TIFF_ORIENTATION = 258, 277, 274
# Buffers of a strip, of Pillow and of the decoder.
_AT_LEAST = 4 << 20


def needed(picture: Any) -> int:
    """Bytes that reading and explaining take at the most beside the file and what is drawn.

    Args:
        picture: opened by Pillow, and not loaded.
    """
    stored = _STORED.get(picture.mode, 4) * (2 if picture.format == "GIF" else 1)  # a frame, and what lies below it
    array = 1 if is_grey(picture.mode) else 3
    read = stored + max(Fraction(array), _beside(picture, stored))
    return _AT_LEAST + int(picture.width * picture.height * max(read, 2 * array))  # explaining copies the pixels


def is_grey(mode: str) -> bool:
    """Whether a picture of this mode of Pillow's has no colour."""
    return mode.startswith("I") or mode in ("1", "L", "LA", "La")


def _beside(picture: Any, stored: int) -> Fraction:
    """Bytes a pixel that a decoder has at the most while it fills Pillow's memory."""
    if any(tile[0] == "jpeg" for tile in picture.tile):  # not by the format: a JPEG with an index of others is an MPO
        return _coefficients(picture)
    if picture.format == "TIFF":
        return _strip(picture) + (stored if picture.tag_v2.get(_TIFF_ORIENTATION, 1) != 1 else 0)
    return Fraction(_BESIDE_WEBP if picture.format == "WEBP" else 0)


def _strip(picture: Any) -> Fraction:
    """Bytes a pixel of a strip that is the whole TIFF, and of what its compression keeps."""
    bits = picture.tag_v2.get(_TIFF_BITS, (1,))
    samples = max(len(bits), picture.tag_v2.get(_TIFF_SAMPLES, 1))
    times = 1 if picture.info.get("compression") in _STRIP_ONLY else 1 + _BESIDE_STRIP
    return Fraction(max(bits) * samples * times, 8)


def _coefficients(picture: Any) -> Fraction:
    """Bytes a pixel of the coefficients that a JPEG of several scans keeps until the last: two for each of a channel.

    Whether there are several is known at the end of the file only.
    """
    across, down = ([factors[axis] for factors in picture.layer] for axis in (1, 2))
    return Fraction(2 * sum(map(operator.mul, across, down)), max(across) * max(down))
