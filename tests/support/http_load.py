"""`camlite serve` as a process, and a load of good and hostile clients upon it."""

from __future__ import annotations

import asyncio
import contextlib
import io
import json
import os
import random
import re
import shutil
import struct
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
import zlib
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path

import numpy as np

from camlite import artifact as artifacts
from camlite.bench import plain_loop
from camlite.images import picture_files
from support import malformed_requests

HOSTILE = ("not an image", "truncated", "100 megapixels", "wrong type", "slow sender", "cut connection", "malformed")
# What each is answered with; None: the connection is closed on it.
EXPECTED = {"not an image": 400, "truncated": 400, "100 megapixels": 413, "wrong type": 415, "slow sender": None}


@dataclass(frozen=True)
class Server:
    port: int
    process: subprocess.Popen[str]
    log: Path

    @property
    def memory(self) -> int:
        """Resident, in bytes."""
        status = Path(f"/proc/{self.process.pid}/statm").read_text()
        return int(status.split()[1]) * os.sysconf("SC_PAGE_SIZE")

    @property
    def descriptors(self) -> int:
        """How many files and sockets it has open."""
        return len(list(Path(f"/proc/{self.process.pid}/fd").iterdir()))

    def request(
        self, path: str, body: bytes | None = None, method: str | None = None, timeout: float = 60, **headers: str
    ) -> tuple[int, Mapping[str, str], bytes]:
        """Status, headers and body; header names with _ for -."""
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        request = urllib.request.Request(f"http://127.0.0.1:{self.port}{path}", body, named, method=method)
        try:
            opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
            with opener.open(request, timeout=timeout) as answer:
                return answer.status, answer.headers, answer.read()
        except urllib.error.HTTPError as error:
            with error:
                return error.code, error.headers, error.read()


@contextmanager
def served(
    artifact: Path,
    log: Path,
    *options: str,
    env: Mapping[str, str] | None = None,
    first: Callable[[], None] | None = None,
) -> Iterator[Server]:
    """Serve on a free port of this machine; the log is what the server says on standard error.

    `first` is called in its process before the program begins.
    """
    command = [sys.executable, "-m", "camlite", "serve", str(artifact), "--port", "0", *options]
    with log.open("w") as file:
        process = subprocess.Popen(
            command,
            stdout=subprocess.PIPE,
            stderr=file,
            text=True,
            env={**os.environ, **(env or {})},
            preexec_fn=first,
        )
    try:
        said = process.stdout.readline()
        found = re.search(r":(\d+)$", said.strip())
        assert found, said + log.read_text()
        yield Server(int(found[1]), process, log)
    finally:
        process.terminate()
        process.wait(timeout=300)
        process.stdout.close()


@cache
def png(height: int, width: int) -> bytes:
    """A grey picture of zeros, packed row by row: 100 megapixels are 100 kB."""

    def chunk(kind: bytes, content: bytes) -> bytes:
        return struct.pack(">I", len(content)) + kind + content + struct.pack(">I", zlib.crc32(kind + content))

    packer, packed = zlib.compressobj(9), io.BytesIO()
    row = bytes(width + 1)
    for _ in range(height):
        packed.write(packer.compress(row))
    packed.write(packer.flush())
    header = struct.pack(">IIBBBBB", width, height, 8, 0, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", packed.getvalue()) + chunk(b"IEND", b"")


@dataclass
class Report:
    """What a load has seen. `wrong` are lines on answers that are not what they should be."""

    answered: Counter[str] = field(default_factory=Counter)
    statuses: Counter[int] = field(default_factory=Counter)
    wrong: list[str] = field(default_factory=list)
    seconds: list[float] = field(default_factory=list)
    memory: list[int] = field(default_factory=list)
    longest: float = 0.0

    def __str__(self) -> str:
        ranked = sorted(self.seconds) or [0.0]
        at = {share: ranked[min(len(ranked) - 1, int(len(ranked) * share))] * 1000 for share in (0.5, 0.95, 0.99)}
        times = ", ".join(f"{share:.0%} {value:.1f} ms" for share, value in at.items())
        return (
            f"{dict(self.answered)}, statuses {dict(self.statuses)}, good ones {times}, longest {self.longest:.2f} s, "
            f"memory {', '.join(f'{size / 1e6:.1f}' for size in self.memory)} MB, wrong {self.wrong[:5]}"
        )


async def load(server: Server, good: bytes, seconds: float, connections: int, hostile: float) -> Report:
    """Keep so many connections busy for so long; a share of the requests is hostile, each kind in turn."""
    _, _, alone = server.request("/explain", good, Content_Type="image/png")
    client = _Client(server.port, good, json.loads(alone), hostile, seconds)

    async def watch() -> None:
        while time.monotonic() < client.end:
            client.report.memory.append(server.memory)
            await asyncio.sleep(seconds / 12)

    await asyncio.gather(watch(), *(client.run(number) for number in range(connections)))
    client.report.memory.append(server.memory)
    return client.report


class _Client:
    def __init__(self, port: int, good: bytes, alone: object, hostile: float, seconds: float) -> None:
        self.port, self.good, self.alone, self.hostile = port, good, alone, hostile
        self.bomb, self.report, self.kinds = png(10_000, 10_000), Report(), 0
        self.malformed = 0
        self.end = time.monotonic() + seconds

    async def run(self, number: int) -> None:
        chance = random.Random(number)
        reader, writer = await self._open()
        while time.monotonic() < self.end:
            if chance.random() < self.hostile:
                kind = HOSTILE[self.kinds % len(HOSTILE)]
                self.kinds += 1
                await _close(writer)  # which the server would, as idle, while a slow sender takes its time
                await self._timed(kind, self._be_hostile(kind))
                reader, writer = await self._open()
                continue
            try:
                await self._timed("good", self._be_good(reader, writer))
            except (ConnectionError, asyncio.IncompleteReadError) as error:
                self.report.wrong.append(f"good: {error!r}")
                await _close(writer)
                reader, writer = await self._open()
        await _close(writer)

    async def _timed(self, kind: str, action: object) -> None:
        start = time.monotonic()
        try:
            await asyncio.wait_for(action, 30)
        except asyncio.TimeoutError:
            self.report.wrong.append(f"{kind}: no answer within 30 s")
        self.report.answered[kind] += 1
        taken = time.monotonic() - start
        self.report.longest = max(self.report.longest, taken)
        if kind == "good":
            self.report.seconds.append(taken)

    async def _open(self) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        return await asyncio.open_connection("127.0.0.1", self.port)

    async def _be_good(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(_request(self.good, "image/png"))
        status, body = await _answer(reader)
        self.report.statuses[status] += 1
        if status != 200 or json.loads(body) != self.alone:
            self.report.wrong.append(f"good: {status} {body[:200]!r}")

    async def _be_hostile(self, kind: str) -> None:
        if kind == "malformed":
            await self._be_malformed()
            return
        reader, writer = await self._open()
        status: int | None = None
        with contextlib.suppress(ConnectionError, asyncio.IncompleteReadError):
            if kind == "cut connection":
                writer.write(_request(self.good, "image/png")[:-50])
                await writer.drain()
                await _close(writer)
                return
            if kind == "slow sender":
                await _drip(writer, _request(self.good, "image/png"))
            else:
                bodies = {"not an image": b"no picture" * 99, "truncated": self.good[:-30], "100 megapixels": self.bomb}
                kind_of_body = "text/html" if kind == "wrong type" else "image/png"
                writer.write(_request(bodies.get(kind, self.good), kind_of_body))
            status, _ = await _answer(reader)
            self.report.statuses[status] += 1
        await _close(writer)
        if status != EXPECTED[kind]:
            self.report.wrong.append(f"{kind}: {status}, expected {EXPECTED[kind]}")

    async def _be_malformed(self) -> None:
        """One of `malformed_requests`, each in turn."""
        self.malformed += 1
        chance, found = random.Random(self.malformed), malformed_requests.Flood()
        name = list(malformed_requests.KINDS)[self.malformed % len(malformed_requests.KINDS)]
        content, ending = malformed_requests.KINDS[name](chance), chance.choice(malformed_requests.ENDINGS)
        await malformed_requests.send(self.port, content, ending, 25, found, name)
        self.report.statuses.update(found.statuses)
        self.report.wrong += [f"malformed: {one} is open still" for one in found.open_still]
        self.report.wrong += [f"malformed: {name}: {status}" for status in found.statuses if status >= 500]


async def _close(writer: asyncio.StreamWriter) -> None:
    writer.close()
    with contextlib.suppress(ConnectionError):
        await writer.wait_closed()


async def _drip(writer: asyncio.StreamWriter, request: bytes) -> None:
    """Five bytes a second, for ever, or until the connection is closed."""
    for start in range(0, len(request), 5):
        writer.write(request[start : start + 5])
        await writer.drain()
        await asyncio.sleep(1)


def _request(body: bytes, content_type: str) -> bytes:
    head = f"POST /explain HTTP/1.1\r\nHost: localhost\r\nContent-Type: {content_type}\r\nContent-Length: {len(body)}"
    return head.encode() + b"\r\n\r\n" + body


async def _answer(reader: asyncio.StreamReader) -> tuple[int, bytes]:
    head = await reader.readuntil(b"\r\n\r\n")
    length = re.search(rb"content-length: (\d+)", head, re.IGNORECASE)
    assert length, head
    return int(head.split()[1]), await reader.readexactly(int(length[1]))


def main(artifact: Path, seconds: float) -> int:
    """Run the load against a server of its own, print what was seen; 1 where something was wrong."""
    random_pixels = np.random.default_rng(0).integers(0, 256, (28, 28)).astype(np.uint8)
    with tempfile.TemporaryDirectory() as folder, served(artifact, Path(folder, "log"), "--timeout", "5") as server:
        good = picture_files.encode(random_pixels)
        print("one connection: ", asyncio.run(load(server, good, 5, 1, 0.0)))
        report = asyncio.run(load(server, good, seconds, 64, 0.05))
        print("64 connections: ", report)
        print(_beside_the_interpreter(server, artifact, good, random_pixels, Path(folder)))
        ended = server.process.poll()
    return int(bool(report.wrong) or ended is not None or any(status >= 500 for status in report.statuses))


def _beside_the_interpreter(server: Server, artifact: Path, good: bytes, pixels: np.ndarray, folder: Path) -> str:
    """Requests a second by wrk, beside images a second of the bare interpreter in one thread."""
    read = artifacts.read(artifact)
    (folder / "bare").write_bytes(read.model)
    scale, offset = read.card.preprocessing.scale[0], read.card.preprocessing.offset[0]
    classify = plain_loop.classifier(folder / "bare", "ai-edge-litert", 1, scale, offset)
    start, count = time.perf_counter(), 0
    while time.perf_counter() - start < 3:
        classify(pixels[..., np.newaxis])
        count += 1
    alone = count / (time.perf_counter() - start)
    if shutil.which("wrk") is None:
        return f"bare interpreter: {alone:.0f} images a second; wrk is not installed"
    (folder / "body").write_bytes(good)
    script = (
        f'local file = io.open("{folder / "body"}", "rb")\n'
        'wrk.method, wrk.body, wrk.headers["Content-Type"] = "POST", file:read("*a"), "image/png"\n'
    )
    (folder / "post.lua").write_text(script)
    command = ["wrk", "-t1", "-c8", "-d10s", "--latency", "-s", str(folder / "post.lua")]
    finished = subprocess.run(
        [*command, f"http://127.0.0.1:{server.port}/explain"], capture_output=True, text=True, timeout=300, check=True
    )
    rate = float(re.search(r"Requests/sec:\s+([\d.]+)", finished.stdout)[1])
    return f"{finished.stdout}bare interpreter: {alone:.0f} images a second, {alone / rate:.1f} times as many"


if __name__ == "__main__":
    raise SystemExit(main(Path(sys.argv[1]), float(sys.argv[2])))
