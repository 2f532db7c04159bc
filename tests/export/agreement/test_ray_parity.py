"""``parity --engine ray`` on a real cluster of this machine: the same figures as without, to the bit."""

from __future__ import annotations

from pathlib import Path

import pytest

from support.reference_classifier import CLASSIFIER, PROTOTYPES, camlite

pytestmark = pytest.mark.ray


def test_the_figures_are_those_of_one_machine_to_the_bit(reference_artifacts: Path) -> None:
    artifacts = [reference_artifacts / f"fashion_mnist.{kind}" for kind in ("int8.tflite", "float32.onnx")]
    local = camlite("parity", CLASSIFIER, *artifacts, "--data", PROTOTYPES, "--json")

    spread = camlite("parity", CLASSIFIER, *artifacts, "--data", PROTOTYPES, "--json", "--engine", "ray")

    assert spread.returncode == local.returncode, spread.stderr
    assert spread.stderr == ""
    assert spread.stdout == local.stdout


def test_golden_samples_are_too_few_to_be_spread(reference_artifacts: Path) -> None:
    finished = camlite("parity", CLASSIFIER, reference_artifacts / "fashion_mnist.int8.tflite", "--engine", "ray")

    assert finished.returncode == 2
    assert finished.stderr == "camlite: --engine ray: the golden samples are too few to be spread; give --data\n"
