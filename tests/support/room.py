"""Where several workers of pytest-xdist share the tests: those marked ``quiet`` run with nothing beside them."""

from __future__ import annotations

import fcntl
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

_TURN, _ROOM = 0, 1  # bytes of the file that are locked


class Room:
    """A place for one quiet test, or for one other test of each worker.

    The locks are POSIX's: they belong to a process, go with it, and its children do not have them.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._file = path.open("a+")

    @contextmanager
    def entered(self, alone: bool) -> Iterator[None]:
        """Wait until this test may be in, with others or alone."""
        fcntl.lockf(self._file, fcntl.LOCK_EX, 1, _TURN)  # while one waits for the others to leave, none goes in
        try:
            fcntl.lockf(self._file, fcntl.LOCK_EX if alone else fcntl.LOCK_SH, 1, _ROOM)
        finally:
            fcntl.lockf(self._file, fcntl.LOCK_UN, 1, _TURN)
        try:
            yield
        finally:
            fcntl.lockf(self._file, fcntl.LOCK_UN, 1, _ROOM)

    def close(self) -> None:
        """Take the file away; who has it open goes on with it."""
        self._file.close()
        self._path.unlink(missing_ok=True)
