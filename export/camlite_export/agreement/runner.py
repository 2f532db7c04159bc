"""Artifacts and images on their way to the processes that the interpreters run in."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import BrokenExecutor
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from typing import NamedTuple, ParamSpec, TypeVar

import numpy as np
from numpy.typing import NDArray

import camlite
from camlite import backends
from camlite.artifact import Artifact
from camlite.artifact.card import Preprocessing
from camlite.backends import own_processes
from camlite.backends.interpreter import Tensor
from camlite.errors import BackendError, CamliteError, ImageError
from camlite.images.labelled_images import LabelledImages
from camlite_export.agreement import interpreter_process
from camlite_export.agreement.interpreter_process import Answers, InterpreterProcess

# A batch ends at so many images, or at so many bytes of them: as they were read, or as float32 inputs.
_MOST_IMAGES = 256
_MOST_BYTES = 1 << 25
# Batches whose size is known before have so many images, or a multiple: classifiers answer as many at once.
_WHOLE = 32

_P = ParamSpec("_P")
_T = TypeVar("_T")


@dataclass(frozen=True)
class Runner:
    """One artifact in the process of its backend.

    What it begins runs there while others begin more; the results wait for it, and raise as that of `begin`.
    """

    artifact: Artifact
    backend: str
    process: InterpreterProcess

    def tensors(self) -> Callable[[], tuple[Tensor, Mapping[str, Tensor]]]:
        """Begin to look at input and outputs, see `camlite_export.agreement.interpreter_process.tensors`."""
        return self.begin(0, interpreter_process.tensors, self.artifact.path, self.backend)

    def check(self) -> Callable[[], camlite.Check]:
        """Begin to run the golden samples, see `camlite.check`."""
        return self.begin(0, interpreter_process.check, self.artifact.path, self.backend)

    def answer(self, images: Sequence[NDArray[np.uint8]], classes: NDArray[np.int64]) -> Callable[[], Answers]:
        """Begin to answer images for the classes beside them."""
        given = (self.artifact.path, self.backend, list(images), classes.tolist())
        return self.begin(len(images), interpreter_process.answer, *given)

    def begin(
        self, images: int, function: Callable[_P, _T], *arguments: _P.args, **options: _P.kwargs
    ) -> Callable[[], _T]:
        """Begin a function in the process; the result waits for it.

        Args:
            images: how many it answers; 0 where it answers golden samples, or none.
            function, arguments, options: see `concurrent.futures.Executor.submit`.

        Raises:
            BackendError: (the result) the interpreter fails, dies, or hangs: see `own_processes.longest`.
        """
        seconds = own_processes.longest(images)
        future = self.process.submit_within(seconds, function, *arguments, **options)

        def result() -> _T:
            try:
                return future.result()
            except BrokenExecutor:  # another artifact may have taken the process along: once more, by itself
                return self.process.submit_within(seconds, function, *arguments, **options).result()

        return lambda: self._result(result, seconds)

    def _result(self, result: Callable[[], _T], seconds: float) -> _T:
        try:
            return result()
        except CamliteError:
            raise
        except TimeoutError:
            raise BackendError(own_processes.did_not_answer(self.artifact.path, self.backend, seconds)) from None
        except BrokenExecutor:
            raise BackendError(f"{self.artifact.path}: {self.backend} crashed, and its process with it") from None
        except (RuntimeError, ValueError) as error:
            raise BackendError(f"{self.artifact.path}: {self.backend} cannot run it: {error}") from error


@contextmanager
def runners(read: Sequence[Artifact], backend: str | None) -> Iterator[list[Runner]]:
    """One runner an artifact; artifacts of one backend share a process."""
    with ExitStack() as stack:
        processes: dict[str, InterpreterProcess] = {}
        found = []
        for artifact in read:
            name = backend or next(iter(backends.installed(artifact.container)), artifact.container)
            if name not in processes:
                processes[name] = stack.enter_context(interpreter_process.interpreter_process())
            found.append(Runner(artifact, name, processes[name]))
        yield found


def spread_batches(count: int, target: Preprocessing) -> list[range]:
    """So many images in batches that are known before the first is read: those of `batches` for images of input size.

    Of larger inputs they hold whole batches of the classifier.
    """
    input_bytes = 4 * target.height * target.width * target.channels
    size = max(1, min(_MOST_IMAGES, _MOST_BYTES // input_bytes) // _WHOLE) * _WHOLE
    return [range(start, min(start + size, count)) for start in range(0, count, size)]


class Batch(NamedTuple):
    """Images that are answered at once.

    Attributes:
        indices: of the images; images: uint8 (H, W, channels).
        unread: index -> why, of those that could not be read since the batch before.
    """

    indices: Sequence[int]
    images: Sequence[NDArray[np.uint8]]
    unread: Mapping[int, str]


def batches(images: LabelledImages, target: Preprocessing) -> Iterator[Batch]:
    """The images in batches; one that cannot be read is left out."""
    input_bytes = 4 * target.height * target.width * target.channels
    indices, batch, unread, size = list[int](), list[NDArray[np.uint8]](), dict[int, str](), 0
    for index in range(len(images)):
        try:
            image = images[index]
        except ImageError as error:
            unread[index] = str(error)
            continue
        indices.append(index)
        batch.append(image)
        size += max(image.nbytes, input_bytes)
        if len(batch) == _MOST_IMAGES or size >= _MOST_BYTES:
            yield Batch(indices, batch, unread)
            indices, batch, unread, size = [], [], {}, 0
    if batch or unread:
        yield Batch(indices, batch, unread)


def read_batch(images: LabelledImages, wanted: range) -> Batch:
    """The images at some indices as one batch; one that cannot be read is left out."""
    found, unread = dict[int, NDArray[np.uint8]](), dict[int, str]()
    for index in wanted:
        try:
            found[index] = images[index]
        except ImageError as error:  # noqa: PERF203 - reading takes longer
            unread[index] = str(error)
    return Batch(list(found), list(found.values()), unread)
