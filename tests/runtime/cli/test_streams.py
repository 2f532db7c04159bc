"""Commands whose standard streams are closed, full or gone, in odd environments: one line at the most, never more."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from camlite.images import picture_files
from support.fresh_process import one_line, run_camlite

pytest.importorskip("PIL")

STRIPES = np.tile(np.arange(24) // 2 % 2 * 255, (16, 1)).astype(np.uint8)


@pytest.fixture
def folder(tiny: Path, tmp_path: Path) -> Path:
    """An artifact and a picture."""
    (tmp_path / "a.tflite").write_bytes((tiny / "stripes" / "stripes.int8.tflite").read_bytes())
    picture_files.write(tmp_path / "picture.png", STRIPES)
    (tmp_path / "in").mkdir()
    picture_files.write(tmp_path / "in" / "picture.png", STRIPES)
    return tmp_path


LINES = [
    "explain a.tflite picture.png",
    "explain a.tflite picture.png --json",
    "check a.tflite",
    "inspect a.tflite --json",
    "audit a.tflite in",
    "--help",
    "explain --help",
    "--version",
]


def shell(line: str, redirected: str, folder: Path) -> subprocess.CompletedProcess[str]:
    command = f"{sys.executable} -m camlite {line} {redirected}"
    return subprocess.run(["sh", "-c", command], cwd=folder, capture_output=True, text=True, timeout=300)


@pytest.mark.parametrize("line", LINES)
def test_standard_output_on_a_full_disk_is_one_line(line, folder):
    finished = shell(line, ">/dev/full", folder)

    assert finished.stderr == "camlite: standard output: No space left on device; make room there\n"
    assert finished.returncode == 2


@pytest.mark.parametrize("line", ["explain a.tflite none.png", "explain", "check none.tflite", "nonsense"])
@pytest.mark.parametrize("redirected", ["2>/dev/full", "2>&-", ">&- 2>&-", "<&- >&- 2>&-"])
def test_a_refusal_that_nobody_can_be_told_has_its_exit_code(line, redirected, folder):
    finished = shell(line, redirected, folder)

    assert (finished.returncode, finished.stdout, finished.stderr) == (2, "", "")


@pytest.mark.parametrize("redirected", ["2>&-", ">&- 2>&-", "<&- >&- 2>&-", "<&-"])
def test_a_command_without_streams_does_its_work_and_writes_into_no_file_what_is_none_of_it(redirected, folder):
    """A file that is opened first would take the place of standard error, and notices of native code go into it."""
    before = (folder / "a.tflite").read_bytes()

    finished = shell("explain a.tflite picture.png --output out", redirected, folder)

    assert finished.returncode == 0
    assert picture_files.read_image(folder / "out" / "picture.overlay.png").ndim == 3
    assert (folder / "a.tflite").read_bytes() == before


def test_standard_input_that_is_closed_is_one_line(folder):
    finished = shell("explain a.tflite -", "<&-", folder)

    assert "standard input" in one_line(finished) or "cannot read" in finished.stderr


def test_standard_input_without_an_end_is_refused(folder):
    complaint = one_line(shell("explain a.tflite -", "</dev/zero", folder))

    assert complaint.startswith("camlite: standard input: more than 268435456 bytes")


@pytest.mark.parametrize(
    "environment",
    [
        {"LANG": "C", "LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"},
        {"TERM": "dumb"},
        {"TERM": "\x1b[31m", "COLORTERM": "truecolor", "NO_COLOR": ""},
        {"COLUMNS": "1"},
        {"COLUMNS": "0"},
        {"COLUMNS": "-5"},
        {"COLUMNS": "9" * 5000},
        {"HOME": "/nowhere", "TMPDIR": "/nowhere"},
        {"PYTHONIOENCODING": "ascii"},
        {"CAMLITE_DEBUG": "1"},
    ],
    ids=lambda environment: " ".join(environment),
)
def test_environments_change_no_answer(environment, folder):
    name = os.fsdecode("袖\udce9\x1b[31m.png".encode("utf-8", "surrogateescape"))
    (folder / name).write_bytes((folder / "picture.png").read_bytes())

    for arguments in (["explain", "a.tflite", name, "--json"], ["explain", "a.tflite", name, "--ansi"], ["--help"]):
        finished = run_camlite(*arguments, cwd=folder, env=environment)
        assert (finished.returncode, finished.stderr) == (0, "")
        assert "\x1b[31m" not in finished.stdout
        assert "--json" not in arguments or json.loads(finished.stdout)["label"] == "vertical"


@pytest.mark.parametrize("odd", ["\x1b[31mred", "a\nb", "\u202egpj", os.fsdecode(b"\xff"), "\x9b31m"])
def test_arguments_are_escaped_where_they_are_refused(odd, folder):
    for arguments in (
        ["explain", "a.tflite", "picture.png", f"--{odd}"],
        ["explain", "a.tflite", "picture.png", "--backend", odd],
        ["explain", "a.tflite", "picture.png", "--classes", odd],
        ["explain", "a.tflite", odd],
        ["inspect", odd],
        ["watch", "a.tflite", odd, "--output", "out"],
        [odd],
    ):
        complaint = one_line(run_camlite(*arguments, cwd=folder))
        assert complaint.removesuffix("\n").isprintable()
