"""From figures of pictures to what is said."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest

from camlite.faithfulness import summary
from camlite.faithfulness.measures import MEASURES, NAMES
from camlite.faithfulness.measuring import Figures


def figures(values: np.ndarray) -> Figures:
    count = len(values)
    return Figures(
        np.arange(count), np.zeros(count, np.int64), np.ones(count), values, np.zeros((count, 3, 2, 3)), ("a line",)
    )


def drawn(count: int) -> np.ndarray:
    """The artifact's map is better than both controls by 0.2 in every measure, whichever way that goes."""
    values = np.random.default_rng(0).random((count, 3, len(NAMES)))
    values[:, 1] = values[:, 0] + 0.2
    higher = np.array([measure.better == "higher" for measure in MEASURES])
    values[:, 1, higher] -= 0.4
    values[:, 2] = values[:, 1]
    return values


def test_gains_are_above_0_where_the_map_is_better_whichever_way_the_measure_goes():
    found = summary.summarize(figures(drawn(20)))

    assert [one.measure for one in found] == list(MEASURES)
    for one in found:
        assert one.gains["random"].mean == pytest.approx(0.2)
        assert one.gains["random"].low > 0
        assert not one.no_better


def test_pictures_are_compared_one_by_one():
    """Figures that differ a lot between pictures hide no advantage that each of them has."""
    one = summary.summarize(figures(drawn(20)))[0]

    overlap = one.figures["artifact"].low < one.figures["random"].high + 0.2
    assert overlap
    assert one.gains["random"].high - one.gains["random"].low == pytest.approx(0, abs=1e-9)


def test_a_map_that_does_as_well_as_a_random_one_is_no_better_but_for_what_does_not_judge():
    values = drawn(20)
    values[:, 0] = values[::-1, 1]

    weak = [one.measure.name for one in summary.summarize(figures(values)) if one.no_better]

    assert weak == [measure.name for measure in MEASURES if measure.judges]


def test_of_few_pictures_nothing_is_said():
    values = drawn(9)
    values[:, 0] = values[::-1, 1]

    assert not any(one.no_better for one in summary.summarize(figures(values)))


def test_pictures_without_a_figure_do_not_count_for_it_and_a_measure_without_pictures_is_left_out():
    values = drawn(20)
    values[:5, :, NAMES.index("insertion")] = np.nan
    values[3, 0, NAMES.index("deletion")] = np.nan
    values[:, :, NAMES.index("pointing")] = np.nan

    found = {one.measure.name: one for one in summary.summarize(figures(values))}

    assert (found["insertion"].pictures, found["deletion"].pictures, found["road"].pictures) == (15, 19, 20)
    assert "pointing" not in found


def test_copies_of_a_picture_count_once():
    copied = dataclasses.replace(figures(drawn(20)), seen=np.arange(20) % 4)

    assert copied.different == 4
    assert {one.pictures for one in summary.summarize(copied)} == {4}
    same = summary.summarize(figures(drawn(20)[:4]))[0]
    assert summary.summarize(copied)[0].figures == same.figures


def test_the_order_of_pictures_changes_no_interval_and_two_artifacts_have_one_for_the_random_map():
    """Resampled are the pictures, not the places in which they stand, nor the figures of one artifact."""
    first = dataclasses.replace(figures(drawn(20)), seen=np.random.default_rng(1).permutation(20))
    other = dataclasses.replace(first, values=first.values[::-1], seen=first.seen[::-1])
    second = dataclasses.replace(first, values=first.values.copy())
    second.values[:, 0] = np.random.default_rng(2).random((20, len(NAMES)))

    assert summary.summarize(other) == summary.summarize(first)
    for one, another in zip(summary.summarize(first), summary.summarize(second), strict=True):
        assert one.figures["random"] == another.figures["random"]
