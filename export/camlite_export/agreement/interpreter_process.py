"""Run artifacts as the device does: in a process of their own that has never seen TensorFlow.

tflite-runtime fails at random in a process that has also loaded TensorFlow or LiteRT, and a check that shares
a process with its reference proves less. So each backend gets a fresh one, and only numpy arrays cross.
"""

from __future__ import annotations

import functools
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import Executor, Future
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import ParamSpec, TypeVar

import numpy as np
from numpy.typing import NDArray

import camlite
from camlite import artifact, backends
from camlite.artifact import Container
from camlite.artifact.map_choice import Guide
from camlite.backends.interpreter import Tensor
from camlite.system.fresh_process import FreshProcess

_P = ParamSpec("_P")
_T = TypeVar("_T")


@dataclass(frozen=True)
class Answers:
    """What an artifact answers for N images.

    Attributes:
        scores: float32 (N, K).
        classes: of which class the evidence is, int64 (N,).
        evidence: of that class, float32 (N, h, w), in logits.
        completeness: float64 (N,), see `camlite.Explanation.completeness`; NaN where it is None.
        finite: whether all features are finite numbers, bool (N,).
        seconds: how long each took, from pixels to evidence, float64 (N,); None where nobody asked.
        fine: fine evidence of that class, float32 (N, h', w'), NaN where there is none of it; None where the artifact
            has no guide.
    """

    scores: NDArray[np.float32]
    classes: NDArray[np.int64]
    evidence: NDArray[np.float32]
    completeness: NDArray[np.float64]
    finite: NDArray[np.bool_]
    seconds: NDArray[np.float64] | None = None
    fine: NDArray[np.float32] | None = None


class InterpreterProcess(Executor):
    """A fresh process, and another one in its place after it has died: one artifact must not take the others along."""

    def __init__(self) -> None:
        self._process = FreshProcess()

    def submit(self, function: Callable[_P, _T], /, *arguments: _P.args, **options: _P.kwargs) -> Future[_T]:
        """See `FreshProcess.submit`."""
        return self.submit_within(None, function, *arguments, **options)

    def submit_within(
        self, seconds: float | None, function: Callable[_P, _T], /, *arguments: _P.args, **options: _P.kwargs
    ) -> Future[_T]:
        """See `FreshProcess.submit_within`."""
        if self._process.died:
            self._process.shutdown()
            self._process = FreshProcess()
        return self._process.submit_within(seconds, function, *arguments, **options)

    def shutdown(self, wait: bool = True, *, cancel_futures: bool = False) -> None:
        """See `FreshProcess.shutdown`."""
        self._process.shutdown(wait, cancel_futures=cancel_futures)

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._process.__exit__(kind, error, traceback)


@contextmanager
def interpreter_process() -> Iterator[InterpreterProcess]:
    """One fresh process; submit `tensors`, `answer` and `check` to it. Where it dies, the next call starts another."""
    with InterpreterProcess() as process:
        yield process


@contextmanager
def interpreter_processes(soon: Iterable[Container] = ()) -> Iterator[Callable[[Container], InterpreterProcess]]:
    """One fresh process for the interpreter of each container, started when it is first asked for.

    Args:
        soon: containers whose processes start now and import their interpreters, while others do other things.
    """
    with ExitStack() as stack:
        process_of = functools.cache(lambda _: stack.enter_context(interpreter_process()))
        for container in sorted(set(soon)):
            process_of(container).submit(backends.import_preferred, container)
        yield process_of


def tensors(path: Path, backend: str | None) -> tuple[Tensor, Mapping[str, Tensor]]:
    """Input and outputs as the interpreter has them, whatever the card says of them."""
    interpreter = backends.open_interpreter(artifact.read(path), backend, any_card=True)
    return interpreter.input, dict(interpreter.outputs)


def answer(path: Path, backend: str | None, images: Sequence[NDArray[np.uint8]], classes: Sequence[int]) -> Answers:
    """Explain each image for the class that stands beside it; for its own top class where it knows no other."""
    explainer = _explainer(path, backend)
    explanations, moments = [], [time.perf_counter()]
    for image, k in zip(images, classes, strict=True):
        explanations.append(explainer.explain(image, [k] if explainer.any_class else None, finite=False))
        moments.append(time.perf_counter())
    with np.errstate(invalid="ignore", over="ignore"):  # numbers that are not finite are an answer, too
        return Answers(
            np.stack([explanation.scores for explanation in explanations]),
            np.array([explanation.classes[0] for explanation in explanations], np.int64),
            np.stack([explanation.evidence.reshape(explanation.evidence.shape[-2:]) for explanation in explanations]),
            np.array([explanation.completeness for explanation in explanations], np.float64),
            np.array([np.isfinite(explanation.features).all() for explanation in explanations]),
            np.diff(moments),
            _fine(explainer.artifact.arrays.guide, explanations),
        )


def _fine(guide: Guide | None, explanations: Sequence[camlite.Explanation]) -> NDArray[np.float32] | None:
    if guide is None:
        return None
    found = np.full((len(explanations), guide.height, guide.width), np.nan, np.float32)
    for row, explanation in zip(found, explanations, strict=True):
        if explanation.fine is not None:
            row[:] = explanation.fine.reshape(row.shape)
    return found


def check(path: Path, backend: str | None) -> camlite.Check:
    """Run the golden samples."""
    return camlite.check(_explainer(path, backend))


_open: dict[tuple[Path, str | None], camlite.Explainer] = {}


def _explainer(path: Path, backend: str | None) -> camlite.Explainer:
    """The explainer of the last artifact stays open between batches; one at a time, so memory stays bounded."""
    key = (path, backend)
    if key not in _open:
        _open.clear()
        _open[key] = camlite.load(path, backend)
    return _open[key]
