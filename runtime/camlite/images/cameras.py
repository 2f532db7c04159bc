"""Cameras and streams: the newest picture, whenever one is asked for."""

from __future__ import annotations

import os
import re
import stat
import sys
from pathlib import Path
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from camlite.images import opencv_capture
from camlite.images.camera_thread import PICAMERA, CameraThread, picamera
from camlite.images.network_camera import NetworkCamera

_LONGEST_PAUSE = 30.0
_MOST_PIXELS = 16_000_000
_VIDEO4LINUX = 81  # the kernel's number of its devices


def is_camera(source: str) -> bool:
    """Whether a source is a camera (0, /dev/video0, picamera) or a stream (a URL), also one that is not there yet."""
    if source == PICAMERA or re.fullmatch(r"[0-9]{1,3}", source) or re.match(r"[A-Za-z]+://", source):
        return True
    return source.startswith("/dev/video") or _is_device(Path(source))


def _is_device(path: Path) -> bool:
    if not path.exists():
        return False
    found = path.stat()
    return stat.S_ISCHR(found.st_mode) and (sys.platform != "linux" or os.major(found.st_rdev) == _VIDEO4LINUX)


def _is_stream(source: str) -> bool:
    return "://" in source


def shown(source: str) -> str:
    """A source as it may be shown: without the name and password that a URL may have, also in its query.

    People write passwords with a slash or a question mark in them as they are, so all in front of the last ``@`` goes.
    """
    if not _is_stream(source):
        return source
    return re.sub(r"\?.*", "?...", re.sub(r"//.*@", "//...@", source, count=1), count=1)


def check(source: str) -> None:
    """See whether what reads a camera is installed.

    Raises:
        CamliteError: it is not.
    """
    picamera() if source == PICAMERA else opencv_capture.opencv()


class Camera(Protocol):
    """What `watched` gives: whoever is slow gets the newest picture, and no queue grows. For one thread.

    Attributes:
        lost: why it gives no picture at this time, else None.
    """

    lost: str | None

    def take(self, seconds: float) -> NDArray[np.uint8] | None:
        """The next picture, uint8 (H, W, 3), RGB, or (H, W); None where none comes within so many seconds."""

    def close(self) -> None:
        """Let the camera go. One that does not answer is let go as soon as it does."""


def watched(source: str, longest_pause: float = _LONGEST_PAUSE, most_pixels: int = _MOST_PIXELS) -> Camera:
    """Begin to take pictures. A camera that is lost, or not there yet, is tried again after pauses that grow.

    Args:
        source: see `is_camera`, or a video file. A stream is read in a process of its own, see `NetworkCamera`.
        longest_pause: seconds between two attempts to open it, at the most.
        most_pixels: height times width of its pictures; a camera of more is not read.

    Raises:
        CamliteError: what reads it is not installed.
    """
    check(source)
    return (NetworkCamera if _is_stream(source) else CameraThread)(source, longest_pause, most_pixels)
