"""tflite-runtime: what most Raspberry Pi images have (Python 3.11 and older, numpy < 2)."""

from __future__ import annotations

from camlite.backends.tflite_interpreter import TFLiteInterpreter
from camlite.system.quiet_native_code import without_notices


def open_model(model: bytes, threads: int) -> TFLiteInterpreter:
    """Load a flatbuffer; `threads` is the number of threads that one run may use."""
    from tflite_runtime.interpreter import Interpreter

    with without_notices():
        return TFLiteInterpreter(Interpreter(model_content=model, num_threads=threads))
