"""Run things in processes that have not imported what the tests have.

tflite-runtime fails at random in a process that has also loaded TensorFlow or LiteRT, so each backend gets a process
of its own; and what a device without some package does shows only where that package was never imported.
"""

from __future__ import annotations

import multiprocessing
import os
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np

import camlite

# Which container each backend runs.
BACKENDS = {"ai-edge-litert": "tflite", "tflite-runtime": "tflite", "onnxruntime": "onnx"}

_MAIN = "import sys; sys.modules.update(dict.fromkeys({without!r})); from camlite.cli import main; sys.exit(main())"


def run_python(source: str, *arguments: str, env: Mapping[str, str] | None = None) -> subprocess.CompletedProcess[str]:
    """Run source text in a fresh interpreter; what hangs ends after five minutes, for a busy machine is slow."""
    command = [sys.executable, "-c", source, *arguments]
    return subprocess.run(command, capture_output=True, text=True, timeout=300, env={**os.environ, **(env or {})})


def run_camlite(
    *arguments: str | Path, cwd: Path | None = None, without: Sequence[str] = (), env: Mapping[str, str] | None = None
) -> subprocess.CompletedProcess[str]:
    """Run ``python -m camlite``, five minutes at most; with `without`, as where these modules are not installed."""
    start = ["-c", _MAIN.format(without=tuple(without))] if without else ["-m", "camlite"]
    command = [sys.executable, *start, *map(str, arguments)]
    environment = {**os.environ, **(env or {})}
    return subprocess.run(command, capture_output=True, text=True, timeout=300, cwd=cwd, env=environment)


def one_line(finished: subprocess.CompletedProcess[str]) -> str:
    """What a command has to say about a user's mistake: exit 2, one line on standard error, nothing else."""
    assert finished.returncode == 2, finished.stderr
    assert finished.stdout == ""
    assert finished.stderr.startswith("camlite")
    assert finished.stderr.endswith("\n")
    assert finished.stderr.count("\n") == 1, finished.stderr
    return finished.stderr


@contextmanager
def fresh_process() -> Iterator[ProcessPoolExecutor]:
    """One fresh process; submit the functions below to it."""
    with ProcessPoolExecutor(1, multiprocessing.get_context("spawn")) as pool:
        yield pool


@dataclass(frozen=True)
class Seen:
    """What a `camlite.Explanation` says, without the interpreter behind it, and the pixels it was given."""

    given: np.ndarray
    image: np.ndarray
    label: str
    score: float
    scores: np.ndarray
    classes: tuple[int, ...]
    features: np.ndarray
    evidence: np.ndarray
    fine: np.ndarray | None
    heatmap: np.ndarray
    completeness: float | None
    overlay: np.ndarray


def explain(
    path: Path, backend: str, images: Sequence[Any], classes: Sequence[Any] | None = None, against: Any = None
) -> list[Seen]:
    """Explain all images first, then read what each explanation says."""
    explainer = _explainer(path, backend)
    explanations = [explainer.explain(image, classes, against=against) for image in images]
    return [_seen(image, explanation) for image, explanation in zip(images, explanations, strict=True)]


def labels_and_record(path: Path, backend: str, image: np.ndarray) -> tuple[tuple[str, ...], dict[str, Any]]:
    """The labels of an artifact, and the JSON record of an explanation."""
    from camlite.show import json_record

    explainer = _explainer(path, backend)
    return explainer.labels, json_record.of(explainer.explain(image))


def explain_in_layouts(path: Path, backend: str, image: np.ndarray) -> dict[str, Seen]:
    """Explain the same pixels (H, W, channels) as they may lie in memory; arrays change layout between processes."""
    wide = np.zeros((image.shape[0] * 2, image.shape[1] * 3, image.shape[2]), np.uint8)
    wide[::2, ::3] = image
    read_only = image.copy()
    read_only.flags.writeable = False
    layouts = {
        "contiguous": image,
        "read-only": read_only,
        "Fortran order": np.asfortranarray(image),
        "a view with gaps": wide[::2, ::3],
        "a mirrored view": image[::-1, ::-1].copy()[::-1, ::-1],
    }
    return {name: explain(path, backend, [layout])[0] for name, layout in layouts.items()}


def explain_from_one_buffer(path: Path, backend: str, images: Sequence[np.ndarray]) -> list[Seen]:
    """Explain images that come one after another in the same buffer, as a camera delivers them."""
    explainer = _explainer(path, backend)
    buffer = np.empty_like(images[0])
    explanations = []
    for image in images:
        buffer[...] = image
        explanations.append(explainer.explain(buffer))
    return [_seen(image, explanation) for image, explanation in zip(images, explanations, strict=True)]


def overlay(path: Path, backend: str, image: np.ndarray, **options: Any) -> np.ndarray:
    """`Explanation.overlay` with options."""
    return _explainer(path, backend).explain(image).overlay(**options)


def check(path: Path, backend: str) -> camlite.Check:
    """`camlite.check` of an artifact."""
    return camlite.check(_explainer(path, backend))


def imported_modules() -> list[str]:
    """Names of the top-level packages that this process has imported."""
    return sorted({name.partition(".")[0] for name in sys.modules})


@cache
def _explainer(path: Path, backend: str) -> camlite.Explainer:
    return camlite.load(path, backend)


def _seen(given: np.ndarray, explanation: camlite.Explanation) -> Seen:
    return Seen(
        given=np.array(given),
        image=explanation.image,
        label=explanation.label,
        score=explanation.score,
        scores=explanation.scores,
        classes=explanation.classes,
        features=explanation.features,
        evidence=explanation.evidence,
        fine=explanation.fine,
        heatmap=explanation.heatmap,
        completeness=explanation.completeness,
        overlay=explanation.overlay(),
    )
