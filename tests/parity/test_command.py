"""``camlite parity`` as its user meets it."""

from __future__ import annotations

import fcntl
import json
import os
import pty
import select
import struct
import subprocess
import sys
import termios
from pathlib import Path

import pytest

from support.reference_classifier import CLASSIFIER, PROTOTYPES, parity


@pytest.fixture(scope="module")
def right(made: Path) -> Path:
    return made / "right" / "right.float32.tflite"


def one_line(finished: subprocess.CompletedProcess[str]) -> str:
    """Of a command that was given something it cannot use."""
    assert finished.returncode == 2
    assert finished.stdout == ""
    (line,) = finished.stderr.splitlines()
    return line


def test_without_options_the_card_is_believed_and_the_golden_samples_are_the_images(right: Path) -> None:
    finished = parity(CLASSIFIER, right)
    assert finished.returncode == 0, finished.stdout + finished.stderr
    _, row, *_, few, last = finished.stdout.splitlines()
    assert row.endswith("  checked")
    assert few.startswith(
        "checked: passed, but fewer than 50 different images do not tell whether it is fit; give more"
    )
    assert "golden samples of" in last
    assert last.endswith("; layer, labels, preprocessing as the card says")
    assert finished.stderr == ""


def test_the_table_is_aligned_and_short(right: Path) -> None:
    header, row, *_ = parity(CLASSIFIER, right, "--data", PROTOTYPES).stdout.splitlines()
    assert len(header) < 120
    assert row.startswith("right.float32.tflite")
    assert row.endswith("  ok")
    assert row.index("100.00%") + len("100.00%") == header.index("top-1") + len("top-1")


def test_a_gate_of_the_callers_own_can_close(right: Path) -> None:
    finished = parity(CLASSIFIER, right, "--data", PROTOTYPES, "--gate", "accuracy=0.999")
    assert finished.returncode == 1
    (line,) = (line for line in finished.stdout.splitlines() if line.startswith(f"{right}: "))
    assert line.startswith(f"{right}: accuracy: ")
    for part in ("expected at least 99.9%", f"worst on {PROTOTYPES}[", "class '", "scores differ by"):
        assert part in line


def test_a_gate_of_the_callers_own_can_open(made: Path) -> None:
    wrong = made / "wrong" / "head-weight-5-percent.float32.tflite"
    open_gates = [f"--gate={name}=1" for name in ("score_difference_max", "completeness_max")]
    finished = parity(CLASSIFIER, wrong, "--data", PROTOTYPES, "--json", *open_gates)
    (found,) = json.loads(finished.stdout)["artifacts"]
    assert {failure["check"] for failure in found["failures"]} == {"golden samples"}


@pytest.mark.parametrize(
    ("options", "part"),
    [
        (
            ["--gate", "beauty=1"],
            "gate 'beauty=1': unknown figure; expected NAME=VALUE with one of",
        ),
        (["--data", "missing.npz"], "missing.npz: no such file or folder"),
        (["--labels", "missing.txt"], "missing.txt: cannot read the labels"),
        (["--layer", "nowhere"], "no layer is named 'nowhere'"),
        (["--backend", "onnxruntime"], "backend 'onnxruntime' does not run tflite artifacts"),
    ],
)
def test_what_it_cannot_use_is_one_line(right: Path, options: list[str], part: str) -> None:
    assert part in one_line(parity(CLASSIFIER, right, *options))


def test_a_damaged_artifact_is_one_line(right: Path, tmp_path: Path) -> None:
    damaged = tmp_path / right.name
    damaged.write_bytes(right.read_bytes()[:-1000])
    assert f"{damaged}: no camlite card at its end" in one_line(parity(CLASSIFIER, damaged))


def test_an_artifact_of_another_classifier_is_one_line(tiny: Path) -> None:
    other = tiny / "stripes" / "stripes.float32.tflite"
    line = one_line(parity(CLASSIFIER, other))
    assert line.startswith(f"camlite: {other}: its card says that the features are those of layer 'blurred', but ")


def test_a_terminal_gets_a_progress_bar(right: Path) -> None:
    ours, theirs = pty.openpty()
    fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", 24, 80, 0, 0))  # tqdm draws nothing on 0 columns
    command = [sys.executable, "-m", "camlite", "parity", str(CLASSIFIER), str(right), "--data", str(PROTOTYPES)]
    subprocess.run(command, stdout=subprocess.DEVNULL, stderr=theirs, timeout=600, check=True)
    os.close(theirs)
    ready, _, _ = select.select([ours], [], [], 1)
    seen = os.read(ours, 1 << 16).decode() if ready else ""
    os.close(ours)
    assert "200/200" in seen


def test_a_pipe_gets_none(right: Path) -> None:
    assert parity(CLASSIFIER, right, "--data", PROTOTYPES).stderr == ""
