"""A watch over Keras as it builds a model that nobody vouches for: the third wall.

The lists bound what an argument may be, and `camlite_export.sources.bounds` what a layer may make. But some layers
count, and make arrays, before either is asked. So time and memory of the process are looked at while Keras works;
where it takes too much, an exception ends it there.
"""

from __future__ import annotations

import contextlib
import signal
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from camlite.errors import ClassifierError

_LOOK_EVERY = 0.25  # seconds
# NASNetLarge of Keras 2, the slowest of keras.applications, takes 0.03 s for each of its layers.
_SECONDS, _SECONDS_A_LAYER = 30, 0.1
# What TensorFlow itself takes as it starts, 300 MB; and each parameter twice, as float64 in places.
_BYTES, _BYTES_A_BYTE = 1 << 30, 16


@contextlib.contextmanager
def watched(path: Path, structure: Any) -> Iterator[None]:
    """Raise where building takes more time or memory than a model of this structure and size needs.

    Only in the main thread, and where there are timers (not on Windows); elsewhere nothing is watched.

    Args:
        path: of the file; structure: its layers.

    Raises:
        ClassifierError: it takes too much.
    """
    if threading.current_thread() is not threading.main_thread() or not hasattr(signal, "setitimer"):
        yield
        return
    seconds = _SECONDS + _SECONDS_A_LAYER * _layers(structure)
    start, most = time.process_time(), _resident() + _BYTES + _BYTES_A_BYTE * path.stat().st_size

    def look(*_: object) -> None:
        if time.process_time() - start > seconds:
            raise ClassifierError(f"{path}: building it takes more than {seconds:.0f} s; build it with smaller layers")
        if _resident() > most:
            raise ClassifierError(f"{path}: building it takes more than {most >> 20} MB; build it with smaller layers")

    before = signal.signal(signal.SIGALRM, look)
    signal.setitimer(signal.ITIMER_REAL, _LOOK_EVERY, _LOOK_EVERY)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)
    look()


def _layers(structure: Any) -> int:
    """How many classes a structure names."""
    if isinstance(structure, dict):
        return ("class_name" in structure) + sum(map(_layers, structure.values()))
    return sum(map(_layers, structure)) if isinstance(structure, list) else 0


def _resident() -> int:
    """Resident memory of this process, bytes; 0 where the system does not tell."""
    try:
        return int(Path("/proc/self/statm").read_text().split()[1]) * 4096
    except OSError:
        return 0
