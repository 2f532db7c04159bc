"""``camlite export`` and ``camlite inspect`` as people run them, in a process of its own where that tells more."""

from __future__ import annotations

import json
import os
from pathlib import Path

import numpy as np
import pytest

from camlite import artifact, cli
from camlite_export import workarounds
from support import reference_classifier
from support.fresh_process import one_line
from support.reference_classifier import CLASSIFIER, LABELS, PROTOTYPES, camlite

pytest.importorskip("tensorflow")

KINDS = {
    *(f"fashion_mnist.{precision}.tflite" for precision in ("float32", "float16", "dynamic", "int8", "int16x8")),
    *(f"fashion_mnist.{precision}.onnx" for precision in ("float32", "float16", "int8")),
}


def _content(folder: Path) -> dict[str, bytes]:
    return {file.name: file.read_bytes() for file in folder.iterdir()}


def test_the_folder_holds_eight_artifacts_and_a_picture_and_nothing_else(reference_artifacts):
    image_module = pytest.importorskip("PIL.Image")

    assert {file.name for file in reference_artifacts.iterdir()} == KINDS | {"heatmaps.png"}
    with image_module.open(reference_artifacts / "heatmaps.png") as picture:
        picture.load()
        assert picture.width > 1000


def test_the_same_classifier_gives_the_same_bytes_whatever_the_hash_seed(reference_artifacts, tmp_path, monkeypatch):
    monkeypatch.setenv("PYTHONHASHSEED", "1234")

    finished = reference_classifier.export(tmp_path)

    assert finished.returncode == 0, finished.stderr
    assert _content(tmp_path) == _content(reference_artifacts)


def test_the_card_says_what_the_classifier_is(reference_artifacts):
    for name in KINDS:
        card = artifact.read(reference_artifacts / name).card

        assert card.labels == tuple(LABELS.read_text().splitlines())
        assert (card.head.layer, card.head.evidence, card.head.activation) == ("conv_128", "device", "softmax")
        assert (card.head.height, card.head.width, card.head.channels) == (3, 3, 128)
        assert name == f"{card.name}.{card.precision}{Path(name).suffix}"


def test_the_command_ends_with_a_row_an_artifact_and_the_picture(tmp_path):
    finished = reference_classifier.export(tmp_path, "--precisions", "float32", "--formats", "onnx", "--name", "mine")

    assert finished.returncode == 0, finished.stderr
    lines = finished.stdout.splitlines()
    assert lines[0].split() == [
        "file",
        "kB",
        "ms",
        "accuracy",
        "top-1",
        "agreement",
        "evidence",
        "correlation",
        "(5th",
        "percentile)",
        "verdict",
    ]
    assert lines[1].split()[0] == str(tmp_path / "mine.float32.onnx")
    assert lines[1].split()[3:] == ["92.50%", "100.00%", "1.000000", "fit"]
    assert str(tmp_path / "heatmaps.png") in lines
    (ship,) = [line for line in lines if line.startswith("ship mine.float32.onnx: ")]
    assert f"the original's class on 200 of 200 pictures of {PROTOTYPES}, 185 classified correctly, evidence " in ship
    assert lines[-2].split()[:4] == ["camlite", "check", "mine.float32.onnx", "#"]
    assert lines[-1].split()[:3] == ["camlite", "explain", "mine.float32.onnx"]


@pytest.fixture
def here(monkeypatch) -> None:
    """For commands in this process: each of its own would start TensorFlow once more."""
    monkeypatch.setattr(workarounds, "quieten_tensorflow", lambda: None)  # it would hold for all other tests


@pytest.mark.usefixtures("here")
def test_the_record_says_what_the_table_does(tmp_path, capsys):
    options = ["--precisions", "float32", "--formats", "onnx", "--name", "mine", "--json"]

    status = cli.main(reference_classifier.export_line(tmp_path, *options))

    printed = capsys.readouterr()
    assert status == 0, printed.err
    record = json.loads(printed.out)
    (one,) = record["artifacts"]
    assert (one["file"], one["verdict"], one["failures"]) == (str(tmp_path / "mine.float32.onnx"), "fit", [])
    assert one["figures"]["accuracy"] == 0.925
    assert one["milliseconds"] > 0
    assert record["ship"] == one["file"]
    assert (record["passed"], record["failures"], record["refused"]) == (True, [], {})


@pytest.mark.usefixtures("here")
def test_inspect_tells_the_journey_of_the_image(capsys):
    status = cli.main(["inspect", str(CLASSIFIER), "--json"])

    printed = capsys.readouterr()
    assert status == 0, printed.err
    layers = json.loads(printed.out)["layers"]
    assert [layer["shape"] for layer in layers if layer["cut"]] == [[3, 3, 128]]
    assert [layer["shape"][:2] for layer in layers if layer["finer"]] == [[28, 28], [14, 14], [7, 7]]
    assert sum(layer["parameters"] for layer in layers) == 98_442


def _bad_npz(folder: Path) -> Path:
    path = folder / "bad.npz"
    np.savez(path, pictures=np.zeros((2, 28, 28), np.uint8))
    return path


def _short_labels(folder: Path) -> Path:
    path = folder / "short.txt"
    path.write_text("one\ntwo\n")
    return path


def _text(folder: Path) -> Path:
    path = folder / "text.keras"
    path.write_text("no model")
    return path


def _no_feature_map(folder: Path) -> Path:
    import keras

    path = folder / "dense.keras"
    layers = [keras.Input((4, 4, 1)), keras.layers.Flatten(), keras.layers.Dense(2, activation="softmax")]
    keras.Sequential(layers).save(path)
    return path


MISTAKES = {
    "a missing file": lambda folder: ([folder / "missing.keras"], "no such file"),
    "a file that is no model": lambda folder: ([_text(folder)], "no Keras model"),
    "a model with no feature map": lambda folder: ([_no_feature_map(folder)], "no feature map"),
    "an unknown layer": lambda _: ([CLASSIFIER, "--layer", "conv_1000"], "conv_1000"),
    "a layer index that is out of reach": lambda _: ([CLASSIFIER, "--layer=-30"], "-30"),
    "labels that do not fit": lambda folder: ([CLASSIFIER, "--labels", _short_labels(folder)], "10 classes"),
    "a missing labels file": lambda folder: ([CLASSIFIER, "--labels", folder / "no.txt"], "no.txt"),
    "an .npz of something else": lambda folder: ([CLASSIFIER, "--calibration", _bad_npz(folder)], "`images`"),
    "a folder without images": lambda folder: ([CLASSIFIER, "--calibration", folder / "empty"], "no images"),
    "int8 without images": lambda _: ([CLASSIFIER, "--precisions", "int8"], "--calibration"),
    "a precision that ONNX has not": lambda _: (
        [CLASSIFIER, "--formats", "onnx", "--precisions", "int16x8", "--calibration", PROTOTYPES],
        "int16x8",
    ),
    "a deviation of 0": lambda _: ([CLASSIFIER, "--std", "0"], "std"),
}


@pytest.mark.usefixtures("here")
@pytest.mark.parametrize("mistake", MISTAKES)
def test_a_mistake_gets_one_line_and_leaves_nothing_behind(mistake, tmp_path, capsys):
    (tmp_path / "empty").mkdir()
    arguments, said = MISTAKES[mistake](tmp_path)
    output = tmp_path / "output"

    status = cli.main(["export", *map(str, arguments), "--output", str(output)])

    printed = capsys.readouterr()
    assert (status, printed.out, printed.err.count("\n")) == (2, "", 1)
    assert printed.err.startswith("camlite")
    assert said in printed.err
    assert not output.exists()


@pytest.mark.skipif(
    os.geteuid() != 0 or not Path("/proc/self").exists(), reason="needs a place where root cannot write"
)
def test_a_place_that_cannot_be_written_to_gets_one_line():
    options = ["--preprocess", "unit", "--formats", "onnx", "--precisions", "float32"]

    line = one_line(camlite("export", CLASSIFIER, *options, "--output", "/proc/camlite"))

    assert "/proc/camlite" in line
