"""``camlite doctor`` on a bare device: the wheel, one interpreter, Pillow, and nothing else."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from devices import environments, examples
from devices.environments import UnavailableError

THIS_PYTHON = f"{sys.version_info.major}.{sys.version_info.minor}"


def test_it_runs_what_it_finds_and_says_what_is_missing_and_how_to_add_it(
    wheel: Path, tiny: Path, tmp_path: Path
) -> None:
    """In the environment that the matrix makes anyway."""
    try:
        python = examples.place(THIS_PYTHON, wheel, "litert,image").python
    except UnavailableError as error:
        pytest.skip(f"Python {THIS_PYTHON}: {error}")
    for name in ("stripes.int8.tflite", "stripes.float32.onnx"):
        (tmp_path / name).write_bytes((tiny / "stripes" / name).read_bytes())
    clean = {key: value for key, value in os.environ.items() if not key.startswith("PYTHON")}

    finished = subprocess.run(
        [python, "-I", "-m", "camlite", "doctor", "--json"],
        cwd=tmp_path,
        env=clean,
        capture_output=True,
        text=True,
        timeout=300,
    )

    found = json.loads(finished.stdout)
    states = {one["name"]: one["state"] for one in found["packages"]}
    ran = {one["artifact"]: (one["backend"], one["works"]) for one in found["artifacts"]}
    assert Path(found["path"]).is_relative_to(environments.CACHE)
    assert (states["numpy"], states["ai-edge-litert"], states["pillow"]) == ("ok", "ok", "ok")
    assert (states["onnxruntime"], states["tornado"]) == ("missing", "missing")
    assert ran == {"stripes.int8.tflite": ("ai-edge-litert", True), "stripes.float32.onnx": (None, False)}
    (line,) = found["to_do"]
    assert "1 .onnx artifact cannot run" in line
    assert "[onnx]" in line
    assert finished.returncode == 1
