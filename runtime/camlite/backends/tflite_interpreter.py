"""The TFLite interpreter, as tflite-runtime and ai-edge-litert both ship it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from camlite.backends.interpreter import Tensor


class TFLiteInterpreter:
    """Binds a TFLite interpreter's tensors by their names in the signature, never by position."""

    def __init__(self, interpreter: Any) -> None:
        self._interpreter = interpreter
        interpreter.allocate_tensors()
        (signature,) = interpreter.get_signature_list()
        runner = interpreter.get_signature_runner(signature)
        ((name, details),) = runner.get_input_details().items()
        self._input_index = details["index"]
        self.input = _tensor(name, details)
        outputs = runner.get_output_details()
        self._output_indices = {name: details["index"] for name, details in outputs.items()}
        self.outputs: Mapping[str, Tensor] = {name: _tensor(name, details) for name, details in outputs.items()}

    def invoke(self, image: NDArray[Any]) -> Mapping[str, NDArray[Any]]:
        """See `camlite.backends.interpreter.Interpreter.invoke`."""
        interpreter = self._interpreter
        interpreter.set_tensor(self._input_index, image[np.newaxis])
        interpreter.invoke()
        return {name: interpreter.get_tensor(index)[0] for name, index in self._output_indices.items()}


def _tensor(name: str, details: Mapping[str, Any]) -> Tensor:
    scale, zero_point = details["quantization"]
    shape = tuple(int(side) for side in details["shape"][1:])
    return Tensor(name, shape, np.dtype(details["dtype"]), float(scale), int(zero_point))
