"""``camlite explain`` and ``camlite inspect``: what they print and write. Their errors are in test_commands.py."""

from __future__ import annotations

import contextlib
import itertools
import json
import os
import pty
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from camlite import artifact as artifacts
from camlite.images import picture_files
from camlite.maps import cam
from camlite.show import colour_bar, drawing, text_strip
from camlite.show.colours import COLOUR_MAPS
from support import permissions
from support.fresh_process import fresh_process, overlay, run_camlite
from support.small_disk import fill, small_disk

VERTICAL = np.tile(np.arange(24) // 2 % 2 * 255, (16, 1)).astype(np.uint8)
HORIZONTAL = np.repeat(np.arange(16) // 2 % 2 * 255, 24).reshape(16, 24).astype(np.uint8)


@pytest.fixture
def artifact(tiny: Path) -> Path:
    return tiny / "stripes" / "stripes.float32.tflite"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for name, pixels in (("a/picture.png", VERTICAL), ("b/picture.png", HORIZONTAL), ("c/picture.2.png", VERTICAL)):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        picture_files.write(tmp_path / name, pixels)
    return tmp_path


def printed(*arguments: str | Path, cwd: Path) -> str:
    finished = run_camlite(*arguments, cwd=cwd)
    assert (finished.returncode, finished.stderr) == (0, "")
    return finished.stdout


def test_explain_prints_a_row_and_writes_an_overlay_for_each_image(artifact, folder):
    lines = printed("explain", artifact, "a/picture.png", "b/picture.png", cwd=folder).splitlines()

    assert [line.split() for line in lines] == [
        ["image", "label", "score", "picture"],
        ["a/picture.png", "vertical", "1.000", "picture.overlay.png"],
        ["b/picture.png", "horizontal", "1.000", "picture.2.overlay.png"],
    ]
    assert sorted(path.name for path in folder.glob("*.png")) == ["picture.2.overlay.png", "picture.overlay.png"]


def test_explain_prints_one_json_object_an_image(artifact, folder):
    lines = printed("explain", artifact, "a/picture.png", "b/picture.png", "--json", cwd=folder).splitlines()

    vertical, horizontal = map(json.loads, lines)
    assert (vertical["image"], vertical["label"]) == ("a/picture.png", "vertical")
    assert (horizontal["label"], horizontal["picture"]) == ("horizontal", "picture.2.overlay.png")
    assert list(vertical["scores"]) == ["horizontal", "vertical", "plain"]
    assert vertical["score"] == max(vertical["scores"].values())
    assert vertical["completeness"] < 2e-6
    (explained,) = vertical["explained"]
    assert (explained["label"], explained["score"]) == ("vertical", vertical["score"])
    assert np.shape(explained["evidence"]) == (8, 12)
    assert explained["peak"]["evidence"] == np.max(explained["evidence"])
    assert 0 <= explained["box"]["left"] <= explained["peak"]["x"] < explained["box"]["right"] <= 24
    assert 0 <= explained["box"]["top"] <= explained["peak"]["y"] < explained["box"]["bottom"] <= 16
    assert sum(explained["quadrants"].values()) == pytest.approx(1)


def test_the_evidence_in_json_adds_up_to_the_score(artifact, folder):
    line = printed("explain", artifact, "a/picture.png", "--json", "--classes", "0", "1", "2", cwd=folder)
    record = json.loads(line)
    logits = [np.sum(one["evidence"]) for one in record["explained"]] + artifacts.read(artifact).arrays.bias

    scores = cam.activate(logits, "softmax")

    np.testing.assert_allclose(scores, list(record["scores"].values()), rtol=0, atol=2e-6)


def test_explain_explains_the_classes_that_are_asked_for(artifact, folder):
    by_label = printed("explain", artifact, "a/picture.png", "--json", "--classes", "horizontal", "plain", cwd=folder)
    by_index = printed("explain", artifact, "a/picture.png", "--json", "--classes", "0", "2", cwd=folder)

    assert by_index == by_label
    assert json.loads(by_label)["label"] == "vertical"
    assert [one["label"] for one in json.loads(by_label)["explained"]] == ["horizontal", "plain"]


@pytest.mark.parametrize("many", [1, 2, 5])
def test_explain_explains_the_classes_with_the_highest_scores_the_highest_first(many, artifact, folder):
    record = json.loads(printed("explain", artifact, "a/picture.png", "--json", "--top", str(many), cwd=folder))

    ranked = sorted(record["scores"], key=record["scores"].get, reverse=True)
    assert [one["label"] for one in record["explained"]] == ranked[:many]


def test_explain_tells_why_one_class_and_not_another(artifact, folder):
    record = json.loads(printed("explain", artifact, "a/picture.png", "--json", "--against", "plain", cwd=folder))
    both = json.loads(
        printed("explain", artifact, "a/picture.png", "--json", "--classes", "vertical", "plain", cwd=folder)
    )

    assert (record["against"], both["against"]) == ("plain", None)
    (one,) = record["explained"]
    assert one["label"] == "vertical"
    vertical, plain = (np.array(each["evidence"]) for each in both["explained"])
    np.testing.assert_allclose(one["evidence"], vertical - plain, rtol=0, atol=1e-6)
    beside = json.loads(
        printed("explain", artifact, "a/picture.png", "--json", "--against", "vertical", "--top", "3", cwd=folder)
    )
    assert {each["label"] for each in beside["explained"]} == {"horizontal", "plain"}


def test_a_number_that_is_a_label_is_the_label(artifact, folder):
    read = artifacts.read(artifact)
    card = read.card._replace(labels=("1", "2", "0"))
    (folder / "digits.tflite").write_bytes(artifacts.pack("tflite", read.model, card, read.arrays))

    line = printed("explain", "digits.tflite", "a/picture.png", "--json", "--classes", "0", cwd=folder)

    assert json.loads(line)["explained"][0]["label"] == "0"
    assert json.loads(line)["label"] == "2"


def test_what_a_killed_process_has_left_of_a_picture_is_cleared_when_that_picture_is_drawn(artifact, folder):
    left = (
        "import os, pathlib; from camlite.system import files; "
        "p = files.part_of(pathlib.Path({!r})); p.write_bytes(b'half'); "
    )
    for name in ("picture.overlay.png", "another.overlay.png"):
        killed = subprocess.run([sys.executable, "-c", left.format(name) + "os.kill(os.getpid(), 9)"], cwd=folder)
        assert killed.returncode == -9
    mine = [f".picture.overlay.png.{os.getpid()}.part", ".picture.overlay.png.part", ".picture.overlay.png"]
    for name in mine:
        (folder / name).write_bytes(b"of a process that still writes, and of others")

    printed("explain", artifact, "a/picture.png", cwd=folder)

    hidden = {path.name for path in folder.glob(".*")}
    assert hidden >= set(mine)
    (other,) = hidden - set(mine)
    assert other.startswith(".another.overlay.png.")
    assert (folder / "picture.overlay.png").read_bytes() != b"half"


def test_no_overlay_replaces_another(artifact, folder):
    images = ("a/picture.png", "b/picture.png", "c/picture.2.png")

    printed("explain", artifact, *images, "--output", "new/folder", cwd=folder)

    names = sorted(path.name for path in (folder / "new" / "folder").iterdir())
    assert names == ["picture.2.2.overlay.png", "picture.2.overlay.png", "picture.overlay.png"]


@pytest.mark.parametrize(
    ("size", "drawn"), [((16, 24), (160, 240)), ((300, 150), (300, 150)), ((2000, 500), (1280, 320))]
)
def test_a_small_image_is_drawn_large_enough_to_be_seen_and_a_very_large_one_smaller(size, drawn, artifact, folder):
    picture_files.write(folder / "sized.png", np.zeros((*size, 3), np.uint8))

    printed("explain", artifact, "sized.png", "--no-text", cwd=folder)

    assert picture_files.read_image(folder / "sized.overlay.png").shape == (*drawn, 3)


def test_an_overlay_is_that_of_the_library_on_the_enlarged_image(artifact, folder):
    printed("explain", artifact, "a/picture.png", "--no-text", "--output", "drawn", cwd=folder)
    with fresh_process() as process:
        expected = process.submit(overlay, artifact, "ai-edge-litert", VERTICAL, zoom=10).result()

    assert np.array_equal(picture_files.read_image(folder / "drawn" / "picture.overlay.png"), expected)


def test_label_and_score_stand_below_the_picture_and_its_scale_below_them(artifact, folder):
    printed("explain", artifact, "a/picture.png", "--output", "with", cwd=folder)
    printed("explain", artifact, "a/picture.png", "--output", "without", "--no-text", cwd=folder)

    labelled, bare = (picture_files.read_image(folder / where / "picture.overlay.png") for where in ("with", "without"))
    assert np.array_equal(labelled[: len(bare)], bare)
    text = text_strip.strip("vertical 1.000", bare.shape[1])
    assert np.array_equal(labelled[len(bare) : len(bare) + len(text)], text)
    bar = labelled[len(bare) + len(text) :]
    assert 15 < len(bar) <= colour_bar.HIGHEST
    assert (bar[:, :, 0] != bar[:, :, 2]).any(axis=1).sum() > 5  # it has colours


@pytest.mark.parametrize(("style", "colours"), list(zip(drawing.STYLES, itertools.cycle(COLOUR_MAPS), strict=False)))
def test_each_style_is_drawn_a_panel_a_class(style, colours, artifact, folder):
    options = ("--style", style, "--colours", colours, "--top", "2", "--no-text")

    printed("explain", artifact, "a/picture.png", *options, cwd=folder)

    drawn = picture_files.read_image(folder / f"picture.{style}.png")
    panels = 3 if style == "side-by-side" else 2
    assert drawn.shape == (160, panels * 240 + (panels - 1) * 4, 3)
    image = np.repeat(VERTICAL.repeat(10, 0).repeat(10, 1)[..., np.newaxis], 3, axis=2)
    if style == "side-by-side":
        assert np.array_equal(drawn[:, :240], image)
    if style == "contour":
        assert (drawn[:, :240] == image).all(axis=-1).mean() > 0.5  # between the lines the image is as it was


def test_an_image_that_cannot_be_read_is_a_line_and_the_others_are_done_all_the_same(artifact, folder):
    (folder / "broken.png").write_bytes(b"no picture")

    too_long = "x" * 300
    pictures = ("a/picture.png", "broken.png", "none.png", "b/picture.png", too_long)

    finished = run_camlite("explain", artifact, *pictures, cwd=folder)

    assert finished.returncode == 2
    first, second, third = finished.stderr.splitlines()
    assert third.startswith(f"camlite: {too_long}: cannot read it (File name too long)")
    assert first.startswith("camlite: broken.png: cannot read it as an image")
    assert second.startswith("camlite: none.png: no such file")
    assert [line.split()[0] for line in finished.stdout.splitlines()] == ["image", "a/picture.png", "b/picture.png"]
    assert len(list(folder.glob("*.overlay.png"))) == 2


def test_a_full_disk_is_one_line_and_the_output_folder_is_not_left(artifact, folder, tmp_path):
    with small_disk(tmp_path / "disk") as disk:
        fill(disk)
        finished = run_camlite("explain", artifact, folder / "a" / "picture.png", "--output", disk / "new" / "out")
        assert [path.name for path in disk.iterdir()] == ["filler"]

    assert "No space left on device" in finished.stderr
    assert (finished.returncode, finished.stderr.count("\n")) == (2, 1), finished.stderr


def test_a_folder_stands_for_its_pictures_but_not_for_those_that_were_drawn(artifact, folder):
    (folder / "a" / "notes.txt").touch()
    (folder / "a" / ".hidden.png").write_bytes(b"no picture")
    (folder / "a" / "UPPER.PNG").write_bytes((folder / "b" / "picture.png").read_bytes())

    for _ in range(2):
        lines = printed("explain", artifact, "a", "--output", "a", cwd=folder).splitlines()
        assert [line.split()[0] for line in lines[1:]] == ["a/UPPER.PNG", "a/picture.png"]


def test_a_pattern_that_the_shell_has_not_expanded_is_expanded(artifact, folder):
    lines = printed("explain", artifact, "**/picture*.png", "--output", "drawn", cwd=folder).splitlines()

    assert [line.split()[0] for line in lines[1:]] == ["a/picture.png", "b/picture.png", "c/picture.2.png"]


def test_a_pattern_leaves_out_what_was_drawn_before(artifact, folder):
    for _ in range(2):
        lines = printed("explain", artifact, "**/*.png", cwd=folder).splitlines()
        assert [line.split()[0] for line in lines[1:]] == ["a/picture.png", "b/picture.png", "c/picture.2.png"]

    assert "picture.overlay.overlay.png" in printed("explain", artifact, "*.overlay.png", cwd=folder)


def test_a_folder_that_a_pattern_may_not_look_into_is_told(artifact, folder):
    for name in ("b", ".hidden"):
        (folder / name).mkdir(exist_ok=True)
        (folder / name).chmod(0)
    command = [sys.executable, "-m", "camlite", "explain", artifact, "**/*.png", "--output", "drawn"]

    finished = subprocess.run(
        command, cwd=folder, capture_output=True, text=True, preexec_fn=permissions.for_the_next_program, timeout=300
    )
    (folder / "b").chmod(0o700)

    assert finished.stderr == "camlite: b: cannot read this folder; check its permissions, or leave it out\n"
    assert finished.returncode == 2
    assert [line.split()[0] for line in finished.stdout.splitlines()[1:]] == ["a/picture.png", "c/picture.2.png"]


def test_a_pattern_in_a_folder_that_is_not_there_matches_nothing(artifact, folder):
    finished = run_camlite("explain", artifact, "nowhere/**/*.png", cwd=folder)

    assert finished.stderr == "camlite: nowhere/**/*.png: no file matches this pattern; check it\n"
    assert finished.returncode == 2


def test_a_file_whose_name_looks_like_a_pattern_is_that_file(artifact, folder):
    (folder / "[1].png").write_bytes((folder / "a" / "picture.png").read_bytes())

    assert "vertical" in printed("explain", artifact, "[1].png", cwd=folder)


def test_a_picture_comes_from_standard_input(artifact, folder):
    command = [sys.executable, "-m", "camlite", "explain", artifact, "-", "--json"]
    with (folder / "b" / "picture.png").open("rb") as file:
        finished = subprocess.run(command, cwd=folder, stdin=file, capture_output=True, text=True, timeout=300)

    record = json.loads(finished.stdout)
    assert (record["image"], record["label"], record["picture"]) == ("-", "horizontal", "stdin.overlay.png")
    assert (folder / "stdin.overlay.png").exists()


def test_in_a_terminal_the_picture_is_shown_in_colour(artifact, folder):
    shown = in_a_terminal(folder, "explain", artifact, "a/picture.png", "--ansi", COLORTERM="truecolor")

    head, *lines = shown.splitlines()
    assert head == "a/picture.png: vertical 1.000"
    assert all(line.startswith("\x1b[38;2;") and line.endswith("\x1b[0m") for line in lines)
    assert {line.count("\N{UPPER HALF BLOCK}") for line in lines} == {56}
    assert len(lines) == round(56 * 160 / 240 / 2)
    assert not list(folder.glob("*.png"))


def test_a_terminal_that_wants_no_colour_gets_characters_and_so_does_a_file(artifact, folder):
    in_file = printed("explain", artifact, "a/picture.png", "--ansi", cwd=folder)
    without_colour = in_a_terminal(folder, "explain", artifact, "a/picture.png", "--ansi", NO_COLOR="1")

    assert without_colour.splitlines() == in_file.splitlines()
    assert in_file.isascii()
    assert "@" in in_file


def in_a_terminal(folder: Path, *arguments: str | Path, **environment: str) -> str:
    """What a command prints to a pseudo-terminal."""
    ours, theirs = pty.openpty()
    command = [sys.executable, "-m", "camlite", *map(str, arguments)]
    clean = {name: value for name, value in os.environ.items() if name not in ("NO_COLOR", "COLORTERM")}
    with subprocess.Popen(command, cwd=folder, stdout=theirs, env={**clean, "TERM": "xterm", **environment}) as process:
        os.close(theirs)
        received = b""
        with contextlib.suppress(OSError):  # EIO: the other side has closed
            while part := os.read(ours, 65536):
                received += part
    os.close(ours)
    assert process.returncode == 0
    return received.decode()


@pytest.mark.parametrize("name", ["stripes.int8.tflite", "stripes.float32.onnx"])
def test_inspect_prints_what_the_card_says(name, tiny, tmp_path):
    path = tiny / "stripes" / name
    lines = dict(line.split(maxsplit=1) for line in printed("inspect", path, cwd=tmp_path).splitlines())
    _, precision, container = name.split(".")

    assert lines["artifact"] == f"{path} ({precision}, {container}), verified"
    assert lines["labels"] == "3: horizontal, vertical, plain"
    assert lines["image"] == "16 x 24 x 1, fit: stretch"
    assert lines["pixels"] == "0..1: pixel * 0.00392157 + 0"
    assert lines["reason"] == "pixels 0..1, as was asked for"
    assert lines["features"] == "8 x 12 x 4, layer blurred"
    assert lines["evidence"].startswith(
        "device: features times class weights, on the device, one set for all places; scores by softmax"
    )
    assert "keras " in lines["made"]


def test_inspect_knows_an_artifact_by_its_content_where_its_name_says_nothing(artifact, tmp_path):
    (tmp_path / "model").write_bytes(artifact.read_bytes())

    assert "verified" in printed("inspect", "model", cwd=tmp_path)


def test_inspect_tells_the_ways_evidence_is_made(tiny, tmp_path):
    colours = printed("inspect", tiny / "colours" / "colours.int8.onnx", cwd=tmp_path)
    graph = printed("inspect", tiny / "graph" / "graph.int8.tflite", cwd=tmp_path)
    hidden = printed("inspect", tiny / "hidden" / "hidden.float32.onnx", cwd=tmp_path)

    assert "device: features times class weights, on the device, one set a place; scores by sigmoid" in colours
    assert "graph: features times class weights, in the model, of all classes; scores by softmax" in graph
    assert "gradient: features times gradients, in the model, of all classes; " in hidden


def test_inspect_prints_the_card_as_json(artifact, tmp_path):
    record = json.loads(printed("inspect", artifact, "--json", cwd=tmp_path))

    read = artifacts.read(artifact)
    assert (record["file"], record["container"], record["precision"]) == (str(artifact), "tflite", "float32")
    assert record["model_bytes"] == len(read.model)
    assert record["golden_samples"] == len(read.arrays.golden_images)
    assert record["labels"] == list(read.card.labels)
    assert record["head"]["layer"] == "blurred"
    assert record["model_sha256"] == read.card.model_sha256
