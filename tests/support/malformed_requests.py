"""What reaches a port that is no request, or a broken one: 70 kinds, each drawn anew by chance."""

from __future__ import annotations

import asyncio
import contextlib
import random
import socket
import struct
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

Draw = Callable[[random.Random], bytes]

_POST = b"POST /explain HTTP/1.1\r\nHost: localhost\r\nContent-Type: image/png\r\n"


def _line(line: bytes) -> Draw:
    return lambda _: line + b"\r\nHost: localhost\r\n\r\n"


def _head(header: bytes) -> Draw:
    return lambda _: b"GET /health HTTP/1.1\r\nHost: localhost\r\n" + header + b"\r\n\r\n"


def _post(rest: bytes) -> Draw:
    return lambda _: _POST + rest


def _nowhere(rest: bytes) -> Draw:
    return lambda _: b"POST /nowhere HTTP/1.1\r\nHost: localhost\r\n" + rest


def _chunked(body: bytes) -> Draw:
    return _post(b"Transfer-Encoding: chunked\r\n\r\n" + body)


KINDS: Mapping[str, Draw] = {
    "lower-case method": lambda _: b"get / HTTP/1.1\r\n\r\n",
    "no version": _line(b"GET /"),
    "another version": _line(b"GET / HTTP/9.9"),
    "too many words": _line(b"GET / / HTTP/1.1"),
    "empty method": _line(b" / HTTP/1.1"),
    "CONNECT": _line(b"CONNECT example.com:443 HTTP/1.1"),
    "OPTIONS *": _line(b"OPTIONS * HTTP/1.1"),
    "TRACE": _line(b"TRACE / HTTP/1.1"),
    "a proxy's form": _line(b"GET http://example.com/ HTTP/1.1"),
    "an address that is none": _line(b"GET http://[ HTTP/1.1"),
    "raw UTF-8 in the query": lambda _: _POST.replace(b"explain", "explain?class=Schäfer".encode()) + b"\r\n",
    "raw bytes in the path": lambda chance: _line(b"GET /" + _printless(chance, 40) + b" HTTP/1.1")(chance),
    "percent signs": _line(b"GET /%zz%f%00%ff%2e%2e%2f?%=%&class=%ff HTTP/1.1"),
    "a class of 5,000 digits": lambda _: _POST.replace(b"explain", b"explain?class=" + b"9" * 5000) + b"\r\n",
    "a thousand fields": lambda _: _POST.replace(b"explain", b"explain?" + b"class=1&" * 1000) + b"\r\n",
    "a line of 70 kB": lambda _: b"GET /" + b"a" * 70_000 + b" HTTP/1.1\r\n\r\n",
    "a header of 70 kB": _head(b"X: " + b"a" * 70_000),
    "5,000 headers": _head(b"\r\n".join(b"X%d: 1" % index for index in range(5000))),
    "a header without a colon": _head(b"nonsense"),
    "a header's name with a space": _head(b"Content Length: 1"),
    "a folded header": _head(b"X: 1\r\n\t2\r\n 3"),
    "folded before any": lambda _: b"GET / HTTP/1.1\r\n folded\r\n\r\n",
    "control characters in a header": _head(b"X: \0\x01\x7f\x1b[31m"),
    "raw bytes in a header": _head(b"Authorization: Bearer \xff\xfe\x80"),
    "two hosts": _head(b"Host: example.com"),
    "no host": lambda _: b"GET / HTTP/1.1\r\n\r\n",
    "line feeds only": lambda _: b"GET / HTTP/1.1\nHost: localhost\n\n",
    "carriage returns only": lambda _: b"GET / HTTP/1.1\rHost: localhost\r\r",
    "a length below zero": _post(b"Content-Length: -1\r\n\r\n"),
    "a length that is no number": _post(b"Content-Length: ten\r\n\r\n"),
    "a length of 5,000 digits": _post(b"Content-Length: " + b"9" * 5000 + b"\r\n\r\n"),
    "a length in other digits": _post("Content-Length: ١٢\r\n\r\n".encode()),
    "two lengths": _post(b"Content-Length: 1\r\nContent-Length: 2\r\n\r\nab"),
    "a length and chunks": _post(
        b"Content-Length: 4\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\nGET / HTTP/1.1\r\n\r\n"
    ),
    "a body that is shorter": _post(b"Content-Length: 1000\r\n\r\nshort"),
    "a body that is too large": _post(b"Content-Length: 99999999999\r\n\r\n" + b"a" * 1000),
    "a body for GET": lambda _: b"GET /health HTTP/1.1\r\nHost: localhost\r\nContent-Length: 3\r\n\r\nabc",
    "an unknown coding": _post(b"Transfer-Encoding: rot13\r\n\r\nabc"),
    "chunked twice": _post(b"Transfer-Encoding: chunked, chunked\r\n\r\n0\r\n\r\n"),
    "a chunk of no size": _chunked(b"zz\r\nabc\r\n"),
    "a chunk below zero": _chunked(b"-1\r\nabc\r\n"),
    "a chunk that is endless": _chunked(b"fffffffffffffff\r\nabc"),
    "a chunk without an end": _chunked(b"3\r\nabcdef\r\n0\r\n\r\n"),
    "a chunk's extension of 10 kB": _chunked(b"3;" + b"a" * 10_000 + b"\r\nabc\r\n0\r\n\r\n"),
    "trailers": _chunked(b"3\r\nabc\r\n0\r\nX: " + b"a" * 100 + b"\r\n\r\n"),
    "an unknown expectation": _post(b"Expect: a miracle\r\nContent-Length: 3\r\n\r\nabc"),
    "100 Continue, and then nothing": _post(b"Expect: 100-continue\r\nContent-Length: 30\r\n\r\n"),
    "100 Continue for what is refused": _nowhere(b"Expect: 100-continue\r\nContent-Length: 30\r\n\r\n"),
    "100 Continue, refused, and a body": _nowhere(b"Expect: 100-continue\r\nContent-Length: 3\r\n\r\nabc"),
    "100 Continue, refused, and chunks": _nowhere(
        b"Expect: 100-continue\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n"
    ),
    "100 Continue, refused, without a body": _nowhere(b"Expect: 100-continue\r\n\r\n"),
    "refused, with a length of 5,000 digits": _nowhere(b"Content-Length: " + b"9" * 5000 + b"\r\n\r\n"),
    "refused, with a length below zero": _nowhere(b"Content-Length: -1\r\n\r\n"),
    "refused, with two lengths": _nowhere(b"Content-Length: 1\r\nContent-Length: 2\r\n\r\nab"),
    "refused, with an unknown coding": _nowhere(b"Transfer-Encoding: rot13\r\n\r\nabc"),
    "refused, with a chunk without an end": _nowhere(b"Transfer-Encoding: chunked\r\n\r\n3\r\nabcdef\r\n0\r\n\r\n"),
    "refused, with a chunk of no size": _nowhere(b"Transfer-Encoding: chunked\r\n\r\nzz\r\nabc\r\n"),
    "rubbish behind a request": lambda chance: _head(b"X: 1")(chance) + chance.randbytes(200),
    "30 requests at once": lambda chance: _head(b"X: 1")(chance) * 30,
    "an upgrade": _head(b"Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Key: x"),
    "a packed body": _post(b"Content-Encoding: gzip\r\nContent-Length: 3\r\n\r\n\x1f\x8b\0"),
    "a form": _post(b"Content-Type: multipart/form-data; boundary=x\r\nContent-Length: 3\r\n\r\n--x"),
    "HTTP/2": lambda _: b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + bytes(9),
    "TLS": lambda chance: b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + chance.randbytes(505),
    "SSH": lambda _: b"SSH-2.0-OpenSSH_9.6\r\n",
    "SMTP": lambda _: b"EHLO example.com\r\nMAIL FROM:<a@example.com>\r\n",
    "Redis": lambda _: b"*1\r\n$4\r\nINFO\r\n",
    "PROXY": lambda _: b"\r\n\r\n\0\r\nQUIT\n\x21\x11\0\x0c" + bytes(12),
    "zeros": lambda chance: bytes(chance.randrange(1, 20_000)),
    "line ends": lambda chance: b"\r\n" * chance.randrange(1, 10_000),
    "random bytes": lambda chance: chance.randbytes(chance.randrange(1, 5_000)),
    "half a line": lambda _: b"GET /hea",
    "nothing": lambda _: b"",
}
ENDINGS = ("wait", "half-close", "close", "reset")


def _printless(chance: random.Random, length: int) -> bytes:
    return bytes(chance.choice(range(128, 256)) for _ in range(length))


@dataclass
class Flood:
    """What came of it. `open_still` are kinds whose connection was neither answered nor closed in time."""

    sent: Counter[str] = field(default_factory=Counter)
    statuses: Counter[int] = field(default_factory=Counter)
    closed: int = 0
    open_still: list[str] = field(default_factory=list)


async def flood(port: int, count: int, seed: int, patience: float, at_once: int = 32) -> Flood:
    """Send so many malformed requests, each kind as often as another, on as many connections."""
    found, numbers = Flood(), iter(range(count))

    async def one_after_another() -> None:
        for number in numbers:
            chance = random.Random(seed * 1_000_003 + number)
            kind = list(KINDS)[number % len(KINDS)]
            ending = ENDINGS[chance.randrange(len(ENDINGS))]
            found.sent[kind] += 1
            await send(port, KINDS[kind](chance), ending, patience, found, f"{kind}, {ending}")

    await asyncio.gather(*(one_after_another() for _ in range(at_once)))
    return found


async def send(port: int, content: bytes, ending: str, patience: float, found: Flood, name: str) -> None:
    """Send one, and end as `ENDINGS` says; what came of it goes into `found`."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    try:
        with contextlib.suppress(ConnectionError):
            writer.write(content)
            await writer.drain()
            if ending == "half-close":
                with contextlib.suppress(OSError):  # it is closed already: ENOTCONN, which is no ConnectionError
                    writer.write_eof()
        if ending == "reset":
            linger = struct.pack("ii", 1, 0)
            writer.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)
        if ending in ("close", "reset"):
            return
        received = await _first(reader, patience)
        if received is None:
            found.open_still.append(name)
        elif received.startswith((b"HTTP/1.0 ", b"HTTP/1.1 ")) and received[9:12].isdigit():
            found.statuses[int(received[9:12])] += 1
        else:
            assert received == b"", received
            found.closed += 1
    finally:
        writer.close()
        with contextlib.suppress(ConnectionError):
            await writer.wait_closed()


async def _first(reader: asyncio.StreamReader, patience: float) -> bytes | None:
    """The first line of an answer; empty where the connection was closed, None where neither came in time."""
    try:
        line = await asyncio.wait_for(reader.readline(), patience)
        while line.startswith(b"HTTP/1.1 100"):
            await asyncio.wait_for(reader.readline(), patience)
            line = await asyncio.wait_for(reader.readline(), patience)
    except ConnectionError:
        return b""
    except asyncio.TimeoutError:
        return None
    return line
