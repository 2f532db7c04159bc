"""Who looks at the camera of `camlite serve`: those who read, those who do not, those who leave in the middle."""

from __future__ import annotations

import contextlib
import json
import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from support.http_load import Server

REQUEST = "GET /live HTTP/1.1\r\nHost: localhost\r\n{}\r\n"


def connect(server: Server, token: str = "", buffer: int | None = None) -> socket.socket:
    """A connection that has asked to look; a small buffer is soon full where nobody reads."""
    connection = socket.socket()
    if buffer is not None:
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, buffer)
    connection.settimeout(30)
    connection.connect(("127.0.0.1", server.port))
    connection.sendall(REQUEST.format(f"Authorization: Bearer {token}\r\n" if token else "").encode())
    return connection


def events(connection: socket.socket, seconds: float = 60) -> Iterator[tuple[str, dict[str, Any]]]:
    """The kind and content of each event; the status, as text, comes first, with no content."""
    file = connection.makefile("rb")
    yield file.readline().decode().strip(), {}
    while file.readline().strip():
        pass
    kind, end = "", time.monotonic() + seconds
    while (line := file.readline()) and time.monotonic() < end:
        name, _, rest = line.decode().rstrip("\n").partition(": ")
        if name == "event":
            kind = rest
        elif name == "data":
            yield kind, json.loads(rest)


@contextmanager
def looking(server: Server, token: str = "") -> Iterator[Iterator[tuple[str, dict[str, Any]]]]:
    """The events of one viewer, after the answer's head."""
    with contextlib.closing(connect(server, token)) as connection:
        seen = events(connection)
        status, _ = next(seen)
        assert status == "HTTP/1.1 200 OK", status
        yield seen


def the_next(
    seen: Iterator[tuple[str, dict[str, Any]]], kind: str, like: Callable[[dict[str, Any]], bool] = bool
) -> Any:
    """The content of the next event of a kind, leaving out others."""
    return next(content for found, content in seen if found == kind and like(content))


def metric(server: Server, name: str) -> float:
    """One number of /metrics."""
    lines = server.request("/metrics")[2].decode().splitlines()
    return float(next(line for line in lines if line.startswith(f"{name} ")).split()[1])


class Crowd:
    """So many that read as fast as they can, each in a thread of its own; `counts` is what each has read, in bytes."""

    def __init__(self, server: Server, size: int) -> None:
        self.counts, self.statuses = [0] * size, [b""] * size
        self._ended = threading.Event()
        self._threads = [
            threading.Thread(target=self._read, args=(server, place), daemon=True) for place in range(size)
        ]
        for thread in self._threads:
            thread.start()

    def _read(self, server: Server, place: int) -> None:
        with contextlib.suppress(OSError), contextlib.closing(connect(server)) as connection:
            while not self._ended.is_set() and (part := connection.recv(1 << 16)):
                self.statuses[place] = self.statuses[place] or part[:12]
                self.counts[place] += len(part)

    def close(self) -> None:
        self._ended.set()
        for thread in self._threads:
            thread.join(10)


def eventually(condition: Callable[[], bool], seconds: float = 30) -> bool:
    end = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > end:
            return False
        time.sleep(0.1)
    return True
