"""Read a model file in a process of its own first, with limits on time and memory: the second wall.

A damaged HDF5 file can hold libhdf5 for ever, deaf to Ctrl-C (an attribute of 1 in 400 with flipped bytes did, in HDF5
1.14.6), and readers in C have ended processes before. What is read here is what will be read again: the structure and
every array. Keras is not there: it would take as long as opening itself, and the model would have to come back.
"""

from __future__ import annotations

import functools
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

from camlite.errors import ClassifierError

# For Python, numpy and h5py; and twice the file is what a zip and its weights need.
_ADDRESSES = 1 << 30
_ADDRESSES_A_BYTE = 2
_SECONDS = 20
_BYTES_A_SECOND = 20 << 20
_CHUNK = 1 << 22  # numbers of an array that are read at once

_CHILD = (
    "import sys; sys.path[:] = sys.argv[3:]; "
    "from camlite_export.sources.untrusted.rehearsal import main; main(*sys.argv[1:3])"
)
_REFUSED = 3


def rehearse(path: Path, beside: Path | None = None) -> None:
    """Read the file in another process; each file once, while it is the same.

    Args:
        path, beside: see `model_file.read`.

    Raises:
        ClassifierError: what `model_file.read` raises; or reading it takes too much time or memory, or ends a process.
    """
    _rehearse(path, beside, (_state(path), beside and _state(beside)))


def _state(path: Path) -> tuple[int, ...]:
    if not path.exists():  # what reads it says so
        return ()
    status = path.stat()
    return status.st_dev, status.st_ino, status.st_size, status.st_mtime_ns


@functools.lru_cache(64)
def _rehearse(path: Path, beside: Path | None, _same: tuple[Any, ...]) -> None:
    seconds = _SECONDS + path.stat().st_size // _BYTES_A_SECOND
    command = [sys.executable, "-c", _CHILD, str(path), str(beside or ""), *sys.path]
    environment = {**os.environ, "OPENBLAS_NUM_THREADS": "1", "OMP_NUM_THREADS": "1"}
    try:
        finished = subprocess.run(  # noqa: S603
            command, stdin=subprocess.DEVNULL, capture_output=True, timeout=2 * seconds, env=environment, check=False
        )
    except subprocess.TimeoutExpired:
        raise ClassifierError(
            f"{path}: no Keras model (reading it takes more than {seconds} s); save it again"
        ) from None
    if finished.returncode == _REFUSED:
        raise ClassifierError(finished.stdout.decode(errors="replace"))
    if finished.returncode:
        raise ClassifierError(
            f"{path}: no Keras model (reading it ends the process that does, with {finished.returncode}); save it again"
        )


def main(name: str, beside: str) -> None:
    """In the process: the exit code, and standard output, tell how reading went."""
    path = Path(name)
    _limit(path.stat().st_size)
    try:
        read_all(path, Path(beside) if beside else None)
    except ClassifierError as error:
        sys.stdout.buffer.write(str(error).encode(errors="replace"))
        sys.exit(_REFUSED)


def read_all(path: Path, beside: Path | None = None) -> None:
    """Read the structure, and every attribute and array.

    Raises:
        ClassifierError: see `model_file.read`.
    """
    from camlite_export.sources.untrusted import model_file

    model_file.read(path, beside)
    with model_file.open_weights(path) as weights, model_file.errors(path):
        weights.visititems(_read_one)


def _limit(size: int) -> None:
    try:
        import resource
    except ImportError:  # Windows
        return
    seconds = _SECONDS + size // _BYTES_A_SECOND
    for what, most in (
        (resource.RLIMIT_CPU, seconds),
        (resource.RLIMIT_AS, _ADDRESSES + _ADDRESSES_A_BYTE * size),
        (resource.RLIMIT_CORE, 0),
    ):
        _, hard = resource.getrlimit(what)
        resource.setrlimit(what, (most if hard == resource.RLIM_INFINITY else min(most, hard), hard))


def _read_one(_: str, one: Any) -> None:
    for name in one.attrs:
        one.attrs[name]
    shape = getattr(one, "shape", None)
    if shape == ():
        one[()]
    elif shape and one.size:
        rows = max(1, _CHUNK * shape[0] // one.size)
        for start in range(0, shape[0], rows):
            one[start : start + rows]
