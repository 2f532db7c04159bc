"""Frames of video files and cameras, each with a name."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from camlite.errors import ImageError
from camlite.images import cameras, opencv_capture
from camlite.show import say
from camlite.system.quiet_native_code import without_notices
from camlite.watch.results import Identity, Results

_LOOK_SECONDS = 0.5  # whether the camera is lost, while no picture comes


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
    with without_notices():
        video = opencv_capture.opened(str(path))
    if video is None:
        raise ImageError(f"{path}: neither a folder nor a video that OpenCV can open; expected one, or a camera")
    with contextlib.closing(_Closing(video)):
        rate = video.get(opencv_capture.opencv().CAP_PROP_FPS)
        step = max(1, round(every * rate)) if rate > 0 else 1
        number = 0
        while video.grab():
            name = f"{path.name}.{number:06d}"
            if number % step == 0 and not results.done(name, identity):
                good, pixels = video.retrieve()
                if good:
                    yield Frame(name, identity, opencv_capture.rgb(pixels))
            number += 1
        if number == 0:
            raise ImageError(f"{path}: no frame can be read from this video; expected one that is not damaged")


def of_camera(source: str, every: float) -> Iterator[Frame]:
    """A frame each so many seconds, for ever; a camera that is unplugged, or not there yet, is waited for.

    Frames are named by the time they are taken at, UTC: ``camera.20260131T120000.123456Z``.
    """
    name, gone, due = cameras.shown(source), False, 0.0
    with contextlib.closing(cameras.watched(source)) as camera:
        while True:
            time.sleep(max(0.0, due - time.monotonic()))
            pixels = camera.take(_LOOK_SECONDS)
            if pixels is None:
                if camera.lost and not gone:
                    say.notice(f"{name}: the camera {camera.lost}; waiting for it")
                    gone = True
                continue
            if gone:
                say.notice(f"{name}: the camera is there again")
            gone, due = False, time.monotonic() + every
            now = time.time_ns()
            stamp = time.strftime("%Y%m%dT%H%M%S", time.gmtime(now // 10**9))
            yield Frame(f"camera.{stamp}.{now // 1000 % 10**6:06d}Z", Identity(pixels.nbytes, now), pixels)


class _Closing:
    """`release` by the name that `contextlib.closing` wants."""

    def __init__(self, capture: Any) -> None:
        self.close = capture.release
