"""The TFLite interpreter, as tflite-runtime and ai-edge-litert both ship it."""

from __future__ import annotations

import ctypes
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from camlite.backends.interpreter import Tensor


class TFLiteInterpreter:
    """Binds a TFLite interpreter's tensors by their names in the signature, never by position."""

    def __init__(self, interpreter: Any) -> None:
        interpreter.allocate_tensors()
        (signature,) = interpreter.get_signature_list()
        runner = interpreter.get_signature_runner(signature)
        ((name, details),) = runner.get_input_details().items()
        outputs = runner.get_output_details()
        del runner  # it holds on to the native interpreter, which `invoke` then refuses
        self.input = _tensor(name, details)
        self.image = _memory(interpreter, details)
        self.outputs: Mapping[str, Tensor] = {name: _tensor(name, details) for name, details in outputs.items()}
        self.results: Mapping[str, NDArray[Any]] = {
            name: _memory(interpreter, details) for name, details in outputs.items()
        }
        # `interpreter.invoke` first looks for views of the memory, of which there are none here; in a network that
        # takes 12 microseconds, that is one in 40.
        native = getattr(interpreter, "_interpreter", None)
        self.invoke: Callable[[], None] = getattr(native, "Invoke", interpreter.invoke)


def _memory(interpreter: Any, details: Mapping[str, Any]) -> NDArray[Any]:
    """A tensor's own memory as an array without the batch axis.

    `set_tensor` and `get_tensor` copy, and the views of `tensor` may not be kept while the model runs. The
    address stays the same once tensors are allocated, as the model's shapes are fixed; and the interpreter lives
    for as long as the array, which holds it.
    """
    view = interpreter.tensor(details["index"])()
    block = (ctypes.c_byte * view.nbytes).from_address(view.ctypes.data)
    vars(block)["interpreter"] = interpreter
    memory: NDArray[Any] = np.frombuffer(block, view.dtype).reshape(view.shape)[0]
    return memory


def _tensor(name: str, details: Mapping[str, Any]) -> Tensor:
    scale, zero_point = details["quantization"]
    shape = tuple(int(side) for side in details["shape"][1:])
    return Tensor(name, shape, np.dtype(details["dtype"]), float(scale), int(zero_point))
