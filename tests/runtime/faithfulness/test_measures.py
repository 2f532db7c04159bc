"""Each measure on maps of which the figure is known."""

from __future__ import annotations

import math

import numpy as np
import pytest

from camlite.faithfulness import average_drop, concentration, controls, on_the_object
from camlite.faithfulness.measures import MEASURES, NAMES

ONE = np.eye(1, 100, 37).reshape(10, 10)  # all heat in one pixel


def test_every_measure_has_a_name_of_its_own_and_says_who_defined_it():
    assert len(set(NAMES)) == len(MEASURES) == 10
    assert all(measure.source[-4:].isdigit() or "20" in measure.source for measure in MEASURES)
    assert [measure.name for measure in MEASURES if measure.needs_masks] == ["pointing", "inside"]
    assert [measure.name for measure in MEASURES if not measure.judges] == ["sparsity", "complexity"]


def test_sparsity_is_0_for_the_same_heat_everywhere_and_near_1_for_one_pixel():
    assert concentration.sparsity(np.full((10, 10), 0.3)) == pytest.approx(0)
    assert concentration.sparsity(ONE) == pytest.approx(0.99, abs=1e-4)
    assert math.isnan(concentration.sparsity(np.zeros((10, 10))))


def test_complexity_is_the_entropy_in_nats():
    assert concentration.complexity(np.full((10, 10), 0.3)) == pytest.approx(math.log(100))
    assert concentration.complexity(ONE) == pytest.approx(0, abs=1e-9)
    assert math.isnan(concentration.complexity(np.zeros((10, 10))))


def test_how_hot_a_map_is_changes_neither():
    heat = np.random.default_rng(0).random((10, 10))

    for measure in (concentration.sparsity, concentration.complexity):
        assert measure(heat) == pytest.approx(measure(7 * heat), abs=1e-6)


def test_pointing_asks_for_the_hottest_pixel_and_share_for_all_heat():
    mask = np.zeros((10, 10), bool)
    mask[:5] = True
    heat = np.full((10, 10), 0.5)
    heat[2, 3] = 1

    assert (on_the_object.pointing(heat, mask), on_the_object.pointing(heat, ~mask)) == (1, 0)
    assert on_the_object.share(heat, mask) == pytest.approx(25.5 / 50.5)


def test_a_map_without_heat_points_at_nothing_and_without_an_object_there_is_nothing_to_point_at():
    mask = np.ones((10, 10), bool)

    for measure in (on_the_object.pointing, on_the_object.share):
        assert measure(np.zeros((10, 10)), mask) == 0
        assert math.isnan(measure(ONE, ~mask))


def test_drop_is_the_share_that_is_lost_and_a_gain_is_no_loss():
    assert average_drop.drop(0.8, 0.2) == (pytest.approx(0.75), 0)
    assert average_drop.drop(0.2, 0.8) == (0, 1)
    assert average_drop.drop(0.5, 0.5) == (0, 0)
    assert math.isnan(average_drop.drop(0, 0.1).drop)


def test_what_has_no_heat_is_black():
    image = np.full((2, 2, 3), 201, np.uint8)

    shown = average_drop.frame(image, np.array([[0, 0.5], [1, 0]], np.float32))

    assert shown.dtype == np.uint8
    assert shown[..., 0].tolist() == [[0, 100], [201, 0]]


@pytest.mark.parametrize("shape", [(28, 28), (224, 160), (1, 7), (16, 24)])
def test_controls_are_heatmaps_that_know_nothing(shape):
    random, again, other = (controls.random(*shape, seed) for seed in ((0, 3), (0, 3), (0, 4)))
    centre = controls.centred(*shape)

    for heat in (random, centre):
        assert (heat.shape, heat.dtype) == (shape, np.float32)
        assert 0 <= heat.min() <= heat.max() == pytest.approx(1, abs=0.1)
    np.testing.assert_array_equal(random, again)
    assert (random != other).any()
    np.testing.assert_allclose(centre, centre[::-1, ::-1], atol=1e-6)


def test_a_random_map_has_at_most_28_cells_along_a_side():
    heat = controls.random(224, 112, (0,))

    # Neighbours of a map of so few cells are alike; 28 x 28 is noise.
    assert np.corrcoef(heat[:, 1:].ravel(), heat[:, :-1].ravel())[0, 1] > 0.95
    small = controls.random(28, 28, (0,))
    assert abs(np.corrcoef(small[:, 1:].ravel(), small[:, :-1].ravel())[0, 1]) < 0.1
