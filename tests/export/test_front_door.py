"""`camlite_export.export`, `inspect` and `parity`: what the commands do, as functions with the same options."""

from __future__ import annotations

import argparse
import importlib
import inspect
import json
import subprocess
import sys
import threading
import time
import warnings
from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest

import camlite
import camlite_export
from camlite import artifact
from camlite.errors import CamliteError
from camlite.images import labelled_images
from camlite_export import front_door
from camlite_export.rightness.pixel_decision import UndecidedPixelsError
from camlite_export.sources.pixel_conventions import PixelsWarning
from support.tiny_classifiers import STRIPES, striped_images, stripes

IMAGES, CLASSES = striped_images()


@pytest.fixture(scope="module")
def exported(tmp_path_factory: pytest.TempPathFactory) -> Any:
    """Two artifacts of a model object, with everything else an object, too."""
    folder = tmp_path_factory.mktemp("exported")
    images = labelled_images.of_arrays(IMAGES, CLASSES)
    return camlite_export.export(
        stripes(),
        folder,
        labels=STRIPES,
        calibration=images,
        formats="onnx",
        precisions=["float32", "int8"],
        preprocess="unit",
    )


# --- export ---------------------------------------------------------------------------------------------------------


def test_a_model_object_becomes_artifacts(exported: Any) -> None:
    assert list(exported.paths) == ["float32.onnx", "int8.onnx"]
    assert sorted(path.name for path in exported.folder.iterdir()) == [
        *("heatmaps.png", "stripes.float32.onnx", "stripes.int8.onnx")
    ]
    assert artifact.read(exported.paths["int8.onnx"]).card.labels == STRIPES
    assert [one.measurement.same_class.mean() for one in exported.artifacts] == [1.0, 1.0]
    assert exported.artifacts[0].measurement.correct.mean() > 0.9  # the classes of the images are known


def test_a_path_gives_the_bytes_of_the_command(tiny: Path, tmp_path: Path) -> None:
    path = tiny / "stripes.keras"
    found = camlite_export.export(
        str(path),
        str(tmp_path),
        labels=path.with_suffix(".txt"),
        calibration=path.with_suffix(".npz"),
        formats=["onnx"],
        precisions="float32",
        preprocess="unit",
        maps="cam",
    )
    (made,) = found.paths.values()
    assert made.read_bytes() == (tiny / "stripes" / "stripes.float32.onnx").read_bytes()


def test_a_notebook_shows_a_table_and_a_picture(exported: Any) -> None:
    assert repr(exported) == f"<Export: 2 artifacts in {exported.folder}: float32.onnx, int8.onnx>"
    shown = exported._repr_html_()
    assert shown.count("<tr>") == 3
    assert "100.00%" in shown
    assert exported._repr_png_() == (exported.folder / "heatmaps.png").read_bytes()


def test_what_was_left_out_is_told(tmp_path: Path) -> None:
    found = camlite_export.export(stripes(), tmp_path, formats=["onnx"], preprocess="unit")
    assert "int8 and int16x8 were left out" in found.left_out
    assert "int8 and int16x8 were left out" in found._repr_html_()
    assert (found.picture, found._repr_png_()) == (None, None)
    assert artifact.read(found.paths["float32.onnx"]).card.labels == ("class 0", "class 1", "class 2")


def test_maps_that_were_chosen_on_noise_say_so(exported: Any, tmp_path: Path) -> None:
    found = camlite_export.export(stripes(), tmp_path, formats="onnx", precisions="float32", preprocess="unit")

    (line,) = (line for line in found.notes if "maps, guide" in line or line.startswith("plain maps cam: "))
    assert "on 4 golden samples (noise, none of your pictures)" in line
    assert not any("golden samples" in line for line in exported.notes)


def test_files_of_an_earlier_export_that_lie_beside_are_named(exported: Any, tmp_path: Path) -> None:
    for path in exported.folder.iterdir():
        (tmp_path / path.name).write_bytes(path.read_bytes())
    (tmp_path / "other.int8.onnx").write_bytes(b"of another name")
    found = camlite_export.export(stripes(), tmp_path, formats="onnx", precisions="float32", preprocess="unit")

    assert found.older == ("stripes.int8.onnx", "heatmaps.png")
    (line,) = (line for line in found.lines() if "earlier export" in line)
    assert line.startswith(f"{tmp_path} also has files of an earlier export: stripes.int8.onnx, heatmaps.png; delete ")
    assert found.to_dict()["older"] == ["stripes.int8.onnx", "heatmaps.png"]
    assert (exported.older, exported.to_dict()["older"]) == ((), [])


def test_a_folder_that_cannot_be_written_is_told_before_the_classifier_is_opened(tmp_path: Path) -> None:
    (tmp_path / "taken").write_text("a file")
    with pytest.raises(
        CamliteError, match=r"taken/out: cannot write there \(Not a directory\); choose another --output"
    ):
        camlite_export.export(tmp_path / "missing.keras", tmp_path / "taken" / "out")


@pytest.mark.parametrize(
    ("name", "options", "message"),
    [
        ("a.tflite", {"precisions": "int8"}, "--precisions do not apply to a file that ships"),
        ("a.onnx", {"formats": "tflite"}, "--formats do not apply to a file that ships"),
        ("a.keras", {"precisions": "int8"}, "precision int8 needs calibration images"),
        ("a.keras", {"precisions": "dynamic", "formats": "onnx"}, "precision dynamic does not exist in onnx"),
        ("a.keras", {"guide": "conv_32", "maps": "sharp"}, "guide 'conv_32': expected a method and a layer"),
        ("a.keras", {"calibration": "no such folder"}, "no such folder: no such file or folder"),
    ],
)
def test_options_that_cannot_be_are_told_before_the_classifier_is_opened(
    name: str, options: dict[str, Any], message: str, tmp_path: Path
) -> None:
    with pytest.raises(CamliteError, match=message):
        camlite_export.export(tmp_path / name, tmp_path / "out", **options)


def test_a_guide_that_cannot_be_made_is_told_before_anything_is_measured(tmp_path: Path) -> None:
    stages: list[str] = []
    with pytest.raises(CamliteError, match="no guide 'layercam none' can be made of it; there are: "):
        camlite_export.export(
            stripes(),
            tmp_path,
            maps="sharp",
            guide="layercam none",
            preprocess="unit",
            progress=lambda stage, *_: stages.append(stage),
        )
    assert stages == []


def test_a_folder_in_the_place_of_an_artifact_is_told_before_anything_is_measured(tmp_path: Path) -> None:
    (tmp_path / "stripes.int8.onnx").mkdir()
    stages: list[str] = []
    with pytest.raises(CamliteError, match=r"stripes\.int8\.onnx is a folder"):
        camlite_export.export(
            stripes(),
            tmp_path,
            calibration=IMAGES,
            formats="onnx",
            preprocess="unit",
            progress=lambda stage, *_: stages.append(stage),
        )
    assert stages == []


def test_progress_counts_the_stages_to_the_last(tmp_path: Path) -> None:
    told: list[tuple[str, int, int]] = []
    camlite_export.export(
        stripes(),
        tmp_path,
        formats="onnx",
        precisions="float32",
        preprocess="unit",
        progress=lambda *stage: told.append(stage),
    )
    assert [begun for _, begun, _ in told] == list(range(1, len(told) + 1))
    assert {total for _, _, total in told} == {len(told)}


def test_pixels_that_nothing_tells_are_asked_for_and_what_speaks_against_those_given_is_a_warning(
    tmp_path: Path,
) -> None:
    one = {"formats": "onnx", "precisions": "float32"}
    with pytest.raises(UndecidedPixelsError, match=r"^stripes: nothing tells which pixels it was trained on") as raised:
        camlite_export.export(stripes(), tmp_path / "none", calibration=IMAGES, **one)
    assert [row[0] for row in raised.value.table[1:]] == [f"--preprocess {name}" for name in ("unit", "signed", "raw")]
    assert not (tmp_path / "none").exists()

    scaling = keras.Sequential([keras.Input((16, 24, 1)), keras.layers.Rescaling(1 / 255), stripes()], name="scaling")
    with pytest.warns(PixelsWarning, match=r"^scaling: pixels: 0\.\.1, but its own first layers scale them"):
        camlite_export.export(scaling, tmp_path, preprocess="unit", **one)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        found = camlite_export.export(scaling, tmp_path, **one)
    assert found.pixels.name == "raw"


def test_labels_in_another_order_are_a_failure_that_is_told(tmp_path: Path) -> None:
    found = camlite_export.export(
        stripes(),
        tmp_path,
        labels=STRIPES,
        calibration=labelled_images.of_arrays(np.repeat(IMAGES, 3, axis=0), np.repeat((CLASSES + 1) % 3, 3)),
        formats="onnx",
        precisions="float32",
        preprocess="unit",
    )
    assert not found.passed
    assert "are in another order" in found.failures[0]
    assert "FAILED: the classifier names pictures of" in found._repr_html_()
    assert found.paths["float32.onnx"].exists()


MISTAKES: dict[str, tuple[dict[str, Any], str]] = {
    "no output for an object": ({"output": None}, "a model object has no folder of its own; give output="),
    "no model": ({"classifier": {}}, "a dict: expected a model"),
    "no such file": ({"classifier": "none.keras"}, "none.keras: no such file"),
    "another format": ({"formats": "coreml"}, "formats 'coreml': expected tflite, onnx"),
    "another precision": ({"precisions": ["int4"]}, "precisions 'int4': expected float32"),
    "another evidence": ({"evidence": "gradient"}, "evidence 'gradient': expected device, graph"),
    "another preprocess": ({"preprocess": "0..1"}, "preprocess '0..1': expected unit, signed"),
    "another fit": ({"fit": "pad"}, "fit 'pad': expected stretch, crop"),
    "too few labels": ({"labels": ["one", "two"]}, "labels: 2 labels, the classifier has 3 classes"),
    "labels that are numbers": ({"labels": [1, 2, 3]}, "labels: expected texts"),
    "images in another dtype": ({"calibration": IMAGES / 255}, "expected `images` uint8"),
    "an unknown layer": ({"layer": "none"}, "no layer is named 'none'"),
    "a size below 1": ({"size": 0}, "size 0: expected one side or height and width"),
    "a name with a slash": ({"name": "a/b"}, "the name of the artifacts"),
}


@pytest.mark.parametrize("mistake", MISTAKES)
def test_a_mistake_is_an_error_of_one_line_and_leaves_nothing_behind(mistake: str, tmp_path: Path) -> None:
    options, message = MISTAKES[mistake]
    with pytest.raises(CamliteError, match=message) as raised:
        camlite_export.export(**{"classifier": stripes(), "output": tmp_path / "out", **options})
    assert "\n" not in str(raised.value)
    assert not (tmp_path / "out").exists()


# --- inspect --------------------------------------------------------------------------------------------------------


def test_a_classifier_is_told_layer_by_layer() -> None:
    found = camlite_export.inspect(stripes())
    assert repr(found) == "<Inspection of stripes: images 16 x 24 x 1, 3 classes, cut at 'blurred'>"
    assert [step.name for step in found.steps if step is found.cut] == ["blurred"]
    assert found.parameters == stripes().count_params()
    assert found.to_dict()["layers"][2] == {
        "name": "blurred",
        "kind": "Conv2D",
        "shape": [8, 12, 4],
        "parameters": 4 * 9 * 4 + 4,
        "cut": True,
        "finer": False,
    }
    assert "&lt;- cut: features" in found._repr_html_()
    assert json.dumps(found.to_dict())


def test_another_cut_is_inspected_where_it_is_asked_for() -> None:
    assert camlite_export.inspect(stripes(), layer="edges").cut.name == "edges"


# --- parity ---------------------------------------------------------------------------------------------------------


def test_artifacts_agree_with_the_object_that_they_were_made_of(exported: Any, tmp_path: Path) -> None:
    found = camlite_export.parity(stripes(), list(exported.paths.values()), IMAGES, report=tmp_path / "report")
    assert found.passed, [result.failures for result in found.results]
    assert repr(found) == "<Comparison of 2 artifacts with stripes on 30 images: all passed>"
    assert found._repr_html_().count("<tr>") == 3
    assert json.loads((tmp_path / "report" / "parity.json").read_text())["images"] == 30
    assert found.to_dict()["classifier"] == "stripes"


def test_a_gate_of_the_caller_can_fail(exported: Any) -> None:
    found = camlite_export.parity(stripes(), exported.paths["int8.onnx"], IMAGES, gates={"correlation_min": 1.1})
    assert not found.passed
    assert repr(found).endswith("on 30 images: FAILED: stripes.int8.onnx>")
    assert "correlation_min" in found._repr_html_()


def test_labels_that_are_given_are_checked(exported: Any) -> None:
    found = camlite_export.parity(stripes(), exported.paths["float32.onnx"], labels=["a", "b", "c"])
    assert [failure.check for failure in found.results[0].failures] == ["card"]


def test_a_classifier_of_16_bits_is_asked_for_no_more_than_it_can_give(tmp_path: Path) -> None:
    """Its own float32 differs by more than the gates of float32 allow, and only the classifier is to blame."""
    model = keras.models.clone_model(
        stripes(),
        clone_function=lambda layer: type(layer).from_config({**layer.get_config(), "dtype": "mixed_float16"}),
    )
    model.set_weights(stripes().get_weights())
    found = camlite_export.export(model, tmp_path, formats="onnx", precisions="float32", preprocess="unit")
    compared = camlite_export.parity(model, found.paths["float32.onnx"], IMAGES)
    assert compared.passed, compared.results[0].failures
    assert compared.results[0].measurement.score_difference.max() > 1e-4
    assert "in float32 against its own 16 bits" in json.dumps(compared.to_dict())


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"artifacts": []}, "no artifacts"),
        ({"gates": {"none": 1}}, "gate 'none=1': unknown figure"),
        ({"gates": {"top1_agreement": "much"}}, "'much' is no number"),
        ({"backend": "torch"}, "backend 'torch': expected"),
        ({"engine": "spark"}, "engine 'spark': expected local, ray"),
        ({"engine": "ray", "data": IMAGES}, "each node opens classifier and images itself"),
    ],
)
def test_a_mistake_is_told_before_anything_runs(exported: Any, options: dict[str, Any], message: str) -> None:
    given = {"classifier": stripes(), "artifacts": exported.paths["float32.onnx"], **options}
    with pytest.raises(CamliteError, match=message):
        camlite_export.parity(**given)


# --- The commands, and scripts --------------------------------------------------------------------------------------

# What is said otherwise in Python: gates as a mapping, and what is printed by whoever wants it printed.
OTHER_NAMES = {"gate": "gates", "file": "classifier"}
OF_THE_COMMAND = {"json", "trusted", "help"}


@pytest.mark.parametrize(
    ("function", "module"),
    [
        (front_door.export, "camlite_export.cli.export"),
        (front_door.parity, "camlite_export.cli.parity"),
        (front_door.inspect, "camlite.cli.inspect"),
    ],
)
def test_options_are_those_of_the_command(function: Any, module: str) -> None:
    parser = argparse.ArgumentParser()
    importlib.import_module(module).add_arguments(parser)
    options = {OTHER_NAMES.get(action.dest, action.dest) for action in parser._actions} - OF_THE_COMMAND
    assert set(inspect.signature(function).parameters) - {"progress"} == options


SCRIPT = """
import sys
import threading
import time
import camlite_export
from support.tiny_classifiers import striped_images

print("the script begins")
classifier, folder = sys.argv[1:]
images, _ = striped_images()
found = camlite_export.export(classifier, folder, calibration=images, precisions="float32", preprocess="unit")
compared = camlite_export.parity(classifier, list(found.paths.values()), images)
print(len(found.paths), compared.passed, found.picture.exists())
"""


def test_a_script_without_a_main_guard_does_not_start_itself_again(tiny: Path, tmp_path: Path) -> None:
    """Interpreters run in processes of their own, and multiprocessing would import the script again in each."""
    script = tmp_path / "script.py"
    script.write_text(SCRIPT)
    command = [sys.executable, str(script), str(tiny / "stripes.keras"), str(tmp_path / "out")]
    finished = subprocess.run(command, capture_output=True, text=True, timeout=300, check=False)
    assert finished.returncode == 0, finished.stderr
    assert finished.stdout.splitlines() == ["the script begins", "2 True True"]


def test_what_is_exported_is_explained_on_the_spot(exported: Any) -> None:
    explanation = camlite.load(exported.paths["float32.onnx"]).explain(IMAGES[0])
    assert explanation.label == STRIPES[CLASSES[0]]


# --- Threads --------------------------------------------------------------------------------------------------------


def test_in_two_threads_one_works_after_the_other(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """What a process has once is changed while one works, and two would not give it back as it was."""
    working: list[int] = []
    most = []

    def opening(*_: Any, **__: Any) -> Any:
        working.append(1)
        time.sleep(0.05)
        most.append(len(working))
        working.pop()
        raise CamliteError("enough")

    def work(function: Any, *arguments: Any) -> None:
        with pytest.raises(CamliteError, match="enough"):
            function(*arguments)

    monkeypatch.setattr(front_door, "open_source", opening)
    calls = [(camlite_export.export, stripes(), tmp_path), (camlite_export.inspect, stripes())] * 2
    threads = [threading.Thread(target=work, args=call) for call in calls]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert most == [1] * len(calls)
