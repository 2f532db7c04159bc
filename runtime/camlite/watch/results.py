"""The folder of results: ``NAME.json``, one line, and the picture beside it."""

from __future__ import annotations

import contextlib
import errno
import importlib
import json
import os
import stat
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from camlite.errors import CamliteError
from camlite.show import json_record, say
from camlite.show.drawing import STYLES
from camlite.system import files

_RETRY_SECONDS = 2.0
# Room, or a disk that is mounted for writing again, ends these. Others are not waited for, as one file alone may meet
# them, EIO included; such a file is left for the next look at the folder.
_WAITED_FOR = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EROFS})
_MOST_RESULT_BYTES = 1 << 26
_LONGEST_SUFFIX = max(len(f".{style}.png") for style in STYLES)


@dataclass(frozen=True)
class Identity:
    """What tells a file from another of its name: bytes, and time of modification in nanoseconds since 1970."""

    size: int
    mtime_ns: int


class Results:
    """Writes results and knows which are there. One process at a time may hold a folder.

    Attributes:
        folder: where they are.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        try:
            folder.mkdir(parents=True, exist_ok=True)
            self._lock = _lock(folder)
            for part in folder.glob(f".*{files.PART}"):
                with contextlib.suppress(OSError):
                    part.unlink()  # of a process that was killed as it wrote
            files.write(folder / ".writable", b"")
            (folder / ".writable").unlink()
        except OSError as error:
            reason = error.strerror or error
            raise CamliteError(f"{folder}: cannot write results there ({reason}); choose another --output") from None

    def close(self) -> None:
        """Let another process hold the folder."""
        os.close(self._lock)

    def done(self, name: str, identity: Identity) -> bool:
        """Whether an input has its result.

        A result has the time of modification of its input, so that one look at the folder tells. Where the two differ,
        for the file system keeps times in coarser steps, what the result says decides.
        """
        path = self._path(name)
        try:
            there = path.stat()
            if there.st_mtime_ns == identity.mtime_ns and stat.S_ISREG(there.st_mode):
                return True
            with files.regular(path) as file:
                said = json.loads(file.read(_MOST_RESULT_BYTES))
        except (OSError, ValueError, RecursionError):
            return False
        return isinstance(said, dict) and (said.get("bytes"), said.get("mtime_ns")) == (
            identity.size,
            identity.mtime_ns,
        )

    def save(self, name: str, identity: Identity, said: Mapping[str, Any], drawn: Mapping[str, bytes]) -> str:
        """Write pictures (suffix and content), then the result; give its line. Waits while the disk is full.

        Raises:
            OSError: it cannot be written for another reason than a disk that is full or read-only.
        """
        text = json_record.line({"image": name, "bytes": identity.size, "mtime_ns": identity.mtime_ns, **said})
        for suffix, content in drawn.items():
            self._write(self._path(name, suffix), content, identity.mtime_ns)
        self._write(self._path(name), f"{text}\n".encode(), identity.mtime_ns)
        return text

    def remove(self, name: str) -> None:
        """Delete a result and its pictures."""
        for path in (self._path(name), *(self._path(name, f".{style}.png") for style in STYLES)):
            with contextlib.suppress(OSError):
                path.unlink()

    def _path(self, name: str, suffix: str = ".json") -> Path:
        """Of a result, or of its picture; a name that is too long is shortened, see `files.fitting`."""
        return self.folder / f"{files.fitting(name, _LONGEST_SUFFIX)}{suffix}"

    def _write(self, path: Path, content: bytes, mtime_ns: int) -> None:
        def attempt() -> None:
            path.parent.mkdir(parents=True, exist_ok=True)
            files.write(path, content, mtime_ns)

        persist(attempt, str(path.parent))


def persist(attempt: Callable[[], None], where: str) -> None:
    """Do something with files; while the disk is full or read-only, again, with a line when that begins and ends.

    Raises:
        OSError: another one.
    """
    failed = False
    while True:
        try:
            attempt()
        except OSError as error:
            if error.errno not in _WAITED_FOR:
                raise
            if not failed:
                say.notice(f"{where}: {error.strerror or error}; waiting until it can be written")
            failed = True
            time.sleep(_RETRY_SECONDS)
            continue
        if failed:
            say.notice(f"{where}: can be written again")
        return


def _lock(folder: Path) -> int:
    """Hold the folder as long as the process lives."""
    try:
        fcntl = importlib.import_module("fcntl")
    except ImportError:
        raise CamliteError("`camlite watch` needs a system with flock(2), such as Linux or macOS") from None
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        raise CamliteError(f"{folder}: another `camlite watch` writes there; choose another --output") from None
    return descriptor
