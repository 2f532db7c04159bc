"""Groups of heatmaps: a shortcut that a part of the images shares is a group of its own."""

from __future__ import annotations

import numpy as np
import pytest

from camlite_export.audit.heatmap_clusters import groups


def maps(count: int, row: int, column: int, seed: int) -> np.ndarray:
    """Evidence about one place of an 8 x 8 map."""
    random = np.random.default_rng(seed)
    rows, columns = np.indices((8, 8))
    centres = random.normal((row, column), 0.5, (count, 2))
    away = (rows - centres[:, :1, np.newaxis]) ** 2 + (columns - centres[:, 1:, np.newaxis]) ** 2
    found = np.exp(-away / 3) + random.random((count, 8, 8)) * 0.02
    return (found / found.sum(axis=(1, 2), keepdims=True)).astype(np.float32)


@pytest.mark.parametrize("share", [0.1, 0.3, 0.5])
def test_images_with_a_mark_in_a_corner_are_a_group_of_their_own(share: float) -> None:
    marked = int(200 * share)
    both = np.concatenate([maps(200 - marked, 4, 4, 0), maps(marked, 0, 0, 1)])

    found = groups(both)

    sizes = sorted(group.share for group in found)
    assert sizes == pytest.approx(sorted([share, 1 - share]))
    corner = next(group for group in found if group.mean[0, 0] > 0.1)
    assert set(corner.members) == set(range(200 - marked, 200))


def test_maps_that_lie_alike_are_one_group() -> None:
    (found,) = groups(maps(200, 4, 4, 0))

    assert found.share == 1
    assert sorted(found.members) == list(range(200))


@pytest.mark.parametrize("count", [1, 2, 10, 11])
def test_few_maps_are_grouped_too(count: int) -> None:
    assert sum(group.share for group in groups(maps(count, 4, 4, 0))) == pytest.approx(1)


def test_of_many_maps_evenly_spread_ones_are_grouped_always_the_same() -> None:
    both = np.concatenate([maps(600, 4, 4, 0), maps(600, 0, 7, 1)])

    first, again = groups(both), groups(both)

    assert [group.share for group in first] == pytest.approx([0.5, 0.5])
    for one, two in zip(first, again, strict=True):
        assert one.members.tolist() == two.members.tolist()
        assert (one.members % 3 == 0).all()
