"""The lines of README that install camlite on a device are run: a wheel, a new environment, the packages from PyPI."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from support.code_blocks import ROOT, blocks_of

README, INSTALL = ROOT / "README.md", ROOT / "docs" / "install.md"


def install_lines(page: Path) -> list[str]:
    """Lines of a page that install the wheel on a device."""
    lines = [line for block in blocks_of(page) for line in block.commands]
    return [line for line in lines if "pip install" in line and ".whl)[litert" in line]


def test_pages_install_the_wheel_in_one_way():
    """No index has the package yet: ``pip install camlite`` would find nothing, or somebody else's."""
    (readme,), (page,) = install_lines(README), install_lines(INSTALL)

    assert page == f"~/camlite/bin/{readme}"
    for path in (README, *(ROOT / "docs").rglob("*.md")):
        assert "pip install 'camlite" not in path.read_text(), path


@pytest.mark.endurance
def test_the_lines_of_the_readme_explain_a_picture_in_a_new_environment(reference_artifacts, tmp_path):
    """What `make wheel` builds, README's lines for the device, and its program."""
    subprocess.run(
        [sys.executable, "-m", "build", "--wheel", "--no-isolation", "--outdir", tmp_path, ROOT],
        check=True,
        capture_output=True,
    )
    shutil.copy(reference_artifacts / "fashion_mnist.int8.tflite", tmp_path / "classifier.int8.tflite")
    shutil.copy(ROOT / "examples/pictures/bag.png", tmp_path / "photo.jpg")
    blocks = blocks_of(README)
    (shell,) = (block for block in blocks if "pip install" in block.text)
    (python,) = (block for block in blocks if block.language == "python")
    environment = {name: value for name, value in os.environ.items() if name not in ("PYTHONPATH", "PIP_CONSTRAINT")}
    environment["PATH"] = f"{tmp_path / 'camlite/bin'}{os.pathsep}{os.environ['PATH']}"

    for command in (["bash", "-euo", "pipefail", "-c", shell.text], ["python", "-c", python.text]):
        finished = subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, text=True, timeout=900)
        assert finished.returncode == 0, finished.stdout + finished.stderr

    assert finished.stdout.startswith("Bag 0.99")
    assert (tmp_path / "explained.png").exists()
    assert (tmp_path / "photo.overlay.png").exists()
