"""Files of strangers, end to end: exported without Keras, checked, and held against themselves."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple

import pytest

import camlite_export
from camlite import artifact
from camlite.artifact.precisions import Precision
from camlite.errors import ClassifierError
from camlite_export.sources.opening import MendedWarning

FOLDER = Path(os.environ.get("FILES_THAT_SHIP_DIR", "no such folder"))
pytestmark = pytest.mark.skipif(not FOLDER.is_dir(), reason="FILES_THAT_SHIP_DIR names no folder")


class Expected(NamedTuple):
    """How a file ends; `growth` is the most that its artifact may be larger, as a share."""

    precision: Precision
    features: tuple[int, int, int]
    classes: int
    label: str
    pixels: str
    growth: float
    options: Mapping[str, str] = {}


FILES = {
    "mlperf_resnet8_float": Expected(
        "float32", (8, 8, 64), 10, "class 0", "0..255", 0.02, {"preprocess": "raw"}
    ),
    "mlperf_resnet8_int8": Expected("int8", (8, 8, 64), 10, "class 0", "the integers of its input", 0.06),
    "coral_mobilenet_v1_0.25_128_quant": Expected(
        "int8", (4, 4, 256), 1001, "background", "the integers of its input", 0.02
    ),
    "ts_mobilenet_v1_0.25_224_1_metadata_1": Expected(
        "float32", (7, 7, 256), 1001, "background", "its metadata say so", 0.02
    ),
    "tfm_person_detect": Expected("int8", (3, 3, 256), 2, "class 0", "the integers of its input", 0.02),
}  # fmt: skip


@pytest.mark.filterwarnings("ignore::camlite_export.sources.opening.MendedWarning")
@pytest.mark.parametrize("name", FILES)
def test_the_file_is_explained_as_it_is(name: str, tmp_path: Path) -> None:
    file, expected = FOLDER / f"{name}.tflite", FILES[name]
    exported = camlite_export.export(file, tmp_path, **expected.options)

    (made,) = exported.artifacts
    assert exported.passed, exported.failures
    assert made.measurement is not None
    assert (made.measurement.score_difference == 0).all()
    assert made.measurement.evidence_error.max() <= 1e-5
    card = artifact.read(made.path).card
    assert card.precision == expected.precision
    assert (card.head.height, card.head.width, card.head.channels) == expected.features
    assert (len(card.labels), card.labels[0]) == (expected.classes, expected.label)
    assert expected.pixels in card.pixels
    assert made.size <= (1 + expected.growth) * file.stat().st_size

    assert camlite_export.parity(file, made.path).passed


def test_a_mend_is_told() -> None:
    with pytest.warns(MendedWarning, match="mended: 14 tensors"):
        camlite_export.inspect(FOLDER / "tfm_person_detect.tflite")


def test_a_file_for_an_accelerator_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ClassifierError, match=r"give the \.tflite file that it was compiled from"):
        camlite_export.export(FOLDER / "coral_mobilenet_v1_0.25_128_quant_edgetpu.tflite", tmp_path)


def test_nothing_else_can_be_made_of_a_file(tmp_path: Path) -> None:
    with pytest.raises(ClassifierError, match="--formats and --precisions do not apply to a file that ships"):
        camlite_export.export(FOLDER / "mlperf_resnet8_int8.tflite", tmp_path, formats="onnx", precisions="float32")


def test_another_file_is_told_from_the_one_that_an_artifact_was_made_of(tmp_path: Path) -> None:
    (made,) = camlite_export.export(FOLDER / "mlperf_resnet8_int8.tflite", tmp_path).artifacts
    compared = camlite_export.parity(FOLDER / "mlperf_resnet8_float.tflite", made.path, preprocess="raw")

    assert any("exported from other weights" in failure.message for failure in compared.results[0].failures)
    assert any(failure.check == "score_difference_max" for failure in compared.results[0].failures)
