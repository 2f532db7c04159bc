"""`camlite_export.agreement.report_pictures`: the charts of the parity report."""

from __future__ import annotations

import base64

import numpy as np

from camlite_export.agreement import report_pictures


def test_the_numbers_of_an_axis_are_numbers_and_no_formulas() -> None:
    uri = report_pictures.distribution(["a $name$"], [np.float32([1e-6, 1e-3])], [None], 1e-8)

    drawn = base64.b64decode(uri.partition(",")[2]).decode()
    assert "<!-- 1e-06 -->" in drawn
    assert "<!-- a $name$ -->" in drawn
    assert "mathdefault" not in drawn
