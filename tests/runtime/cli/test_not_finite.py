"""Answers that are not finite are a refusal in one line, a result that says so, and a check that fails."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("onnx")
pytest.importorskip("onnxruntime")
pytest.importorskip("PIL")

import camlite
from camlite.images import picture_files
from support import not_finite
from support.fresh_process import one_line, run_camlite
from support.watched_folder import STRIPES


@pytest.fixture
def artifact(tiny: Path, tmp_path: Path) -> Path:
    return not_finite.write(tiny / "stripes" / "stripes.float32.onnx", tmp_path / "nan.onnx")


@pytest.fixture
def pictures(tmp_path: Path) -> Path:
    folder = tmp_path / "in"
    folder.mkdir()
    picture_files.write(folder / "a.png", STRIPES["vertical"])
    picture_files.write(folder / "b.png", np.zeros((16, 24), np.uint8))
    return folder


def explain(path: Path, classes: list[int] | None, finite: bool) -> str:
    explainer = camlite.load(path)
    try:
        explanation = explainer.explain(STRIPES["vertical"], classes, finite)
    except camlite.AnswerError as error:
        return str(error)
    return f"{np.isfinite(explanation.evidence).all()}"


@pytest.mark.parametrize("classes", [None, [0], [0, 1, 2], [2, 1]])
def test_the_explainer_refuses_them_and_gives_them_to_who_looks_for_them(classes, artifact, run):
    message = run("onnxruntime", explain, artifact, classes, True)

    assert message.startswith(f"{artifact}: its answer holds numbers that are not finite; ")
    assert run("onnxruntime", explain, artifact, classes, False) == "False"


def test_explain_says_so_in_one_line_and_explains_the_others(artifact, pictures, tmp_path):
    finished = run_camlite("explain", artifact, pictures / "a.png", cwd=tmp_path)
    both = run_camlite("explain", artifact, pictures, "--json", cwd=tmp_path)

    assert one_line(finished).startswith(
        f"camlite: {pictures / 'a.png'}: {artifact}: its answer holds numbers that are"
    )
    assert both.returncode == 2
    assert [json.loads(line)["image"] for line in both.stdout.splitlines()] == [str(pictures / "b.png")]
    assert both.stderr == finished.stderr


def test_watch_writes_a_result_that_says_so_and_goes_on(artifact, pictures, tmp_path):
    finished = run_camlite("watch", artifact, pictures, "--output", tmp_path / "out", "--once")

    assert (finished.returncode, finished.stdout.split()[0]) == (2, "b.png")
    assert finished.stderr.count("\n") == 1
    said = json.loads((tmp_path / "out" / "a.png.json").read_text())
    assert said["error"].startswith(f"a.png: {artifact}: its answer holds numbers that are not finite")


def test_check_fails_and_its_json_has_null_for_them(artifact):
    table = run_camlite("check", artifact)
    record = run_camlite("check", artifact, "--json")

    assert (table.returncode, table.stderr, record.returncode, record.stderr) == (1, "", 1, "")
    said = json.loads(record.stdout, parse_constant=lambda name: pytest.fail(f"{name} is no JSON"))
    assert not said["passed"]
    assert None in [sample["score_difference"] for sample in said["samples"]]
