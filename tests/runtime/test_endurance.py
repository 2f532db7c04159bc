"""Explaining for a long time, and from several threads."""

from __future__ import annotations

import gc
import threading
from concurrent.futures import BrokenExecutor, ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest

import camlite
from camlite import backends
from camlite.system.fresh_process import FreshProcess
from support.fresh_process import BACKENDS

FLOAT32 = {"tflite": "stripes/stripes.float32.tflite", "onnx": "stripes/stripes.float32.onnx"}
MOST_GROWTH = 1 << 20


@pytest.fixture(params=BACKENDS)
def subject(request, tiny):
    """An artifact and its backend."""
    if request.param not in backends.installed(BACKENDS[request.param]):
        pytest.skip(f"{request.param} is not installed")
    return tiny / FLOAT32[BACKENDS[request.param]], request.param


def resident() -> int:
    gc.collect()
    return 4096 * int(Path("/proc/self/statm").read_text().split()[1])


def descriptors() -> int:
    return len(list(Path("/proc/self/fd").iterdir()))


def images(count: int) -> list[np.ndarray]:
    return list(np.random.default_rng(0).integers(0, 256, (count, 16, 24)).astype(np.uint8))


def explain_for_long(path: Path, backend: str, times: int) -> tuple[int, int]:
    """Growth of resident memory in bytes, and of the number of open files."""
    explainer = camlite.load(path, backend)
    pixels = images(16)

    def explain(count: int) -> None:
        for index in range(count):
            explanation = explainer.explain(pixels[index % 16])
            assert explanation.heatmap.shape == (16, 24)

    explain(2_000)  # until every cache is full
    before = resident(), descriptors()
    explain(times)
    return resident() - before[0], descriptors() - before[1]


def load_for_long(path: Path, backend: str, times: int) -> tuple[int, int]:
    """The same of opening and letting go."""
    for _ in range(10):
        camlite.load(path, backend)
    before = resident(), descriptors()
    for _ in range(times):
        camlite.load(path, backend)
    return resident() - before[0], descriptors() - before[1]


@pytest.mark.parametrize("times", [5_000, pytest.param(1_000_000, marks=pytest.mark.endurance)])
def test_explaining_takes_no_more_memory_and_opens_no_files(times, subject):
    with FreshProcess() as process:
        growth, files = process.submit(explain_for_long, *subject, times).result()

    print(f"{subject[1]}: {times} explanations, resident memory grew by {growth / 1024:.0f} kB")
    assert growth < MOST_GROWTH
    assert files == 0


@pytest.mark.parametrize("times", [30, pytest.param(10_000, marks=pytest.mark.endurance)])
def test_opening_artifacts_over_and_over_leaks_no_files(times, subject):
    with FreshProcess() as process:
        growth, files = process.submit(load_for_long, *subject, times).result()

    print(f"{subject[1]}: {times} times opened, resident memory grew by {growth / 1024:.0f} kB")
    assert files == 0


def answers_in_threads(path: Path, backend: str, shared: bool, rounds: int) -> int:
    """How many answers differ from those of one thread alone."""
    pixels = images(8)
    alone = camlite.load(path, backend)
    expected = [alone.explain(image) for image in pixels]
    wrong = 0
    for number in range(rounds):
        everybodys = camlite.load(path, backend) if shared else None
        barrier = threading.Barrier(len(pixels))

        def explain(
            index: int, explainer: camlite.Explainer | None = everybodys, gate: threading.Barrier = barrier
        ) -> int:
            mine = explainer or camlite.load(path, backend)
            gate.wait()
            different = 0
            for turn in range(50):
                one = (index + turn) % len(pixels)
                found = mine.explain(pixels[one])
                same = np.array_equal(found.scores, expected[one].scores)
                different += not (same and np.array_equal(found.evidence, expected[one].evidence))
            return different

        with ThreadPoolExecutor(len(pixels)) as pool:
            wrong += sum(pool.map(explain, range(len(pixels))))
        assert number < rounds
    return wrong


@pytest.mark.parametrize("rounds", [5, pytest.param(1000, marks=pytest.mark.endurance)])
@pytest.mark.parametrize("shared", [True, False], ids=["one explainer for all threads", "one explainer a thread"])
def test_threads_get_the_answers_that_one_thread_gets(shared, rounds, subject):
    with FreshProcess() as process:
        assert process.submit(answers_in_threads, *subject, shared, rounds).result() == 0


class NoLock:
    """Lets everybody in."""

    def __enter__(self) -> None: ...

    def __exit__(self, *_: object) -> None: ...


def answers_without_the_lock(path: Path, backend: str) -> int:
    """As `answers_in_threads`, with the lock taken away."""
    load = camlite.load

    def unlocked(*arguments: object) -> camlite.Explainer:
        explainer = load(*arguments)
        explainer._lock = NoLock()
        return explainer

    camlite.load = unlocked
    return answers_in_threads(path, backend, True, 40)


def test_without_the_lock_threads_that_share_an_explainer_get_in_each_others_way(subject):
    """So the stress above can fail. Some interpreters notice, and raise; some end their process."""
    with FreshProcess() as process:
        run = process.submit(answers_without_the_lock, *subject)
        error = run.exception()

    if error is None:
        assert run.result() > 0
    else:
        assert isinstance(error, RuntimeError | BrokenExecutor), error
