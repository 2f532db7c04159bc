"""``camlite export``, ``parity`` and ``inspect`` on a user's own pictures: right, or asked for, or called wrong."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import numpy as np
import pytest
from keras import layers

from camlite import artifact, cli
from camlite.images import picture_files
from support.pixel_classifiers import SHAPES, behind, pictures, trained, trained_on_bgr

ONE = ["--maps", "cam", "--formats", "onnx", "--precisions", "float32"]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two classifiers that were trained on 0..255, their labels, and labelled pictures."""
    made = tmp_path_factory.mktemp("pixels")
    trained("normalized", "raw").save(made / "normalized.keras")
    trained("plain", "raw").save(made / "plain.keras")
    (made / "labels.txt").write_text("\n".join(SHAPES))
    (made / "permuted.txt").write_text("\n".join(np.roll(SHAPES, 1)))
    images, classes = pictures(80, 9)
    for number, (image, k) in enumerate(zip(images, classes, strict=True)):
        for path in (made / "flat" / f"{number}.png", made / "photos" / SHAPES[k].upper() / f"{number}.png"):
            path.parent.mkdir(parents=True, exist_ok=True)
            picture_files.write(path, image)
    return made


def run(
    folder: Path, output: Path, model: str, pictures_given: str | None, *options: str, labels: str = "labels.txt"
) -> int:
    given = ["--calibration", str(folder / pictures_given)] if pictures_given else []
    known = ["--labels", str(folder / labels), "--output", str(output)]
    return cli.main(["export", str(folder / model), *known, *given, *ONE, *options])


def test_the_first_command_of_a_newcomer_is_right(
    folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Trained on 0..255, in folders whose names are written otherwise than the labels."""
    assert run(folder, tmp_path / "out", "plain.keras", "photos") == 0

    said = capsys.readouterr().out
    assert "no accuracy is measured" not in said
    header, row = said.splitlines()[:2]
    assert header.split()[:4] == ["file", "kB", "ms", "accuracy"]
    assert float(row.split()[3].rstrip("%")) > 80
    assert "pixels 0..255, because" in said
    card = artifact.read(tmp_path / "out" / "plain.float32.onnx").card
    assert (card.preprocessing.scale, card.preprocessing.offset) == ((1.0,) * 3, (0.0,) * 3)


def test_where_nothing_tells_the_command_shows_a_table_and_asks(
    folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(folder, tmp_path / "out", "plain.keras", "flat") == 2

    said = capsys.readouterr().err
    for name in ("unit", "signed", "imagenet", "caffe", "raw"):
        assert f"--preprocess {name}" in said
    last = said.splitlines()[-1]
    assert last.startswith("camlite: ")
    assert "nothing tells which pixels it was trained on; say which with --preprocess" in last
    assert not (tmp_path / "out").exists()
    assert run(folder, tmp_path / "out", "plain.keras", "flat", "--preprocess", "raw") == 0


def test_a_normalization_tells_without_labels(folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(folder, tmp_path / "out", "normalized.keras", "flat") == 0
    said = capsys.readouterr().out
    assert "pixels 0..255, because BatchNormalization" in said
    assert said.count("the pictures have no classes, so no accuracy is measured: put them in a folder per label") == 1

    path = tmp_path / "out" / "normalized.float32.onnx"
    assert artifact.read(path).card.pixels.startswith("pixels 0..255, because BatchNormalization")
    assert cli.main(["inspect", str(path)]) == 0
    assert "pixels 0..255, because BatchNormalization" in capsys.readouterr().out


def test_permuted_labels_are_said_and_the_files_are_written(
    folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(folder, tmp_path / "out", "normalized.keras", "photos", labels="permuted.txt") == 1

    assert "the labels, or the classes of the images, are in another order" in capsys.readouterr().out
    assert list((tmp_path / "out").glob("*.onnx"))


def test_permuted_labels_are_said_and_do_not_hide_the_pixels_where_only_accuracy_tells_them(
    folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(folder, tmp_path / "out", "plain.keras", "photos", labels="permuted.txt") == 1

    said = capsys.readouterr().out
    assert "pixels 0..255, because " in said
    assert "labelled pictures are classified correctly as 0..255 if some labels changed places" in said
    assert "% if these labels changed places; the labels, or the classes of the images, are in another order" in said


def test_pixels_that_were_asked_for_win_and_are_called_wrong(
    folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(folder, tmp_path / "out", "plain.keras", "photos", "--preprocess", "unit") == 1

    said = capsys.readouterr()
    assert "pixels: 0..1, but " in said.err
    lines = said.out.splitlines()
    beside = lines[lines.index("pixels 0..1, as was asked for") + 1]
    assert beside.startswith("pixels: 0..1, but ")
    assert beside in said.err
    assert "is what chance gives" in said.out


def test_parity_says_the_same_afterwards(folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    run(folder, tmp_path / "out", "normalized.keras", "photos", "--preprocess", "signed")
    capsys.readouterr()
    path = str(tmp_path / "out" / "normalized.float32.onnx")
    command = ["parity", str(folder / "normalized.keras"), path, "--data", str(folder / "photos")]

    assert cli.main(command) == 1
    said = capsys.readouterr().out
    assert "pixels -1..1, as the card says" in said
    assert "pixels: -1..1, but BatchNormalization" in said
    assert cli.main([*command, "--json"]) == 1
    first = json.loads(capsys.readouterr().out)["pixels"][0]
    assert first.startswith("pixels -1..1, as the card says: they were asked for at the export; pixels: -1..1, but ")


def test_parity_gives_the_reason_of_the_card_once(
    folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    run(folder, tmp_path / "out", "normalized.keras", "photos")
    capsys.readouterr()
    path = str(tmp_path / "out" / "normalized.float32.onnx")
    assert cli.main(["parity", str(folder / "normalized.keras"), path, "--data", str(folder / "flat")]) == 0

    (line,) = (line for line in capsys.readouterr().out.splitlines() if line.startswith("pixels "))
    assert line.startswith("pixels 0..255, as the card says: because BatchNormalization")
    assert line.count("pixels") == 1


def test_folders_that_match_no_label_are_said(folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "labels.txt").write_text("cross\ncircle\nring\nstripes")
    options = ["--calibration", str(folder / "photos"), "--labels", str(tmp_path / "labels.txt"), *ONE]
    assert cli.main(["export", str(folder / "normalized.keras"), *options, "--output", str(tmp_path / "out")]) == 0

    said = capsys.readouterr().out
    assert "no accuracy is measured" not in said  # it is, on the others
    assert "no label has the name of these folders (and pictures in them): 'DISK' (20)" in said
    assert "no folder has the name of these labels: 'circle'" in said


def test_what_was_found_of_folders_and_labels_is_said_before_a_refusal(
    folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """It is the reason: without classes there is no accuracy, which would tell the pixels."""
    (tmp_path / "labels.txt").write_text("plus\ncircle\nhoop\nlines")
    options = ["--calibration", str(folder / "photos"), "--labels", str(tmp_path / "labels.txt"), *ONE]
    assert cli.main(["export", str(folder / "plain.keras"), *options, "--output", str(tmp_path / "out")]) == 2

    *_, found, empty, so, last = capsys.readouterr().err.splitlines()
    assert "no label has the name of these folders (and pictures in them): 'CROSS' (20), 'DISK' (20)" in found
    assert "no folder has the name of these labels: 'plus', 'circle'" in empty
    assert "so the classes of the pictures are not known" in so
    assert "nothing tells which pixels it was trained on" in last
    assert last.endswith("or give each folder of the pictures the name of its label, as accuracy would tell")


def test_so_are_folders_that_are_not_as_many_as_the_classes(
    folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    two = tmp_path / "two"
    for shape in SHAPES[:2]:
        shutil.copytree(folder / "photos" / shape.upper(), two / shape)
    options = ["--calibration", str(two), *ONE, "--output", str(tmp_path / "out")]
    assert cli.main(["export", str(folder / "plain.keras"), *options]) == 2

    said = capsys.readouterr().err
    assert f"labels are numbers: {two} has 2 folders, the classifier 4 classes; give --labels" in said


def test_labels_come_from_the_folders_where_no_file_is_given(
    folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    options = ["--calibration", str(folder / "photos"), *ONE, "--output", str(tmp_path / "out")]
    assert cli.main(["export", str(folder / "normalized.keras"), *options]) == 0

    assert "labels from the folders of" in capsys.readouterr().out
    assert artifact.read(tmp_path / "out" / "normalized.float32.onnx").card.labels == (
        "CROSS",
        "DISK",
        "RING",
        "STRIPES",
    )


def test_inspect_says_what_it_knows(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["inspect", str(folder / "normalized.keras")]) == 0
    assert capsys.readouterr().out.splitlines()[-1].startswith("pixels 0..255, because BatchNormalization")
    assert cli.main(["inspect", str(folder / "plain.keras"), "--json"]) == 0
    record = json.loads(capsys.readouterr().out)
    assert record["preprocess"] is None
    assert record["pixels"].startswith("nothing tells which pixels")


def test_accuracy_is_measured_on_the_pictures_whose_class_is_known(
    folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Parts of a data set, a folder that is no class, and a loose picture: none of them hides the accuracy."""
    images, classes = pictures(40, 5)
    for number, (image, k) in enumerate(zip(images, classes, strict=True)):
        path = tmp_path / "set" / ("train" if number % 8 > 3 else "test") / f"{k}_{SHAPES[k]}" / f"{number}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        picture_files.write(path, image)
    for place in (tmp_path / "set" / "train" / "misc", tmp_path / "set"):
        place.mkdir(exist_ok=True)
        picture_files.write(place / "odd.png", np.zeros((64, 64, 3), np.uint8))
    known = ["--labels", str(folder / "labels.txt"), "--output", str(tmp_path / "out")]
    command = ["export", str(folder / "plain.keras"), *known, "--calibration", str(tmp_path / "set"), *ONE]
    assert cli.main(command) == 0

    said = capsys.readouterr().out
    assert float(said.splitlines()[1].split()[3].rstrip("%")) > 80
    assert "pixels 0..255, because" in said
    assert "of 40 labelled pictures are classified correctly" in said
    assert "'test', 'train' are read as one set of pictures" in said
    assert "accuracy is measured on the 40 of 42 pictures whose class is known" in said
    path = str(tmp_path / "out" / "plain.float32.onnx")
    assert (
        cli.main(
            [
                "parity",
                str(folder / "plain.keras"),
                path,
                "--data",
                str(tmp_path / "set"),
                "--report",
                str(tmp_path / "report"),
            ]
        )
        == 0
    )


def test_a_classifier_of_bgr_is_exported_and_compared_in_bgr(
    folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    trained_on_bgr("raw").save(folder / "bgr.keras")
    assert run(folder, tmp_path / "out", "bgr.keras", "photos", "--order", "bgr") == 0
    assert "pixels 0..255, BGR, because" in capsys.readouterr().out

    path = tmp_path / "out" / "bgr.float32.onnx"
    assert artifact.read(path).card.preprocessing.order == "bgr"
    command = ["parity", str(folder / "bgr.keras"), str(path), "--data", str(folder / "photos")]
    assert cli.main([*command, "--preprocess", "raw", "--order", "bgr"]) == 0
    assert "pixels 0..255, BGR, as was asked for" in capsys.readouterr().out
    assert cli.main([*command, "--preprocess", "raw", "--order", "rgb"]) == 1


def test_a_doubt_is_printed_repeated_and_kept_on_the_card(
    folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    behind([layers.Rescaling(1 / 255)], trained("normalized", "unit")).save(folder / "scaling.keras")
    for number, image in enumerate(pictures(20, 9)[0]):
        path = tmp_path / "dark" / f"{number}.png"
        path.parent.mkdir(exist_ok=True)
        picture_files.write(path, image // 3)
    options = ["--calibration", str(tmp_path / "dark"), "--labels", str(folder / "labels.txt"), *ONE]
    cli.main(["export", str(folder / "scaling.keras"), *options, "--output", str(tmp_path / "out")])

    said = capsys.readouterr()
    doubt = "stored the statistics of other pictures than these, or of other pixels"
    assert doubt in said.err
    assert doubt in said.out
    assert doubt in artifact.read(tmp_path / "out" / "scaling.float32.onnx").card.pixels
