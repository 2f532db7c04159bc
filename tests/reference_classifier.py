"""The committed reference classifier, and the programs run on it."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

ARTIFACTS = Path(__file__).parents[1] / "artifacts"
CLASSIFIER = ARTIFACTS / "fashion_mnist.keras"
LABELS = ARTIFACTS / "fashion_mnist.labels.txt"
PROTOTYPES = ARTIFACTS / "fashion_mnist.calibration.npz"


def run(*arguments: str | Path, cwd: Path | None = None) -> subprocess.CompletedProcess[str]:
    """Run Python, without the GPU; a busy machine has ten minutes."""
    environment = {**os.environ, "CUDA_VISIBLE_DEVICES": "-1"}
    command = [sys.executable, *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, timeout=600, cwd=cwd, env=environment)


def camlite(*arguments: str | Path) -> subprocess.CompletedProcess[str]:
    """Run ``python -m camlite``."""
    return run("-m", "camlite", *arguments)


def export(folder: Path, *options: str | Path) -> subprocess.CompletedProcess[str]:
    """``camlite export`` of the reference classifier, as in the Makefile."""
    known = ["--labels", LABELS, "--calibration", PROTOTYPES, "--layer=-3", "--output", folder]
    return camlite("export", CLASSIFIER, *known, *options)
