"""Connections, on Tornado: the only module that imports it, and only `camlite serve` imports this one.

Each connection ends in an answer or in a close. Tornado parses heads and bodies, answers 400 to what is not HTTP, and
closes those whose head or body is not whole in time. Added here: how many there may be, an answer as soon as a head
is refused, how many bytes are held, and a deadline for clients that do not read their answer.
"""

from __future__ import annotations

import asyncio
import logging
import resource
import signal
import socket
import ssl
import time
from collections.abc import Awaitable, Callable, Iterable
from http import HTTPStatus
from typing import Any, cast
from urllib.parse import unquote

from tornado import httputil
from tornado.http1connection import HTTP1Connection
from tornado.httpserver import HTTPServer
from tornado.iostream import IOStream
from tornado.netutil import bind_sockets

from camlite.errors import CamliteError
from camlite.serve.application import Application
from camlite.serve.arriving_body import ArrivingBody
from camlite.serve.messages import Answer, Refused, Request, Streamed, busy

_HEAD_BYTES = 16 << 10
_CHUNK_BYTES = 32 << 10
_BUFFER_BYTES = 128 << 10  # of what a connection sends while its request is being answered
_SLOWEST_READER = 64 << 10  # bytes a second of an answer, beside the seconds that a request has
_SENT_AHEAD = 128 << 10  # bytes of an answer in parts that the system keeps for a connection
_OTHER_DESCRIPTORS = 64  # files, libraries and sockets that are no connection
_NO_LIMIT = 1 << 62  # of Tornado's own on bodies: it answers 400, and not in JSON
_HEADERS = (
    ("X-Content-Type-Options", "nosniff"),
    ("Referrer-Policy", "no-referrer"),
    ("Cross-Origin-Resource-Policy", "same-origin"),
)
_POLICY = (
    "default-src 'none'; script-src 'self'{}; style-src 'self'; img-src 'self' blob: data:; media-src blob:; "
    "connect-src 'self'; manifest-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)
_FULL = b"HTTP/1.1 429 Too Many Requests\r\nRetry-After: 1\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"


def serve(
    application: Application,
    host: str,
    port: int,
    listening: Callable[[str, int], None],
    secured: ssl.SSLContext | None = None,
) -> None:
    """Serve until SIGTERM or Ctrl-C, then finish what was begun.

    Args:
        application: answers.
        host: an IP address.
        port: 0 takes a free one.
        listening: is told the address and the port.
        secured: for HTTPS.

    Raises:
        CamliteError: the address cannot be used.
    """
    try:
        sockets = bind_sockets(port, host)
    except OSError as error:
        reason = error.strerror or str(error)
        raise CamliteError(f"cannot listen on {host} port {port} ({reason}); choose another --host or --port") from None
    for name in ("tornado", "asyncio"):
        log = logging.getLogger(name)
        log.setLevel(logging.INFO)
        log.propagate = False
        log.addHandler(_Log(application))
    try:
        asyncio.run(_serve(application, sockets, listening, secured))
    finally:
        application.close()


async def _serve(
    application: Application,
    sockets: list[Any],
    listening: Callable[[str, int], None],
    secured: ssl.SSLContext | None,
) -> None:
    loop, ended = asyncio.get_running_loop(), asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, ended.set)
    limits = application.limits
    exchanges = _Exchanges(application)
    server = _Server(
        exchanges,
        ssl_options=secured,
        chunk_size=_CHUNK_BYTES,
        max_header_size=_HEAD_BYTES,
        max_buffer_size=_BUFFER_BYTES,
        max_body_size=_NO_LIMIT,
        idle_connection_timeout=limits.seconds,
        body_timeout=limits.seconds,
    )
    descriptors = resource.getrlimit(resource.RLIMIT_NOFILE)[0]
    server.most = max(1, min(limits.connections + limits.viewers, descriptors - _OTHER_DESCRIPTORS))
    server.add_sockets(sockets)
    application.start()
    listening(*sockets[0].getsockname()[:2])
    await ended.wait()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.remove_signal_handler(number)  # the second Ctrl-C ends it at once
    server.stop()
    application.stop()
    await exchanges.finished(limits.seconds + limits.answer)
    await server.close_all_connections()


class _Server(HTTPServer):
    """Answers so many connections at once; more would leave no descriptor for anything else."""

    most = 1

    def initialize(self, *arguments: Any, **options: Any) -> None:
        super().initialize(*arguments, **options)
        self._open: set[IOStream] = set()
        self._refusals: set[asyncio.Future[None]] = set()

    def handle_stream(self, stream: IOStream, address: Any) -> None:
        if len(self._open) >= self.most:
            task = asyncio.ensure_future(_send_and_close(stream))
            self._refusals.add(task)
            task.add_done_callback(self._refusals.discard)
            return
        self._open.add(stream)
        super().handle_stream(stream, address)

    def on_close(self, server_conn: Any) -> None:
        super().on_close(server_conn)
        stream = server_conn.stream
        if stream.closed():
            self._open.discard(stream)
        else:  # taken out of Tornado's hands, with a refusal under way
            stream.set_close_callback(lambda: self._open.discard(stream))


async def _written(stream: IOStream, part: bytes | memoryview, seconds: float) -> None:
    """Wait until the client has taken a part, so long; what Tornado waits for itself must not be cancelled."""
    await asyncio.wait_for(asyncio.shield(stream.write(part)), seconds)


async def _send_and_close(stream: IOStream) -> None:
    try:
        await _written(stream, _FULL, 1)
    except (OSError, asyncio.TimeoutError):  # it has gone, or does not read
        pass
    finally:
        stream.close()


class _Exchanges(httputil.HTTPServerConnectionDelegate):
    """Makes an `_Exchange` for each request, and knows those that are under way."""

    def __init__(self, application: Application) -> None:
        self.application = application
        self.begun: set[_Exchange] = set()
        policy = _POLICY.format(" 'wasm-unsafe-eval'" if application.runs_in_browser else "")
        self.headers = (*_HEADERS, ("Content-Security-Policy", policy))
        self.held = 0  # bytes of bodies and answers

    def start_request(self, _server: object, connection: Any) -> httputil.HTTPMessageDelegate:
        return _Exchange(self, connection)

    def headers_with(self, more: Iterable[tuple[str, str]]) -> Iterable[tuple[str, str]]:
        """Those of every answer, and more; nobody keeps what may stand behind the token, unless it says otherwise."""
        return {"Cache-Control": "no-store", **dict(self.headers), **dict(more)}.items()

    async def finished(self, seconds: float) -> None:
        """Wait until what was begun is answered, at most so long."""
        end = time.monotonic() + seconds
        while self.begun and time.monotonic() < end:
            await asyncio.sleep(0.02)


class _Exchange(httputil.HTTPMessageDelegate):
    """One request and its answer."""

    def __init__(self, exchanges: _Exchanges, connection: HTTP1Connection) -> None:
        self._exchanges, self._connection = exchanges, connection
        self._application, self._limits = exchanges.application, exchanges.application.limits
        self._request: Request | None = None
        self._body, self._held, self._start = ArrivingBody(), 0, time.perf_counter()
        self._task: asyncio.Future[None] | None = None
        self._refused = cast(Any, None)  # the writing of an answer that was given before the end

    def headers_received(self, start_line: Any, headers: httputil.HTTPHeaders) -> None:
        path, _, query = start_line.path.partition("?")
        named = {name.lower(): value for name, value in headers.items()}
        client = str(getattr(self._connection.context, "remote_ip", ""))
        self._request = Request(start_line.method, unquote(path), query, named, client)
        self._exchanges.begun.add(self)
        length = named.get("content-length", "")
        try:
            self._application.admit(self._request)
            if length.isascii() and length.isdecimal() and (len(length) > 18 or int(length) > self._limits.body):
                raise self._too_large()
            if streamed := self._application.stream(self._request):
                self._task = asyncio.ensure_future(self._send(streamed, self._connection.detach()))
        except Refused as refused:
            if length in ("", "0") and not named.keys() & {"transfer-encoding", "expect"}:
                self._refused = self._write(refused.answer)
            else:  # taken from Tornado, which would send 100 or, where it cannot read the body, 400 behind the answer
                self._write(refused.answer, closes=True)
                self._task = asyncio.ensure_future(self._close(self._connection.detach()))

    def data_received(self, chunk: bytes) -> Awaitable[None] | None:
        if self._body.size + len(chunk) > self._limits.body:
            return self._refuse(self._too_large())
        if self._exchanges.held + len(chunk) > self._limits.held:
            return self._refuse(busy())
        self._body.add(chunk)
        self._hold(len(chunk))
        return None

    def finish(self) -> None:
        self._task = asyncio.ensure_future(self._flushed(self._refused) if self._refused else self._answer())

    def on_connection_close(self) -> None:
        """It was closed while the request was read, by whomever."""
        self._end()

    async def _answer(self) -> None:
        assert self._request is not None  # noqa: S101 - for mypy
        self._request.body = self._body.take()
        try:
            answer = await self._application.answer(self._request, self._connection.set_close_callback)
            self._hold(-self._held)
            if self._exchanges.held + len(answer.body) > self._limits.held:
                answer = busy("busy sending other answers; try again in a second").answer
            self._hold(len(answer.body))
            await self._flushed(self._write(answer), len(answer.body))
        except BaseException:
            self._connection.close()
            self._end()
            raise

    async def _flushed(self, sent: Any, size: int = 0) -> None:
        """Wait until the client has read its answer, but not for ever."""
        try:
            self._connection.finish()
            await asyncio.wait_for(sent, self._limits.seconds + size / _SLOWEST_READER)
        except (OSError, asyncio.TimeoutError):
            self._connection.close()
        finally:
            self._end()

    async def _send(self, streamed: Streamed, stream: IOStream) -> None:
        """Send an answer in parts, each when the client has read the one before, but not for ever."""
        assert self._request is not None  # noqa: S101 - for mypy
        self._application.note(self._request, HTTPStatus.OK.value, time.perf_counter() - self._start)
        headers = httputil.HTTPHeaders({"Content-Type": streamed.content_type, "Connection": "close"})
        for name, value in self._exchanges.headers_with(streamed.headers):
            headers.add(name, value)
        if streamed.length is not None:
            headers["Content-Length"] = str(streamed.length)
        head = "".join(f"{name}: {value}\r\n" for name, value in headers.get_all())
        try:
            stream.socket.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, _SENT_AHEAD)
            await _written(stream, f"HTTP/1.1 200 OK\r\n{head}\r\n".encode(), self._limits.seconds)
            async for part in streamed.parts:
                await _written(stream, part, self._limits.seconds + len(part) / _SLOWEST_READER)
        except (OSError, asyncio.TimeoutError):  # it has gone, or does not read
            pass
        finally:
            streamed.close()
            stream.close()
            self._end()

    def _refuse(self, refused: Refused) -> Awaitable[None]:
        """Answer in the middle of a body; Tornado, which waits for what is returned, reads no more of it."""
        self._hold(-self._held)
        self._body.drop()
        self._write(refused.answer, closes=True)
        return self._close(self._connection.stream)

    async def _close(self, stream: IOStream) -> None:
        """Close a connection, and so that the answer arrives: bytes that were not read would take it with them."""

        async def drain() -> None:
            await asyncio.shield(stream.write(b""))  # returns when the answer is written
            stream.socket.shutdown(socket.SHUT_WR)
            drained = 0
            while drained <= self._limits.held:
                drained += len(await stream.read_bytes(_CHUNK_BYTES, partial=True))

        try:
            await asyncio.wait_for(drain(), self._limits.seconds)
        except (OSError, asyncio.TimeoutError):
            pass
        finally:
            stream.close()
            self._end()

    def _write(self, answer: Answer, closes: bool = False) -> Any:
        assert self._request is not None  # noqa: S101 - for mypy
        self._application.note(self._request, answer.status.value, time.perf_counter() - self._start)
        headers = httputil.HTTPHeaders({"Content-Type": answer.content_type})
        if answer.status != HTTPStatus.NOT_MODIFIED:
            headers["Content-Length"] = str(len(answer.body))
        for name, value in self._exchanges.headers_with(answer.headers):
            headers.add(name, value)
        if closes:
            headers["Connection"] = "close"
        line = httputil.ResponseStartLine("HTTP/1.1", answer.status.value, answer.status.phrase)
        return self._connection.write_headers(line, headers, b"" if self._request.method == "HEAD" else answer.body)

    def _too_large(self) -> Refused:
        return Refused(HTTPStatus.REQUEST_ENTITY_TOO_LARGE, f"body: expected at most {self._limits.body} bytes")

    def _hold(self, size: int) -> None:
        self._held += size
        self._exchanges.held += size

    def _end(self) -> None:
        self._hold(-self._held)
        self._body.drop()
        self._exchanges.begun.discard(self)


class _Log(logging.Handler):
    """What Tornado says, as lines of the log of camlite."""

    def __init__(self, application: Application) -> None:
        super().__init__()
        self._application = application

    def emit(self, record: logging.LogRecord) -> None:
        error = record.exc_info[1] if record.exc_info else None
        if str(record.msg).startswith("Malformed HTTP message") and isinstance(record.args, tuple):
            self._application.note(None, HTTPStatus.BAD_REQUEST.value, client=str(record.args[0]))
        elif isinstance(error, AssertionError):  # Tornado 6.5 on a chunk without its end; 6.6 calls it malformed
            self._application.log(message="closed on a malformed request")
        else:
            trace = {"traceback": logging.Formatter().formatException(record.exc_info)} if record.exc_info else {}
            self._application.log(message=record.getMessage()[:1000], **trace)
