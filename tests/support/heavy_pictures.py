"""Pictures that take far more memory than their format says, which Pillow cannot write."""

from __future__ import annotations

import io
import struct
import zlib
from typing import Any


def jpeg_with_an_index(picture: Any, **options: Any) -> bytes:
    """A JPEG that Pillow opens as MPO: its second marker is an index of several pictures."""
    stream = io.BytesIO()
    picture.save(stream, "JPEG", **options)
    jpeg = stream.getvalue()
    entries = struct.pack("<IIIHH", 0x20030000, len(jpeg), 0, 0, 0) + struct.pack("<IIIHH", 0, 100, 100, 0, 0)
    tags = [(0xB000, 7, 4, int.from_bytes(b"0100", "little")), (0xB001, 4, 1, 2), (0xB002, 7, len(entries), 50)]
    index = b"MPF\0II*\0" + struct.pack("<I", 8) + _directory(tags) + entries
    return jpeg[:2] + b"\xff\xe2" + struct.pack(">H", len(index) + 2) + index + jpeg[2:]


def tiff_of_one_strip(side: int, orientation: int = 1) -> bytes:
    """A square of 16 bits a channel, with alpha, in one deflated strip."""
    strip = zlib.compress(bytes(side * side * 8), 9)
    bits = 8 + len(strip)
    tags = [
        (256, 4, 1, side),
        (257, 4, 1, side),
        (258, 3, 4, bits),
        (259, 3, 1, 8),  # deflate
        (262, 3, 1, 2),  # RGB
        (273, 4, 1, 8),  # where the strip is
        (274, 3, 1, orientation),
        (277, 3, 1, 4),
        (278, 4, 1, side),  # rows of a strip
        (279, 4, 1, len(strip)),
        (338, 3, 1, 2),  # the fourth channel is alpha
    ]
    return b"II*\0" + struct.pack("<I", bits + 8) + strip + struct.pack("<4H", *[16] * 4) + _directory(tags)


def animated_png(side: int) -> bytes:
    """Grey, two frames by its header, and the first of them."""

    def chunk(kind: bytes, content: bytes) -> bytes:
        return struct.pack(">I", len(content)) + kind + content + struct.pack(">I", zlib.crc32(kind + content))

    return b"".join(
        [
            b"\x89PNG\r\n\x1a\n",
            chunk(b"IHDR", struct.pack(">IIBBBBB", side, side, 8, 0, 0, 0, 0)),
            chunk(b"acTL", struct.pack(">II", 2, 0)),
            chunk(b"fcTL", struct.pack(">IIIIIHHBB", 0, side, side, 0, 0, 1, 10, 1, 0)),
            chunk(b"IDAT", zlib.compress(bytes((side + 1) * side))),
            chunk(b"IEND", b""),
        ]
    )


def _directory(tags: list[tuple[int, int, int, int]]) -> bytes:
    return struct.pack("<H", len(tags)) + b"".join(struct.pack("<HHII", *tag) for tag in tags) + bytes(4)
