"""`camlite.maps.redistribution`: the sum stays, whatever the guide says, and evidence goes to where the guide is."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from camlite.artifact.card import WHOLE, Window
from camlite.artifact.map_choice import Guide
from camlite.maps.redistribution import Redistribution, tents
from support.small_artifacts import windows
from support.spec_guided import by_the_formula

sides = st.integers(1, 7)
evidence_numbers = st.floats(-100, 100, width=32) | st.just(0.0)
# Guides have any scale: gradients times features are as small as 1e-30, and sums of large ones as large as 1e30.
guide_numbers = st.floats(-1, 1, width=32) | st.just(0.0)
scales = st.sampled_from([1e-30, 1e-6, 1.0, 1e6, 1e30])

# A number is the sum of at most 49 products of float32 that are rounded to 6e-8 of their size, four times over.
ROUNDING = 2e-5


def guide_of(height: int, width: int, radius: float = 3.0, floor: float = 0.05, window: Window = WHOLE) -> Guide:
    return Guide(height, width, "top", ("early",), "layercam", False, radius, floor, window)


@st.composite
def cases(draw: st.DrawFn) -> tuple[np.ndarray, Window, np.ndarray, Guide]:
    """Evidence, its window, a guide's numbers, and the guide: where they fit together."""
    size, fine = draw(st.tuples(sides, sides)), draw(st.tuples(st.integers(1, 12), st.integers(1, 12)))
    evidence = draw(arrays.arrays(np.float32, size, elements=evidence_numbers))
    numbers = draw(arrays.arrays(np.float32, fine, elements=guide_numbers)) * np.float32(draw(scales))
    window, there = (draw(st.just(WHOLE) | windows) for _ in range(2))
    guide = guide_of(*fine, draw(st.floats(0.5, 6)), draw(st.sampled_from([0.0, 0.05, 1.0])), there)
    try:
        Redistribution(size, window, guide)
    except ValueError:
        assume(False)
    return evidence, window, numbers, guide


def redistributed(evidence: np.ndarray, window: Window, numbers: np.ndarray, guide: Guide) -> np.ndarray:
    return Redistribution(evidence.shape, window, guide)(evidence, numbers)


@given(cases())
def test_the_sum_of_evidence_stays_what_it_was(case):
    evidence, *_ = case

    fine = redistributed(*case)

    size = np.abs(evidence).sum(dtype=np.float64)
    assert fine.dtype == np.float32
    assert abs(fine.sum(dtype=np.float64) - evidence.sum(dtype=np.float64)) <= ROUNDING * size


@given(cases())
def test_each_cell_is_handed_out_as_the_formula_says(case):
    evidence, window, numbers, guide = case

    fine = redistributed(*case)

    assert fine.shape == numbers.shape
    expected = by_the_formula(evidence, window, numbers, guide)
    assert np.abs(fine - expected).max() <= ROUNDING * max(np.abs(expected).max(), np.abs(evidence).max())


def prototype(evidence: np.ndarray, guide: np.ndarray, radius: float, floor: float) -> np.ndarray:
    """The formula as it was first measured: whole maps, one large product."""
    (h, w), (height, width) = evidence.shape, guide.shape

    def tent(cells: int, places: int) -> np.ndarray:
        centres = (np.arange(cells)[:, np.newaxis] + 0.5) * places / cells
        return np.maximum(0, 1 - np.abs(np.arange(places) + 0.5 - centres) / (radius * places / cells))

    down, across = tent(h, height)[:, np.newaxis, :, np.newaxis], tent(w, width)[np.newaxis, :, np.newaxis, :]
    share = down * across * (guide + floor * guide.mean() + 1e-12)
    return np.tensordot(evidence, share / share.sum((2, 3), keepdims=True), 2)


@pytest.mark.parametrize(("size", "times"), [(7, 2), (7, 4), (3, 5), (8, 4)])
@pytest.mark.parametrize(("radius", "floor"), [(3.0, 0.05), (2.0, 0.0), (1.0, 0.5)])
def test_over_whole_windows_it_is_what_was_measured(size, times, radius, floor):
    random = np.random.default_rng(size)
    evidence = random.normal(size=(size, size)).astype(np.float32)
    numbers = np.maximum(random.normal(size=(size * times,) * 2), 0).astype(np.float32)

    fine = redistributed(evidence, WHOLE, numbers, guide_of(*numbers.shape, radius, floor))

    expected = prototype(evidence, numbers, radius, floor)
    assert np.abs(fine - expected).max() <= 1e-5 * np.abs(expected).max()


def test_evidence_goes_to_where_the_guide_is():
    evidence = np.zeros((4, 4), np.float32)
    evidence[1, 1], evidence[3, 3] = 2.0, -1.0
    numbers = np.zeros((16, 16), np.float32)
    numbers[7, 5], numbers[12, 15] = 5.0, 5.0

    fine = redistributed(evidence, WHOLE, numbers, guide_of(16, 16, radius=1.5, floor=0.0))

    assert np.unravel_index(fine.argmax(), fine.shape) == (7, 5)
    assert np.unravel_index(fine.argmin(), fine.shape) == (12, 15)
    assert fine[7, 5] == pytest.approx(2.0, abs=1e-4)
    assert fine[12, 15] == pytest.approx(-1.0, abs=1e-4)


def test_the_scale_of_a_guide_means_nothing_and_neither_do_numbers_below_0():
    random = np.random.default_rng(0)
    evidence, numbers = (random.normal(size=(side, side)).astype(np.float32) for side in (3, 9))
    give = Redistribution((3, 3), WHOLE, guide_of(9, 9))

    expected = give(evidence, numbers)

    for scale in (1e-35, 1e-3, 1e35):
        np.testing.assert_allclose(give(evidence, numbers * np.float32(scale)), expected, rtol=1e-4)
    np.testing.assert_array_equal(give(evidence, np.maximum(numbers, 0)), expected)


@pytest.mark.parametrize("numbers", [0.0, -1.0, 0.25])
def test_a_guide_that_is_blind_or_sees_the_same_everywhere_gives_shares_by_the_tents_alone(numbers):
    evidence = np.random.default_rng(0).normal(size=(2, 3)).astype(np.float32)

    fine = redistributed(evidence, WHOLE, np.full((6, 9), numbers, np.float32), guide_of(6, 9))

    expected = by_the_formula(evidence, WHOLE, np.ones((6, 9)), guide_of(6, 9))
    np.testing.assert_allclose(fine, expected, atol=1e-6)


@pytest.mark.parametrize("number", [np.nan, np.inf, -np.inf])
def test_a_guide_that_is_not_finite_says_nothing(number):
    numbers = np.ones((4, 4), np.float32)
    numbers[2, 1] = number

    assert np.isnan(redistributed(np.ones((2, 2), np.float32), WHOLE, numbers, guide_of(4, 4))).all()


def test_a_large_guide_is_finite_though_its_squares_are_not():
    numbers = np.full((4, 4), 1e30, np.float32)

    assert redistributed(np.ones((2, 2), np.float32), WHOLE, numbers, guide_of(4, 4)).sum() == pytest.approx(4)


def test_several_maps_are_redistributed_each_by_its_own_guide():
    random = np.random.default_rng(0)
    evidence, numbers = (random.normal(size=(3, side, side)).astype(np.float32) for side in (2, 6))
    give = Redistribution((2, 2), WHOLE, guide_of(6, 6))

    together = give(evidence, numbers)

    np.testing.assert_array_equal(together, [give(*pair) for pair in zip(evidence, numbers, strict=True)])
    assert give(evidence[:0], numbers[:0]).shape == (0, 6, 6)


def test_nothing_that_is_given_is_changed():
    evidence, numbers = np.ones((2, 2), np.float32), np.ones((4, 4), np.float32)
    for array in (evidence, numbers):
        array.flags.writeable = False

    redistributed(evidence, WHOLE, numbers, guide_of(4, 4))


def test_cells_lie_where_the_windows_say():
    """Evidence over the upper left quarter, the guide over the whole input."""
    numbers = np.ones((8, 8), np.float32)

    fine = redistributed(np.ones((2, 2), np.float32), Window(0.0, 0.0, 0.5, 0.5), numbers, guide_of(8, 8, radius=0.5))

    assert (fine[:4, :4] > 0).all()
    assert not fine[4:].any()
    assert not fine[:, 4:].any()


@pytest.mark.parametrize(
    ("window", "axis"), [(Window(0.0, 0.0, 0.2, 1.0), "row 2"), (Window(0.0, 0.8, 1.0, 1.0), "column 0")]
)
def test_a_cell_that_no_place_of_the_guide_is_near_to_is_an_error(window, axis):
    with pytest.raises(ValueError, match=f"{axis} of the evidence has no .* of the guide within radius 1"):
        Redistribution((4, 4), WHOLE, guide_of(4, 4, radius=1.0, window=window))


def test_a_place_at_the_very_edge_of_a_tent_is_outside_whatever_rounding_says():
    """1 - 0.3 / (3 * 0.1) is 0, or 1e-16: a cell must not live on that."""
    found = tents(10, (0.0, 1.0), 10, (0.0, 1.0), 3.0)

    assert set(np.count_nonzero(found, axis=1)) == {3, 4, 5}
    assert found[found > 0].min() >= 0.3
