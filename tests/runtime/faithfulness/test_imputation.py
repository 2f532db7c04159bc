"""Missing pixels made up from their neighbours, against a direct solution by scipy."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.ndimage import gaussian_filter
from scipy.sparse import coo_matrix
from scipy.sparse.linalg import spsolve

from camlite.faithfulness import imputation

OFFSETS = [(y, x) for y in (-1, 0, 1) for x in (-1, 0, 1) if (y, x) != (0, 0)]


def solved(image: np.ndarray, gone: np.ndarray) -> np.ndarray:
    """Each missing pixel is the weighted mean of its neighbours: as a sparse system."""
    rows, columns = np.nonzero(gone)
    place = np.full(gone.shape, -1)
    place[rows, columns] = np.arange(len(rows))
    entries, right = [], np.zeros((len(rows), image.shape[2]))
    for down, across in OFFSETS:
        weight = 1 / 12 if down and across else 1 / 6
        y, x = rows + down, columns + across
        for i in np.flatnonzero((y >= 0) & (y < gone.shape[0]) & (x >= 0) & (x < gone.shape[1])):
            entries.append((i, i, weight))
            if gone[y[i], x[i]]:
                entries.append((i, place[y[i], x[i]], -weight))
            else:
                right[i] += weight * image[y[i], x[i]]
    i, j, values = zip(*entries, strict=True)
    found = image.astype(float)
    found[rows, columns] = spsolve(coo_matrix((values, (i, j))).tocsc(), right).reshape(right.shape)
    return found


@pytest.mark.parametrize("shape", [(28, 28, 1), (37, 50, 3), (3, 61, 1), (1, 40, 2), (6, 6, 3), (64, 33, 1)])
@pytest.mark.parametrize("share", [0.1, 0.5, 0.9])
@pytest.mark.parametrize("smooth", [0, 5])
def test_it_is_the_solution_of_the_linear_system(shape, share, smooth):
    random = np.random.default_rng(int(share * 10))
    image = random.random(shape)
    heat = gaussian_filter(random.random(shape[:2]), smooth)
    gone = heat > np.quantile(heat, 1 - share)

    found = imputation.impute(image, gone, 1e-12)

    np.testing.assert_allclose(found, solved(image, gone), atol=1e-9)
    np.testing.assert_array_equal(found[~gone], image[~gone])


def test_with_the_usual_tolerance_whole_pixels_are_within_a_fifth_of_a_step():
    """The noise that ROAD adds has a standard deviation of 2.55 steps. Measured 0.11."""
    rows, columns = np.mgrid[:112, :96]
    waves = np.sin(rows / 5) + np.cos(columns / 7) + np.random.default_rng(0).normal(0, 0.2, rows.shape)
    image = np.clip(90 * waves[..., np.newaxis] + 128, 0, 255).astype(np.uint8)
    gone = np.hypot(rows - 50, columns - 40) < 45

    np.testing.assert_allclose(imputation.impute(image, gone), solved(image, gone), atol=0.2)


@pytest.mark.parametrize("contrast", [0, 1e-3, 100])
@pytest.mark.parametrize("dtype", [np.uint8, np.float32, np.float64])
def test_it_takes_few_rounds_however_large_the_hole_and_plain_the_rest(monkeypatch, contrast, dtype):
    image = (60 + contrast * np.random.default_rng(0).random((128, 128, 1))).astype(dtype)
    gone = np.ones((128, 128), bool)
    gone[0, 0] = gone[-1, 5] = False
    rounds = []
    original = imputation._Grid.cycle

    def counted(self, residual):
        rounds.append(residual.shape[0])
        return original(self, residual)

    monkeypatch.setattr(imputation._Grid, "cycle", counted)
    imputation.impute(image, gone)

    assert rounds
    assert (
        max(map(rounds.count, rounds)) <= 60
    )  # of the smaller grids more: each is solved, and corrects the larger ones


def test_nothing_missing_leaves_the_picture_and_the_input_is_not_changed():
    image = np.random.default_rng(0).integers(0, 256, (9, 9, 3)).astype(np.uint8)
    before = image.copy()

    np.testing.assert_array_equal(imputation.impute(image, np.zeros((9, 9), bool)), image)
    imputation.impute(image, np.eye(9, dtype=bool))

    np.testing.assert_array_equal(image, before)


def test_channels_of_one_colour_stay_that_colour():
    image = np.stack([np.full((20, 20), 7.0), np.random.default_rng(0).random((20, 20))], axis=2)
    gone = np.zeros((20, 20), bool)
    gone[3:17, 3:17] = True

    np.testing.assert_allclose(imputation.impute(image, gone)[..., 0], 7.0, atol=1e-3)
