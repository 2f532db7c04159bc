"""A network camera (motion JPEG over HTTP) that can be unplugged, and shows what it is told to; one that is hostile."""

from __future__ import annotations

import contextlib
import http.server
import io
import threading
import time
from collections.abc import Callable
from typing import Any

import numpy as np


def jpeg(pixels: np.ndarray) -> bytes:
    """A frame, with hardly any loss."""
    from PIL import Image

    stream = io.BytesIO()
    Image.fromarray(pixels).save(stream, "JPEG", quality=95)
    return stream.getvalue()


class NetworkCamera(http.server.ThreadingHTTPServer):
    """Sends `frame`, 20 times a second, to whoever opens `url`.

    Attributes:
        opened: how often it has been opened.
        watching: how many read it now.
    """

    allow_reuse_address = True
    daemon_threads = True

    def __init__(self, port: int, frame: bytes) -> None:
        super().__init__(("127.0.0.1", port), _Stream)
        self.frame, self.plugged, self.opened, self.watching = frame, True, 0, 0
        self.url = f"http://127.0.0.1:{self.server_port}/video.mjpg"
        threading.Thread(target=self.serve_forever, daemon=True).start()

    def show(self, send: Callable[[bytes], object]) -> None:
        while self.plugged:
            send(_head(len(self.frame)) + self.frame + b"\r\n")
            time.sleep(0.05)

    def unplug(self) -> None:
        self.plugged = False
        self.shutdown()
        self.server_close()


class EndlessCamera(NetworkCamera):
    """Shows `frame` for a second, then announces a picture of 2 GB and sends what looks like it.

    Attributes:
        sent: bytes of that picture.
    """

    MOST = 2_000_000_000
    sent = 0

    def show(self, send: Callable[[bytes], object]) -> None:
        for _ in range(20):
            send(_head(len(self.frame)) + self.frame + b"\r\n")
            time.sleep(0.05)
        send(_head(self.MOST) + self.frame[:20])
        while self.plugged and self.sent < self.MOST:
            self.sent += 1 << 20
            send(bytes(1 << 20))


def _head(length: int) -> bytes:
    return f"--frame\r\nContent-Type: image/jpeg\r\nContent-Length: {length}\r\n\r\n".encode()


class _Stream(http.server.BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        camera: Any = self.server
        camera.opened += 1
        camera.watching += 1
        try:
            with contextlib.suppress(ConnectionError):
                self.send_response(200)
                self.send_header("Content-Type", "multipart/x-mixed-replace; boundary=frame")
                self.end_headers()
                camera.show(self.wfile.write)
        finally:
            camera.watching -= 1

    def log_message(self, *_: object) -> None:
        pass
