"""``camlite explain`` and ``camlite inspect``: what they print and write. Their errors are in test_commands.py."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from camlite import artifact as artifacts
from camlite import cam, picture
from camlite.card import Card
from fresh_process import one_line, run_camlite

VERTICAL = np.tile(np.arange(24) // 2 % 2 * 255, (16, 1)).astype(np.uint8)
HORIZONTAL = np.repeat(np.arange(16) // 2 % 2 * 255, 24).reshape(16, 24).astype(np.uint8)


@pytest.fixture
def artifact(tiny: Path) -> Path:
    return tiny / "stripes" / "stripes.float32.tflite"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for name, pixels in (("a/picture.png", VERTICAL), ("b/picture.png", HORIZONTAL), ("c/picture.2.png", VERTICAL)):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        picture.write(tmp_path / name, pixels)
    return tmp_path


def printed(*arguments: str | Path, cwd: Path) -> str:
    finished = run_camlite(*arguments, cwd=cwd)
    assert (finished.returncode, finished.stderr) == (0, "")
    return finished.stdout


def test_explain_prints_a_row_and_writes_an_overlay_for_each_image(artifact, folder):
    lines = printed("explain", artifact, "a/picture.png", "b/picture.png", cwd=folder).splitlines()

    assert [line.split() for line in lines] == [
        ["image", "label", "score", "overlay"],
        ["a/picture.png", "vertical", "1.000", "picture.overlay.png"],
        ["b/picture.png", "horizontal", "1.000", "picture.2.overlay.png"],
    ]
    assert sorted(path.name for path in folder.glob("*.png")) == ["picture.2.overlay.png", "picture.overlay.png"]


def test_explain_prints_one_json_object_an_image(artifact, folder):
    lines = printed("explain", artifact, "a/picture.png", "b/picture.png", "--json", cwd=folder).splitlines()

    vertical, horizontal = map(json.loads, lines)
    assert (vertical["image"], vertical["label"], vertical["explained"]) == ("a/picture.png", "vertical", "vertical")
    assert (horizontal["label"], horizontal["overlay"]) == ("horizontal", "picture.2.overlay.png")
    assert list(vertical["scores"]) == ["horizontal", "vertical", "plain"]
    assert vertical["score"] == max(vertical["scores"].values())
    assert np.shape(vertical["evidence"]) == (8, 12)
    assert vertical["completeness"] < 2e-6


def test_the_evidence_in_json_adds_up_to_the_score(artifact, folder):
    arrays = artifacts.read(artifact).arrays
    logits = []
    for k in range(3):
        line = printed("explain", artifact, "a/picture.png", "--json", "--class", str(k), cwd=folder)
        logits.append(np.sum(json.loads(line)["evidence"]) + arrays.bias[k])

    scores = cam.activate(np.array(logits), "softmax")

    np.testing.assert_allclose(scores, list(json.loads(line)["scores"].values()), rtol=0, atol=2e-6)


def test_explain_explains_the_class_that_is_asked_for(artifact, folder):
    by_label = printed("explain", artifact, "a/picture.png", "--json", "--class", "horizontal", cwd=folder)
    by_index = printed("explain", artifact, "a/picture.png", "--json", "--class", "0", cwd=folder)

    assert by_index == by_label
    assert json.loads(by_label)["label"] == "vertical"
    assert json.loads(by_label)["explained"] == "horizontal"


def test_a_number_that_is_a_label_is_the_label(artifact, folder):
    read = artifacts.read(artifact)
    card = Card(**{**vars(read.card), "labels": ("1", "2", "0")})
    (folder / "digits.tflite").write_bytes(artifacts.pack("tflite", read.model, card, read.arrays))

    line = printed("explain", "digits.tflite", "a/picture.png", "--json", "--class", "0", cwd=folder)

    assert json.loads(line)["explained"] == "0"
    assert json.loads(line)["label"] == "2"


def test_no_overlay_replaces_another(artifact, folder):
    images = ("a/picture.png", "b/picture.png", "c/picture.2.png")

    printed("explain", artifact, *images, "--output", "new/folder", cwd=folder)

    names = sorted(path.name for path in (folder / "new" / "folder").iterdir())
    assert names == ["picture.2.2.overlay.png", "picture.2.overlay.png", "picture.overlay.png"]


def test_a_small_image_is_drawn_large_enough_to_be_seen_and_a_large_one_as_it_is(artifact, folder):
    picture.write(folder / "large.png", np.zeros((300, 100, 3), np.uint8))

    printed("explain", artifact, "a/picture.png", "large.png", cwd=folder)

    assert picture.read(folder / "picture.overlay.png").shape == (160, 240, 3)
    assert picture.read(folder / "large.overlay.png").shape == (300, 100, 3)


def test_an_image_that_fails_leaves_the_overlays_before_it_whole_and_writes_none_after_it(artifact, folder):
    (folder / "broken.png").write_bytes(b"no picture")

    finished = run_camlite("explain", artifact, "a/picture.png", "broken.png", "c/picture.2.png", cwd=folder)

    assert "broken.png" in one_line(finished)
    assert picture.read(folder / "picture.overlay.png").shape == (160, 240, 3)
    assert len(list(folder.glob("*.overlay.png"))) == 1


@pytest.mark.parametrize("name", ["stripes.int8.tflite", "stripes.float32.onnx"])
def test_inspect_prints_what_the_card_says(name, tiny, tmp_path):
    path = tiny / "stripes" / name
    lines = dict(line.split(maxsplit=1) for line in printed("inspect", path, cwd=tmp_path).splitlines())
    _, precision, format_ = name.split(".")

    assert lines["artifact"] == f"{path} ({precision}, {format_}), verified"
    assert lines["labels"] == "3: horizontal, vertical, plain"
    assert lines["image"] == "16 x 24 x 1, fit: stretch"
    assert lines["pixels"] == "pixel * 0.00392157 + 0"
    assert lines["features"] == "8 x 12 x 4, layer blurred"
    assert lines["evidence"].startswith("method cam: class weights, one set for all places; scores by softmax")
    assert "keras " in lines["made"]


def test_inspect_tells_the_ways_evidence_is_made(tiny, tmp_path):
    colours = printed("inspect", tiny / "colours" / "colours.int8.onnx", cwd=tmp_path)
    hidden = printed("inspect", tiny / "hidden" / "hidden.float32.onnx", cwd=tmp_path)

    assert "method cam: class weights, one set a place; scores by sigmoid" in colours
    assert "method hirescam: " in hidden


def test_inspect_prints_the_card_as_json(artifact, tmp_path):
    record = json.loads(printed("inspect", artifact, "--json", cwd=tmp_path))

    read = artifacts.read(artifact)
    assert (record["file"], record["format"], record["precision"]) == (str(artifact), "tflite", "float32")
    assert record["model_bytes"] == len(read.model)
    assert record["golden_samples"] == len(read.arrays.golden_images)
    assert record["labels"] == list(read.card.labels)
    assert record["head"]["layer"] == "blurred"
    assert record["model_sha256"] == read.card.model_sha256
