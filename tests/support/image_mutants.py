"""Pictures as an accident or an enemy leaves them, the same for the same seed."""

from __future__ import annotations

import io
import random
import struct
import zlib
from collections.abc import Iterator, Mapping

import numpy as np

from support.mutants import flip, stretch

# EXIF with one entry: the orientation, turned by 90 degrees.
_TURNED = b"Exif\0\0II*\0\10\0\0\0\1\0\x12\1\3\0\1\0\0\0\6\0\0\0\0\0\0\0"


def pictures(height: int = 48, width: int = 64) -> dict[str, bytes]:
    """A small picture in each format, mode and coding that people have."""
    from PIL import Image

    pixels = np.random.default_rng(0).integers(0, 256, (height, width, 3)).astype(np.uint8)
    pixels[: height // 2] //= 64  # something that compresses, too
    colour = Image.fromarray(pixels)
    kinds: dict[str, tuple[Image.Image, dict]] = {
        "grey.png": (colour.convert("L"), {}),
        "colour.png": (colour, {}),
        "palette.png": (colour.convert("P"), {}),
        "alpha.png": (colour.convert("RGBA"), {}),
        "wide.png": (Image.fromarray(pixels[..., 0].astype(np.uint16) * 257), {}),
        "baseline.jpg": (colour, {"quality": 80}),
        "progressive.jpg": (
            colour,
            {"progressive": True, "exif": _TURNED},
        ),
        "cmyk.jpg": (colour.convert("CMYK"), {}),
        "plain.bmp": (colour, {}),
        "plain.gif": (colour, {}),
        "lossless.webp": (colour, {"lossless": True}),
        "lossy.webp": (colour, {}),
        "lzw.tif": (colour, {"compression": "tiff_lzw"}),
        "deflate.tif": (colour, {"compression": "tiff_deflate"}),
        "raw.tif": (colour, {}),
        "plain.ppm": (colour, {}),
    }
    written = {}
    for name, (picture, options) in kinds.items():
        stream = io.BytesIO()
        picture.save(stream, {"jpg": "JPEG", "tif": "TIFF"}.get(name[-3:], name.rpartition(".")[2].upper()), **options)
        written[name] = stream.getvalue()
    return written


def mutants(parents: Mapping[str, bytes], count: int, seed: int) -> Iterator[tuple[str, bytes]]:
    """So many (operator, content)."""
    names = sorted(parents)
    for index in range(count):
        chance = random.Random(seed * 1_000_003 + index)
        content, other = parents[chance.choice(names)], parents[chance.choice(names)]
        operator = index % 6
        if operator == 0:
            yield "flipped bits", flip(content, chance)
        elif operator == 1:
            yield "flipped in the header", flip(content[:64], chance) + content[64:]
        elif operator == 2:
            yield "truncated", content[: chance.randrange(len(content))]
        elif operator == 3:
            times = chance.choice([0, 2])
            yield "a stretch lost or doubled", stretch(content, chance, lambda part, times=times: part * times)
        elif operator == 4:
            yield "spliced", content[: chance.randrange(len(content))] + other[chance.randrange(len(other)) :]
        else:
            yield "giant", giant(chance)


def giant(chance: random.Random) -> bytes:
    """A picture of a few kB that says it has up to 170 million pixels, below Pillow's own limit."""
    width, height = chance.choice([(13_000, 13_000), (60_000, 2_800), (9_000, 9_000), (4_000, 3_000)])
    if chance.random() < 0.3:
        return b"P6 %d %d 255\n" % (width, height) + bytes(3000)
    if chance.random() < 0.5:
        header = struct.pack("<IIIIiiHHIIiiII", 3054, 0, 54, 40, width, height, 1, 24, 0, 0, 0, 0, 0, 0)
        return b"BM" + header + bytes(3000)

    def chunk(name: bytes, body: bytes) -> bytes:
        return struct.pack(">I", len(body)) + name + body + struct.pack(">I", zlib.crc32(name + body))

    header = chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, 8, chance.choice([0, 2, 6]), 0, 0, 0))
    zeros = zlib.compress(bytes(chance.choice([1000, 1 << 20])))
    return b"\x89PNG\r\n\x1a\n" + header + chunk(b"IDAT", zeros) + chunk(b"IEND", b"")
