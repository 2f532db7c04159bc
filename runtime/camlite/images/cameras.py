"""Cameras and streams, by OpenCV (extra ``camera``) or picamera2: the newest picture, whenever one is asked for."""

from __future__ import annotations

import importlib
import os
import re
import stat
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from camlite.errors import CamliteError
from camlite.images.picture_files import TooLargeError
from camlite.system.installing import remedy

PICAMERA = "picamera"
_TIMEOUT_MS = 10_000
_FIRST_PAUSE, _LONGEST_PAUSE = 1.0, 30.0
_CLOSING_SECONDS = 2.0
_MOST_PIXELS = 16_000_000
_USUAL_RATE, _FASTEST = 25.0, 240.0  # pictures a second of a video file that does not say, or says nonsense
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


def shown(source: str) -> str:
    """A source as it may be shown: without the name and password that a URL may have, also in its query.

    People write passwords with a slash or a question mark in them as they are, so all in front of the last ``@`` goes.
    """
    if "://" not in source:
        return source
    return re.sub(r"\?.*", "?...", re.sub(r"//.*@", "//...@", source, count=1), count=1)


def check(source: str) -> None:
    """See whether what reads a camera is installed.

    Raises:
        CamliteError: it is not.
    """
    _picamera() if source == PICAMERA else opencv()


class Camera:
    """Takes pictures in a thread of its own, so that whoever is slow gets the newest one, and no queue grows.

    A camera that is unplugged, or not there yet, is tried again after pauses that grow. A video file in the place of
    a camera is shown as fast as it was filmed, again and again.

    Args:
        source: see `is_camera`, or a video file.
        longest_pause: seconds between two attempts to open it, at the most.
        most_pixels: height times width of its pictures; a camera of more is not read.

    Attributes:
        lost: why it gives no picture at this time, else None.

    Raises:
        CamliteError: what reads it is not installed.
    """

    def __init__(self, source: str, longest_pause: float = _LONGEST_PAUSE, most_pixels: int = _MOST_PIXELS) -> None:
        check(source)
        self._source, self._longest_pause, self._most_pixels = source, longest_pause, most_pixels
        self._changed = threading.Condition()
        self._picture: NDArray[np.uint8] | None = None
        self._wanted = self._closed = False
        self.lost: str | None = None
        self._thread = threading.Thread(target=self._run, name="camera", daemon=True)
        self._thread.start()

    def take(self, seconds: float) -> NDArray[np.uint8] | None:
        """The next picture, uint8 (H, W, 3), RGB, or (H, W); None where none comes within so many seconds."""
        with self._changed:
            self._wanted = True
            self._changed.wait_for(lambda: self._picture is not None, seconds)
            picture, self._picture = self._picture, None
            return picture

    def close(self) -> None:
        """Let the camera go. One that does not answer is let go as soon as it does."""
        with self._changed:
            self._closed = True
            self._changed.notify_all()
        self._thread.join(_CLOSING_SECONDS)

    def _run(self) -> None:
        pause, is_file = _FIRST_PAUSE, Path(self._source).is_file()
        while not self._closed:
            began, reason = self._stream()
            if began:
                pause = _FIRST_PAUSE
                if is_file:
                    continue
            with self._changed:
                self.lost = reason
                self._changed.wait_for(lambda: self._closed, pause)
            pause = min(2 * pause, self._longest_pause)

    def _stream(self) -> tuple[bool, str]:
        """Until the camera fails; whether it has given anything, and why it gives no more."""
        began, close, reason = False, None, "gives no picture"
        try:
            found = _picamera_opened() if self._source == PICAMERA else _opencv_opened(self._source, self._most_pixels)
            if found is not None:
                take, close = found
            while found is not None and not self._closed:
                good, pixels = take(self._wanted)
                if not good:
                    break
                began, self.lost = True, None
                self._hand_over(pixels)
        except TooLargeError as error:
            reason = str(error)
        except Exception:  # noqa: S110 - drivers and decoders raise what they like; it is tried again
            pass
        finally:
            if close is not None:
                close()
        return began, reason

    def _hand_over(self, pixels: NDArray[np.uint8] | None) -> None:
        with self._changed:
            if self._wanted and pixels is not None:
                self._picture, self._wanted = pixels, False
                self._changed.notify_all()


_Take = Callable[[bool], tuple[bool, Any]]


def _opencv_opened(source: str, most_pixels: int) -> tuple[_Take, Callable[[], None]] | None:
    camera = opened(int(source) if source.isdecimal() else source)
    if camera is None:
        return None
    try:
        _check_size(camera, most_pixels)
    except TooLargeError:
        camera.release()
        raise
    wait = _pace(camera) if Path(source).is_file() else None

    def take(wanted: bool) -> tuple[bool, Any]:
        if wait is not None:
            wait()
        if not camera.grab():
            return False, None
        if not wanted:
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


def opened(source: str | int) -> Any:
    """An open capture of OpenCV, or None."""
    cv2 = opencv()
    network = isinstance(source, str) and "://" in source
    if network:
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


def _picamera() -> Any:
    try:
        return importlib.import_module("picamera2")
    except ImportError:
        raise CamliteError("`picamera` needs picamera2: apt install python3-picamera2, see docs/device.md") from None
