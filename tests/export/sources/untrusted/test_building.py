"""`camlite_export.sources.untrusted.building`: what takes too much while Keras builds is ended."""

from __future__ import annotations

import signal
import threading
import time
from pathlib import Path

import numpy as np
import pytest

from camlite.errors import ClassifierError
from camlite_export.sources.untrusted import building

pytestmark = pytest.mark.skipif(not hasattr(signal, "setitimer"), reason="no timers here")


@pytest.fixture
def path(tmp_path: Path) -> Path:
    file = tmp_path / "model.keras"
    file.write_bytes(b"x" * 1000)
    return file


def test_a_loop_of_python_is_ended(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(building, "_SECONDS", 0.5)

    def build() -> None:
        with building.watched(path, {}):
            while True:
                pass

    with pytest.raises(ClassifierError, match="building it takes more than 0 s"):
        build()


def test_a_structure_of_many_layers_gets_more_time(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(building, "_SECONDS", 0)
    monkeypatch.setattr(building, "_SECONDS_A_LAYER", 1)
    with building.watched(path, [{"class_name": "Dense", "config": {"class_name": "Zeros"}}]):
        end = time.process_time() + 0.6
        while time.process_time() < end:
            pass


def test_memory_is_looked_at_while_it_grows_and_at_the_end(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(building, "_BYTES", 100 << 20)
    kept = []

    def build(numbers: int, times: int) -> None:
        with building.watched(path, {}):
            for _ in range(times):
                kept.append(np.ones(numbers))  # noqa: PERF401

    with pytest.raises(ClassifierError, match=r"building it takes more than \d+ MB"):
        build(1 << 20, 1000)
    assert len(kept) < 1000
    kept.clear()
    with pytest.raises(ClassifierError, match="MB"):
        build(1 << 25, 1)  # at once: no look comes between


def test_nothing_is_left_of_the_watch(path: Path) -> None:
    before = signal.getsignal(signal.SIGALRM)
    with building.watched(path, {}):
        assert signal.getsignal(signal.SIGALRM) is not before
    assert signal.getsignal(signal.SIGALRM) is before
    assert signal.getitimer(signal.ITIMER_REAL) == (0.0, 0.0)


def test_another_thread_builds_unwatched(path: Path) -> None:
    done = []

    def build() -> None:
        with building.watched(path, {}):
            done.append(True)

    thread = threading.Thread(target=build)
    thread.start()
    thread.join()
    assert done == [True]
