"""``make tanks`` fails where a verdict is not the truth."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from camlite.audit.verdict import ClassVerdict
from camlite.confidence import Interval
from camlite.images.masked_source import Source
from tanks import legend
from tanks.scenes import LABELS, scenes

ONE = Interval(1.0, 1.0, 1.0)
SKY = ClassVerdict("tank", 20, 20, True, "context", "sky", "", ONE, ONE, ONE, ONE, {"other": ONE}, {}, {})
TANK = replace(SKY, verdict="object")


@pytest.mark.parametrize(
    ("name", "verdicts", "expected"),
    [
        ("weather", (SKY, SKY), True),
        ("weather", (SKY, TANK), False),
        ("weather", (replace(SKY, region="ground"), SKY), False),
        ("tank", (TANK, TANK), True),
        ("tank", (TANK, replace(TANK, verdict="undecided")), False),
        ("tank", (SKY, SKY), False),
    ],
)
def test_a_verdict_that_is_not_the_truth_is_noticed(name, verdicts, expected) -> None:
    found = legend.Audited(1, name, Path("a.tflite"), "int8", 1.0, 1.0, verdicts)

    assert found.expected is expected
    assert legend.row(found)[-1] == ("ok" if expected else "WRONG")


def test_the_pictures_are_written_as_the_audit_reads_them(tmp_path: Path) -> None:
    drawn = scenes(8, 1, confounded=True)
    data = Source(legend.write(tmp_path / "field", drawn)).open(LABELS)

    assert data.images.classes is not None
    assert data.images.classes.tolist() == [0] * 4 + [1] * 4
    order = np.argsort(drawn.classes, kind="stable")
    for place, index in enumerate(order):
        mask = data.mask(place, data.images[place])
        assert (data.images[place] == drawn.images[index]).all()
        assert mask is None if drawn.classes[index] == 0 else (mask == drawn.masks[index]).all()
