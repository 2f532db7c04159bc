"""Measure what an explanation costs: `explain` beside the plain loop, interleaved in one process.

Machines are noisy and their speed drifts, so nothing is said in lone times: each round runs the contenders
turn by turn, a round gives their medians, and a ratio is the median of the rounds' ratios.
"""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from camlite import artifact as artifacts
from camlite.artifact.container import SUFFIXES
from camlite.backends import own_processes
from camlite.bench import plain_loop
from camlite.explainer import Explainer
from camlite.system import files
from camlite.system.fresh_process import FreshProcess

_WARM_UP = 20
_ROUNDS = 15
_SECONDS_A_ROUND = 0.15
_LEAST_TURNS = 3
# What the limit on time allows for: two races of a warm-up and rounds of the least length, one with all classes, which
# may take some times as long as one.
_MOST_RUNS = 10 * 2 * 2 * (_WARM_UP + _ROUNDS * _LEAST_TURNS)


@dataclass(frozen=True)
class Timing:
    """Time of one call, in microseconds: median, and the 5th and 95th percentile."""

    median: float
    low: float
    high: float


@dataclass(frozen=True)
class Benchmark:
    """What explaining costs with one artifact on one backend.

    Attributes:
        classify: the plain loop; explain: class, evidence and heatmap of the top class.
        explain_ratio: explain over classify.
        all_classes_ratio: explain with evidence of every class over explain with that of the top class; None
            where the artifact gives evidence of the top class alone.
        size_ratio: bytes of the artifact over those of its model.
        memory_ratio: resident memory of a process that explains over one that classifies; None where the
            system does not tell.
    """

    artifact: str
    backend: str
    threads: int
    classify: Timing
    explain: Timing
    explain_ratio: float
    all_classes_ratio: float | None
    size_ratio: float
    memory_ratio: float | None


def run(path: Path, backend: str, threads: int = 1) -> Benchmark:
    """Benchmark one artifact on one backend, in fresh processes: two interpreters in one can fail at random.

    Raises:
        CamliteError: the artifact cannot be read or run.
        TimeoutError: its interpreter hangs.
        BrokenExecutor, CalledProcessError: it crashes.
    """
    artifact = artifacts.read(path)
    target = artifact.card.preprocessing
    shape = (target.height, target.width, target.channels)
    # numpy's linear algebra has threads of its own, which the interpreter's are not to be measured against.
    environment = {name: str(threads) for name in ("OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS")}
    with files.scratch() as folder, FreshProcess(environment) as process:
        model = Path(folder, f"model{SUFFIXES[artifact.container]}")
        model.write_bytes(artifact.model)
        first = process.wait_for(own_processes.LONGEST, _first, path, backend, threads)
        most = own_processes.LONGEST + _MOST_RUNS * first
        timings, ratio, all_classes_ratio = process.wait_for(most, _race, path, model, backend, threads)
        options = (backend, threads, artifact.card.image_layout == "chw", *shape)
        explaining = _resident(most, _EXPLAINING, path, *options)
        classifying = _resident(most, _CLASSIFYING, model, *options)
    return Benchmark(
        artifact=path.name,
        backend=backend,
        threads=threads,
        classify=timings["classify"],
        explain=timings["explain"],
        explain_ratio=ratio,
        all_classes_ratio=all_classes_ratio,
        size_ratio=path.stat().st_size / len(artifact.model),
        memory_ratio=explaining / classifying if explaining and classifying else None,
    )


def interleave(
    contenders: Mapping[str, Callable[[], object]], first: str
) -> tuple[dict[str, Timing], dict[str, float]]:
    """Run contenders turn by turn.

    Returns:
        The timing of each, and its ratio to the one named `first`: the median over rounds of medians' ratios.
    """
    for contender in contenders.values():
        for _ in range(_WARM_UP):
            contender()
    turns = _turns(contenders)
    samples: dict[str, list[NDArray[np.float64]]] = {name: [] for name in contenders}
    for _ in range(_ROUNDS):
        taken = np.empty((turns, len(contenders)))
        for turn in range(turns):
            for column, contender in enumerate(contenders.values()):
                start = time.perf_counter_ns()
                contender()
                taken[turn, column] = time.perf_counter_ns() - start
        for name, column_samples in zip(contenders, taken.T, strict=True):
            samples[name].append(column_samples / 1000)
    medians = {name: np.median(rounds, axis=1) for name, rounds in samples.items()}
    timings = {name: Timing(*np.percentile(np.concatenate(rounds), [50, 5, 95])) for name, rounds in samples.items()}
    return timings, {name: float(np.median(median / medians[first])) for name, median in medians.items()}


def _turns(contenders: Mapping[str, Callable[[], object]]) -> int:
    """How many turns fill a round."""
    start = time.perf_counter()
    for contender in contenders.values():
        contender()
    return max(_LEAST_TURNS, int(_SECONDS_A_ROUND / (time.perf_counter() - start)))


def _first(path: Path, backend: str, threads: int) -> float:
    """How many seconds the first explanation takes, usually the slowest."""
    explainer = Explainer(artifacts.read(path), backend, threads)
    start = time.perf_counter()
    _ = explainer.explain(_image(explainer)).heatmap
    return time.perf_counter() - start


def _race(path: Path, model: Path, backend: str, threads: int) -> tuple[dict[str, Timing], float, float | None]:
    """Timings, explain over classify, and all classes over one.

    Two at a time: a third would leave its numbers in the caches of whoever comes next, and its own not.
    """
    explainer = Explainer(artifacts.read(path), backend, threads)
    classify = _bare(explainer, model, backend, threads)
    pixels = _image(explainer)
    everything = range(len(explainer.labels))
    timings, ratios = interleave(
        {"classify": lambda: classify(pixels), "explain": lambda: explainer.explain(pixels).heatmap}, "classify"
    )
    if not explainer.any_class:
        return timings, ratios["explain"], None
    _, of_classes = interleave(
        {"one": lambda: explainer.explain(pixels), "all": lambda: explainer.explain(pixels, everything)}, "one"
    )
    return timings, ratios["explain"], of_classes["all"]


def _bare(explainer: Explainer, model: Path, backend: str, threads: int) -> plain_loop.Classify:
    card = explainer.artifact.card
    scale, offset = card.preprocessing.scale[0], card.preprocessing.offset[0]
    return plain_loop.classifier(model, backend, threads, scale, offset, card.image_layout == "chw")


def _image(explainer: Explainer) -> NDArray[np.uint8]:
    target = explainer.artifact.card.preprocessing
    shape = (target.height, target.width, target.channels)
    return np.random.default_rng(0).integers(0, 256, shape, np.uint8)


# The bare loop is read from its file: importing it would import camlite.
_CLASSIFYING = f"""
import pathlib, runpy, sys, numpy
path, backend, threads, channels_first, *shape = sys.argv[1:]
classifier = runpy.run_path({plain_loop.__file__!r})["classifier"]
run = classifier(pathlib.Path(path), backend, int(threads), 1.0, 0.0, channels_first == "True")
"""
_EXPLAINING = """
import sys, numpy, camlite
path, backend, threads, _, *shape = sys.argv[1:]
explainer = camlite.load(path, backend, int(threads))
run = lambda pixels: explainer.explain(pixels).heatmap
"""
_RUNNING = f"""
pixels = numpy.zeros([*map(int, shape)], numpy.uint8)
for _ in range({_WARM_UP}): run(pixels)
print("resident:", next(line for line in open("/proc/self/status") if line.startswith("VmRSS")).split()[1])
"""


def _resident(most_seconds: float, source: str, path: Path, *options: object) -> int | None:
    """Resident memory in kB, as Linux tells it, of a process that runs an image some times; None elsewhere."""
    if not Path("/proc/self/status").exists():
        return None
    arguments = [str(path), *map(str, options)]
    command = [sys.executable, "-c", source + _RUNNING, *arguments]
    try:
        finished = subprocess.run(command, capture_output=True, text=True, check=True, timeout=most_seconds)  # noqa: S603
    except subprocess.TimeoutExpired:
        raise TimeoutError from None
    return int(finished.stdout.rpartition("resident:")[2])


def rows(benchmarks: Sequence[Benchmark]) -> list[list[str]]:
    """A table row a benchmark."""
    return [
        [
            one.artifact,
            one.backend,
            _microseconds(one.classify),
            _microseconds(one.explain),
            f"{one.explain_ratio:.3f}",
            "" if one.all_classes_ratio is None else f"{one.all_classes_ratio:.3f}",
            f"{one.size_ratio:.3f}",
            "" if one.memory_ratio is None else f"{one.memory_ratio:.3f}",
        ]
        for one in benchmarks
    ]


def _microseconds(timing: Timing) -> str:
    return f"{timing.median:.0f} ({timing.low:.0f} to {timing.high:.0f})"
