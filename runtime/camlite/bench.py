"""Measure what an explanation costs: `explain` beside the plain loop, interleaved in one process.

Machines are noisy and their speed drifts, so nothing is said in lone times: each round runs the contenders
turn by turn, a round gives their medians, and a ratio is the median of the rounds' ratios.
"""

from __future__ import annotations

import multiprocessing
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from camlite import artifact as artifacts
from camlite import bare
from camlite.explainer import Explainer

_T = TypeVar("_T")

_WARM_UP = 20
_ROUNDS = 15
_SECONDS_A_ROUND = 0.15
_LEAST_TURNS = 3


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
    """
    artifact = artifacts.read(path)
    with tempfile.TemporaryDirectory(prefix="camlite-") as folder:
        model = Path(folder, f"model.{artifact.format}")
        model.write_bytes(artifact.model)
        timings, ratios = _in_fresh_process(_race, path, model, backend, threads)
        explaining = _in_fresh_process(_resident_explaining, path, backend, threads)
        target = artifact.card.preprocessing
        shape = (target.height, target.width, target.channels)
        classifying = _in_fresh_process(_resident_classifying, model, shape, backend, threads)
    return Benchmark(
        artifact=path.name,
        backend=backend,
        threads=threads,
        classify=timings["classify"],
        explain=timings["explain"],
        explain_ratio=ratios["explain"],
        all_classes_ratio=ratios["explain all"] / ratios["explain"] if "explain all" in ratios else None,
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


def _race(path: Path, model: Path, backend: str, threads: int) -> tuple[dict[str, Timing], dict[str, float]]:
    explainer = Explainer(artifacts.read(path), backend, threads)
    classify = _bare(explainer, model, backend, threads)
    pixels = _image(explainer)
    everything = range(len(explainer.labels))
    contenders: dict[str, Callable[[], object]] = {
        "classify": lambda: classify(pixels),
        "explain": lambda: explainer.explain(pixels).heatmap,
    }
    if explainer.any_class:
        contenders["explain all"] = lambda: explainer.explain(pixels, everything).evidence
    return interleave(contenders, "classify")


def _bare(explainer: Explainer, model: Path, backend: str, threads: int) -> bare.Classify:
    target = explainer.artifact.card.preprocessing
    return bare.classifier(model, backend, threads, target.scale[0], target.offset[0])


def _image(explainer: Explainer) -> NDArray[np.uint8]:
    target = explainer.artifact.card.preprocessing
    shape = (target.height, target.width, target.channels)
    return np.random.default_rng(0).integers(0, 256, shape, np.uint8)


def _resident_explaining(path: Path, backend: str, threads: int) -> int | None:
    explainer = Explainer(artifacts.read(path), backend, threads)
    pixels = _image(explainer)
    for _ in range(_WARM_UP):
        _ = explainer.explain(pixels).heatmap
    return _resident()


def _resident_classifying(model: Path, shape: tuple[int, int, int], backend: str, threads: int) -> int | None:
    classify = bare.classifier(model, backend, threads, 1.0, 0.0)
    pixels = np.zeros(shape, np.uint8)
    for _ in range(_WARM_UP):
        classify(pixels)
    return _resident()


def _resident() -> int | None:
    """Resident memory of this process in kB, as Linux tells it."""
    status = Path("/proc/self/status")
    if not status.exists():
        return None
    line = next(line for line in status.read_text().splitlines() if line.startswith("VmRSS"))
    return int(line.split()[1])


def _in_fresh_process(function: Callable[..., _T], *arguments: object) -> _T:
    with ProcessPoolExecutor(1, multiprocessing.get_context("spawn")) as pool:
        return pool.submit(function, *arguments).result()


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
