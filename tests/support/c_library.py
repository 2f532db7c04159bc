"""camlite.c as a library of this process: the structures of camlite.h, and calls with numpy's arrays."""

from __future__ import annotations

import ctypes
from collections.abc import Sequence
from ctypes import POINTER, Structure, byref, c_char_p, c_float, c_int, c_int32, c_size_t, c_uint8, c_uint32, c_void_p
from pathlib import Path
from typing import Any

import numpy as np

from camlite.artifact.card import WHOLE, Window
from camlite.artifact.weights_in_model import StoredWeights

TYPES = {"int8": 0, "uint8": 1, "int16": 2, "float32": 3}
ACTIVATIONS = {"softmax": 0, "sigmoid": 1, "linear": 2}
BAD_ARTIFACT, BAD_TENSOR, BAD_SIZE, NO_SUCH_CLASS, NOT_FINITE = range(1, 6)


class CTensor(Structure):
    _fields_ = [
        ("data", c_void_p), ("bytes", c_size_t), ("type", c_int), ("scale", c_float), ("zero_point", c_int32),
    ]  # fmt: skip


class COutputs(Structure):
    _fields_ = [("features", CTensor), ("scores", CTensor)]


class CWeights(Structure):
    _fields_ = [
        ("stored", CTensor), ("classes_first", c_uint8), ("per_place", c_uint8), ("rest", c_void_p),
        ("rest_bytes", c_size_t), ("scales", c_void_p), ("scales_bytes", c_size_t),
    ]  # fmt: skip


class CGolden(Structure):
    _fields_ = [
        ("count", c_uint32), ("inputs", c_void_p), ("input_bytes", c_size_t), ("scores", c_void_p),
        ("evidence", c_void_p), ("tolerances", c_void_p), ("evidence_size", c_float),
    ]  # fmt: skip


class CArtifact(Structure):
    _fields_ = [
        ("name", c_char_p), ("unfit", c_char_p), ("labels", POINTER(c_char_p)), ("classes", c_uint32),
        ("height", c_uint32), ("width", c_uint32), ("channels", c_uint32), ("channels_first", c_uint8),
        ("activation", c_int), ("top", c_float), ("left", c_float), ("bottom", c_float), ("right", c_float),
        ("weights", CWeights), ("bias", c_void_p), ("bias_count", c_size_t), ("golden", CGolden),
    ]  # fmt: skip


def tensor(array: np.ndarray, scale: float = 0.0, zero_point: int = 0) -> CTensor:
    """An output as an interpreter leaves it; the array must outlive it."""
    assert array.flags.c_contiguous
    made = CTensor(array.ctypes.data, array.nbytes, TYPES[array.dtype.name], scale, zero_point)
    made.keep = array
    return made


def outputs(features: CTensor, scores: CTensor) -> COutputs:
    """What a run has left."""
    made = COutputs(features, scores)
    made.keep = features, scores
    return made


def artifact(
    shape: tuple[int, int, int],
    weights: np.ndarray,
    bias: np.ndarray,
    activation: str = "linear",
    stored: StoredWeights | None = None,
    model: bytes = b"",
    rest: np.ndarray | None = None,
    window: Window = WHOLE,
    channels_first: bool = False,
) -> CArtifact:
    """An artifact of class weights (C, K) or (h, w, C, K), or of those that lie in a model; without golden samples."""
    classes, held = weights.shape[-1], np.ascontiguousarray(weights, np.float32)
    described = CWeights(tensor(held, 1.0), 0, weights.ndim == 4, None, 0, None, 0)
    block = np.frombuffer(model, np.uint8)
    if stored is not None:
        size = weights.size * np.dtype(stored.dtype).itemsize
        place = CTensor(block.ctypes.data + stored.offset, size, TYPES[stored.dtype], stored.scale, stored.zero_point)
        scales = (None, 0) if stored.scales_offset < 0 else (block.ctypes.data + stored.scales_offset, 4 * classes)
        there = (None, 0) if rest is None else (rest.ctypes.data, rest.nbytes)
        described = CWeights(place, stored.classes_first, 0, *there, *scales)
    bias = np.ascontiguousarray(bias, np.float32)
    made = CArtifact(b"test", b"", None, classes, *shape, channels_first, ACTIVATIONS[activation], *window[:4])
    made.top, made.left, made.bottom, made.right = window
    made.weights, made.bias, made.bias_count = described, bias.ctypes.data, bias.size
    made.keep = held, block, model, rest, bias
    return made


class Library:
    """Calls camlite.c. A call that fails gives its status, an int, in the place of the result."""

    def __init__(self, path: Path) -> None:
        self.library = ctypes.CDLL(str(path))

    def top(self, artifact: CArtifact, outputs: COutputs) -> tuple[int, float] | int:
        """The class with the highest score, and that score."""
        k, score = c_uint32(), c_float()
        status = self.library.camlite_top(byref(artifact), byref(outputs), byref(k), byref(score))
        return status or (k.value, score.value)

    def evidence(
        self, artifact: CArtifact, outputs: COutputs, k: int, against: int | None = None, room: int | None = None
    ) -> np.ndarray | int:
        """Evidence of a class (h, w), perhaps against another; `room`: how many numbers the buffer has room for."""
        found = np.full(artifact.height * artifact.width if room is None else room, np.nan, np.float32)
        buffer = _of(found), c_size_t(found.size)
        if against is None:
            status = self.library.camlite_evidence(byref(artifact), byref(outputs), c_uint32(k), *buffer)
        else:
            classes = c_uint32(k), c_uint32(against)
            status = self.library.camlite_contrast(byref(artifact), byref(outputs), *classes, *buffer)
        return status or found.reshape(artifact.height, artifact.width)

    def completeness(
        self, artifact: CArtifact, outputs: COutputs, room: int | None = None
    ) -> tuple[float, np.ndarray] | int:
        """Completeness, and the scores that evidence adds up to."""
        sums = np.full(artifact.classes if room is None else room, np.nan, np.float32)
        difference = c_float()
        status = self.library.camlite_completeness(
            byref(artifact), byref(outputs), _of(sums), c_size_t(sums.size), byref(difference)
        )
        return status or (difference.value, sums)

    def heatmap(
        self, artifact: CArtifact, evidence: np.ndarray, size: Sequence[int], room: int | None = None
    ) -> np.ndarray | int:
        """Evidence as bytes of an image of this size."""
        image = np.full(int(size[0]) * int(size[1]) if room is None else room, 77, np.uint8)
        evidence = np.ascontiguousarray(evidence, np.float32)
        status = self.library.camlite_heatmap(
            byref(artifact), _of(evidence), c_size_t(evidence.size), _of(image), c_size_t(image.size),
            c_uint32(size[0]), c_uint32(size[1]),
        )  # fmt: skip
        return status or image.reshape(size[0], size[1])


def _of(array: np.ndarray) -> Any:
    return c_void_p(array.ctypes.data)
