"""waitress with a deadline for slow senders, a bounded queue, and errors as JSON."""

from __future__ import annotations

import importlib
import json
import logging
import time
from collections.abc import Callable
from dataclasses import dataclass
from http import HTTPStatus
from typing import Any, Protocol

from camlite.errors import CamliteError


@dataclass(frozen=True)
class Limits:
    """What one client can ask for.

    Attributes:
        body: bytes of a request's body.
        pixels: height times width of an image.
        seconds: within which a request has to arrive whole, and a silent connection is closed.
        queue: requests that wait for a worker; those beyond are told to come back (429).
        connections: that are open at once; others wait in the kernel's queue.
    """

    body: int = 8 << 20
    pixels: int = 16_000_000
    seconds: float = 10
    queue: int = 64
    connections: int = 256


class Served(Protocol):
    """A WSGI application that is told of requests that did not reach it."""

    def __call__(self, environ: Any, start_response: Callable[..., Any]) -> Any:
        """Answer a request."""
        ...

    def refused(self, client: str, path: str, status: int) -> None:
        """Take note of a refusal."""
        ...


def server(application: Served, host: str, port: int, workers: int, limits: Limits) -> Any:
    """A waitress server that listens; `run` serves, `close` ends it.

    Raises:
        CamliteError: waitress is not installed, or the address cannot be used.
    """
    try:
        waitress = importlib.import_module("waitress.server")
        adjustments = importlib.import_module("waitress.adjustments")
    except ImportError:
        raise CamliteError("`camlite serve` needs waitress: pip install 'camlite[serve]'") from None
    logging.getLogger("waitress").setLevel(logging.CRITICAL)  # what happens to a request is in this package's own log
    dispatcher = _dispatcher(limits)
    dispatcher.set_thread_count(workers)
    try:
        options = adjustments.Adjustments(
            listen=f"[{host}]:{port}" if ":" in host else f"{host}:{port}",
            ident=None,
            threads=workers,
            max_request_body_size=limits.body + 1,  # the first size that waitress refuses
            max_request_header_size=16 << 10,
            connection_limit=limits.connections,
            channel_timeout=limits.seconds,
            cleanup_interval=1,
            clear_untrusted_proxy_headers=True,
            asyncore_use_poll=True,
        )
        listening = waitress.TcpWSGIServer(application, dispatcher=dispatcher, adj=options, _start=False)
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or str(error)
        raise CamliteError(f"cannot listen on {host} port {port} ({reason}); choose another --host or --port") from None
    listening.channel_class = _channel(limits, application)
    listening.accept_connections()
    return listening


def _error(code: int, reason: str, message: str, *headers: tuple[str, str]) -> Any:
    """What waitress's parser puts on a request that it refuses, as JSON."""

    class Refusal:
        status = code

        def to_response(self, _ident: str | None = None) -> tuple[str, list[tuple[str, str]], bytes]:
            content = json.dumps({"error": message}).encode() + b"\n"
            return f"{code} {reason}", [("Content-Type", "application/json"), *headers], content

    return Refusal()


def _dispatcher(limits: Limits) -> Any:
    task = importlib.import_module("waitress.task")

    class BoundedDispatcher(task.ThreadedTaskDispatcher):  # type: ignore[misc,name-defined]
        """Answers a request that finds the queue full with 429, which takes a worker no time."""

        def add_task(self, channel: Any) -> None:
            if len(self.queue) >= limits.queue and not channel.requests[0].error:
                channel.requests[0].error = _error(
                    429, "Too Many Requests", "busy; try again in a second", ("Retry-After", "1")
                )
            super().add_task(channel)

    return BoundedDispatcher()


def _channel(limits: Limits, application: Served) -> Any:
    channel = importlib.import_module("waitress.channel")
    task = importlib.import_module("waitress.task")

    class JsonErrorTask(task.ErrorTask):  # type: ignore[misc,name-defined]
        """One line of JSON in place of waitress's text."""

        def execute(self) -> None:
            error = self.request.error
            if hasattr(error, "code"):
                message = " ".join(f"{error.reason}: {error.body}".split())
                if error.code == HTTPStatus.REQUEST_ENTITY_TOO_LARGE:  # waitress names a limit that is one higher
                    message = f"body: expected at most {limits.body} bytes"
                self.request.error = _error(error.code, error.reason, message)
            application.refused(str(self.channel.addr[0]), str(self.request.path), self.request.error.status)
            super().execute()

    class PromptChannel(channel.HTTPChannel):  # type: ignore[misc,name-defined]
        """Closes on a sender whose request is not whole in time; waitress itself waits as long as bytes drip."""

        error_task_class = JsonErrorTask
        began = 0.0

        def received(self, data: bytes) -> bool:
            now = time.monotonic()
            if self.request is None:
                self.began = now
            elif now - self.began > limits.seconds:
                self.will_close = True
                return False
            return bool(super().received(data))

    return PromptChannel
