"""A network camera (motion JPEG over HTTP) that can be unplugged, and shows what it is told to."""

from __future__ import annotations

import contextlib
import http.server
import io
import threading
import time
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

    def unplug(self) -> None:
        self.plugged = False
        self.shutdown()
        self.server_close()


class _Stream(http.server.BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        camera: Any = self.server
        camera.opened += 1
        camera.watching += 1
        try:
            with contextlib.suppress(ConnectionError):
                self._show(camera)
        finally:
            camera.watching -= 1

    def _show(self, camera: NetworkCamera) -> None:
        self.send_response(200)
        self.send_header("Content-Type", "multipart/x-mixed-replace; boundary=frame")
        self.end_headers()
        while camera.plugged:
            head = f"--frame\r\nContent-Type: image/jpeg\r\nContent-Length: {len(camera.frame)}\r\n\r\n"
            self.wfile.write(head.encode() + camera.frame + b"\r\n")
            time.sleep(0.05)

    def log_message(self, *_: object) -> None:
        pass
