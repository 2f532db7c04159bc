"""What is said of an artifact is no more than its figures vouch for."""

from __future__ import annotations

from typing import Any, cast

import numpy as np
import pytest

from camlite.faithfulness import summary
from camlite.faithfulness.findings import Found
from camlite.faithfulness.measures import MEASURES, NAMES
from camlite.faithfulness.measuring import Figures

BETTER = np.where([measure.better == "higher" for measure in MEASURES], 1.0, 0.0)
MASKED = [measure.name for measure in MEASURES if measure.needs_masks]


def lines(without: dict[str, int]) -> list[str]:
    """Of 12 pictures on which the map is better by every measure, but for so many that have no figure."""
    values = np.tile(np.stack([BETTER, np.full(len(NAMES), 0.5), np.full(len(NAMES), 0.5)]), (12, 1, 1))
    for name, count in without.items():
        values[:count, :, NAMES.index(name)] = np.nan
    figures = Figures(
        np.arange(12), np.zeros(12, np.int64), np.ones(12), values, np.zeros((12, 3, 2, 3)), (), np.arange(12)
    )
    return Found(cast(Any, None), figures, summary.summarize(figures)).lines()


@pytest.mark.parametrize("without", [{}, dict.fromkeys(MASKED, 12), {"insertion": 2, "sparsity": 12}])
def test_a_map_is_better_by_every_measure_that_can_be_taken(without):
    assert lines(without) == ["better than a random map by every measure that judges (95 % intervals)"]


def test_a_measure_that_few_pictures_have_is_named_with_their_number():
    """A classifier whose scores are 0 has no insertion; few pictures may show an object."""
    better, few = lines({"insertion": 12, "pointing": 3})

    assert better == "better than a random map by the other measures that judge (95 % intervals)"
    assert few.endswith("too few to tell: insertion (0), pointing game (9)")


def test_nothing_is_better_where_no_measure_has_enough_pictures():
    (line,) = lines({measure.name: 12 if measure.needs_masks else 3 for measure in MEASURES if measure.judges})

    assert line.startswith("fewer than 10 different pictures, too few to tell: insertion (9), ")
