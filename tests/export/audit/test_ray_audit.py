"""``audit --engine ray`` on a real cluster of this machine: the same figures as without, to the bit."""

from __future__ import annotations

import importlib.util
import os
import subprocess
import sys
from pathlib import Path

import pytest

from support.striped_patches import write_folder

pytestmark = pytest.mark.skipif(importlib.util.find_spec("ray") is None, reason="needs ray[data]")


def audit(*arguments: str | Path) -> subprocess.CompletedProcess[str]:
    """`run_camlite` with more time: a cluster starts in ten seconds or so."""
    command = [sys.executable, "-m", "camlite", "audit", *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, timeout=600, env=dict(os.environ))


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_folder(tmp_path_factory.mktemp("patches") / "data", 100, beside=True)


def test_the_figures_are_those_of_one_machine_to_the_bit(tiny: Path, data: Path, tmp_path: Path) -> None:
    artifact = tiny / "stripes" / "stripes.int8.tflite"
    local = audit(artifact, data, "--json", "--resume", tmp_path / "local")

    spread = audit(artifact, data, "--json", "--resume", tmp_path / "ray", "--engine", "ray")

    assert (spread.returncode, spread.stderr) == (1, "")
    assert spread.stdout == local.stdout
    for file in (tmp_path / "local").glob("*.npz"):
        assert (tmp_path / "ray" / file.name).read_bytes() == file.read_bytes()


@pytest.mark.ray
def test_an_image_that_cannot_be_read_is_one_line(tiny: Path, data: Path) -> None:
    broken = data / "images" / "vertical" / "99.png"
    broken.write_bytes(broken.read_bytes()[:60])

    finished = audit(tiny / "stripes" / "stripes.int8.tflite", data, "--engine", "ray")

    assert (finished.returncode, finished.stdout) == (2, "")
    assert finished.stderr.startswith(f"camlite: {broken}: cannot read it as an image (")
    assert finished.stderr.count("\n") == 1
