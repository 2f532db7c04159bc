"""Artifacts of the tiny classifiers on every backend, each backend in a process of its own."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from support import fresh_process
from support.fresh_process import Seen

PRECISIONS = {
    "tflite": ("float32", "float16", "dynamic", "int8", "int16x8"),
    "onnx": ("float32", "float16", "int8"),
}

# Completeness as measured on 50 images with each backend, and what limits it.
COMPLETENESS = {
    "float32": 2e-6,  # 5.4e-7: rounding of float32
    "float16": 5e-4,  # 9.2e-5: onnxruntime computes in float16, which has steps of 4.9e-4 below 1
    "dynamic": 2e-6,  # 5.4e-7: weights as few as these stay float32
    "int16x8": 5e-3,  # 1.2e-3: weights have 8 bits
    "int8": 5e-2,  # 2.1e-2: features have 256 steps, which the class weights enlarge
}

HORIZONTAL = np.repeat(np.arange(16) // 2 % 2 * 255, 24).reshape(16, 24).astype(np.uint8)
VERTICAL = np.tile(np.arange(24) // 2 % 2 * 255, (16, 1)).astype(np.uint8)
PLAIN = np.zeros((16, 24), np.uint8)

Run = Callable[..., Any]


@dataclass(frozen=True)
class Subject:
    """An artifact on a backend."""

    path: Path
    backend: str
    precision: str
    run: Run

    def explain(self, *images: Any, classes: Any = None, against: Any = None) -> list[Seen]:
        return self.run(self.backend, fresh_process.explain, self.path, self.backend, images, classes, against)

    def call(self, function: Callable, *arguments: Any, **options: Any) -> Any:
        return self.run(self.backend, function, self.path, self.backend, *arguments, **options)


def assert_same(received: Seen, expected: Seen) -> None:
    for name in ("image", "scores", "features", "evidence", "heatmap", "overlay"):
        assert np.array_equal(getattr(received, name), getattr(expected, name)), name
    assert (received.label, received.score, received.classes) == (expected.label, expected.score, expected.classes)
    assert received.completeness == expected.completeness
