"""Bootstrap confidence intervals."""

from __future__ import annotations

import numpy as np
import pytest

from camlite import confidence


def test_the_interval_is_that_of_the_normal_distribution_where_that_holds():
    figures = np.random.default_rng(1).normal(3, 2, (400, 1))

    (found,) = confidence.intervals(figures)

    error = figures.std() / 20
    assert found.mean == pytest.approx(figures.mean())
    assert found.low == pytest.approx(figures.mean() - 1.96 * error, abs=0.1 * error)
    assert found.high == pytest.approx(figures.mean() + 1.96 * error, abs=0.1 * error)


def test_it_covers_the_true_mean_about_as_often_as_it_says():
    random = np.random.default_rng(2)

    columns = confidence.intervals(random.exponential(1, (60, 400)))

    covered = np.mean([one.low <= 1 <= one.high for one in columns])
    assert 0.88 <= covered <= 0.97  # measured 0.925; the percentile bootstrap of 60 skewed numbers is short of 0.95


def test_the_same_figures_give_the_same_interval_and_rows_with_nan_are_left_out():
    figures = np.random.default_rng(3).random((50, 2))
    holed = np.concatenate([figures, [[np.nan, 1.0]]])

    assert confidence.intervals(figures) == confidence.intervals(figures) == confidence.intervals(holed)


def test_many_images_are_resampled_in_strokes(monkeypatch):
    figures = np.random.default_rng(4).random((3000, 1))
    monkeypatch.setattr(confidence, "_COUNTS_AT_ONCE", 9000)

    (found,) = confidence.intervals(figures)

    assert found.low < found.mean < found.high
    assert found.high - found.low == pytest.approx(2 * 1.96 * figures.std() / 3000**0.5, rel=0.15)


def test_of_nothing_nothing_is_known():
    (found,) = confidence.intervals(np.empty((0, 1)))

    assert np.isnan(found).all()
