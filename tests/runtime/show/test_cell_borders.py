"""`camlite.show.cell_borders`: a map of few cells is seen to be of few."""

from __future__ import annotations

from types import SimpleNamespace

import numpy as np
import pytest

from camlite.artifact.card import WHOLE, Window
from camlite.maps.fine_evidence import FinestMap
from camlite.show import cell_borders


def explained(rows: int, columns: int, window: Window = WHOLE):
    target = SimpleNamespace(height=64, width=64, fit="stretch")
    return SimpleNamespace(
        finest=FinestMap("plain", np.zeros((rows, columns), np.float32), window),
        explainer=SimpleNamespace(artifact=SimpleNamespace(card=SimpleNamespace(preprocessing=target))),
    )


def bordered(seen, grey: int = 100, size: tuple[int, int] = (90, 120)) -> tuple[list[int], list[int]]:
    """Rows and columns that a border is drawn along."""
    panel = np.full((*size, 3), grey, np.uint8)
    cell_borders.draw(seen, panel)
    changed = (panel != grey).any(axis=2)
    return np.flatnonzero(changed.mean(axis=1) > 0.9).tolist(), np.flatnonzero(changed.mean(axis=0) > 0.9).tolist()


def test_borders_are_drawn_between_the_cells():
    assert bordered(explained(3, 4)) == ([30, 60], [30, 60, 90])


def test_where_the_map_covers_a_part_they_are_drawn_around_it_and_between_its_cells():
    assert bordered(explained(1, 1, Window(0.25, 0.25, 0.75, 0.75)), size=(120, 120)) == ([30, 90], [30, 90])


@pytest.mark.parametrize("size", [(9, 9), (14, 14)])
def test_a_map_of_many_cells_has_none(size):
    assert bordered(explained(*size), size=(896, 896)) == ([], [])


def test_cells_of_few_pixels_have_none():
    assert bordered(explained(8, 8), size=(40, 40)) == ([], [])


@pytest.mark.parametrize(("grey", "lighter"), [(0, True), (100, True), (200, False), (255, False)])
def test_they_are_faint_and_can_be_seen_on_dark_and_on_light(grey, lighter):
    panel = np.full((90, 90, 3), grey, np.uint8)
    cell_borders.draw(explained(3, 3), panel)

    difference = int(panel[30, 5, 0]) - grey
    assert (difference > 0) == lighter
    assert 20 < abs(difference) < 70
