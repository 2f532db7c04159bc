"""Pictures that are not: what they keep, and what they take away."""

from __future__ import annotations

import numpy as np
import pytest

from camlite.audit import counterfactual
from camlite.audit.counterfactual import KINDS


@pytest.fixture
def scene() -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """A red square on a slope of greys, its mask, and other surroundings."""
    picture = np.repeat(np.linspace(40, 200, 64).astype(np.uint8)[:, np.newaxis], 48, axis=1)
    picture = picture[..., np.newaxis].repeat(3, axis=2)
    mask = np.zeros((64, 48), np.bool_)
    mask[20:40, 10:30] = True
    picture[mask] = (255, 0, 0)
    return picture, mask, np.full((64, 48, 3), (0, 0, 255), np.uint8)


def test_the_object_stays_as_it_is_where_its_surroundings_are_replaced(scene):
    picture, mask, surroundings = scene
    found = counterfactual.pairs(picture, mask, surroundings)

    assert set(found) == set(KINDS)
    for kind in KINDS:
        assert (found[kind].kept[mask] == picture[mask]).all(), kind
        assert (found[kind].kept[~mask] != picture[~mask]).any(), kind
    assert (found["other"].kept[~mask] == surroundings[~mask]).all()


def test_the_surroundings_stay_as_they_are_where_the_object_is_replaced(scene):
    picture, mask, surroundings = scene
    outside = ~counterfactual.grown(mask)
    for kind, pair in counterfactual.pairs(picture, mask, surroundings).items():
        assert (pair.removed[outside] == picture[outside]).all(), kind
        assert (pair.removed[mask] != picture[mask]).any(), kind


def test_an_object_that_is_painted_over_leaves_no_trace_of_its_colour(scene):
    picture, mask, _ = scene
    painted = counterfactual.painted_over(picture, mask).astype(int)

    expected = np.linspace(40, 200, 64)[:, np.newaxis, np.newaxis]
    assert np.abs(painted - painted[..., :1]).max() == 0  # grey, as all around
    # A wide hole is filled from coarser copies of the picture: the slope goes on, in steps.
    assert np.abs(painted - expected).max() < 25
    assert painted.dtype != picture.dtype
    assert (picture[mask] == (255, 0, 0)).all()


@pytest.mark.parametrize("shape", [(1, 1), (5, 7), (17, 3), (64, 64)])
def test_painting_over_works_at_any_size_and_when_all_is_object(shape):
    picture = np.full((*shape, 3), 90, np.uint8)
    mask = np.zeros(shape, np.bool_)
    mask[shape[0] // 2, shape[1] // 2] = True

    assert (counterfactual.painted_over(picture, mask) == 90).all() or mask.size == 1
    assert counterfactual.painted_over(picture, np.ones(shape, np.bool_)).shape == picture.shape
    assert counterfactual.painted_over(picture, np.zeros(shape, np.bool_)) is picture


def test_a_picture_without_an_object_is_given_one_or_loses_its_surroundings(scene):
    other, mask, surroundings = scene
    empty = np.full_like(other, 7)
    pair = counterfactual.pair_without(empty, other, mask, surroundings)

    assert (pair.kept == surroundings).all()
    assert (pair.removed[mask] == other[mask]).all()
    assert (pair.removed[~mask] == 7).all()


def test_a_rim_is_as_wide_on_every_side_and_stays_inside(scene):
    _, mask, _ = scene
    rows, columns = np.nonzero(counterfactual.grown(mask))
    corner = np.zeros((32, 32), np.bool_)
    corner[0, 0] = True

    assert (rows.min(), rows.max(), columns.min(), columns.max()) == (18, 41, 8, 31)
    assert counterfactual.grown(corner).sum() == 4


def test_a_blurred_picture_keeps_its_mean_and_loses_its_stripes():
    stripes = np.tile(np.arange(64) % 2 * 200, (64, 1)).astype(np.uint8)[..., np.newaxis]

    soft = counterfactual.blurred(stripes)

    assert soft.shape == stripes.shape
    assert (soft == 100).all()
