"""Cameras, streams and video files, opened by OpenCV (extra ``camera``)."""

from __future__ import annotations

import importlib
import os
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from camlite.errors import CamliteError
from camlite.images.picture_files import TooLargeError
from camlite.system.installing import remedy

# Waits for the next picture, and gives whether there is one, and its pixels if they are wanted when it is there.
Take = Callable[[Callable[[], bool]], tuple[bool, Any]]

_TIMEOUT_MS = 10_000
_USUAL_RATE, _FASTEST = 25.0, 240.0  # pictures a second of a video file that does not say, or says nonsense


def reading(source: str, most_pixels: int) -> tuple[Take, Callable[[], None]] | None:
    """What takes the pictures of a camera, stream or video file, and what closes it; None where it cannot be opened.

    Raises:
        TooLargeError: height times width of its pictures is more than this.
    """
    camera = opened(int(source) if source.isdecimal() else source)
    if camera is None:
        return None
    try:
        _check_size(camera, most_pixels)
    except TooLargeError:
        camera.release()
        raise
    wait = _pace(camera) if Path(source).is_file() else None

    def take(wanted: Callable[[], bool]) -> tuple[bool, Any]:
        if wait is not None:
            wait()
        if not camera.grab():
            return False, None
        if not wanted():
            return True, None
        good, pixels = camera.retrieve()
        return good, rgb(pixels) if good else None

    return take, camera.release


def _check_size(camera: Any, most_pixels: int) -> None:
    """Before a picture is read. OpenCV gives all pictures of a stream the size of its first."""
    width, height = (int(camera.get(one)) for one in (opencv().CAP_PROP_FRAME_WIDTH, opencv().CAP_PROP_FRAME_HEIGHT))
    if width * height > most_pixels:
        raise TooLargeError(f"has pictures of {width} x {height} pixels, expected at most {most_pixels}")


def _pace(video: Any) -> Callable[[], None]:
    """Wait for the time of the next picture of a file."""
    told = video.get(opencv().CAP_PROP_FPS)
    rate = min(told, _FASTEST) if told > 0 else _USUAL_RATE
    due = time.monotonic()

    def wait() -> None:
        nonlocal due
        time.sleep(max(0.0, due - time.monotonic()))
        due += 1 / rate

    return wait


def opened(source: str | int) -> Any:
    """An open capture of OpenCV, or None."""
    cv2 = opencv()
    if isinstance(source, str) and "://" in source:
        limits = [cv2.CAP_PROP_OPEN_TIMEOUT_MSEC, _TIMEOUT_MS, cv2.CAP_PROP_READ_TIMEOUT_MSEC, _TIMEOUT_MS]
        capture = cv2.VideoCapture(source, cv2.CAP_FFMPEG, limits)
    else:
        capture = cv2.VideoCapture(source)
    if capture.isOpened():
        return capture
    capture.release()
    return None


def rgb(pixels: Any) -> NDArray[np.uint8]:
    """OpenCV's blue, green, red the other way round."""
    return np.ascontiguousarray(pixels[..., ::-1]) if pixels.ndim == 3 else np.asarray(pixels)


def opencv() -> Any:
    """OpenCV's module.

    Raises:
        CamliteError: it is not installed.
    """
    # OpenCV, and FFmpeg inside it, talk to standard error, where this program has lines of its own. The names of
    # OpenCV's functions against it change with its versions; -8 is FFmpeg's AV_LOG_QUIET.
    os.environ.setdefault("OPENCV_LOG_LEVEL", "SILENT")
    os.environ.setdefault("OPENCV_FFMPEG_LOGLEVEL", "-8")
    try:
        return importlib.import_module("cv2")
    except ImportError as error:
        raise CamliteError(f"video files and cameras need OpenCV: {remedy(error, 'cv2', 'camera')}") from None
