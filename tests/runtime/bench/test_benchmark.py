"""`camlite bench`: what an explanation costs, as a ratio in one run."""

from __future__ import annotations

import json
import time

import pytest

from camlite.bench import benchmark
from support.fresh_process import run_camlite


@pytest.fixture
def quick(monkeypatch):
    """Rounds so short that each has the least number of turns."""
    monkeypatch.setattr(benchmark, "_SECONDS_A_ROUND", 0.0)


def _work(amount: int):
    return lambda: sum(range(amount))


@pytest.mark.usefixtures("quick")
def test_contenders_take_turns():
    calls: list[str] = []

    benchmark.interleave({"a": lambda: calls.append("a"), "b": lambda: calls.append("b")}, "a")

    assert calls[-12:] == ["a", "b"] * 6


def test_a_ratio_says_how_much_more_a_contender_takes(monkeypatch):
    monkeypatch.setattr(benchmark, "_SECONDS_A_ROUND", 0.02)
    # The clock of this thread stands still while a neighbour has the core: under load the other one said 2 to 12.
    monkeypatch.setattr(benchmark.time, "perf_counter_ns", time.thread_time_ns)

    timings, ratios = benchmark.interleave({"once": _work(20_000), "five times": _work(100_000)}, "once")

    for timing in timings.values():
        assert timing.low <= timing.median <= timing.high
    assert ratios["once"] == 1
    assert 4 < ratios["five times"] < 6


@pytest.mark.parametrize("name", ["stripes/stripes.int8.tflite", "stripes/stripes.float32.onnx"])
def test_the_command_measures_an_artifact_on_a_backend(tiny, name):
    backend = "onnxruntime" if name.endswith("onnx") else "ai-edge-litert"
    finished = run_camlite("bench", tiny / name, "--backend", backend, "--json")

    assert finished.returncode == 0, finished.stderr
    found = json.loads(finished.stdout)
    assert (found["artifact"], found["backend"], found["threads"]) == (name.split("/")[1], backend, 1)
    assert found["explain_ratio"] > 0
    assert found["size_ratio"] > 1
    assert 0.5 < found["memory_ratio"] < 2


def test_a_file_that_is_no_artifact_is_refused_in_one_line(tmp_path):
    path = tmp_path / "text.tflite"
    path.write_text("text")

    finished = run_camlite("bench", path)

    assert (finished.returncode, finished.stdout) == (2, "")
    assert str(path) in finished.stderr
    assert finished.stderr.count("\n") == 1


def test_the_command_prints_a_row_an_artifact_and_backend(tiny):
    path = tiny / "stripes" / "stripes.float32.onnx"
    finished = run_camlite("bench", path, "--backend", "onnxruntime")

    assert finished.returncode == 0, finished.stderr
    header, row = finished.stdout.splitlines()
    assert header.split()[0] == "artifact"
    assert row.split()[:2] == [path.name, "onnxruntime"]
