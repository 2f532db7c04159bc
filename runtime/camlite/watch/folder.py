"""Pictures that arrive in a folder."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from camlite.images import picture_paths
from camlite.watch.inotify import Waker
from camlite.watch.results import Identity, Results, notice

_MOST_REMEMBERED = 10_000


class Arrival(NamedTuple):
    """A picture file that is whole, as it was when it was looked at."""

    name: str
    identity: Identity
    content: bytes


class Folder:
    """Yields each picture that has no result yet.

    A file is whole when it was last written so many seconds ago, or has not changed for so long under our eyes (the
    clock of a device that has just started may be years behind).
    """

    def __init__(self, folder: Path, results: Results, settle: float, poll: float) -> None:
        self._folder, self._results, self._settle, self._poll = folder, results, settle, poll
        # Both are bounded: what is forgotten is found again when the whole folder is looked at.
        self._young: dict[str, tuple[Identity, float]] = {}
        self._unreadable: set[str] = set()

    def once(self) -> Iterator[Arrival]:
        """All that are there and whole, waiting for those that are being written."""
        yield from self._whole(self._listed())
        while self._young:
            time.sleep(self._settle)
            yield from self._whole(list(self._young))

    def forever(self) -> Iterator[Arrival]:
        """As they come. A folder that goes away, as with a memory stick, is waited for."""
        gone = False
        while True:
            waker = Waker(self._folder)  # before the first look, so that nothing arrives between the two
            try:
                yield from self._as_they_come(waker)
            except OSError as error:
                if not gone:
                    notice(f"{self._folder}: {error.strerror or error}; waiting for it")
                gone = True
                time.sleep(self._poll)
                continue
            finally:
                waker.close()
            gone = False

    def _as_they_come(self, waker: Waker) -> Iterator[Arrival]:
        """Until names may have been missed, and a new waker is wanted."""
        while True:
            started = time.monotonic()
            yield from self._whole(self._listed())
            # A look at a folder of a million files takes seconds: no more than a tenth of the time is spent on them.
            next_look = time.monotonic() + max(self._poll, 10 * (time.monotonic() - started))
            while (left := next_look - time.monotonic()) > 0:
                names = waker.wait(min(left, self._settle) if self._young else left)
                if names is None:
                    return
                yield from self._whole({*names, *self._young})

    def _listed(self) -> Iterator[str]:
        with os.scandir(self._folder) as entries:
            for entry in entries:
                yield entry.name

    def _whole(self, names: Iterator[str] | list[str] | set[str]) -> Iterator[Arrival]:
        for name in names:
            arrival = self._arrival(name)
            if arrival:
                yield arrival

    def _arrival(self, name: str) -> Arrival | None:
        path = self._folder / name
        young = self._young.pop(name, None)
        if not picture_paths.is_picture(path):
            return None
        try:
            identity = _identity(path)
            if self._results.done(name, identity) or not self._settled(name, identity, young):
                return None
            content = path.read_bytes()
            if _identity(path) == identity:
                return Arrival(name, identity, content)
        except FileNotFoundError:  # deleted, or renamed, meanwhile
            return None
        except OSError as error:
            if name not in self._unreadable:
                notice(f"{path}: cannot read it ({error.strerror or error}); it is tried again")
            if len(self._unreadable) < _MOST_REMEMBERED:
                self._unreadable.add(name)
            return None
        self._remember(name, identity, time.monotonic())
        return None

    def _settled(self, name: str, identity: Identity, young: tuple[Identity, float] | None) -> bool:
        if time.time() - identity.mtime_ns / 1e9 >= self._settle:
            return True
        now = time.monotonic()
        since = young[1] if young and young[0] == identity else now
        if now - since >= self._settle:
            return True
        self._remember(name, identity, since)
        return False

    def _remember(self, name: str, identity: Identity, since: float) -> None:
        if len(self._young) < _MOST_REMEMBERED:
            self._young[name] = (identity, since)


def _identity(path: Path) -> Identity:
    found = path.stat()
    return Identity(found.st_size, found.st_mtime_ns)
