"""The programs in examples/devices, run as they are; a video file stands in for the camera."""

from __future__ import annotations

import csv
import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from camlite.images import picture_files
from support.fresh_process import run_camlite
from support.watched_folder import STRIPES

EXAMPLES = Path(__file__).parents[2] / "examples" / "devices"


def run(name: str, *arguments: str | Path, cwd: Path, before: str = "") -> subprocess.CompletedProcess[str]:
    """Run an example; source text may come before it."""
    source = f"{before}\nimport runpy, sys; sys.argv = sys.argv[1:]; runpy.run_path(sys.argv[0], run_name='__main__')"
    command = [sys.executable, "-W", "error", "-c", source, str(EXAMPLES / name), *map(str, arguments)]
    return subprocess.run(command, cwd=cwd, capture_output=True, text=True, timeout=300)


@pytest.fixture
def artifact(tiny: Path) -> Path:
    return tiny / "stripes" / "stripes.int8.tflite"


@pytest.fixture
def video(tmp_path: Path) -> Path:
    """Ten frames of each, one of the other between."""
    cv2 = pytest.importorskip("cv2")
    path = tmp_path / "clip.avi"
    writer = cv2.VideoWriter(str(path), cv2.VideoWriter_fourcc(*"MJPG"), 10, (240, 160))
    for label in ["horizontal"] * 10 + ["vertical"] + ["horizontal"] * 5 + ["vertical"] * 10 + ["horizontal"] * 10:
        pixels = STRIPES[label].repeat(10, axis=0).repeat(10, axis=1)
        writer.write(np.repeat(pixels[..., np.newaxis], 3, axis=2))
    writer.release()
    return path


def test_the_camera_loop_shows_each_frame(artifact, video, tmp_path):
    """OpenCV without a window system has no windows: two functions in their place keep what is shown."""
    screen = (
        "import cv2, numpy\n"
        "shown = []\n"
        "cv2.imshow = lambda name, pixels: shown.append(pixels)\n"
        "cv2.waitKey = lambda _: numpy.save('shown.npy', shown) or -1\n"
    )

    finished = run("camera_loop.py", artifact, video, cwd=tmp_path, before=screen)

    assert (finished.returncode, finished.stderr) == (0, "")
    labels = [line.split()[0] for line in finished.stdout.splitlines()]
    assert labels == ["horizontal"] * 10 + ["vertical"] + ["horizontal"] * 5 + ["vertical"] * 10 + ["horizontal"] * 10
    shown = np.load(tmp_path / "shown.npy")
    assert shown.shape == (36, 160, 240, 3)
    assert (shown.max(axis=(1, 2, 3)) > shown.min(axis=(1, 2, 3))).all()


def test_the_camera_loop_writes_a_file_where_opencv_has_no_windows(artifact, video, tmp_path):
    """As opencv-python-headless, which the extra `camera` brings."""
    cv2 = pytest.importorskip("cv2")
    with pytest.raises(cv2.error):
        cv2.imshow("camlite", np.zeros((9, 9, 3), np.uint8))

    finished = run("camera_loop.py", artifact, video, cwd=tmp_path)

    assert finished.returncode == 0, finished.stderr
    assert len(finished.stdout.splitlines()) == 36
    assert cv2.imread(str(tmp_path / "camera_loop.jpg")).shape == (160, 240, 3)


def test_the_callback_is_called_when_a_class_has_come_and_when_it_has_gone(artifact, video, tmp_path):
    finished = run("on_class.py", artifact, "vertical", video, cwd=tmp_path)

    assert (finished.returncode, finished.stderr) == (0, "")
    lines = [json.loads(line) for line in finished.stdout.splitlines()]
    assert [(line["on"], line["label"]) for line in lines] == [(True, "vertical"), (False, "horizontal")]


@pytest.mark.parametrize("name", ["camera_loop.py", "on_class.py"])
def test_a_camera_that_is_not_there_is_one_line(name, artifact, tmp_path):
    pytest.importorskip("cv2")
    label = ["vertical"] if name == "on_class.py" else []

    finished = run(
        name, artifact, *label, "none.avi", cwd=tmp_path, before="import os; os.environ['OPENCV_LOG_LEVEL'] = 'SILENT'"
    )

    assert finished.returncode == 1
    assert finished.stderr.splitlines()[-1] == "none.avi: no such camera; expected 0, a stream or a video file"


def test_the_batch_writes_a_row_a_picture(artifact, tmp_path):
    folder = tmp_path / "in"
    folder.mkdir()
    for label, pixels in STRIPES.items():
        picture_files.write(folder / f"{label}.png", pixels)
    (folder / "broken.png").write_bytes(b"no picture")

    finished = run("batch.py", artifact, folder, "table.csv", cwd=tmp_path)

    assert finished.returncode == 0
    assert finished.stderr.startswith(f"{folder / 'broken.png'}: cannot read it as an image")
    with (tmp_path / "table.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert {row["file"]: row["label"] for row in rows} == {f"{label}.png": label for label in STRIPES}
    assert all(float(row[row["label"]]) == float(row["score"]) for row in rows)
    assert picture_files.read_image(folder / "vertical.overlay.jpg").ndim == 3


@pytest.mark.parametrize("precision", ["float32", "int8"])
def test_evidence_in_the_graph_is_read_without_camlite(tiny, tmp_path, precision):
    path, pixels = tiny / "graph" / f"graph.{precision}.tflite", STRIPES["vertical"].copy()
    pixels[:, 12:] = 0
    np.save(tmp_path / "image.npy", pixels.reshape(16, 24, 1).astype(np.float32) / 255)
    picture_files.write(tmp_path / "image.png", pixels)

    finished = run("without_camlite.py", path, "image.npy", cwd=tmp_path)

    assert finished.returncode == 0, finished.stderr
    explained = run_camlite("explain", path, "image.png", "--json", "--output", tmp_path / "drawn", cwd=tmp_path)
    ((one,),) = (json.loads(line)["explained"] for line in explained.stdout.splitlines())
    evidence = np.array(one["evidence"])
    row, column = np.unravel_index(evidence.argmax(), evidence.shape)
    assert column < 6
    assert finished.stdout == f"class 1, row {row} of 8, column {column} of 12\n"


@pytest.mark.parametrize("name", [path.name for path in sorted(EXAMPLES.glob("*.py"))])
def test_an_example_is_short(name):
    lines = (EXAMPLES / name).read_text().splitlines()

    assert len(lines) <= (25 if name == "camera_loop.py" else 50)
