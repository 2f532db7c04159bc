"""Regions of a picture, on the cells of a feature map."""

from __future__ import annotations

import numpy as np
import pytest

from camlite.audit import regions


@pytest.mark.parametrize("shape", [(3, 3), (7, 7), (8, 12), (1, 1), (24, 24)])
def test_a_region_has_its_share_of_the_picture_whatever_the_feature_map(shape):
    shares = regions.region_weights(*shape).mean(axis=(1, 2))

    assert dict(zip(regions.REGIONS, shares, strict=True)) == pytest.approx(regions.SHARE, abs=1e-6)


def test_the_sky_is_above_the_ground_below_and_the_corners_are_four():
    weights = dict(zip(regions.REGIONS, regions.region_weights(12, 12), strict=True))

    assert (weights["sky"][:4] == 1).all()
    assert (weights["sky"][4:] == 0).all()
    assert (weights["ground"] == weights["sky"][::-1]).all()
    assert weights["corners"][0, 0] == weights["corners"][-1, 0] == weights["corners"][0, -1] == 1
    assert weights["corners"][0, 5] == weights["corners"][5, 5] == 0
    assert weights["border"][0, 5] == 1
    assert weights["border"][5, 5] == 0


def test_a_cell_that_the_mask_touches_with_one_pixel_is_the_objects():
    mask = np.zeros((64, 32), np.bool_)
    mask[63, 0] = mask[0, 31] = True

    assert regions.touched(mask, 4, 4).tolist() == [
        [False, False, False, True],
        [False] * 4,
        [False] * 4,
        [True, False, False, False],
    ]


def test_shares_are_of_the_positive_evidence_and_add_up_to_1():
    shares = regions.positive_shares(np.array([[-5, 1], [0, 3]], np.float32))

    assert shares.tolist() == [[0, 0.25], [0, 0.75]]
    assert not regions.positive_shares(np.full((2, 2), -1, np.float32)).any()


def test_evidence_in_one_corner_is_off_centre_and_not_uniform():
    corner, even = np.zeros((4, 4), np.float32), np.full((4, 4), 1 / 16, np.float32)
    corner[0, 0] = 1

    assert regions.off_centre(corner) == pytest.approx(0.375 * 2**0.5)
    assert regions.off_centre(even) == pytest.approx(0)
    assert regions.uniformity(corner) == 0
    assert regions.uniformity(even) == pytest.approx(1)
