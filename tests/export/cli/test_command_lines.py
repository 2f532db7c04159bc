"""What ``camlite export``, ``inspect`` and ``parity`` say and refuse, called in this process."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from camlite import cli
from camlite.errors import ClassifierError
from camlite_export import workarounds
from camlite_export.cli import options
from support import classifier_kinds

keras = pytest.importorskip("keras")


@pytest.fixture(autouse=True)
def _environment_stays(monkeypatch: pytest.MonkeyPatch) -> None:
    """Processes of later tests would inherit it."""
    monkeypatch.setattr(workarounds, "quieten_tensorflow", lambda: None)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """``plain.keras``, with a hidden layer behind the pooling, and a MobileNetV2."""
    made = tmp_path_factory.mktemp("command_lines")
    layers = keras.layers
    dense = [layers.Dense(8, activation="relu"), layers.Dense(3, activation="softmax")]
    plain = [
        keras.Input((16, 16, 3)),
        layers.Conv2D(4, 3, activation="relu", name="last"),
        layers.GlobalAveragePooling2D(),
        *dense,
    ]
    classifier_kinds.lively(keras.Sequential(plain)).save(made / "plain.keras")
    known = keras.applications.MobileNetV2((96, 96, 3), alpha=0.35, weights=None, classes=3)
    classifier_kinds.lively(known).save(made / "known.keras")
    np.savez(made / "images.npz", images=np.random.default_rng(0).integers(0, 256, (8, 16, 16, 3), np.uint8))
    return made


def test_without_images_export_says_what_to_give_and_knows_the_pixels_of_a_known_network(
    folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    known = ["export", str(folder / "known.keras"), "--formats", "onnx", "--maps", "cam"]
    status = cli.main([*known, "--output", str(tmp_path / "out")])

    said = capsys.readouterr()
    assert status == 0, said.err
    assert "pixels -1..1, because its layers are built like MobileNetV2's" in said.out
    assert "int8 and int16x8 were left out: representative images are needed" in said.out
    assert "checked on golden samples only" in said.out
    assert "the original's class on 4 of 4 golden samples, evidence correlation at least 0." in said.out
    assert [line.split()[-1] for line in said.out.splitlines()[1:3]] == ["checked", "checked"]
    assert "checked on 4 golden samples only, but a verdict needs " in said.out
    assert not list((tmp_path / "out").glob("*.png"))


def test_export_says_that_a_gradient_has_no_int16x8(
    folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    calibration = str(folder / "images.npz")
    status = cli.main(
        [
            *("export", str(folder / "plain.keras"), "--formats", "onnx", "--calibration", calibration),
            *("--preprocess", "unit"),
            *("--output", str(tmp_path / "out")),
        ]
    )

    assert status == 0
    assert "int16x8 was left out: the gradient of this classifier" in capsys.readouterr().out


def test_inspect_shows_the_journey_and_what_pixels_a_known_network_was_trained_on(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert cli.main(["inspect", str(folder / "known.keras")]) == 0
    known = capsys.readouterr().out
    assert cli.main(["inspect", str(folder / "plain.keras")]) == 0
    plain = capsys.readouterr().out

    assert known.splitlines()[-1].startswith("pixels -1..1, because its layers are built like MobileNetV2's")
    assert "evidence: device, features times class weights" in known
    assert "<- cut: features" in next(line for line in plain.splitlines() if line.startswith("last"))
    assert "evidence: gradient, features times gradients" in plain
    assert plain.splitlines()[-1].startswith("nothing tells which pixels it was trained on")


def test_golden_samples_are_too_few_for_a_cluster(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    status = cli.main(["parity", str(folder / "plain.keras"), "none.onnx", "--engine", "ray"])

    assert status == 2
    assert "--engine ray: the golden samples are too few to be spread; give --data" in capsys.readouterr().err


def test_a_size_is_one_side_or_two() -> None:
    assert options.size("224") == (224, 224)
    assert options.size("240x320") == (240, 320)
    for text in ("0", "1x2x3", "x", "-4", "large"):
        with pytest.raises(ClassifierError, match="expected one side or two, from 1 to 999999"):
            options.size(text)


def test_an_artifact_of_another_classifier_is_refused_with_both_sizes(
    folder: Path, tiny: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    other = tiny / "stripes" / "stripes.float32.onnx"
    status = cli.main(["parity", str(folder / "plain.keras"), str(other), "--layer", "last"])

    assert status == 2
    assert "its card says images (16, 24, 1) and 3 classes" in capsys.readouterr().err


def test_a_key_in_a_folder_that_is_not_there_is_refused(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["keygen", str(tmp_path / "none" / "maker")]) == 2

    assert "cannot make the key (No such file or directory)" in capsys.readouterr().err
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("first", ['{"class_name": "Functional"}', '\n  {"module": "keras"}'])
def test_a_structure_without_weights_is_called_so(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], first: str
) -> None:
    path = tmp_path / "w.json"
    path.write_text(first)
    assert cli.main(["inspect", str(path)]) == 2

    said = capsys.readouterr().err
    assert f"a structure without weights; give the file of the weights, and this one with --structure {path}" in said
