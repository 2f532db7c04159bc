"""A stream is read in a process of its own: it may fill its memory, hang and die, and takes nothing along."""

from __future__ import annotations

import contextlib
import os
import re
import signal
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from camlite.images import cameras
from camlite.images.network_camera import NetworkCamera as Reader
from support.network_camera import EndlessCamera, NetworkCamera, jpeg

pytest.importorskip("cv2")

FRAME = jpeg(np.full((48, 64, 3), (200, 100, 50), np.uint8))
PIXELS = 16_000_000

on_linux = pytest.mark.skipif(sys.platform != "linux", reason="limits the memory of a process as Linux does")


@contextlib.contextmanager
def shown(kind: type[NetworkCamera]) -> Iterator[NetworkCamera]:
    camera = kind(0, FRAME)
    try:
        yield camera
    finally:
        if camera.plugged:
            camera.unplug()


@contextlib.contextmanager
def read(kind: type[NetworkCamera], *limit: int) -> Iterator[tuple[NetworkCamera, Reader, int]]:
    """A camera, who reads it, and the process that does so, after the first picture."""
    with shown(kind) as camera, contextlib.closing(Reader(camera.url, 5.0, PIXELS, *limit)) as reader:
        before = children()
        picture(reader)
        (process,) = children() - before
        yield camera, reader, process


def picture(reader: cameras.Camera, seconds: float = 60) -> np.ndarray:
    """The next one."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        if (found := reader.take(0.5)) is not None:
            return found
    raise AssertionError(f"no picture within {seconds} s: {reader.lost}")


def lost(reader: cameras.Camera, seconds: float = 60) -> str:
    """Why it gives no picture."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        reader.take(0.5)
        if reader.lost:
            return reader.lost
    raise AssertionError(f"it gives pictures for {seconds} s")


def children() -> set[int]:
    """Of this process, those that read a stream."""
    text = Path(f"/proc/self/task/{os.getpid()}/children").read_text()
    return {int(one) for one in text.split()}


def peak(process: int) -> int:
    """The most memory that it had, in bytes."""
    return 1024 * int(re.search(r"VmHWM:\s*(\d+)", Path(f"/proc/{process}/status").read_text())[1])


def test_a_stream_is_read_by_another_process_and_gives_its_pictures():
    with shown(NetworkCamera) as camera, contextlib.closing(cameras.watched(camera.url)) as reader:
        found = picture(reader)

    assert (found.shape, found.dtype) == ((48, 64, 3), np.uint8)
    assert np.abs(found.astype(int) - (200, 100, 50)).max() < 10  # red, green, blue, after a JPEG
    assert isinstance(reader, Reader)


@on_linux
def test_a_server_that_sends_without_end_is_left_when_it_has_taken_the_memory_of_a_stream():
    limit = 192 << 20  # FFmpeg takes 50 MB at a time
    large = b"\1" * (2 * limit)  # as a program is that starts the process
    with read(EndlessCamera, limit) as (camera, reader, process):
        usual, most = peak(process), 0
        told = "needs more memory than the stream of a camera does (limit: 192 MiB); check its address"
        while not reader.lost:
            with contextlib.suppress(OSError, TypeError):  # it has ended
                most = max(most, peak(process))
            reader.take(0.05)
        said, sent = reader.lost, camera.sent

        assert large
        assert said == told
        assert most - usual < limit
        assert sent < 4 * limit
        picture(reader)  # it is tried again


@on_linux
def test_a_process_that_the_system_ends_is_said_and_started_again():
    with read(NetworkCamera) as (_, reader, process):
        os.kill(process, signal.SIGKILL)

        assert lost(reader) == f"gives no picture: process {process} ended with -9"
        picture(reader)
        assert reader.lost is None


@on_linux
def test_it_goes_before_others_where_the_machine_has_no_memory():
    with read(NetworkCamera) as (_, _, process):
        assert int(Path(f"/proc/{process}/oom_score_adj").read_text()) >= 500


@on_linux
def test_a_stream_that_hangs_is_closed_at_once_and_leaves_no_process():
    with shown(NetworkCamera) as camera:
        before = children()
        reader = Reader(camera.url, 5.0, PIXELS)
        picture(reader)
        (process,) = children() - before
        os.kill(process, signal.SIGSTOP)
        assert reader.take(0.2) is None
        start = time.monotonic()
        reader.close()

        assert time.monotonic() - start < 5
        assert children() == before


def test_a_stream_of_too_large_pictures_is_not_read():
    with shown(NetworkCamera) as camera, contextlib.closing(Reader(camera.url, 5.0, 48 * 64 - 1)) as reader:
        assert lost(reader) == "has pictures of 64 x 48 pixels, expected at most 3071"
