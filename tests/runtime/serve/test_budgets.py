"""``camlite serve``: what one request may cost, and all of them together; nothing else waits for them."""

from __future__ import annotations

import io
import json
import re
import select
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from functools import cache, partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from camlite.images import picture_files, picture_memory
from camlite.serve.limits import Limits, MemoryBudget, NoTimeLeftError
from support import heavy_pictures
from support.fresh_process import run_python
from support.http_load import Server, served
from support.memory_limit import memory_limit

pytest.importorskip("tornado")
Image = pytest.importorskip("PIL.Image")

IMAGE = {"Content_Type": "image/png"}
PAGE = (Path(__file__).parents[3] / "docs" / "device.md").read_text(encoding="utf-8")
UNIT_MEMORY = int(re.search(r"^MemoryMax=(\d+)M$", PAGE, re.MULTILINE)[1]) << 20


def artifact(tiny: Path) -> Path:
    return tiny / "stripes" / "stripes.int8.tflite"


@cache
def blocks(side: int) -> Any:
    """A picture of few colours, in squares: large, and small once it is packed."""
    squares = np.random.default_rng(0).integers(0, 256, (-(-side // 64), -(-side // 64), 3)).astype(np.uint8)
    return Image.fromarray(np.kron(squares, np.ones((64, 64, 1), np.uint8))[:side, :side])


def wide(picture: Any) -> Any:
    return Image.fromarray(np.asarray(picture.convert("L")).astype(np.uint16) * 257)


def saved(format_: str, made: Callable[[Any], Any] = lambda picture: picture, **options: Any) -> Callable[[int], bytes]:
    def picture_of(side: int) -> bytes:
        stream = io.BytesIO()
        made(blocks(side)).save(stream, format_, **options)
        return stream.getvalue()

    return picture_of


KINDS: Mapping[str, Callable[[int], bytes]] = {
    "JPEG": saved("JPEG"),
    "16-bit PNG": saved("PNG", wide),
    "WebP": saved("WEBP", quality=50, method=0),
    "JPEG with an index": lambda side: heavy_pictures.jpeg_with_an_index(
        blocks(side).convert("CMYK"), progressive=True, subsampling=0
    ),
    "16-bit TIFF of one strip": heavy_pictures.tiff_of_one_strip,
    "PNG": saved("PNG"),
    "progressive JPEG": saved("JPEG", progressive=True, subsampling=0),
    "CMYK JPEG": saved("JPEG", lambda picture: picture.convert("CMYK"), progressive=True),
    "PNG with alpha": saved("PNG", lambda picture: picture.convert("RGBA")),
    "PNG with a palette": saved("PNG", lambda picture: picture.quantize(16)),
    "GIF": saved("GIF", lambda picture: picture.quantize(16)),
    "TIFF": saved("TIFF", compression="tiff_deflate"),
    "LZMA TIFF": saved("TIFF", compression="lzma"),
    "Zstandard TIFF": saved("TIFF", compression="zstd", strip_size=1 << 30),
    "turned TIFF": saved("TIFF", compression="tiff_deflate", tiffinfo={274: 6}),
    "turned 16-bit TIFF of one strip": lambda side: heavy_pictures.tiff_of_one_strip(side, 6),
    "BMP": saved("BMP", lambda picture: picture.convert("1")),
    "PBM": saved("PPM", lambda picture: picture.convert("1")),
}
QUICK = ("JPEG", "16-bit PNG", "WebP", "JPEG with an index", "16-bit TIFF of one strip")


@cache
def largest(kind: str) -> bytes:
    """The largest square of a kind that is allowed by default."""
    side, limits = 4000, Limits()
    while True:
        content = KINDS[kind](side)
        with Image.open(io.BytesIO(content)) as picture:
            needed = picture_memory.needed(picture)
        if needed <= limits.memory and len(content) <= limits.body:
            return content
        side = int(side * min(0.99, (limits.memory / needed) ** 0.5))


@pytest.mark.parametrize("kind", [k if k in QUICK else pytest.param(k, marks=pytest.mark.endurance) for k in KINDS])
def test_the_memory_that_a_picture_takes_is_told_from_its_header(kind):
    with Image.open(io.BytesIO(largest(kind))) as picture:
        told = picture_memory.needed(picture)
    source = (
        "import sys, numpy; from camlite.images import picture_files; from camlite.system import large_blocks\n"
        "from pathlib import Path; large_blocks.return_when_freed(); import PIL.Image as I; I.init()\n"
        "def kb(name): return next(int(l.split()[1]) for l in open('/proc/self/status') if l.startswith(name))\n"
        "content = Path(sys.argv[1]).read_bytes(); before = kb('VmRSS')\n"
        "pixels = picture_files.decode(content, ''); print((kb('VmHWM') - before) * 1024)\n"
    )
    with tempfile.NamedTemporaryFile() as file:
        file.write(largest(kind))
        file.flush()
        finished = run_python(source, file.name)

    assert finished.returncode == 0, finished.stderr
    assert int(finished.stdout) <= told


@pytest.mark.parametrize("kinds", [QUICK, pytest.param(tuple(KINDS), marks=pytest.mark.endurance)], ids=["five", "all"])
def test_the_largest_pictures_are_served_within_the_memory_of_the_unit_in_the_docs(kinds, tiny, tmp_path):
    def ask(question: tuple[str, str]) -> int:
        kind, accept = question
        return server.request("/explain?style=side-by-side", largest(kind), **IMAGE, Accept=accept, timeout=300)[0]

    questions = [(kind, accept) for kind in kinds for accept in ("application/json", "image/png")]
    [largest(kind) for kind in kinds]
    options = ("--workers", "4", "--max-seconds", "300")
    with (
        memory_limit(UNIT_MEMORY) as limited,
        served(artifact(tiny), tmp_path / "log", *options, first=limited) as server,
        ThreadPoolExecutor(4) as pool,
    ):
        statuses = dict(zip(questions, pool.map(ask, questions), strict=True))
        assert server.process.poll() is None
        assert server.request("/health")[0] == 200
        print(f"peak {peak(server) / 1e6:.0f} MB of {UNIT_MEMORY / 1e6:.0f}")

    assert set(statuses.values()) <= {200, 413}  # 413: it can be read, and not drawn as well
    assert {status for (_, accept), status in statuses.items() if accept == "application/json"} == {200}


def test_the_limit_of_memory_ends_who_takes_more():
    with memory_limit(100_000_000) as limited:
        command = [sys.executable, "-c", "kept = b'x' * int(__import__('sys').argv[1])"]
        taken = [
            subprocess.run([*command, size], preexec_fn=limited, stderr=subprocess.PIPE) for size in ("9", "2" * 9)
        ]

    assert [one.returncode != 0 for one in taken] == [False, True]


def peak(server: Server) -> int:
    status = Path(f"/proc/{server.process.pid}/status").read_text()
    return int(re.search(r"VmHWM:\s+(\d+)", status)[1]) * 1024


@pytest.mark.quiet
@pytest.mark.parametrize("query", ["&".join(["class=0"] * 199), "&".join(["class=0"] * 30) + "&style=contour"])
def test_more_maps_of_a_large_picture_than_may_be_drawn_are_refused_before_it_is_read(query, tiny, tmp_path):
    with served(artifact(tiny), tmp_path / "log") as server:
        start = time.monotonic()
        status, _, body = server.request(f"/explain?{query}", largest("JPEG"), **IMAGE, Accept="image/png")

    assert status == 413
    assert re.fullmatch(
        r"body: \d+ maps of \d+ pixels are \d+ to draw, .*; ask for fewer classes", json.loads(body)["error"]
    )
    assert time.monotonic() - start < 5


def test_all_classes_of_a_small_picture_may_be_asked_for(tiny, tmp_path):
    small = picture_files.encode(np.zeros((16, 24), np.uint8))
    with served(artifact(tiny), tmp_path / "log") as server:
        query = "/explain?" + "&".join(["class=0"] * 199)
        assert server.request(query, small, **IMAGE)[0] == 200


@pytest.mark.quiet
def test_health_and_metrics_are_answered_while_all_workers_are_busy(tiny, tmp_path):
    options = ("--workers", "1", "--max-seconds", "300")
    with served(artifact(tiny), tmp_path / "log", *options) as server, ThreadPoolExecutor(6) as pool:
        asked = [pool.submit(server.request, "/explain", largest("JPEG"), **IMAGE, timeout=300) for _ in range(6)]
        time.sleep(0.3)
        for path in ("/health", "/metrics", "/"):
            start = time.monotonic()
            assert server.request(path)[0] == 200
            assert time.monotonic() - start < 3
        assert not all(one.done() for one in asked)
        assert {one.result()[0] for one in asked} == {200}


def test_a_request_that_takes_too_long_is_answered_all_the_same(tiny, tmp_path):
    with served(artifact(tiny), tmp_path / "log", "--max-seconds", "0.05", "--workers", "1") as server:
        status, _, body = server.request("/explain", largest("JPEG"), **IMAGE)
        assert server.request("/metrics")[0] == 200

    assert status == 503
    assert json.loads(body)["error"].startswith("not answered within 0.05 s")


def test_sigterm_finishes_what_was_begun(tiny, tmp_path):
    picture = largest("JPEG")
    with served(artifact(tiny), tmp_path / "log") as server, ThreadPoolExecutor(1) as pool:
        before, end = server.descriptors, time.monotonic() + 30
        asked = pool.submit(server.request, "/explain", picture, **IMAGE)
        with socket.create_connection(("127.0.0.1", server.port)) as idle:
            while server.descriptors < before + 2 and time.monotonic() < end:  # both are accepted
                time.sleep(0.01)
            time.sleep(0.2)
            server.process.send_signal(signal.SIGTERM)
            assert asked.result()[0] == 200
            assert server.process.wait(timeout=300) == 0
            assert idle.recv(1) == b""
        with pytest.raises(ConnectionRefusedError):
            socket.create_connection(("127.0.0.1", server.port))

    assert server.log.read_text().endswith("camlite: stopped\n")


def test_who_does_not_read_an_answer_is_closed(tiny, tmp_path):
    noise = picture_files.encode(np.random.default_rng(0).integers(0, 256, (1200, 1200, 3)).astype(np.uint8))
    types = "Accept: image/png\r\nContent-Type: image/png"
    head = f"POST /explain HTTP/1.1\r\n{types}\r\nContent-Length: {len(noise)}\r\n\r\n"
    with served(artifact(tiny), tmp_path / "log", "--timeout", "1") as server:
        before = server.descriptors
        with socket.create_connection(("127.0.0.1", server.port)) as connection:
            connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
            connection.sendall(head.encode() + noise)
            end = time.monotonic() + 150  # an answer of some 4 MB has 1 s, and one more for each 64 kB
            while server.descriptors <= before and time.monotonic() < end:
                time.sleep(0.01)
            while server.descriptors > before and time.monotonic() < end:
                time.sleep(0.2)
            assert server.descriptors <= before


def test_bodies_that_arrive_are_held_up_to_four_times_the_largest(tiny, tmp_path):
    """Of ten clients that each send nine tenths of a body, some are told to come back, and nobody is killed."""
    head = b"POST /explain HTTP/1.1\r\nContent-Type: image/png\r\nContent-Length: 8000000\r\n\r\n" + bytes(7_000_000)
    with served(artifact(tiny), tmp_path / "log", "--timeout", "60") as server, ExitStack() as stack:
        before = server.memory
        Path(f"/proc/{server.process.pid}/clear_refs").write_text("5")  # the peak begins anew
        connect = partial(socket.create_connection, ("127.0.0.1", server.port))
        opened = [stack.enter_context(connect()) for _ in range(10)]
        threads = [threading.Thread(target=one.sendall, args=(head,)) for one in opened]
        [thread.start() for thread in threads]
        [thread.join(60) for thread in threads]
        # Four bodies of 7 MB fit into 32 MiB, and those four wait for the rest of them.
        answered, end = [], time.monotonic() + 30
        while len(answered) < 6 and time.monotonic() < end:
            answered = select.select(opened, [], [], 1)[0]
        firsts = [one.recv(12) for one in answered]
        most = peak(server) - before

    assert 6 <= len(firsts) < 10
    assert set(firsts) == {b"HTTP/1.1 429"}
    # Ten connections take 1.1 MB beside their bodies (measured with 100 kB each), and no body has a second copy.
    assert most < 4 * (8 << 20) + 4_000_000


def test_memory_is_given_to_who_asked_first_and_given_back():
    budget, order = MemoryBudget(100), []

    def take(name: str, wanted: int, seconds: float) -> None:
        with budget.share(time.monotonic() + 30) as reserve:
            reserve(wanted)
            order.append(name)
            time.sleep(seconds)

    threads = []
    for name, wanted, seconds in (("first", 60, 1), ("large", 100, 0.1), ("small", 10, 0)):
        threads.append(threading.Thread(target=take, args=(name, wanted, seconds)))
        threads[-1].start()
        time.sleep(0.25)  # until it has asked
    [thread.join() for thread in threads]

    assert order == ["first", "large", "small"]  # the small one would have fitted beside the first
    with budget.share(time.monotonic()) as reserve:
        reserve(100)
        with budget.share(time.monotonic() + 0.01) as other, pytest.raises(NoTimeLeftError):
            other(1)
