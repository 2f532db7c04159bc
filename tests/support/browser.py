"""A page as headless Chromium shows it, by way of chromedriver's HTTP interface (W3C WebDriver)."""

from __future__ import annotations

import base64
import contextlib
import json
import shutil
import socket
import subprocess
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

_FLAGS = (
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
)

# Places of the figures that are shown on a report's cards, each a name and a number.
FIGURES = (
    "[...document.querySelectorAll('.figures td[data-title]')].filter(e => getComputedStyle(e).display !== 'none')"
    ".map(e => e.getBoundingClientRect()).map(({width, height}) => ({width, height}))"
)


def missing() -> str | None:
    """What a browser test lacks here, None where it can run."""
    programs = [name for name in ("chromium", "chromedriver") if not shutil.which(name)]
    return f"needs {' and '.join(programs)} (Debian: chromium, chromium-driver)" if programs else None


class Browser:
    def __init__(self, session: str) -> None:
        self._session = session

    def open(self, page: Path | str, width: int, height: int, dark: bool = False) -> None:
        """Load a page, from disk or by its address, in a viewport of this size."""
        size = {"width": width, "height": height, "deviceScaleFactor": 1, "mobile": False}
        self._cdp("Emulation.setDeviceMetricsOverride", size)
        scheme = {"name": "prefers-color-scheme", "value": "dark" if dark else "light"}
        self._cdp("Emulation.setEmulatedMedia", {"features": [scheme]})
        post(f"{self._session}/url", {"url": page if isinstance(page, str) else page.resolve().as_uri()})

    def before_pages(self, script: str) -> None:
        """Run a script in every page that is opened from now on, before its own."""
        self._cdp("Page.addScriptToEvaluateOnNewDocument", {"source": script})

    def evaluate(self, script: str) -> Any:
        return post(f"{self._session}/execute/sync", {"script": f"return {script}", "args": []})

    def drop(self, file: Path, selector: str) -> None:
        """Drop a file on the middle of an element, as from the desktop."""
        place = self.evaluate(
            f"(({{left, top, width, height}}) => ({{x: left + width / 2, y: top + height / 2}}))"
            f"(document.querySelector({json.dumps(selector)}).getBoundingClientRect())"
        )
        data = {"items": [], "files": [str(file.resolve())], "dragOperationsMask": 1}
        for kind in ("dragEnter", "dragOver", "drop"):
            self._cdp("Input.dispatchDragEvent", {"type": kind, **place, "data": data})

    def wait(self, script: str, seconds: float = 120) -> None:
        """Until a script is true."""
        end = time.monotonic() + seconds
        while not self.evaluate(script):
            if time.monotonic() > end:
                raise TimeoutError(script)
            time.sleep(0.05)

    def screenshot(self, path: Path, clip: dict[str, float] | None = None) -> None:
        """The whole page as PNG, however long."""
        options: dict[str, Any] = {"captureBeyondViewport": True}
        if clip:
            options["clip"] = {**clip, "scale": 1}
        path.write_bytes(base64.b64decode(self._cdp("Page.captureScreenshot", options)["data"]))

    def _cdp(self, command: str, parameters: dict[str, Any]) -> Any:
        return post(f"{self._session}/goog/cdp/execute", {"cmd": command, "params": parameters})


@contextmanager
def browser(folder: Path, *flags: str) -> Iterator[Browser]:
    """Headless Chromium with its profile in an empty folder, with more flags."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    driver = subprocess.Popen(["chromedriver", f"--port={port}"], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    root = f"http://127.0.0.1:{port}"
    try:
        _wait(root)
        options = {"args": [*_FLAGS, *flags, f"--user-data-dir={folder}"], "binary": shutil.which("chromium")}
        capabilities = {"capabilities": {"alwaysMatch": {"goog:chromeOptions": options}}}
        session = f"{root}/session/{post(f'{root}/session', capabilities)['sessionId']}"
        try:
            yield Browser(session)
        finally:
            _request(session, None, "DELETE")
    finally:
        driver.terminate()
        driver.wait()


def post(url: str, body: dict[str, Any]) -> Any:
    return _request(url, json.dumps(body).encode(), "POST")


def _request(url: str, body: bytes | None, method: str) -> Any:
    request = urllib.request.Request(url, body, {"Content-Type": "application/json"}, method=method)
    with urllib.request.build_opener(urllib.request.ProxyHandler({})).open(request, timeout=300) as answer:
        return json.loads(answer.read())["value"]


def _wait(root: str) -> None:
    for _ in range(100):
        with contextlib.suppress(urllib.error.URLError, ConnectionError):
            if _request(f"{root}/status", None, "GET")["ready"]:
                return
        time.sleep(0.1)
    raise TimeoutError("chromedriver does not answer")
