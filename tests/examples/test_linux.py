"""example_linux.c: a JPEG explained without Python, on this computer and on aarch64, as Python explains it."""

from __future__ import annotations

import functools
import importlib.util
import json
import subprocess
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pytest

from camlite import artifact as artifacts
from camlite.artifact import pack
from camlite.images import picture_files, preprocessing
from camlite.maps.resize import Resizing, heatmap
from camlite.show.overlay import lay_over
from camlite_export.to_c import converting
from support import aarch64_programs, c_programs, spec_vectors
from support.fresh_process import run_camlite

# In grey, in colour with blue first, with class weights for each place and only the centre of a picture seen.
NAMES = ["stripes.int8", "bgr.float32", "places.int8"]
REAL = 1e-5
HEADER = Path("/usr/include/turbojpeg.h")


class Said(NamedTuple):
    label: str
    score: float
    evidence: np.ndarray


def litert() -> Path:
    """The folder of libLiteRt.so, as the wheel for this computer has it."""
    found = importlib.util.find_spec("ai_edge_litert")
    folder = Path(found.origin).parent if found and found.origin else Path()
    if not (folder / "libLiteRt.so").exists():
        pytest.skip("ai-edge-litert is not installed, or has no libLiteRt.so")
    if not HEADER.exists():
        pytest.skip("libturbojpeg is not installed: .ci/run installs it on Debian (libturbojpeg0-dev)")
    return folder


def written(artifact, folder: Path) -> list[Path]:
    """What `camlite to-c` writes, and the sources of the program."""
    made = converting.convert(artifact)
    folder.mkdir()
    for name, content in made.files.items():
        (folder / name).write_bytes(content)
    return [folder / name for name in ("example_linux.c", f"{made.name}.c", "camlite.c")]


def for_this_computer(artifact, folder: Path) -> list[str | Path]:
    there = litert()
    options = ["-O2", "-lturbojpeg", f"-L{there}", "-lLiteRt", f"-Wl,-rpath,{there}", "-lm"]
    sources = [*map(str, written(artifact, folder)), *options]
    c_programs.run([c_programs.tool("gcc"), *c_programs.STRICT, *sources, "-o", folder / "explain"])
    return [folder / "explain"]


def for_aarch64(system: Path, artifact, folder: Path) -> list[str | Path]:
    sources = [*written(artifact, folder), "-O2", "-lturbojpeg", "-lLiteRt", "-lm"]
    program = aarch64_programs.compiled(folder / "explain", system, *sources)
    assert aarch64_programs.is_for_aarch64(program)
    return aarch64_programs.command(system, program)


@pytest.fixture(scope="module", params=["this computer", pytest.param("aarch64", marks=pytest.mark.endurance)])
def program(request, tmp_path_factory):
    """Compile the program of a vector: what runs it."""
    if request.param == "aarch64":
        system = aarch64_programs.system(tmp_path_factory.mktemp("aarch64") / "system")
        build = functools.partial(for_aarch64, system)
    else:
        build = for_this_computer

    @functools.cache
    def of(name):
        return build(artifacts.read(spec_vectors.FOLDER / f"{name}.tflite"), tmp_path_factory.mktemp(name) / "c")

    return of


def photograph(path: Path, form: str = "colour", size: tuple[int, int] = (90, 123)) -> np.ndarray:
    """A JPEG with something in it; its pixels as Python reads them."""
    rows, columns = np.mgrid[: size[0], : size[1]]
    bars = (columns // 9 % 2) * (columns < 60) * 170 + 30
    pixels = np.stack([bars, rows * 2, 255 - columns * 2], axis=-1).astype(np.uint8)
    picture_files.write(path, pixels if form == "colour" else pixels[..., 0], "JPEG")
    return picture_files.read_image(path)


def explain(command: list[str | Path], picture: Path, overlay: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run([*map(str, command), picture, overlay], capture_output=True, text=True, timeout=300)


def understood(said: str, shape: tuple[int, int]) -> Said:
    first, *rows = said.splitlines()
    label, score = first.partition(", evidence adds up within ")[0].rsplit(" ", 1)
    return Said(label, float(score), np.array([row.split() for row in rows], np.float32).reshape(shape))


@pytest.mark.parametrize("form", ["colour", "grey"])
@pytest.mark.parametrize("name", NAMES)
def test_a_jpeg_is_explained_as_python_explains_it(name, form, program, tmp_path):
    path = spec_vectors.FOLDER / f"{name}.tflite"
    head = artifacts.read(path).card.head
    photograph(tmp_path / "picture.jpg", form)

    finished = explain(program(name), tmp_path / "picture.jpg", tmp_path / "overlay.jpg")

    assert finished.returncode == 0, finished.stderr
    said = understood(finished.stdout, (head.height, head.width))
    options = ("--json", "--output", tmp_path / "python", "--backend", "ai-edge-litert")
    told = json.loads(run_camlite("explain", path, tmp_path / "picture.jpg", *options).stdout)
    expected = np.array(told["explained"][0]["evidence"])
    assert said.label == told["label"]
    assert said.score == pytest.approx(told["score"], abs=REAL)
    assert np.abs(said.evidence - expected).max() <= REAL * max(1, np.abs(expected).max())


@pytest.mark.parametrize("name", NAMES)
def test_the_overlay_is_the_picture_in_grey_under_its_evidence(name, program, tmp_path):
    read = artifacts.read(spec_vectors.FOLDER / f"{name}.tflite")
    pixels = photograph(tmp_path / "picture.jpg")
    finished = explain(program(name), tmp_path / "picture.jpg", tmp_path / "overlay.jpg")

    evidence = understood(finished.stdout, (read.card.head.height, read.card.head.width)).evidence
    seen = preprocessing.window(*pixels.shape[:2], read.card.preprocessing)
    heat = np.zeros(pixels.shape[:2], np.float32)
    size = heat[seen].shape
    heat[seen] = heatmap(evidence, Resizing(evidence.shape, size, read.card.head.window))
    expected = lay_over(pixels, heat, 0.8)
    drawn = picture_files.read_image(tmp_path / "overlay.jpg")
    assert drawn.shape == expected.shape
    assert np.abs(drawn - expected.astype(np.float32)).mean() < 3  # it is a JPEG


def test_what_is_no_picture_is_one_line_and_no_overlay(program, tmp_path):
    photograph(tmp_path / "ok.jpg")
    (tmp_path / "short.jpg").write_bytes((tmp_path / "ok.jpg").read_bytes()[:-300])
    (tmp_path / "text.jpg").write_text("no picture")
    (tmp_path / "empty.jpg").touch()

    for name in ("short", "text", "empty", "missing"):
        finished = explain(program("stripes.int8"), tmp_path / f"{name}.jpg", tmp_path / "overlay.jpg")
        (line,) = [line for line in finished.stderr.splitlines() if "INFO" not in line and "WARNING" not in line]
        assert (finished.returncode, finished.stdout) == (1, "")
        assert line.startswith(f"{tmp_path / f'{name}.jpg'}: ")
    assert not (tmp_path / "overlay.jpg").exists()
    assert "cannot be written" in explain(program("stripes.int8"), tmp_path / "ok.jpg", tmp_path / "no" / "x").stderr


def test_it_explains_nothing_where_a_golden_sample_has_another_answer(tmp_path):
    read = artifacts.read(spec_vectors.FOLDER / "stripes.int8.tflite")
    arrays = read.arrays._replace(golden_scores=read.arrays.golden_scores[:, ::-1].copy())
    (tmp_path / "wrong.tflite").write_bytes(pack(read.container, read.model, read.card, arrays))
    photograph(tmp_path / "picture.jpg")
    command = for_this_computer(artifacts.read(tmp_path / "wrong.tflite"), tmp_path / "c")

    finished = explain(command, tmp_path / "picture.jpg", tmp_path / "overlay.jpg")

    assert (finished.returncode, finished.stdout) == (1, "")
    assert "self-check: status 9" in finished.stderr
    assert not (tmp_path / "overlay.jpg").exists()
