"""The original in its own interpreter, in a process that has never seen TensorFlow.

What a file says is asked of the file itself. Interpreters fail at random, or compute with other kernels, beside
TensorFlow; so they run elsewhere, as on a device, and only arrays cross. One process serves all files of a kind.
"""

from __future__ import annotations

import atexit
import functools
import hashlib
from collections.abc import Sequence
from concurrent.futures import BrokenExecutor
from typing import Any, Protocol, cast

import numpy as np
from numpy.typing import NDArray

from camlite.artifact import Container
from camlite.backends import own_processes
from camlite.errors import ClassifierError
from camlite.system.fresh_process import FreshProcess
from camlite_export.sources.graph import Key

Array = NDArray[Any]


class Interpreter(Protocol):
    """A file that is open in an interpreter."""

    def run(self, image: Array) -> list[Array]:
        """What it gives for one image, as it is stored: copies of all outputs that were asked for."""
        ...


class Process:
    """A fresh process for the interpreter of one backend; where it has died, the next call starts another."""

    def __init__(self) -> None:
        self._process: FreshProcess | None = None
        atexit.register(self.end)

    def answer(self, backend: str, model: bytes, outputs: Sequence[Key], images: Array, name: str) -> list[Array]:
        """Run a model, proven sound, on N images as its input stores them, one after another.

        Args:
            backend: of `camlite.backends.BACKENDS`.
            model: the file's bytes, with these tensors among its outputs.
            outputs: tensors that are wanted.
            images: (N, *shape without the batch), of the input's dtype.
            name: of the classifier, for errors.

        Returns:
            For each output its values (N, *shape without the batch), as they are stored.

        Raises:
            ClassifierError: the interpreter cannot run it, or hangs.
        """
        digest = hashlib.sha256(model).hexdigest()
        try:
            found = self._submit(backend, digest, None, tuple(outputs), images)
            if found is None:
                found = self._submit(backend, digest, model, tuple(outputs), images)
        except TimeoutError as error:
            raise ClassifierError(
                f"{name}: {backend} hangs on the file as it is ({error}), and was stopped; try another interpreter, "
                f"or export the file again where it was made"
            ) from None
        except BrokenExecutor:
            raise ClassifierError(
                f"{name}: {backend} crashed on the file as it is, and its process with it; try another interpreter, "
                f"or export the file again where it was made"
            ) from None
        except (RuntimeError, ValueError, ImportError) as error:
            reason = " ".join(str(error).split())[:200]
            raise ClassifierError(
                f"{name}: {backend} cannot run the file as it is ({reason}); export it again where it was made"
            ) from None
        return cast(list[Array], found)

    def _submit(self, *arguments: Any) -> list[Array] | None:
        if self._process is None or self._process.died:
            self.end()
            self._process = FreshProcess()
        longest = own_processes.longest(len(arguments[-1]))
        return self._process.wait_for(longest, _answer, *arguments)

    def end(self) -> None:
        """End the process, if there is one."""
        if self._process is not None:
            self._process.shutdown()
            self._process = None


@functools.cache
def process_of(container: Container) -> Process:  # noqa: ARG001 - one process for each
    """The process that runs files of a container."""
    return Process()


# What the process keeps open: the original, and the same with features of one step or another.
_MOST_OPEN = 4
_open: dict[tuple[str, str, tuple[Key, ...]], Interpreter] = {}


def _answer(
    backend: str, digest: str, model: bytes | None, outputs: tuple[Key, ...], images: Array
) -> list[Array] | None:
    """In the process: None where the model is not open, and has to be sent."""
    key = (backend, digest, outputs)
    if key not in _open:
        if model is None:
            return None
        while len(_open) >= _MOST_OPEN:
            del _open[next(iter(_open))]
        _open[key] = _opened(backend, model, outputs)
    _open[key] = interpreter = _open.pop(key)  # the last one used is the last to go
    return [np.stack(values) for values in zip(*(interpreter.run(image) for image in images), strict=True)]


def _opened(backend: str, model: bytes, outputs: tuple[Key, ...]) -> Interpreter:
    if backend == "onnxruntime":
        return _OfOnnxruntime(model, cast(tuple[str, ...], outputs))
    return _OfTflite(backend, model, cast(tuple[int, ...], outputs))


class _OfTflite:
    def __init__(self, backend: str, model: bytes, outputs: Sequence[int]) -> None:
        if backend == "tflite-runtime":
            from tflite_runtime import interpreter as module
        else:
            from ai_edge_litert import interpreter as module
        from camlite.system.quiet_native_code import without_notices

        with without_notices():
            self._interpreter = module.Interpreter(model_content=model, num_threads=1)
            self._interpreter.allocate_tensors()
        self._outputs = outputs
        (details,) = self._interpreter.get_input_details()
        self._input, self._shape = details["index"], tuple(details["shape"])

    def run(self, image: Array) -> list[Array]:
        self._interpreter.set_tensor(self._input, image.reshape(self._shape))
        self._interpreter.invoke()
        return [self._interpreter.get_tensor(index)[0] for index in self._outputs]


class _OfOnnxruntime:
    def __init__(self, model: bytes, outputs: Sequence[str]) -> None:
        import onnxruntime

        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = options.inter_op_num_threads = 1
        options.log_severity_level = 3
        try:
            self._session = onnxruntime.InferenceSession(model, options, ["CPUExecutionProvider"], enable_fallback=0)
        except Exception as error:  # the base class of all that onnxruntime raises
            raise RuntimeError(str(error)) from error
        self._outputs = list(outputs)
        (self._input,) = [one.name for one in self._session.get_inputs()]

    def run(self, image: Array) -> list[Array]:
        return [one[0] for one in self._session.run(self._outputs, {self._input: image[np.newaxis]})]
