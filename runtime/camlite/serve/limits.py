"""What clients can ask for, and how much memory all of them together."""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

Take = Callable[[int], None]


@dataclass(frozen=True)
class Limits:
    """What one client can ask for, and all of them together.

    Attributes:
        body: bytes of a request's body.
        pixels: height times width of an image.
        drawn: pixels that are drawn, or searched for hot regions, for one request, all its classes together.
        memory: bytes that all images which are read, explained and drawn at one time may take together.
        seconds: within which a request's head, and then its body, have to arrive; a silent connection is closed.
        answer: seconds within which a whole request is answered.
        queue: requests that wait for a worker; those beyond are told to come back (429).
        connections: that are open at once; those beyond are told to come back (429).
        viewers: of the camera, besides those connections.
    """

    body: int = 8 << 20
    pixels: int = 16_000_000
    drawn: int = 10_000_000
    memory: int = 144 << 20
    seconds: float = 10
    answer: float = 60
    queue: int = 64
    connections: int = 256
    viewers: int = 0

    @property
    def held(self) -> int:
        """Bytes of bodies that have arrived and of answers that are not sent, all together."""
        return 4 * self.body


class NoTimeLeftError(Exception):
    """The memory did not become free in time."""


class MemoryBudget:
    """Bytes that several threads share; who asks first is served first, so that large requests get their turn."""

    def __init__(self, total: int) -> None:
        self.total = total
        self._free = total
        self._turns: deque[object] = deque()
        self._changed = threading.Condition()

    @contextmanager
    def share(self, deadline: float) -> Iterator[Take]:
        """Give a function that takes bytes, at most `total`, once; they are given back at the end of the block.

        It waits until they are free, and raises `NoTimeLeftError` where they are not by `deadline` (`time.monotonic`).
        """
        taken = 0

        def take(wanted: int) -> None:
            nonlocal taken
            turn = object()
            with self._changed:
                self._turns.append(turn)
                try:
                    ready = self._changed.wait_for(
                        lambda: self._turns[0] is turn and self._free >= wanted, max(0, deadline - time.monotonic())
                    )
                    if not ready:
                        raise NoTimeLeftError
                    self._free -= wanted
                    taken = wanted
                finally:
                    self._turns.remove(turn)
                    self._changed.notify_all()

        try:
            yield take
        finally:
            with self._changed:
                self._free += taken
                self._changed.notify_all()
