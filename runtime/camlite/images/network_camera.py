"""A stream of the network (``rtsp://``, ``http://``), read by OpenCV in a process of its own with limited memory.

FFmpeg, inside OpenCV, keeps what a server sends until a picture is complete. A server that announced a picture of 2 GB
made it take 4 GB within 9 seconds. The limit ends that, and whoever shows the stream goes on.
"""

from __future__ import annotations

import contextlib
import os
import re
import sys
import time
from concurrent.futures import BrokenExecutor, Future
from concurrent.futures import TimeoutError as TimeLimit  # the built-in one since Python 3.11
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from camlite.images import opencv_capture
from camlite.images.camera_thread import CameraThread
from camlite.images.picture_files import TooLargeError
from camlite.system.fresh_process import FreshProcess

_Taken = tuple["NDArray[np.uint8] | None", "str | None"]  # a picture, and why there is none

# What FFmpeg took on two cores, beside its code: 62 MB for H.264 of 1920 x 1080, 197 MB for H.264 and H.265 of
# 3840 x 2160, 316 MB for 16 megapixels. Each further core takes one picture more, 24 MB of the largest.
_MOST_MEMORY = 1 << 30
_OF_THE_MACHINE = 0.5
_TOOK_MUCH = 0.6  # of the limit; where servers sent without end, FFmpeg failed at 0.87 and more
_HANGS = 30.0  # seconds in which a process that only waits for half a second, and imports OpenCV before, answers
_FIRST_PAUSE = 1.0


class NetworkCamera:
    """A `Camera` that is a `CameraThread` in another process, which is started again when it has ended.

    Args:
        source, longest_pause, most_pixels: see `camlite.images.cameras.watched`.
        most_memory: bytes that reading the stream may take; of a small machine, half of what it has.
    """

    def __init__(self, source: str, longest_pause: float, most_pixels: int, most_memory: int = _MOST_MEMORY) -> None:
        self._arguments = source, longest_pause, most_pixels, min(most_memory, int(_OF_THE_MACHINE * _of_the_machine()))
        self._longest_pause, self._pause, self._due = longest_pause, _FIRST_PAUSE, 0.0
        self._process: FreshProcess | None = None
        self._taking: Future[_Taken] | None = None
        self._since = 0.0
        self.lost: str | None = None

    def take(self, seconds: float) -> NDArray[np.uint8] | None:
        """See `Camera`."""
        if self._process is None:
            early = self._due - time.monotonic()
            if early > 0:
                time.sleep(min(early, seconds))
                return None
            self._process = FreshProcess()
        if self._taking is None:
            self._taking, self._since = self._process.submit(_take, seconds, *self._arguments), time.monotonic()
        try:
            picture, self.lost = self._taking.result(seconds + 0.1)
            self._taking = None
        except TimeLimit:
            if time.monotonic() > self._since + seconds + _HANGS:
                self._start_later(f"gives no picture: no answer within {_HANGS:g} s")
            return None
        except (BrokenExecutor, TooLargeError) as error:
            self._start_later(str(error) if isinstance(error, TooLargeError) else f"gives no picture: {error}")
            return None
        if picture is not None:
            self._pause = _FIRST_PAUSE
        return picture

    def close(self) -> None:
        """Let the stream go, and end the process, whatever it does."""
        process, self._process, self._taking = self._process, None, None
        if process is not None:
            process.kill()
            process.shutdown()

    def _start_later(self, reason: str) -> None:
        self.close()
        self.lost = reason
        self._due = time.monotonic() + self._pause
        self._pause = min(2 * self._pause, self._longest_pause)


def _of_the_machine() -> float:
    """Bytes of memory that this machine has."""
    try:
        return os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    except (AttributeError, ValueError, OSError):  # Windows
        return float("inf")


# What follows runs in the process of the stream.

_camera: CameraThread | None = None
_memory: _Memory | None = None


def _take(seconds: float, source: str, longest_pause: float, most_pixels: int, most_memory: int) -> _Taken:
    """A picture; TooLargeError where reading took too much memory."""
    global _camera, _memory
    if _camera is None or _memory is None:
        opencv_capture.opencv()
        _memory = _Memory(most_memory)
        _camera = CameraThread(source, longest_pause, most_pixels)
    picture = _camera.take(seconds)
    if picture is None and _camera.lost:
        _memory.check()
    return picture, _camera.lost


class _Memory:
    """A limit on what this process takes from now on, where the system has one: Linux 4.7 and later."""

    def __init__(self, most: int) -> None:
        self._most, self._before = most, _bytes_of("VmHWM")
        if sys.platform == "linux":
            import resource

            wanted = most + _bytes_of("VmData")
            hard = resource.getrlimit(resource.RLIMIT_DATA)[1]
            resource.setrlimit(resource.RLIMIT_DATA, (wanted if hard < 0 else min(wanted, hard), hard))
            with contextlib.suppress(OSError):  # where the whole machine is short of memory, this process goes first
                Path("/proc/self/oom_score_adj").write_text("500")

    def check(self) -> None:
        """See, after a failure, whether it was for want of memory."""
        if _bytes_of("VmHWM") - self._before > _TOOK_MUCH * self._most:
            raise TooLargeError(
                f"needs more memory than the stream of a camera does (limit: {self._most >> 20} MiB); check its address"
            )


def _bytes_of(figure: str) -> int:
    """Of this process: ``VmHWM``, the most memory that it had so far, or ``VmData``; 0 where the system does not say.

    Not that of `resource.getrusage`, which begins at what the process had that started this one.
    """
    if sys.platform != "linux":
        return 0
    found = re.search(rf"{figure}:\s*([0-9]+)", Path("/proc/self/status").read_text())
    return 1024 * int(found[1]) if found else 0
