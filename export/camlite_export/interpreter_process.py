"""Run artifacts as the device does: in a process of their own that has never seen TensorFlow.

tflite-runtime fails at random in a process that has also loaded TensorFlow or LiteRT, and a check that shares
a process with its reference proves less. So each backend gets a fresh one, and only numpy arrays cross.
"""

from __future__ import annotations

import multiprocessing
from collections.abc import Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

import camlite


@dataclass(frozen=True)
class Answers:
    """What an artifact answers for N images.

    Attributes:
        scores: float32 (N, K).
        evidence: of the class asked for, float32 (N, h, w), in logits.
        completeness: float64 (N,), see `camlite.Explanation.completeness`.
    """

    scores: NDArray[np.float32]
    evidence: NDArray[np.float32]
    completeness: NDArray[np.float64]


@contextmanager
def interpreter_process() -> Iterator[ProcessPoolExecutor]:
    """One fresh process; submit `answer` to it."""
    with ProcessPoolExecutor(1, multiprocessing.get_context("spawn")) as pool:
        yield pool


def answer(path: Path, backend: str | None, images: Sequence[NDArray[np.uint8]], classes: Sequence[int]) -> Answers:
    """Explain each image for the class that stands beside it."""
    explainer = _explainer(path, backend)
    explanations = [explainer.explain(image, [k]) for image, k in zip(images, classes, strict=True)]
    return Answers(
        np.stack([explanation.scores for explanation in explanations]),
        np.stack([explanation.evidence[0] for explanation in explanations]),
        np.array([explanation.completeness for explanation in explanations]),
    )


_open: dict[tuple[Path, str | None], camlite.Explainer] = {}


def _explainer(path: Path, backend: str | None) -> camlite.Explainer:
    """The explainer of the last artifact stays open between batches; one at a time, so memory stays bounded."""
    key = (path, backend)
    if key not in _open:
        _open.clear()
        _open[key] = camlite.load(path, backend)
    return _open[key]
