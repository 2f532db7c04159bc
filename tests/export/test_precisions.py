"""`camlite_export.precisions`: the table of what a precision is where artifacts are made."""

from __future__ import annotations

from typing import get_args

import pytest

from camlite.artifact import Container
from camlite.artifact import precisions as on_the_device
from camlite.artifact.precisions import Precision
from camlite_export.precisions import PRECISIONS, Rounding, precisions_of


def test_each_precision_is_in_both_tables() -> None:
    assert tuple(PRECISIONS) == tuple(on_the_device.PRECISIONS) == get_args(Precision)


def test_the_precisions_of_each_container() -> None:
    assert precisions_of("tflite") == ("float32", "float16", "dynamic", "int8", "int16x8")
    assert precisions_of("onnx") == ("float32", "float16", "int8")


@pytest.mark.parametrize("precision", PRECISIONS)
def test_artifacts_have_no_integer_ends_that_the_device_would_refuse(precision: Precision) -> None:
    containers: tuple[Container, ...] = get_args(Container)
    conversions = [PRECISIONS[precision].conversion(container) for container in containers]
    made = any(one.integer_ends for one in conversions if one)
    assert made == on_the_device.PRECISIONS[precision].integer_ends


@pytest.mark.parametrize(
    ("rounding", "steps"), [(Rounding(8), 254), (Rounding(4), 14), (Rounding(16, floating=True), None)]
)
def test_integers_have_as_many_steps_above_0_as_below(rounding: Rounding, steps: int | None) -> None:
    assert rounding.steps == steps
