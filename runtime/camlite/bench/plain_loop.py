"""Classifying without camlite: the plain loop over the bare interpreter that `camlite bench` measures against.

Written as a careful engineer writes it for one model: input prepared with numpy, set, invoke, scores, argmax.
"""

from __future__ import annotations

import importlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

Classify = Callable[[NDArray[np.uint8]], int]


def classifier(
    model: Path, backend: str, threads: int, scale: float, offset: float, channels_first: bool = False
) -> Classify:
    """A function from an image of the input's own size, uint8 (H, W, channels), to the index of the top class.

    Args:
        model: the bare model, without card.
        backend: name of an installed interpreter.
        threads: how many threads one run may use.
        scale, offset: ``pixel * scale + offset`` is the classifier's input.
        channels_first: whether that is (channels, H, W).
    """
    if backend == "onnxruntime":
        return _onnx(model, threads, scale, offset, channels_first)
    return _tflite(model, f"{backend.replace('-', '_')}.interpreter", threads, scale, offset)


def _tflite(model: Path, module: str, threads: int, scale: float, offset: float) -> Classify:
    interpreter: Any = importlib.import_module(module).Interpreter(model_path=str(model), num_threads=threads)
    interpreter.allocate_tensors()
    (image,) = interpreter.get_input_details()
    runner = interpreter.get_signature_runner("serving_default")
    scores = runner.get_output_details()["scores"]["index"]
    del runner  # it holds a reference that `invoke` refuses
    prepare = _preparation(scale, offset) if image["dtype"] == np.float32 else lambda pixels: pixels
    where = image["index"]

    def classify(pixels: NDArray[np.uint8]) -> int:
        interpreter.set_tensor(where, prepare(pixels)[np.newaxis])
        interpreter.invoke()
        return int(interpreter.get_tensor(scores)[0].argmax())

    return classify


def _onnx(model: Path, threads: int, scale: float, offset: float, channels_first: bool) -> Classify:
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    session = onnxruntime.InferenceSession(str(model), options, providers=["CPUExecutionProvider"])
    name = session.get_inputs()[0].name
    prepare = _preparation(scale, offset)

    def classify(pixels: NDArray[np.uint8]) -> int:
        (scores,) = session.run(["scores"], {name: prepare(pixels)[np.newaxis]})
        return int(scores[0].argmax())

    def classify_channels_first(pixels: NDArray[np.uint8]) -> int:
        given = np.ascontiguousarray(prepare(pixels).transpose(2, 0, 1)[np.newaxis])
        (scores,) = session.run(["scores"], {name: given})
        return int(scores[0].argmax())

    return classify_channels_first if channels_first else classify


def _preparation(scale: float, offset: float) -> Callable[[NDArray[np.uint8]], NDArray[np.float32]]:
    """Nobody adds an offset of 0."""
    factor, shift = np.float32(scale), np.float32(offset)
    if shift:
        return lambda pixels: pixels.astype(np.float32) * factor + shift
    return lambda pixels: pixels.astype(np.float32) * factor
