"""Thousands of mutated files, each opened in a process whose memory and time are watched.

The whole share, a hundred thousand artifacts and twenty thousand pictures, is that of ``make endurance``.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from camlite import backends
from support import image_mutants, mutants, spec_vectors
from support.fresh_process import BACKENDS

TESTS = Path(__file__).parents[1]
REAL = [
    "stripes/stripes.int8.tflite",
    "stripes/stripes.float32.onnx",
    "colours/colours.int8.tflite",
    "hidden/hidden.float32.tflite",
]
GOLDEN = [
    *(
        Path(__file__).parent / "artifact" / f"{name}.{suffix}"
        for name in ("format_1/small", "format_2/small", "format_2/guided")
        for suffix in ("tflite", "onnx")
    ),
    *(spec_vectors.FOLDER / f"guided.{kind}" for kind in ("int8.tflite", "float32.onnx")),
]

MOST_SECONDS = 1.0
MOST_MEMORY = 64 << 20

# So that freed memory goes back to the system, and what one mutant takes is not hidden by what the last one left.
TRIMMED = {"MALLOC_MMAP_THRESHOLD_": "65536", "MALLOC_TRIM_THRESHOLD_": "65536"}


def run(script: str, *arguments: object) -> dict:
    command = [sys.executable, str(TESTS / "support" / script), *map(str, arguments)]
    finished = subprocess.run(command, capture_output=True, text=True, env={**os.environ, **TRIMMED})
    assert finished.returncode == 0, finished.stderr
    assert finished.stderr == ""
    return json.loads(finished.stdout)


@pytest.fixture(scope="module")
def artifacts(tiny):
    return [*(tiny / name for name in REAL), *GOLDEN]


def check_artifacts(count: int, seed: int, artifacts: list[Path]) -> dict:
    found = run("hostile_files.py", "artifacts", count, seed, *artifacts)
    assert sum(sum(ends.values()) for ends in found["counts"].values()) == count
    for operator, ends in found["counts"].items():
        allowed = {"refused", "refused for its structure", *(["sound"] if operator in mutants.MAY_BE_SOUND else [])}
        assert ends.keys() <= allowed, operator
    assert found["reached"] == sum(ends.get("sound", 0) for ends in found["counts"].values())
    assert found["seconds"][0] < MOST_SECONDS, found["seconds"]
    assert found["memory"][0] < MOST_MEMORY, found["memory"]
    return found


def check_images(count: int, seed: int, folder: Path) -> dict:
    paths = []
    for name, content in image_mutants.pictures().items():
        paths.append(folder / name)
        paths[-1].write_bytes(content)
    found = run("hostile_files.py", "images", count, seed, *paths)
    for ends in found["counts"].values():
        assert ends.keys() <= {"refused", "decoded"}
    assert found["seconds"][0] < MOST_SECONDS, found["seconds"]
    assert found["memory"][0] < MOST_MEMORY, found["memory"]
    return found


def test_a_mutated_artifact_is_refused_or_sound_and_reaches_no_interpreter_unverified(artifacts):
    found = check_artifacts(1700, 1, artifacts)

    assert found["counts"]["odd_model"]["sound"]  # the trap does catch what is sound
    assert found["counts"]["odd_model"]["refused for its structure"]


@pytest.mark.endurance
def test_a_hundred_thousand_mutated_artifacts(artifacts):
    for seed in range(2, 12):
        print(json.dumps(check_artifacts(10_000, seed, artifacts)))


def test_a_mutated_picture_is_refused_or_decoded(tmp_path):
    found = check_images(1500, 1, tmp_path)

    assert found["counts"]["giant"] == {"refused": 250}


@pytest.mark.endurance
def test_twenty_thousand_mutated_pictures(tmp_path):
    print(json.dumps(check_images(20_000, 2, tmp_path)))


@pytest.mark.parametrize(("count", "least"), [(120, 20), pytest.param(3000, 600, marks=pytest.mark.endurance)])
@pytest.mark.parametrize("backend", BACKENDS)
def test_a_model_that_kills_an_interpreter_is_one_that_is_refused_before(backend, count, least, artifacts):
    """In forked processes, each of which an interpreter may take along."""
    if backend not in backends.installed(BACKENDS[backend]):
        pytest.skip(f"{backend} is not installed")
    if BACKENDS[backend] == "onnx":
        pytest.importorskip("onnx")
    paths = [path for path in artifacts if path.suffix == f".{BACKENDS[backend]}" and path not in GOLDEN]

    found = run("interpreters_alive.py", backend, count, 1, *(paths if len(paths) > 1 else paths * 2))

    print(backend, json.dumps(found))
    assert not [end for end in found["sound"] if end.startswith("signal")]
    assert sum(found["refused"].values()) > least
