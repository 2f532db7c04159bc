"""onnxruntime, on the CPU."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from camlite.backends.interpreter import Tensor

_DTYPES = {"tensor(float)": np.float32, "tensor(uint8)": np.uint8, "tensor(float16)": np.float16}


class OnnxInterpreter:
    """Binds an onnxruntime session's tensors by name."""

    def __init__(self, session: Any) -> None:
        self._session = session
        (image,) = session.get_inputs()
        self.input = _tensor(image)
        self.outputs: Mapping[str, Tensor] = {output.name: _tensor(output) for output in session.get_outputs()}
        self._names = list(self.outputs)

    def invoke(self, image: NDArray[Any]) -> Mapping[str, NDArray[Any]]:
        """See `camlite.backends.interpreter.Interpreter.invoke`."""
        results = self._session.run(self._names, {self.input.name: image[np.newaxis]})
        return {name: result[0] for name, result in zip(self._names, results, strict=True)}


def open_model(model: bytes, threads: int) -> OnnxInterpreter:
    """Load a ModelProto; `threads` is the number of threads that one run may use."""
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    options.inter_op_num_threads = 1
    options.log_severity_level = 3
    return OnnxInterpreter(onnxruntime.InferenceSession(model, options, providers=["CPUExecutionProvider"]))


def _tensor(node: Any) -> Tensor:
    if node.type not in _DTYPES:
        raise ValueError(f"tensor {node.name!r} is {node.type}, expected one of {', '.join(_DTYPES)}")
    return Tensor(node.name, tuple(node.shape[1:]), np.dtype(_DTYPES[node.type]))
