"""`camlite_export.artifact_kinds`: what is made of a classifier, and what is refused when it is asked for."""

from __future__ import annotations

import pytest

from camlite.artifact import Container
from camlite.artifact.precisions import Precision
from camlite.errors import ClassifierError
from camlite_export.artifact_kinds import kinds


def test_everything_is_made_where_there_are_images_and_the_head_is_affine() -> None:
    assert kinds(("tflite", "onnx"), None, calibrated=True, affine=True) == [
        *(("tflite", precision) for precision in ("float32", "float16", "dynamic", "int8", "int16x8")),
        *(("onnx", precision) for precision in ("float32", "float16", "int8")),
    ]


def test_integers_need_images() -> None:
    assert kinds(("tflite", "onnx"), None, calibrated=False, affine=True) == [
        *(("tflite", precision) for precision in ("float32", "float16", "dynamic")),
        *(("onnx", precision) for precision in ("float32", "float16")),
    ]


def test_a_head_that_is_not_affine_has_no_int16x8() -> None:
    assert ("tflite", "int16x8") not in kinds(("tflite",), None, calibrated=True, affine=False)


def test_what_is_asked_for_is_made_in_the_formats_that_have_it() -> None:
    found = kinds(("onnx", "tflite"), ["int8", "dynamic"], calibrated=True, affine=True)
    assert sorted(found) == [("onnx", "int8"), ("tflite", "dynamic"), ("tflite", "int8")]


@pytest.mark.parametrize(
    ("containers", "precisions", "calibrated", "affine", "why"),
    [
        (("onnx",), ["dynamic"], True, True, "precision dynamic does not exist in onnx"),
        (("tflite", "onnx"), ["float32", "int8"], False, True, "precision int8 needs calibration images"),
        (("tflite",), ["int16x8"], True, False, "precision int16x8: TFLite has no comparisons"),
    ],
)
def test_what_cannot_be_made_is_refused_when_it_is_asked_for(
    containers: list[Container], precisions: list[Precision], calibrated: bool, affine: bool, why: str
) -> None:
    with pytest.raises(ClassifierError, match=why):
        kinds(containers, precisions, calibrated, affine)
