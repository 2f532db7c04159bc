"""onnxruntime, on the CPU."""

from __future__ import annotations

import functools
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from camlite.backends.interpreter import Tensor

_DTYPES = {"tensor(float)": np.float32, "tensor(uint8)": np.uint8, "tensor(float16)": np.float16}


class OnnxInterpreter:
    """Binds an onnxruntime session's tensors by name, to memory that stays the same from run to run."""

    def __init__(self, session: Any) -> None:
        (image,) = session.get_inputs()
        self.input = _tensor(image)
        self.outputs: Mapping[str, Tensor] = {output.name: _tensor(output) for output in session.get_outputs()}
        self._batch = np.zeros((1, *self.input.shape), self.input.dtype)
        self.image = self._batch[0]
        binding = session.io_binding()
        _bind(binding.bind_input, self.input, self._batch)
        batches = {name: np.zeros((1, *tensor.shape), tensor.dtype) for name, tensor in self.outputs.items()}
        for name, batch in batches.items():
            _bind(binding.bind_output, self.outputs[name], batch)
        self.results: Mapping[str, NDArray[Any]] = {name: batch[0] for name, batch in batches.items()}
        invoke = functools.partial(session.run_with_iobinding, binding)
        vars(invoke)["memory"] = self._batch, batches  # the binding knows addresses alone
        self.invoke: Callable[[], None] = invoke


def _bind(bind: Callable[..., None], tensor: Tensor, batch: NDArray[Any]) -> None:
    bind(tensor.name, "cpu", 0, tensor.dtype, batch.shape, batch.ctypes.data)


def open_model(model: bytes, threads: int) -> OnnxInterpreter:
    """Load a ModelProto; `threads` is the number of threads that one run may use."""
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    options.inter_op_num_threads = 1
    options.log_severity_level = 3
    try:
        # Its fallback would print to standard output, and try the same again.
        session = onnxruntime.InferenceSession(model, options, ["CPUExecutionProvider"], enable_fallback=0)
    except Exception as error:  # the base class of all that onnxruntime raises
        raise RuntimeError(str(error)) from error
    return OnnxInterpreter(session)


def _tensor(node: Any) -> Tensor:
    if node.type not in _DTYPES:
        raise ValueError(f"tensor {node.name!r} is {node.type}, expected one of {', '.join(_DTYPES)}")
    if not all(isinstance(side, int) for side in node.shape[1:]):
        raise ValueError(f"tensor {node.name!r} has shape {node.shape}, expected numbers")
    return Tensor(node.name, tuple(node.shape[1:]), np.dtype(_DTYPES[node.type]))
