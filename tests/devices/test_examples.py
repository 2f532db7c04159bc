"""The programs of examples/devices as a device runs them: from the wheel, with the extras that each names.

What needs the environment that the matrix makes anyway always runs; `make endurance` runs all, on each Python.
"""

from __future__ import annotations

import csv
import json
import sys
from pathlib import Path

import numpy as np
import pytest

from camlite.images import picture_files
from devices import examples
from devices.environments import UnavailableError
from devices.examples import EXAMPLES, Place, named_extras
from support.watched_folder import STRIPES

THIS_PYTHON = f"{sys.version_info.major}.{sys.version_info.minor}"
PYTHONS = ("3.10", "3.11", "3.12", "3.13")
ALWAYS = ("batch.py",)

PLACES = [
    pytest.param(
        (name, python),
        id=f"{name}-{python}",
        marks=[] if python == THIS_PYTHON and name in ALWAYS else [pytest.mark.endurance],
    )
    for name in ("batch.py", "camera_loop.py", "on_class.py", "without_camlite.py")
    for python in PYTHONS
]


@pytest.fixture(params=PLACES)
def example(request: pytest.FixtureRequest, wheel: Path) -> tuple[str, Place]:
    name, python = request.param
    try:
        return name, examples.place(python, wheel, named_extras(name))
    except UnavailableError as error:
        pytest.skip(f"Python {python}: {error}")


def video(path: Path) -> Path:
    """Ten frames of horizontal stripes, then ten of vertical ones."""
    cv2 = pytest.importorskip("cv2")
    writer = cv2.VideoWriter(str(path), cv2.VideoWriter_fourcc(*"MJPG"), 10, (240, 160))
    for label in ["horizontal"] * 10 + ["vertical"] * 10:
        pixels = STRIPES[label].repeat(10, axis=0).repeat(10, axis=1)
        writer.write(np.repeat(pixels[..., np.newaxis], 3, axis=2))
    writer.release()
    return path


def run_and_check(name: str, place: Place, tiny: Path, folder: Path) -> None:
    artifact = tiny / "stripes" / "stripes.int8.tflite"
    if name == "batch.py":
        (folder / "in").mkdir()
        for label, pixels in STRIPES.items():
            picture_files.write(folder / "in" / f"{label}.png", pixels)
        finished = place.run(name, artifact, "in", "table.csv", cwd=folder)
        assert finished.returncode == 0, finished.stderr
        with (folder / "table.csv").open(newline="") as file:
            assert {row["file"]: row["label"] for row in csv.DictReader(file)} == {f"{one}.png": one for one in STRIPES}
        assert (folder / "in" / "vertical.overlay.jpg").exists()
    elif name == "camera_loop.py":
        finished = place.run(name, artifact, video(folder / "clip.avi"), cwd=folder)
        assert finished.returncode == 0, finished.stderr
        labels = [line.split()[0] for line in finished.stdout.splitlines()]
        assert labels == ["horizontal"] * 10 + ["vertical"] * 10
        assert (folder / "camera_loop.jpg").exists()
    elif name == "on_class.py":
        finished = place.run(name, artifact, "vertical", video(folder / "clip.avi"), cwd=folder)
        assert finished.returncode == 0, finished.stderr
        assert [json.loads(line)["on"] for line in finished.stdout.splitlines()] == [True]
    else:
        np.save(folder / "image.npy", STRIPES["vertical"].reshape(16, 24, 1).astype(np.float32) / 255)
        finished = place.run(name, tiny / "graph" / "graph.float32.tflite", "image.npy", cwd=folder)
        assert finished.returncode == 0, finished.stderr
        assert finished.stdout.startswith("class 1, row ")


def test_an_example_runs_from_the_wheel_with_the_extras_that_it_names(example, tiny, tmp_path):
    name, place = example
    run_and_check(name, place, tiny, tmp_path)


@pytest.mark.parametrize("name", [path.name for path in sorted(EXAMPLES.glob("*.py"))])
def test_an_example_names_what_it_needs_and_is_run_here(name):
    assert "Needs " in (EXAMPLES / name).read_text("utf-8").split('"""')[1]
    assert any(one.id == f"{name}-{THIS_PYTHON}" for one in PLACES)
