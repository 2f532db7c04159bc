"""`camlite_export.cli.waiting`: a terminal is told what is being done before anything takes long; nobody else is."""

from __future__ import annotations

import os
import pty
import re
import select
import subprocess
import sys
import time
from collections.abc import Mapping
from pathlib import Path

import pytest

from camlite_export import stages
from support import damaged_keras

VECTORS = Path(__file__).parents[3] / "runtime" / "spec" / "vectors"

# Stands in for TensorFlow, which takes seconds: tells that it is imported, and ends it.
MARK = "TENSORFLOW IS BEING IMPORTED"
STUB = f"""
import os
os.write(1, b"{MARK}")
raise ModuleNotFoundError("no more is needed", name="tensorflow")
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "stub" / "tensorflow").mkdir(parents=True)
    (tmp_path / "stub" / "tensorflow" / "__init__.py").write_text(STUB)
    damaged_keras.write_h5(tmp_path / "small.h5")
    (tmp_path / "small.float32.tflite").write_bytes((VECTORS / "hidden.float32.tflite").read_bytes())
    return tmp_path


COMMANDS = {
    "export": ["export", "small.h5"],
    "inspect": ["inspect", "small.h5"],
    "parity": ["parity", "small.h5", "small.float32.tflite"],
}


def environment(folder: Path) -> Mapping[str, str]:
    path = os.pathsep.join([str(folder / "stub"), *filter(None, [os.environ.get("PYTHONPATH")])])
    return {**os.environ, "PYTHONPATH": path, "TERM": "xterm"}


def on_a_terminal(command: list[str], folder: Path) -> str:
    """All that it is told."""
    ours, theirs = pty.openpty()
    start = [sys.executable, "-m", "camlite", *command]
    process = subprocess.Popen(
        start, stdin=subprocess.DEVNULL, stdout=theirs, stderr=theirs, cwd=folder, env=environment(folder)
    )
    os.close(theirs)
    told, end = b"", time.monotonic() + 60
    while time.monotonic() < end and select.select([ours], [], [], 60)[0]:
        try:
            told += os.read(ours, 4096)
        except OSError:  # noqa: PERF203 - Linux: nobody is at the other side any more
            break
    os.close(ours)
    assert process.wait(60) == 2
    return told.decode()


@pytest.mark.parametrize("command", COMMANDS.values(), ids=COMMANDS)
def test_a_terminal_is_told_before_tensorflow_is_imported(command: list[str], folder: Path) -> None:
    told, _, after = on_a_terminal(command, folder).partition(MARK)
    assert after, told
    assert told.index("starting") < told.index("reading small.h5") < told.index("starting TensorFlow")
    # The line is wiped out before the next one is written.
    assert re.search(r"\r +\rcamlite: `", after), after


@pytest.mark.parametrize("command", COMMANDS.values(), ids=COMMANDS)
def test_nobody_else_is_told_anything(command: list[str], folder: Path) -> None:
    finished = subprocess.run(
        [sys.executable, "-m", "camlite", *command],
        capture_output=True, text=True, timeout=300, cwd=folder, env=environment(folder),
    )  # fmt: skip
    assert finished.stdout == MARK
    assert finished.stderr.startswith("camlite: ")
    assert finished.stderr.count("\n") == 1


def test_audit_tells_a_terminal_what_it_opens(folder: Path) -> None:
    told = on_a_terminal(["audit", "small.float32.tflite", "nowhere"], folder)
    assert "opening small.float32.tflite" in told
    assert "\r\x1b[Kcamlite: " in told


def test_stages_are_told_to_who_listens_as_long_as_they_do() -> None:
    told: list[str] = []
    stages.begin("before")
    with stages.told_to(told.append):
        stages.begin("first")
        with stages.told_to(lambda _: None):
            stages.begin("to somebody else")
        stages.begin("second")
    stages.begin("after")
    assert told == ["first", "second"]
