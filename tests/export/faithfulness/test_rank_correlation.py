"""Spearman's rank correlation, as Quantus has it."""

from __future__ import annotations

import json

import numpy as np

from camlite_export.faithfulness.rank_correlation import spearman
from support import quantus_figures


def test_it_is_that_of_quantus():
    given = quantus_figures.inputs()
    expected = json.loads(quantus_figures.FIGURES.read_text("utf-8"))["spearman"]

    np.testing.assert_allclose(spearman(given.heats, given.others), expected, rtol=0, atol=1e-6)


def test_only_the_order_of_absolute_values_counts():
    maps = np.random.default_rng(0).normal(size=(5, 3, 4))

    np.testing.assert_allclose(spearman(maps, -3 * maps**3), 1)
    np.testing.assert_allclose(spearman(maps, 1 / maps), -1)


def test_a_map_that_is_the_same_everywhere_has_no_order():
    maps = np.random.default_rng(0).normal(size=(2, 3, 3))

    assert spearman(maps, np.zeros_like(maps)).tolist() == [0, 0]
