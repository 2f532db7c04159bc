"""A camera that is read in a thread, by OpenCV (extra ``camera``) or picamera2."""

from __future__ import annotations

import importlib
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from camlite.errors import CamliteError
from camlite.images import opencv_capture
from camlite.images.opencv_capture import Take
from camlite.images.picture_files import TooLargeError
from camlite.texts import one_line

PICAMERA = "picamera"
_FIRST_PAUSE = 1.0
_CLOSING_SECONDS = 2.0


class CameraThread:
    """A `Camera` that takes pictures in a thread of its own.

    A camera that is unplugged, or not there yet, is tried again after pauses that grow. A video file in the place of
    a camera is shown as fast as it was filmed, again and again.

    Args:
        source, longest_pause, most_pixels: see `camlite.images.cameras.watched`.
    """

    def __init__(self, source: str, longest_pause: float, most_pixels: int) -> None:
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
            if self._source == PICAMERA:
                found = _picamera_opened()
            else:
                found = opencv_capture.reading(self._source, self._most_pixels)
            if found is not None:
                take, close = found
            while found is not None and not self._closed:
                good, pixels = take(lambda: self._wanted)
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


def _picamera_opened() -> tuple[Take, Callable[[], None]] | None:
    camera = None
    try:
        camera = picamera().Picamera2()
        # "BGR888" is picamera2's name of arrays whose last axis is red, green, blue.
        camera.configure(camera.create_video_configuration(main={"format": "BGR888", "size": (640, 480)}))
        camera.start()
    except (RuntimeError, IndexError, OSError):  # no camera, or another program has it
        if camera is not None:
            camera.close()
        return None

    def take(_wanted: Callable[[], bool]) -> tuple[bool, Any]:
        try:
            return True, camera.capture_array("main")
        except (RuntimeError, OSError, TimeoutError):
            return False, None

    return take, camera.close


def picamera() -> Any:
    """picamera2's module.

    Raises:
        CamliteError: it is not installed.
    """
    try:
        return importlib.import_module("picamera2")
    except ModuleNotFoundError as error:
        if error.name != "picamera2":
            raise _broken(error) from None
        raise CamliteError(
            "`picamera` needs picamera2: sudo apt install python3-picamera2, "
            "in an environment made with --system-site-packages; see docs/install.md"
        ) from None
    except (ImportError, ValueError) as error:  # ValueError: it was built for another numpy
        raise _broken(error) from None


def _broken(error: Exception) -> CamliteError:
    reason = one_line(str(error))[:200]
    return CamliteError(
        f"`picamera` needs picamera2: it is installed, but cannot be imported ({reason}); make a new environment with "
        f"--system-site-packages, see docs/install.md"
    )
