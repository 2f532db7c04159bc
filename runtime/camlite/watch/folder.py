"""Pictures that arrive in a folder."""

from __future__ import annotations

import os
import time
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import BinaryIO, NamedTuple

import numpy as np
from numpy.typing import NDArray

from camlite import picture_paths
from camlite.errors import CamliteError, ImageError
from camlite.images import picture_files
from camlite.show import say
from camlite.system import files
from camlite.watch.inotify import Waker
from camlite.watch.results import Identity, Results

_MOST_REMEMBERED = 10_000
# Seconds, or times the settling time, that `once` waits for files that go on changing.
_LEAST_PATIENCE, _PATIENCE_TIMES = 60.0, 20


class Limits(NamedTuple):
    """What a picture may take.

    Attributes:
        pixels: height times width.
        size: of its file, in bytes.
        memory: bytes that reading and explaining it may take.
    """

    pixels: int
    size: int
    memory: int


class Arrival(NamedTuple):
    """A picture file that is whole, as it was when it was looked at: pixels, or what is wrong with it."""

    name: str
    identity: Identity
    picture: NDArray[np.uint8] | CamliteError


class Folder:
    """Yields each picture that has no result yet.

    A file is whole when it was last written so many seconds ago, or has not changed for so long under our eyes (the
    clock of a device that has just started may be years behind).
    """

    def __init__(self, folder: Path, results: Results, limits: Limits, settle: float, poll: float) -> None:
        self._folder, self._results, self._limits, self._settle, self._poll = folder, results, limits, settle, poll
        # Both are bounded: what is forgotten is found again when the whole folder is looked at.
        self._young: dict[str, tuple[Identity, float]] = {}
        self._skipped: set[str] = set()

    @property
    def skipped(self) -> bool:
        """Whether a picture was left without a result, for another time."""
        return bool(self._skipped)

    def once(self) -> Iterator[Arrival]:
        """All that are there and whole, waiting for those that are being written, but not for ever."""
        yield from self._whole(self._listed())
        patience = time.monotonic() + max(_LEAST_PATIENCE, _PATIENCE_TIMES * self._settle)
        while self._young and time.monotonic() < patience:
            time.sleep(self._settle)
            yield from self._whole(list(self._young))
        for name in self._young:
            self.skip(name, "is still being written; a later run takes it")

    def forever(self) -> Iterator[Arrival]:
        """As they come. A folder that goes away, as with a memory stick, is waited for."""
        gone = False
        while True:
            waker = Waker(self._folder)  # before the first look, so that nothing arrives between the two
            try:
                yield from self._as_they_come(waker)
            except OSError as error:
                if not gone:
                    say.notice(f"{self._folder}: {error.strerror or error}; waiting for it")
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

    def skip(self, name: str, reason: str) -> None:
        """Leave a picture for the next look at the folder, with a line where it is the first time."""
        if name not in self._skipped:
            say.notice(f"{self._folder / name}: {reason}")
        if len(self._skipped) < _MOST_REMEMBERED:
            self._skipped.add(name)

    def _whole(self, names: Iterable[str]) -> Iterator[Arrival]:
        for name in names:
            arrival = self._arrival(name)
            if arrival:
                yield arrival
            del arrival  # its pixels, before those of the next are read

    def _arrival(self, name: str) -> Arrival | None:
        path = self._folder / name
        young = self._young.pop(name, None)
        try:
            if not picture_paths.is_picture(path):
                return None
            identity = _identity(path.stat())
            if self._results.done(name, identity) or not self._settled(name, identity, young):
                return None
            with files.regular(path) as file:
                picture = self._read(file, name)
                # It may be another file by now, or have changed while it was read.
                unchanged = _identity(os.fstat(file.fileno())) == _identity(path.stat()) == identity
        except FileNotFoundError:  # deleted, or renamed, meanwhile
            return None
        except OSError as error:
            self.skip(name, f"cannot read it ({error.strerror or error}); trying again")
            return None
        if unchanged:
            return Arrival(name, identity, picture)
        self._remember(name, identity, time.monotonic())
        return None

    def _read(self, file: BinaryIO, name: str) -> NDArray[np.uint8] | CamliteError:
        size = os.fstat(file.fileno()).st_size
        if size > self._limits.size:
            return ImageError(f"{name}: {size} bytes, expected at most {self._limits.size}; make it smaller")
        try:
            return picture_files.read_open(file, name, self._limits.pixels, picture_files.at_most(self._limits.memory))
        except CamliteError as error:
            return error

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


def _identity(found: os.stat_result) -> Identity:
    return Identity(found.st_size, found.st_mtime_ns)
