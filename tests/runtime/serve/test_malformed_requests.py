"""``camlite serve``: whatever reaches its port is answered or closed, and gives back what it took."""

from __future__ import annotations

import asyncio
import contextlib
import json
import random
import re
import socket
import time

import numpy as np
import pytest

from camlite.images import picture_files
from support import malformed_requests
from support.http_load import Server, served

pytest.importorskip("tornado")

IMAGE = {"Content_Type": "image/png"}
GOOD = picture_files.encode(np.tile(np.arange(24) // 2 % 2 * 255, (16, 1)).astype(np.uint8))
# An answer comes at once; who waits for more of a request is closed after --timeout.
TIMEOUT, PATIENCE = 1, 6


@pytest.mark.quiet
@pytest.mark.parametrize("count", [640, pytest.param(10_000, marks=pytest.mark.endurance)])
def test_malformed_requests_are_answered_or_closed_and_leave_nothing_behind(count, tiny, tmp_path):
    with served(tiny / "stripes" / "stripes.int8.tflite", tmp_path / "log", "--timeout", str(TIMEOUT)) as server:
        alone = json.loads(server.request("/explain", GOOD, **IMAGE)[2])
        asyncio.run(malformed_requests.flood(server.port, 128, 1, PATIENCE))  # memory is that of a server in use
        settle(server)
        before = server.descriptors, server.memory
        found = asyncio.run(malformed_requests.flood(server.port, count, 2, PATIENCE))
        status, _, body = server.request("/explain", GOOD, **IMAGE)
        settle(server)
        after = server.descriptors, server.memory

        assert server.process.poll() is None
    print(found, f"descriptors {before[0]} and {after[0]}, memory {before[1]} and {after[1]}")
    assert len(found.sent) >= 30
    assert sum(found.sent.values()) == count
    assert found.open_still == []
    assert (status, json.loads(body)) == (200, alone)
    assert not [code for code in found.statuses if code >= 500]
    assert after[0] <= before[0]
    assert after[1] - before[1] < 4_000_000  # measured: 2.3 MB, and 2.9 after 10,000
    assert "Traceback" not in (tmp_path / "log").read_text()


REQUESTS = ("rubbish behind a request", "30 requests at once", "a length and chunks")  # more than one, or none


@pytest.mark.parametrize("batch", range(4))
def test_no_request_is_answered_twice(batch, tiny, tmp_path):
    """Everything that a client is sent until it is closed holds one answer at most, and nothing behind that."""

    async def everything(kind: str) -> bytes:
        reader, writer = await asyncio.open_connection("127.0.0.1", server.port)
        received = bytearray()
        with contextlib.suppress(ConnectionError, asyncio.TimeoutError):
            writer.write(malformed_requests.KINDS[kind](random.Random(0)))
            await asyncio.wait_for(writer.drain(), PATIENCE)
            while part := await asyncio.wait_for(reader.read(65536), TIMEOUT + 2):
                received += part
        writer.close()
        return bytes(received)

    async def answers() -> dict[str, bytes]:
        return dict(zip(kinds, await asyncio.gather(*map(everything, kinds)), strict=True))

    kinds = [kind for kind in malformed_requests.KINDS if kind not in REQUESTS][batch::4]
    with served(tiny / "stripes" / "stripes.int8.tflite", tmp_path / "log", "--timeout", str(TIMEOUT)) as server:
        received = asyncio.run(answers())

    assert any(received.values())
    assert {kind: answer for kind, answer in received.items() if not is_one_answer(answer)} == {}


def is_one_answer(received: bytes) -> bool:
    received = received.removeprefix(b"HTTP/1.1 100 (Continue)\r\n\r\n")
    head, _, body = received.partition(b"\r\n\r\n")
    length = re.search(rb"\r\nContent-Length: (\d+)", head)
    return not received or (head.startswith(b"HTTP/1.1 ") and len(body) == (int(length[1]) if length else 0))


@pytest.mark.parametrize(
    ("rest", "status"),
    [
        (b"Expect: 100-continue\r\nContent-Length: 30\r\n\r\n", 404),
        (b"Content-Length: " + b"9" * 5000 + b"\r\n\r\n", 404),
        (b"Transfer-Encoding: chunked\r\n\r\n2\r\nabXX0\r\n\r\n", 404),
        (b"Content-Length: 20000000\r\n\r\n" + bytes(20_000_000), 404),  # its answer is not lost
        (b"Transfer-Encoding: chunked\r\n\r\n" + (b"100000\r\n" + bytes(1 << 20) + b"\r\n") * 9 + b"zz\r\n", 413),
    ],
    ids=["100 Continue", "a giant length", "a chunk without an end", "20 MB", "chunks that are too many"],
)
def test_the_answer_to_a_refused_request_comes_before_its_body_and_is_the_last(rest, status, tiny, tmp_path):
    path = b"/nowhere" if status == 404 else b"/explain"
    with (
        served(tiny / "stripes" / "stripes.int8.tflite", tmp_path / "log") as server,
        socket.create_connection(("127.0.0.1", server.port), timeout=5) as connection,
    ):
        connection.sendall(b"POST %b HTTP/1.1\r\nHost: localhost\r\nContent-Type: image/png\r\n" % path + rest)
        received = b"".join(iter(lambda: connection.recv(65536), b""))

    assert int(received[9:12]) == status
    assert b"\r\nConnection: close\r\n" in received
    assert is_one_answer(received)


def settle(server: Server) -> None:
    """Wait until connections that nobody closes are closed by the server."""
    fewest = server.descriptors
    end = time.monotonic() + TIMEOUT + 3
    while time.monotonic() < end:
        time.sleep(0.1)
        fewest = min(fewest, server.descriptors)
        if server.descriptors <= fewest and time.monotonic() > end - 2:
            return


def test_the_flood_notices_a_server_that_answers_nothing_and_keeps_everything():
    async def against_silence() -> malformed_requests.Flood:
        kept = []
        silent = await asyncio.start_server(lambda *both: kept.append(both), "127.0.0.1", 0)
        async with silent:
            found = await malformed_requests.flood(silent.sockets[0].getsockname()[1], 40, 0, 0.2)
            for _, writer in kept:
                writer.transport.abort()
        await asyncio.sleep(0.1)
        return found

    assert asyncio.run(against_silence()).open_still


def test_more_connections_than_there_may_be_are_answered_and_closed(tiny, tmp_path):
    with served(tiny / "stripes" / "stripes.int8.tflite", tmp_path / "log", "--timeout", "2") as server:

        async def crowd() -> list[bytes]:
            opened = [await asyncio.open_connection("127.0.0.1", server.port) for _ in range(300)]
            firsts = await asyncio.gather(*(reader.read(100) for reader, _ in opened))
            for _, writer in opened:
                writer.close()
            return firsts

        firsts = asyncio.run(crowd())
        assert server.request("/health")[0] == 200

    assert sum(first.startswith(b"HTTP/1.1 429 ") for first in firsts) >= 300 - 256
    assert {first for first in firsts if not first.startswith(b"HTTP/1.1 429 ")} == {b""}  # closed after --timeout
