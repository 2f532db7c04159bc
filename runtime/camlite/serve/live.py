"""``GET /live``: one camera, explained once for all who look at it, as server-sent events.

A thread of its own explains the newest picture and hands it to the event loop, which keeps only the last one. Each
viewer is sent the last one whenever it has read the one before: who reads slowly sees fewer pictures, and holds up
nobody. While nobody looks the camera is closed, and the model rests.
"""

from __future__ import annotations

import asyncio
import base64
import contextlib
import threading
import time
import traceback
from collections import Counter
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass
from http import HTTPStatus
from typing import Any

import numpy as np
from numpy.typing import NDArray

from camlite.errors import CamliteError, ImageError
from camlite.explainer import Explainer
from camlite.images import cameras, picture_files
from camlite.images.cameras import Camera
from camlite.serve.messages import Refused, busy
from camlite.serve.metrics import Metrics
from camlite.show import json_record, say
from camlite.texts import counted

_LONGEST_SIDE, _JPEG_QUALITY = 640, 80  # of what viewers see; the classifier sees the camera's own picture
_TAKE_SECONDS = 0.5
_LONGEST_PAUSE = 5.0  # between two attempts to open a camera that somebody waits for
_FIRST_LOOK = 12.0  # seconds that a camera has for its first picture when the server starts
_REST_AFTER = 3.0  # seconds that the camera stays open after the last viewer has gone: pages are loaded again
_BEAT = 5.0  # seconds between signs of life while there is no picture
_CLOSING_SECONDS = 3.0
_MOST_HELD = 16 << 20  # bytes of messages that viewers have not read yet; each counts once, however many read it

Log = Callable[..., None]


@dataclass(frozen=True)
class LiveView:
    """What is shown live.

    Attributes:
        source: a camera or stream of `camlite.images.cameras`, or a video file.
        explainer: explains it, and nothing else.
        every: seconds from one picture to the next, at the least.
        viewers: at once; those beyond are told to come back (429).
        pixels: height times width of the camera's pictures, at the most.
    """

    source: str
    explainer: Explainer
    every: float
    viewers: int
    pixels: int


class Live:
    """Explains a camera while somebody looks. All but `_run` is called in the thread of the event loop."""

    def __init__(self, view: LiveView, metrics: Metrics, log: Log) -> None:
        self._view, self._metrics, self._log = view, metrics, log
        self._name = cameras.shown(view.source)
        self._viewers: set[Viewer] = set()
        self._unread: Counter[bytes] = Counter()
        self._held = 0
        self.message, self.number = b"", 0
        self.arrived = asyncio.Event()
        self.ended = False
        self._watched, self._published = threading.Event(), threading.Event()
        self._left = time.monotonic()
        self._lost: bool | None = None
        self._loop: asyncio.AbstractEventLoop | None = None
        self._thread = threading.Thread(target=self._run, name="live", daemon=True)

    def start(self) -> None:
        """Begin, in the event loop that runs."""
        self._loop = asyncio.get_running_loop()
        self._thread.start()

    def stop(self) -> None:
        """End all views."""
        self.ended = True
        self._watched.set()
        self._published.set()
        self._wake()

    def join(self) -> None:
        """Wait for the camera to be closed, but not for ever."""
        if self._thread.is_alive():
            self._thread.join(_CLOSING_SECONDS)

    def viewer(self) -> Viewer:
        """One more that looks.

        Raises:
            Refused: there are too many.
        """
        self.check_room()
        viewer = Viewer(self)
        self._viewers.add(viewer)
        self._metrics.viewers(len(self._viewers))
        self._watched.set()
        return viewer

    def check_room(self) -> None:
        """See whether one more may look.

        Raises:
            Refused: there are too many.
        """
        if self.ended:
            raise Refused(HTTPStatus.SERVICE_UNAVAILABLE, "the server ends")
        if len(self._viewers) >= self._view.viewers:
            raise busy(f"no place: {counted(self._view.viewers, 'viewer')} at most; try again in a second")

    def leave(self, viewer: Viewer) -> None:
        """One that looks no more."""
        self._viewers.discard(viewer)
        self._metrics.viewers(len(self._viewers))
        if not self._viewers and not self.ended:
            self._left = time.monotonic()
            self._watched.clear()

    def hold(self, message: bytes) -> bool:
        """Keep a message until a viewer has read it; False where too much is kept already."""
        new = not self._unread[message]
        if new and self._held + len(message) > _MOST_HELD:
            del self._unread[message]
            return False
        self._unread[message] += 1
        self._held += len(message) * new
        return True

    def release(self, message: bytes) -> None:
        """It has been read, or never will be."""
        self._unread[message] -= 1
        if not self._unread[message]:
            del self._unread[message]
            self._held -= len(message)

    def _wake(self) -> None:
        arrived, self.arrived = self.arrived, asyncio.Event()
        arrived.set()

    def _publish(self, message: bytes) -> None:
        self.message, self.number = message, self.number + 1
        self._wake()
        self._published.set()

    def _send(self, kind: str, **content: Any) -> None:
        """From the thread: hand a message to the event loop, and wait until it has it, so that none pile up."""
        message = f"event: {kind}\ndata: {say.to_json(content)}\n\n".encode() if kind else b""
        self._published.clear()
        assert self._loop is not None  # noqa: S101 - for mypy
        with contextlib.suppress(RuntimeError):  # the loop has ended
            self._loop.call_soon_threadsafe(self._publish, message)
            while not self.ended and not self._published.wait(1):
                pass

    def _run(self) -> None:
        first = True
        while not self.ended:
            if not first:
                self._watched.wait()
            try:
                with contextlib.closing(
                    cameras.watched(self._view.source, _LONGEST_PAUSE, self._view.pixels)
                ) as camera:
                    if first:
                        self._look_once(camera)
                    self._show(camera)
            except Exception:  # a mistake of camlite's own: the server goes on, and says where it was
                traceback.print_exc()
                self._send("trouble", message="A bug of camlite; see the server's log.")
                time.sleep(1)
            first = False

    def _look_once(self, camera: Camera) -> None:
        """Say at the start whether there is a camera, for nobody may look for hours."""
        end = time.monotonic() + _FIRST_LOOK
        while not self.ended and self._lost is None and time.monotonic() < end:
            picture = camera.take(_TAKE_SECONDS)
            if picture is not None:
                height, width = picture.shape[:2]
                self._log(message=f"camera {self._name}: {width} x {height} pixels")
                self._lost = False
            elif camera.lost:
                self._tell_lost(camera.lost)

    def _show(self, camera: Camera) -> None:
        """Explain what it shows until nobody looks any more."""
        due, told = 0.0, False
        while not self.ended and (self._watched.is_set() or time.monotonic() < self._left + _REST_AFTER):
            if not self._watched.wait(_TAKE_SECONDS):
                continue
            if (early := due - time.monotonic()) > 0:
                time.sleep(min(early, _TAKE_SECONDS))
                continue
            picture = camera.take(_TAKE_SECONDS)
            if picture is not None:
                due, told = time.monotonic() + self._view.every, False
                self._explain(picture)
            elif camera.lost and not told:
                told = True
                self._tell_lost(camera.lost)
        self._send("")  # what was seen last is old when the next one looks

    def _tell_lost(self, reason: str) -> None:
        if not self._lost:
            self._log(message=f"camera {self._name}: {reason}; trying again")
        self._lost = True
        self._send("lost", message=f"The camera {reason}; trying again.")

    def _explain(self, picture: NDArray[np.uint8]) -> None:
        if self._lost:
            self._log(message=f"camera {self._name}: is there again")
        self._lost = False
        start = time.perf_counter()
        try:
            height, width = picture.shape[:2]
            if height * width > self._view.pixels:
                self._trouble(
                    f"The camera's pictures have {width} x {height} pixels, expected at most {self._view.pixels}."
                )
                return
            explanation = self._view.explainer.explain(picture)
            record = json_record.of(explanation)
            seen = picture_files.encode(picture_files.shrunk(picture, _LONGEST_SIDE), "JPEG", _JPEG_QUALITY)
        except (CamliteError, MemoryError, OSError, ValueError) as error:
            # Others' messages name files of the server.
            reason = str(error) if isinstance(error, ImageError) else "see the server's log"
            self._trouble(f"This picture of the camera cannot be explained: {reason}.", error)
            return
        seconds = time.perf_counter() - start
        self._metrics.seen_live()
        self._send("picture", explanation=record, jpeg=base64.b64encode(seen).decode(), ms=round(1000 * seconds, 1))

    def _trouble(self, message: str, error: Exception | None = None) -> None:
        self._log(message=f"camera {self._name}: {message if error is None else error}")
        self._send("trouble", message=message)
        time.sleep(_TAKE_SECONDS)  # such pictures would come, and be logged, as fast as they can


class Viewer(AsyncIterator[bytes]):
    """One that looks: gives the last message that it has not had, waiting for it, until the server ends."""

    def __init__(self, live: Live) -> None:
        self._live, self._seen, self._reading = live, 0, b""

    async def __anext__(self) -> bytes:
        self._read()
        live = self._live
        while not live.ended:
            if self._seen != live.number:
                self._seen = live.number
                if live.message and live.hold(live.message):
                    self._reading = live.message
                    return self._reading
            try:
                await asyncio.wait_for(live.arrived.wait(), _BEAT)
            except asyncio.TimeoutError:
                return b":\n\n"
        raise StopAsyncIteration

    def _read(self) -> None:
        if self._reading:
            self._live.release(self._reading)
            self._reading = b""

    def close(self) -> None:
        """It looks no more."""
        self._read()
        self._live.leave(self)
