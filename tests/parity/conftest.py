"""Right and wrong artifacts of the reference classifier, made once a session, and what parity and check say of them."""

from __future__ import annotations

import importlib.util
import json
import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from support import reference_classifier
from support.made_once import made_once
from support.reference_classifier import CLASSIFIER, LABELS, PROTOTYPES, camlite, run

# Before TensorFlow is imported.
os.environ["CUDA_VISIBLE_DEVICES"] = "-1"
os.environ["TF_CPP_MIN_LOG_LEVEL"] = "3"


@dataclass(frozen=True)
class Verdicts:
    """What ``--json`` says of each artifact, by its name."""

    status: int
    of: dict[str, dict[str, Any]]


@pytest.fixture(scope="session")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with ``right`` and ``wrong`` artifacts, see wrong_artifacts.py."""
    if importlib.util.find_spec("tensorflow") is None:
        pytest.skip("needs TensorFlow")
    return made_once(tmp_path_factory, "made", _make)


def _make(folder: Path) -> None:
    script = Path(__file__).with_name("wrong_artifacts.py")
    finished = run(script, CLASSIFIER, LABELS, PROTOTYPES, folder)
    assert finished.returncode == 0, finished.stderr


@pytest.fixture(scope="session")
def all_made(made: Path) -> list[Path]:
    return sorted(file for file in made.rglob("*") if file.suffix in (".tflite", ".onnx"))


@pytest.fixture(scope="session")
def parity_says(all_made: list[Path]) -> Verdicts:
    """``camlite parity`` over all of them, with the labels and the preprocessing that the classifier was trained on."""
    options = ["--data", PROTOTYPES, "--labels", LABELS, "--preprocess", "unit", "--json"]
    finished = reference_classifier.parity(CLASSIFIER, *all_made, *options)
    assert finished.returncode in (0, 1), finished.stderr
    found = json.loads(finished.stdout)["artifacts"]
    return Verdicts(finished.returncode, {Path(one["artifact"]).name: one for one in found})


@pytest.fixture(scope="session")
def check_says(all_made: list[Path]) -> Verdicts:
    """``camlite check`` over all of them; one that cannot be opened has a line on standard error instead."""
    finished = camlite("check", *all_made, "--json")
    found = {Path(one["artifact"]).name: one for one in map(json.loads, finished.stdout.splitlines())}
    for line in finished.stderr.splitlines():
        (name,) = (path.name for path in all_made if f"{path}: " in line)
        found[name] = {"passed": False, "failures": [line]}
    return Verdicts(finished.returncode, found)


@pytest.fixture(scope="session")
def folder_of_pictures(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The prototypes as PNG files, in folders named after their labels."""
    image_module = pytest.importorskip("PIL.Image")
    folder = tmp_path_factory.mktemp("pictures")
    labels = LABELS.read_text().splitlines()
    with np.load(PROTOTYPES) as prototypes:
        images, classes = prototypes["images"], prototypes["classes"]
    for index, (image, k) in enumerate(zip(images.reshape(-1, 28, 28), classes, strict=True)):
        of_class = folder / labels[k]
        of_class.mkdir(exist_ok=True, parents=True)
        image_module.fromarray(image).save(of_class / f"{index}.png")
    return folder
