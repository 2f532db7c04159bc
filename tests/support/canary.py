"""A canary: what would leave a trace if a model file's content were acted on, and who listens for it.

Python's audit hooks tell of imports, opened files, started programs, sockets, and code that is made or run; inotify
of a folder that nobody has a reason to look into, which TensorFlow's C++ would open without a word to Python.
"""

from __future__ import annotations

import contextlib
import ctypes
import importlib.abc
import os
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

SONG = "camlite_canary"  # in each name of a module, a file or a host that a hostile file says

_DANGEROUS = (
    "subprocess.",
    "os.system",
    "os.exec",
    "os.posix_spawn",
    "os.fork",
    "socket.connect",
    "socket.getaddrinfo",
)
_ALL_EVENTS = 0x00000FFF

_songs: list[str] | None = None


def _listen(event: str, arguments: tuple[Any, ...]) -> None:
    if _songs is not None and (event.startswith(_DANGEROUS) or SONG in str(arguments)[:20_000]):
        _songs.append(f"{event} {str(arguments)[:200]}")


class _Finder(importlib.abc.MetaPathFinder):
    """Hears of imports by `importlib`, of which there is no audit event."""

    def find_spec(self, name: str, *_: Any, **__: Any) -> None:
        if _songs is not None and SONG in name:
            _songs.append(f"import {name}")


sys.addaudithook(_listen)
sys.meta_path.insert(0, _Finder())


@contextlib.contextmanager
def listening(cage: Path) -> Iterator[list[str]]:
    """What canaries have sung inside the block, complete when it ends; `cage` is a folder with a file in it."""
    global _songs
    libc = ctypes.CDLL(None)
    watch = libc.inotify_init1(os.O_NONBLOCK)
    libc.inotify_add_watch(watch, os.fsencode(cage), _ALL_EVENTS)
    before, songs = _songs, []
    _songs = songs
    try:
        yield songs
    finally:
        _songs = before
        with contextlib.suppress(BlockingIOError):
            if os.read(watch, 4096):
                songs.append(f"{cage} was touched")
        os.close(watch)
