"""Frames of video files and cameras, by OpenCV (extra ``camera``) or picamera2."""

from __future__ import annotations

import contextlib
import importlib
import os
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from camlite.errors import CamliteError, ImageError
from camlite.show import say
from camlite.system.installing import how_to_install
from camlite.system.quiet_native_code import without_notices
from camlite.watch.results import Identity, Results

PICAMERA = "picamera"
_TIMEOUT_MS = 10_000
_LONGEST_PAUSE = 30.0


class Frame(NamedTuple):
    """An image with a name: uint8 (H, W, 3), RGB."""

    name: str
    identity: Identity
    pixels: NDArray[np.uint8]


def of_video(path: Path, results: Results, every: float) -> Iterator[Frame]:
    """A frame for each so many seconds of a video file, those without a result: ``VIDEO.000123`` is the 124th.

    Raises:
        ImageError: the file is no video that OpenCV can open.
    """
    found = path.stat()
    identity = Identity(found.st_size, found.st_mtime_ns)
    video = _opened(str(path))
    if video is None:
        raise ImageError(f"{path}: neither a folder nor a video that OpenCV can open; expected one, or a camera")
    with contextlib.closing(_Closing(video)):
        rate = video.get(_opencv().CAP_PROP_FPS)
        step = max(1, round(every * rate)) if rate > 0 else 1
        number = 0
        while video.grab():
            name = f"{path.name}.{number:06d}"
            if number % step == 0 and not results.done(name, identity):
                good, pixels = video.retrieve()
                if good:
                    yield Frame(name, identity, _rgb(pixels))
            number += 1
        if number == 0:
            raise ImageError(f"{path}: no frame can be read from this video; expected one that is not damaged")


def of_camera(source: str, every: float) -> Iterator[Frame]:
    """A frame each so many seconds, for ever; a camera that is unplugged, or not there yet, is waited for.

    Frames are named by the time they are taken at, UTC: ``camera.20260131T120000.123456Z``.
    """
    _picamera() if source == PICAMERA else _opencv()
    pause, gone = 1.0, False
    while True:
        for pixels in _frames(source, every):
            if gone:
                say.notice(f"{source}: the camera is there again")
            pause, gone = 1.0, False
            now = time.time_ns()
            stamp = time.strftime("%Y%m%dT%H%M%S", time.gmtime(now // 10**9))
            yield Frame(f"camera.{stamp}.{now // 1000 % 10**6:06d}Z", Identity(pixels.nbytes, now), pixels)
        if not gone:
            say.notice(f"{source}: the camera gives no picture; waiting for it")
        gone = True
        time.sleep(pause)
        pause = min(2 * pause, _LONGEST_PAUSE)


def _frames(source: str, every: float) -> Iterator[NDArray[np.uint8]]:
    """Until the camera fails. Frames in between are taken and dropped, so that each is as new as can be."""
    opened = _picamera_opened() if source == PICAMERA else _opencv_opened(source)
    if opened is None:
        return
    take, close = opened
    due = 0.0
    try:
        while True:
            wanted = time.monotonic() >= due
            good, pixels = take(wanted)
            if not good:
                return
            if wanted and pixels is not None:
                due = time.monotonic() + every
                yield pixels
    finally:
        close()


_Take = Callable[[bool], tuple[bool, Any]]


def _opencv_opened(source: str) -> tuple[_Take, Callable[[], None]] | None:
    camera = _opened(int(source) if source.isdecimal() else source)
    if camera is None:
        return None

    def take(wanted: bool) -> tuple[bool, Any]:
        if not camera.grab():
            return False, None
        if not wanted:
            return True, None
        good, pixels = camera.retrieve()
        return good, _rgb(pixels) if good else None

    return take, camera.release


def _picamera_opened() -> tuple[_Take, Callable[[], None]] | None:
    camera = None
    try:
        camera = _picamera().Picamera2()
        # "BGR888" is picamera2's name of arrays whose last axis is red, green, blue.
        camera.configure(camera.create_video_configuration(main={"format": "BGR888", "size": (640, 480)}))
        camera.start()
    except (RuntimeError, IndexError, OSError):  # no camera, or another program has it
        if camera is not None:
            camera.close()
        return None

    def take(_wanted: bool) -> tuple[bool, Any]:
        try:
            return True, camera.capture_array("main")
        except (RuntimeError, OSError, TimeoutError):
            return False, None

    return take, camera.close


def _opened(source: str | int) -> Any:
    """An open capture, or None."""
    cv2 = _opencv()
    network = isinstance(source, str) and "://" in source
    with without_notices():
        if network:
            limits = [cv2.CAP_PROP_OPEN_TIMEOUT_MSEC, _TIMEOUT_MS, cv2.CAP_PROP_READ_TIMEOUT_MSEC, _TIMEOUT_MS]
            capture = cv2.VideoCapture(source, cv2.CAP_FFMPEG, limits)
        else:
            capture = cv2.VideoCapture(source)
    if capture.isOpened():
        return capture
    capture.release()
    return None


class _Closing:
    """`release` by the name that `contextlib.closing` wants."""

    def __init__(self, capture: Any) -> None:
        self.close = capture.release


def _rgb(pixels: Any) -> NDArray[np.uint8]:
    """OpenCV's blue, green, red the other way round."""
    return np.ascontiguousarray(pixels[..., ::-1]) if pixels.ndim == 3 else np.asarray(pixels)


def _opencv() -> Any:
    # OpenCV, and FFmpeg inside it, talk to standard error, where this program has lines of its own. The names of
    # OpenCV's functions against it change with its versions; -8 is FFmpeg's AV_LOG_QUIET.
    os.environ.setdefault("OPENCV_LOG_LEVEL", "SILENT")
    os.environ.setdefault("OPENCV_FFMPEG_LOGLEVEL", "-8")
    try:
        return importlib.import_module("cv2")
    except ImportError:
        raise CamliteError(f"video files and cameras need OpenCV: {how_to_install('camera')}") from None


def _picamera() -> Any:
    try:
        return importlib.import_module("picamera2")
    except ImportError:
        raise CamliteError("`picamera` needs picamera2: apt install python3-picamera2, see docs/device.md") from None
