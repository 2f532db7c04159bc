"""Who waits at a terminal is told what is being done, from the first second on; nobody else is."""

from __future__ import annotations

import os
import pty
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from camlite.images import picture_files
from support.fresh_process import run_camlite
from support.spec_vectors import FOLDER

TOLD = {
    "explain flowers.int8.tflite one.png two.png": ["explaining one.png (1 of 2)", "explaining two.png (2 of 2)"],
    "check . flowers.int8.tflite": ["checking flowers.float32.onnx (1 of 2)", "checking flowers.int8.tflite (2 of 2)"],
    "doctor flowers.float32.onnx": ["trying numpy", "trying flowers.float32.onnx"],
}


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("progress")
    for kind in ("int8.tflite", "float32.onnx"):
        shutil.copy(FOLDER / f"stripes.{kind}", folder / f"flowers.{kind}")
    for name in ("one", "two"):
        picture_files.write(folder / f"{name}.png", np.tile(np.arange(24) // 2 % 2 * 255, (16, 1)).astype(np.uint8))
    return folder


@pytest.mark.parametrize("line", TOLD)
def test_a_terminal_is_told(line, folder):
    ours, theirs = pty.openpty()
    command = [sys.executable, "-m", "camlite", *line.split()]
    process = subprocess.Popen(command, cwd=folder, stdout=subprocess.DEVNULL, stderr=theirs)
    os.close(theirs)
    told = b""
    try:
        while received := os.read(ours, 4096):
            told += received
    except OSError:  # Linux: nobody is at the other side any more
        pass
    finally:
        os.close(ours)

    assert process.wait(300) == 0
    assert [text for text in TOLD[line] if text not in told.decode()] == []
    assert told.endswith(b"\r\x1b[K")  # nothing of it stays


def test_nobody_else_is_told_anything(folder):
    finished = run_camlite(*next(iter(TOLD)).split(), cwd=folder)

    assert finished.returncode == 0
    assert finished.stderr == ""
