"""Write files that appear whole or not at all, and clear away what killed processes have left."""

from __future__ import annotations

import contextlib
import errno
import hashlib
import os
import re
import stat
from collections.abc import Collection, Iterator
from pathlib import Path
from typing import BinaryIO

PART = ".part"

_SCRATCH = "camlite-"
# Of the usual file systems; and what `part_of` puts around a name, with a number of at most seven digits.
_MOST_NAME_BYTES, _PART_BYTES = 255, len("..1234567" + PART)
_PART_OF = rf"(?s)\.(.*)\.\d+{re.escape(PART)}"
_MAKER = rf"(?:\..*\.|{_SCRATCH})(\d+)(?:{re.escape(PART)}|-.*)"


def is_folder(path: str | Path) -> bool:
    """Whether it is a folder, as far as one can tell: False where the name is too long, or its folder is locked.

    `Path.is_dir` raises there. Who goes on to read the path meets the reason, and can say it of this path only.
    """
    try:
        return Path(path).is_dir()
    except OSError:
        return False


def is_file(path: str | Path) -> bool:
    """Whether it is a regular file, as far as one can tell; see `is_folder`."""
    try:
        return Path(path).is_file()
    except OSError:
        return False


@contextlib.contextmanager
def regular(path: str | Path) -> Iterator[BinaryIO]:
    """Open a regular file for reading.

    Raises:
        OSError: it cannot be opened, or is something else: a folder; or a pipe or a device, which might let us wait, or
            give bytes without end.
    """
    _check_regular(Path(path).stat().st_mode, path)  # before it is opened: to open a device may do something
    flags = os.O_RDONLY | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_CLOEXEC", 0) | getattr(os, "O_BINARY", 0)
    descriptor = os.open(path, flags)
    try:
        _check_regular(os.fstat(descriptor).st_mode, path)  # it may be another by now
        file = os.fdopen(descriptor, "rb")
    except OSError:
        os.close(descriptor)
        raise
    with file:
        yield file


def read(path: str | Path, most: int) -> bytes:
    """All bytes of a regular file that is no larger than expected.

    Raises:
        OSError: see `regular`; or it has more bytes.
    """
    with regular(path) as file:
        if os.fstat(file.fileno()).st_size <= most and len(content := file.read(most + 1)) <= most:
            return content
    raise OSError(errno.EFBIG, f"more than {most} bytes", str(path))


def _check_regular(mode: int, path: str | Path) -> None:
    if stat.S_ISDIR(mode):
        raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR), str(path))
    if not stat.S_ISREG(mode):
        raise OSError(errno.EINVAL, "a pipe, a device or a socket, no file", str(path))


def fitting(name: str, suffix: int) -> str:
    """The name of a file, shortened where a file system would refuse it as too long.

    A shortened name ends with ``~`` and 32 digits of the SHA-256 of the whole name: it is the same each time, and
    another for another name.

    Args:
        name: what is to be fitted.
        suffix: bytes that are to follow it.
    """
    whole = os.fsencode(name)
    room = _MOST_NAME_BYTES - _PART_BYTES - suffix
    if len(whole) <= room:
        return name
    digest = f"~{hashlib.sha256(whole).hexdigest()[:32]}"
    beginning = whole[: room - len(digest)].decode(errors="ignore")  # whole characters
    return beginning + digest


def write(path: Path, content: bytes, mtime_ns: int | None = None) -> None:
    """Write a file under a temporary name in the same folder, then rename it.

    The bytes are on the disk before the name is, so that a power cut leaves no empty file of that name. What a killed
    process leaves is a hidden file that ends with `PART`, which `remove_leftovers` removes.

    Args:
        path: replaces a file that is there.
        content: all of it.
        mtime_ns: its time of modification, nanoseconds since 1970; by default now.

    Raises:
        OSError: it cannot be written; nothing is left.
    """
    part = part_of(path)
    try:
        write_durably(part, content)
        if mtime_ns is not None:
            os.utime(part, ns=(mtime_ns, mtime_ns))
        part.replace(path)
    finally:
        with contextlib.suppress(OSError):
            part.unlink()


@contextlib.contextmanager
def folder_for(folder: Path, keep: bool = True) -> Iterator[None]:
    """Make a folder, with those above it, for what is written into it; a failure leaves none of those that were made.

    Args:
        folder: it may be there.
        keep: False to see whether it can be made: what was made goes in any case.

    Raises:
        OSError: it cannot be made.
    """
    missing = [one for one in (folder, *folder.parents) if not os.path.lexists(one)]
    try:
        folder.mkdir(parents=True, exist_ok=True)
        yield
    except BaseException:
        keep = False
        raise
    finally:
        for one in () if keep else missing:
            with contextlib.suppress(OSError):  # it was not made, or something has been put there
                one.rmdir()


def part_of(path: Path) -> Path:
    """The temporary name of a file or folder, beside it: hidden, and with the number of this process."""
    return path.with_name(f".{path.name}.{os.getpid()}{PART}")


def write_durably(path: Path, content: bytes) -> None:
    """Write a file whose bytes are on the disk when this returns."""
    with path.open("wb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())


@contextlib.contextmanager
def alone_in(folder: Path) -> Iterator[None]:
    """Wait until no other process moves files into this folder; where the system can lock folders, as POSIX can."""
    try:
        import fcntl
    except ImportError:
        yield
        return
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
    finally:
        os.close(descriptor)


def remove_leftovers(folder: Path, names: Collection[str]) -> None:
    """Remove the temporary files of these names (see `part_of`) that killed processes have left in a folder."""
    with contextlib.suppress(OSError):  # no such folder, or one that may not be listed: whoever writes there says so
        for name in os.listdir(folder):  # noqa: PTH208  (names alone: a folder of pictures may be large)
            made = re.fullmatch(_PART_OF, name) if name.endswith(PART) else None
            if made is not None and made[1] in names:
                _remove_if_orphan(folder / name)


def remove_leftovers_in(folder: Path) -> None:
    """Remove the temporary files of everything in this folder that killed processes have left."""
    for part in folder.glob(f".*{PART}"):
        _remove_if_orphan(part)


@contextlib.contextmanager
def scratch() -> Iterator[Path]:
    """A temporary folder. Those that killed processes have left are removed first."""
    import tempfile  # here, as `shutil` below: who reads artifacts alone starts sooner

    for left in Path(tempfile.gettempdir()).glob(f"{_SCRATCH}*"):
        _remove_if_orphan(left)
    with tempfile.TemporaryDirectory(prefix=f"{_SCRATCH}{os.getpid()}-") as folder:
        yield Path(folder)


def _remove_if_orphan(path: Path) -> None:
    maker = re.fullmatch(_MAKER, path.name)
    if maker is None or os.name != "posix" or _is_running(int(maker[1])):  # Windows has no harmless question
        return
    if path.is_dir() and not path.is_symlink():
        import shutil

        shutil.rmtree(path, ignore_errors=True)
    else:
        with contextlib.suppress(OSError):
            path.unlink()


def _is_running(process: int) -> bool:
    try:
        os.kill(process, 0)
    except (ProcessLookupError, OverflowError):
        return False
    except PermissionError:
        return True
    return True
