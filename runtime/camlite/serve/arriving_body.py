"""The body of a request while it arrives, in memory that is the system's again as soon as it is let go."""

from __future__ import annotations

import io
import mmap

_BLOCK_BYTES = 64 << 10


class ArrivingBody:
    """Bytes in blocks that are mapped one after another, so that bodies take what has arrived of them, and no more.

    One buffer that grows is copied each time into a larger one. Where several grow in turn on one heap, what they
    leave behind is too small for the next of them: bodies of 32 MB took 60 MB.
    """

    def __init__(self) -> None:
        self.size = 0
        self._blocks: list[mmap.mmap] = []

    def add(self, chunk: bytes) -> None:
        """Append a chunk."""
        rest = memoryview(chunk)
        while rest:
            place = self.size % _BLOCK_BYTES
            if place == 0:
                self._blocks.append(mmap.mmap(-1, _BLOCK_BYTES, access=mmap.ACCESS_COPY))
            fitting = rest[: _BLOCK_BYTES - place]
            self._blocks[-1][place : place + len(fitting)] = fitting
            self.size += len(fitting)
            rest = rest[len(fitting) :]

    def take(self) -> bytes:
        """All of it, which is not kept. Each block goes as it is copied: there are never two of the whole."""
        whole, left = io.BytesIO(), self.size
        for block in self._blocks:
            whole.write(block[: min(left, _BLOCK_BYTES)])
            left -= _BLOCK_BYTES
            block.close()
        self._blocks, self.size = [], 0
        return whole.getvalue()

    def drop(self) -> None:
        """Let go of what has arrived."""
        for block in self._blocks:
            block.close()
        self._blocks, self.size = [], 0
