"""The committed reference classifier, and the programs run on it."""

from __future__ import annotations

import contextlib
import io
import os
import subprocess
import sys
from pathlib import Path

from camlite import cli

ARTIFACTS = Path(__file__).parents[2] / "artifacts"
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


def parity(*arguments: str | Path) -> subprocess.CompletedProcess[str]:
    """``camlite parity`` in this process, as TensorFlow takes seconds to import; the interpreters get their own."""
    said, complained = io.StringIO(), io.StringIO()
    with contextlib.redirect_stdout(said), contextlib.redirect_stderr(complained):
        status = cli.main(["parity", *map(str, arguments)])
    return subprocess.CompletedProcess(arguments, status, said.getvalue(), complained.getvalue())


def export_line(folder: Path, *options: str | Path) -> list[str]:
    """What follows ``camlite`` to export the reference classifier, as in the Makefile."""
    known = ["--labels", LABELS, "--calibration", PROTOTYPES, "--preprocess", "unit", "--layer=-3", "--output", folder]
    known += [] if "--maps" in options else ["--maps", "cam"]
    return [str(one) for one in ("export", CLASSIFIER, *known, *options)]


def export(folder: Path, *options: str | Path) -> subprocess.CompletedProcess[str]:
    """``camlite export`` of the reference classifier."""
    return camlite(*export_line(folder, *options))
