"""Copies of pictures are known by what the classifier sees of them."""

from __future__ import annotations

import numpy as np

from camlite.images import copies

PICTURE = np.arange(24, dtype=np.uint8).reshape(4, 6, 1)
MASK = PICTURE[..., 0] > 5


def test_the_same_pixels_and_mask_are_the_same_however_they_lie_in_memory():
    seen = copies.checksum(PICTURE, MASK)

    assert copies.checksum(np.asfortranarray(PICTURE), MASK.copy()) == seen
    assert -(2**63) <= seen < 2**63


def test_another_pixel_shape_or_mask_is_another():
    changed = PICTURE.copy()
    changed[0, 0, 0] += 1
    different = [
        copies.checksum(changed, MASK),
        copies.checksum(PICTURE.reshape(6, 4, 1), MASK),
        copies.checksum(PICTURE, None),
        copies.checksum(PICTURE, ~MASK),
        copies.checksum(PICTURE, MASK),
    ]

    assert len(set(different)) == len(different)


def test_of_copies_the_first_counts_among_those_that_are_looked_at():
    seen = np.array([7, 7, 8, 7, 9])
    among = np.array([False, True, True, True, False])

    assert copies.first_of_each(seen, among).tolist() == [False, True, True, False, False]
    assert copies.different(seen, among) == 2


def test_where_nobody_has_looked_none_is_a_copy():
    among = np.array([True, False, True])

    assert copies.first_of_each(np.empty(0, np.int64), among).tolist() == among.tolist()
