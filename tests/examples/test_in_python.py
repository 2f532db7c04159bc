"""The example of `camlite_export` in Python, run as its first line says."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

pytest.importorskip("tensorflow")


def test_the_reference_classifier_is_exported_compared_and_explained(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "fashion_mnist.in_python", str(tmp_path)]
    finished = subprocess.run(command, capture_output=True, text=True, timeout=300, check=False)
    assert finished.returncode == 0, finished.stderr
    exported, compared, explained = finished.stdout.splitlines()
    assert exported == f"<Export: 2 artifacts in {tmp_path}: float32.onnx, int8.onnx>"
    assert " on 200 images of " in compared
    assert compared.endswith(": all passed>")
    assert explained.startswith("<Explanation of an image 28 x 28: T-shirt/top ")
    assert {path.name for path in tmp_path.iterdir()} == {
        *("fashion_mnist.float32.onnx", "fashion_mnist.int8.onnx", "heatmaps.png", "explained.png")
    }
