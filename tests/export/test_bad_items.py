"""One bad item never takes the good ones along: a precision, an artifact, an interpreter, a picture."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import keras
import pytest
from keras import layers
from PIL import Image

import camlite_export
from camlite import backends, cli
from camlite.errors import CamliteError
from camlite_export import exporting
from camlite_export.results import Export
from camlite_export.targets import TARGETS
from support import classifier_kinds
from support.fresh_process import run_camlite
from support.tiny_classifiers import STRIPES, striped_images, stripes

IMAGES, CLASSES = striped_images()


def export(folder: Path, model: keras.Model | None = None, **options: Any) -> Export:
    given = {"calibration": IMAGES, "formats": "onnx", "precisions": ["float32", "float16"], "preprocess": "unit"}
    return camlite_export.export(model or stripes(), folder, **{**given, **options})


def passing(exported: Export) -> list[str]:
    return [one.kind for one in exported.artifacts if one.verdict == "checked"]  # 30 images are no more


# --- A precision that cannot be made --------------------------------------------------------------------------------


def strided_behind_the_cut() -> keras.Model:
    """The gradient of its second convolution is a TRANSPOSE_CONV, which TFLite cannot compute with 8-bit weights."""
    chain = [
        layers.Conv2D(8, 3, padding="same", activation="relu", name="cut"),
        layers.Conv2D(16, 3, strides=2, padding="same", activation="relu"),
        layers.GlobalAveragePooling2D(),
        layers.Dense(3, activation="softmax"),
    ]
    return classifier_kinds.lively(keras.Sequential([keras.Input((16, 24, 1)), *chain], name="strided"))


def test_a_precision_that_the_container_cannot_express_is_a_line_and_the_others_are_made(tmp_path: Path) -> None:
    exported = export(
        tmp_path, strided_behind_the_cut(), formats="tflite", precisions=["float32", "dynamic"], layer="cut"
    )
    assert list(exported.paths) == ["float32.tflite"]
    assert exported.paths["float32.tflite"].exists()
    (line,) = exported.failures
    assert line.startswith(
        "dynamic.tflite was not made: camlite's safety check rejects this classifier in dynamic as TFLite"
    )
    assert not exported.passed
    assert exported.to_dict()["refused"].keys() == {"dynamic.tflite"}


def test_a_converter_that_fails_as_nobody_expects_is_a_line_too(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Failing:
        def convert(self, cut: Any, precision: str, images: Any) -> bytes:
            if precision == "float16":
                raise KeyError("a bug\nof a converter")
            return TARGETS["onnx"].convert(cut, precision, images)

    (tmp_path / "stripes.float16.onnx").write_text("of an earlier export")
    monkeypatch.setattr(exporting, "TARGETS", {"onnx": Failing()})
    exported = export(tmp_path)
    assert passing(exported) == ["float32.onnx"]
    assert exported.failures == (
        "float16.onnx was not made: KeyError: 'a bug\\nof a converter' (stripes.float16.onnx is of an earlier export)",
    )


# --- An interpreter that dies, or is not there ----------------------------------------------------------------------

# Python imports it as it starts; so it is in the processes of the interpreters as well.
_DEADLY = """
import os, pathlib, sys
if any("camlite.system.fresh_process" in text for text in sys.orig_argv):
    import camlite
    load = camlite.load
    camlite.load = lambda path, *rest: os._exit(3) if "float16" in pathlib.Path(path).name else load(path, *rest)
"""


@pytest.fixture
def deadly(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Every float16 artifact kills the process that opens it."""
    (tmp_path / "deadly").mkdir()
    (tmp_path / "deadly" / "sitecustomize.py").write_text(_DEADLY)
    monkeypatch.setenv("PYTHONPATH", f"{tmp_path / 'deadly'}{os.pathsep}{os.environ['PYTHONPATH']}")


@pytest.mark.usefixtures("deadly")
def test_an_artifact_that_kills_its_interpreter_is_unfit_and_the_others_are_measured(tmp_path: Path) -> None:
    exported = export(tmp_path / "out")
    assert passing(exported) == ["float32.onnx"]
    bad = exported.artifacts[1]
    assert (bad.verdict, bad.measurement) == ("UNFIT", None)
    assert bad.path.exists()
    assert exported.failures == ("float16.onnx: interpreter: onnxruntime crashed, and its process with it",)
    compared = camlite_export.parity(stripes(), list(exported.paths.values()), IMAGES)
    right, wrong = compared.results
    assert right.passed
    assert [failure.check for failure in wrong.failures] == ["fitness", "interpreter"]


def test_what_cannot_be_measured_is_not_called_fit(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(backends, "installed", lambda _: [])
    exported = export(tmp_path)
    assert {one.verdict for one in exported.artifacts} == {"not measured"}
    assert exported.ship is None
    assert any("not measured, and so not called fit: float32.onnx, float16.onnx" in line for line in exported.lines())


# --- A picture that cannot be read ----------------------------------------------------------------------------------


@pytest.fixture
def pictures(tmp_path: Path) -> Path:
    """One of them is cut off in the middle."""
    for index, (image, k) in enumerate(zip(IMAGES, CLASSES, strict=True)):
        path = tmp_path / "pictures" / STRIPES[k] / f"{index}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(image[..., 0]).save(path)
    cut_off = tmp_path / "pictures" / STRIPES[1] / "1.png"
    cut_off.write_bytes(cut_off.read_bytes()[:50])
    return tmp_path / "pictures"


def test_a_picture_that_cannot_be_read_is_left_out_by_export_and_parity(tmp_path: Path, pictures: Path) -> None:
    exported = export(tmp_path / "out", calibration=pictures, labels=STRIPES)
    assert passing(exported) == ["float32.onnx", "float16.onnx"]
    assert len(exported.artifacts[0].measurement) == len(IMAGES) - 1
    (line,) = exported.failures
    assert line.startswith(f"left out: {pictures / STRIPES[1] / '1.png'}: ")
    compared = camlite_export.parity(stripes(), exported.paths["float32.onnx"], pictures)
    assert not compared.passed
    assert compared.results[0].passed
    assert len(compared.results[0].measurement) == len(IMAGES) - 1
    assert compared.results[0].measurement.correct.mean() > 0.9  # each still beside its own class
    assert compared.unread == (line.removeprefix("left out: "),)


def test_where_no_picture_can_be_read_there_is_nothing_to_say(tmp_path: Path, pictures: Path) -> None:
    for path in pictures.rglob("*.png"):
        path.write_bytes(b"no picture")
    with pytest.raises(CamliteError, match=r"0\.png: "):
        export(tmp_path / "out", calibration=pictures, labels=STRIPES)


# --- One artifact of several ----------------------------------------------------------------------------------------


def test_parity_compares_the_others_where_one_cannot_be_opened(
    tiny: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    right, other = tiny / "stripes" / "stripes.float32.onnx", tiny / "colours" / "colours.float32.onnx"
    damaged = tmp_path / "damaged.onnx"
    damaged.write_bytes(right.read_bytes()[:-100])
    options = ["--data", str(tiny / "stripes.npz"), "--report", str(tmp_path / "report")]
    status = cli.main(["parity", str(tiny / "stripes.keras"), *map(str, (damaged, other, right)), *options])
    said = capsys.readouterr().out
    assert status == 2
    assert "stripes.float32.onnx" in said.splitlines()[1]
    assert said.splitlines()[1].endswith("  checked")
    assert f"{damaged}: " in said
    assert f"{other}: its card says" in said
    record = json.loads((tmp_path / "report" / "parity.json").read_text())
    assert set(record["unopened"]) == {str(damaged), str(other)}
    assert str(damaged) in (tmp_path / "report" / "index.html").read_text()


def test_bench_goes_on_after_one_that_cannot_be_opened(tiny: Path) -> None:
    finished = run_camlite("bench", "missing.onnx", tiny / "stripes" / "stripes.float32.onnx", "--json")
    assert finished.returncode == 2
    assert finished.stderr.startswith("camlite: missing.onnx: ")
    assert json.loads(finished.stdout)["artifact"] == "stripes.float32.onnx"
