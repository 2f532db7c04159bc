"""`camlite.watch.inotify`: what wakes a watcher, where the system can."""

from __future__ import annotations

import sys
import time
from pathlib import Path

import pytest

from camlite.watch.inotify import Waker

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="inotify is Linux's")


def test_a_file_that_was_closed_or_renamed_wakes(tmp_path: Path) -> None:
    waker = Waker(tmp_path)
    (tmp_path / "a.png").write_bytes(b"a")
    (tmp_path / "a.png").rename(tmp_path / "b.png")

    assert waker.wait(5) == {"a.png", "b.png"}
    assert waker.wait(0) == set()
    waker.close()


def test_a_folder_that_goes_may_have_had_names_that_were_missed(tmp_path: Path) -> None:
    folder = tmp_path / "photos"
    folder.mkdir()
    waker = Waker(folder)
    folder.rmdir()

    assert waker.wait(5) is None
    waker.close()


def test_without_a_folder_to_watch_time_passes(tmp_path: Path) -> None:
    waker = Waker(tmp_path)
    waker.close()
    waker.close()
    (tmp_path / "a.png").write_bytes(b"a")
    start = time.monotonic()

    assert waker.wait(0.05) == set()
    assert time.monotonic() - start >= 0.05
