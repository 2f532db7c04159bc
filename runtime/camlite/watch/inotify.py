"""Wake up when a file has arrived, where the kernel tells (Linux, inotify(7)); elsewhere just wait."""

from __future__ import annotations

import contextlib
import ctypes
import os
import select
import struct
import time
from pathlib import Path

_CLOSE_WRITE, _MOVED_TO, _OVERFLOW, _IGNORED = 0x8, 0x80, 0x4000, 0x8000
_EVENT = struct.Struct("iIII")  # watch, mask, cookie, length of the name


class Waker:
    """Names that have arrived in a folder. It only hints: who waits looks at the whole folder from time to time."""

    def __init__(self, folder: Path) -> None:
        self._descriptor = -1
        with contextlib.suppress(OSError, AttributeError):
            libc = ctypes.CDLL(None, use_errno=True)
            self._descriptor = libc.inotify_init1(os.O_NONBLOCK | os.O_CLOEXEC)
            if self._descriptor >= 0:
                libc.inotify_add_watch(self._descriptor, os.fsencode(folder), _CLOSE_WRITE | _MOVED_TO)

    def wait(self, seconds: float) -> set[str] | None:
        """Names of files that were closed after writing, or renamed to.

        Empty after so many seconds without any; None where names may have been missed.
        """
        if self._descriptor < 0:
            time.sleep(seconds)
            return set()
        if not select.select([self._descriptor], [], [], seconds)[0]:
            return set()
        return _names(os.read(self._descriptor, 1 << 16))

    def close(self) -> None:
        """Let go of the folder."""
        if self._descriptor >= 0:
            os.close(self._descriptor)
            self._descriptor = -1


def _names(events: bytes) -> set[str] | None:
    names, place = set(), 0
    while place < len(events):
        _, mask, _, length = _EVENT.unpack_from(events, place)
        if mask & (_OVERFLOW | _IGNORED):
            return None
        place += _EVENT.size + length
        names.add(os.fsdecode(events[place - length : place].rstrip(b"\0")))
    return names
