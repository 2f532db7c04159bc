"""`camlite.maps.resize` against an oracle of plain loops."""

from __future__ import annotations

import math
from itertools import product

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from camlite.artifact.card import Window
from camlite.maps import resize

sides = st.integers(1, 6)
reals = st.floats(-100, 100, width=32) | st.just(0.0)

# float32 rounds each product and sum to 6e-8 of its size.
ROUNDING = 2e-5


def resize_oracle(image: np.ndarray, height: int, width: int) -> np.ndarray:
    """Bilinear: pixel centres at half coordinates, edges held."""

    def neighbours(place: int, size: int, target: int) -> list[tuple[int, float]]:
        centre = min(max((place + 0.5) * size / target - 0.5, 0), size - 1)
        below = math.floor(centre)
        return [(below, 1 - (centre - below)), (min(below + 1, size - 1), centre - below)]

    resized = np.zeros((height, width))
    for y, x in product(range(height), range(width)):
        for (row, down), (column, right) in product(
            neighbours(y, image.shape[0], height), neighbours(x, image.shape[1], width)
        ):
            resized[y, x] += float(image[row, column]) * down * right
    return resized


@given(sides, st.integers(1, 12))
def test_rows_of_a_resize_matrix_add_up_to_1(size, target):
    matrix = resize.resize_matrix(size, target)

    assert matrix.dtype == np.float32
    assert matrix.shape == (target, size)
    assert (matrix >= 0).all()
    np.testing.assert_allclose(matrix.sum(axis=1), 1, rtol=1.2e-7)  # one rounding to float32


@given(sides, st.integers(1, 12))
def test_rows_of_a_smooth_matrix_add_up_to_1(size, target):
    matrix = resize.smooth_matrix(size, target)

    assert (matrix >= 0).all()
    np.testing.assert_allclose(matrix.sum(axis=1), 1, rtol=3e-7)


@pytest.mark.parametrize("size", [2, 3, 7])
def test_smooth_is_the_mean_of_bilinear_over_the_width_of_a_number(size):
    fine = 40  # pixels to a number
    weights = np.concatenate([[0.5], np.ones(fine - 1), [0.5]]) / fine
    numbers = np.random.default_rng(size).normal(size=size)
    around = np.concatenate([numbers[:1].repeat(2), numbers, numbers[-1:].repeat(2)])
    bilinear = np.interp((np.arange((size + 4) * fine) + 0.5) / fine - 0.5, np.arange(size + 4), around)
    means = np.convolve(bilinear, weights, "same")[2 * fine : -2 * fine]

    np.testing.assert_allclose(resize.smooth_matrix(size, size * fine) @ numbers, means, atol=2e-3)


def test_smooth_has_no_corners():
    """Where pixels are half as wide, second differences are a quarter as large; at a corner, half as large."""

    def corner(matrix: np.ndarray) -> float:
        return float(np.abs(np.diff(matrix[:, 2], 2)).max())

    assert corner(resize.resize_matrix(5, 400)) == pytest.approx(corner(resize.resize_matrix(5, 200)) / 2, rel=0.05)
    assert corner(resize.smooth_matrix(5, 400)) == pytest.approx(corner(resize.smooth_matrix(5, 200)) / 4, rel=0.05)


@pytest.mark.parametrize("matrix", [resize.resize_matrix, resize.smooth_matrix])
def test_outside_of_its_window_there_is_nothing(matrix):
    rows = matrix(3, 10, 0.2, 0.75).sum(axis=1)

    np.testing.assert_allclose(rows, [0, 0, 1, 1, 1, 1, 1, 1, 0, 0], atol=1e-6)


@given(sides)
def test_resizing_to_the_same_size_changes_nothing(size):
    assert np.array_equal(resize.resize_matrix(size, size), np.eye(size))


def test_resize_matrices_are_those_of_tf_image_resize(tiny):
    for name, expected in np.load(tiny / "resized.npz").items():
        size, target = map(int, name.split(" to "))

        # TensorFlow computes the sampling places, up to 224, in float32: to 1.5e-5 of a pixel.
        np.testing.assert_allclose(resize.resize_matrix(size, target), expected, rtol=0, atol=2e-5, err_msg=name)


@given(arrays.arrays(np.float32, st.tuples(sides, sides), elements=reals), st.integers(1, 12), st.integers(1, 12))
def test_maps_are_resized_by_bilinear_interpolation_one_by_one_or_together(maps, height, width):
    resizing = resize.Resizing(maps.shape, (height, width))

    alone, together = resizing(maps), resizing(np.stack([maps, -maps]))

    expected = resize_oracle(maps, height, width)
    assert (alone.dtype, alone.shape) == (np.float32, (height, width))
    np.testing.assert_allclose(alone, expected, rtol=0, atol=ROUNDING * 100)
    np.testing.assert_allclose(together, [expected, -expected], rtol=0, atol=ROUNDING * 100)


map_stacks = arrays.arrays(
    np.float32, st.tuples(st.integers(1, 3), sides, sides), elements=st.floats(-(2.0**99), 2.0**99, width=32) | reals
)


@given(map_stacks, st.integers(1, 9), st.integers(1, 9))
def test_a_heatmap_is_evidence_resized_then_clipped_at_0_then_scaled_to_its_peak(maps, height, width):
    resizing = resize.Resizing(maps.shape[1:], (height, width))

    heatmaps = resize.heatmap(maps, resizing)

    assert heatmaps.dtype == np.float32
    assert heatmaps.shape == (len(maps), height, width)
    for one, heat in zip(maps, heatmaps, strict=True):
        alone = resize.heatmap(one, resizing)
        assert (alone.dtype, alone.shape) == (np.float32, (height, width))
        resized = resize_oracle(one, height, width)
        clipped = np.maximum(resized, 0)
        if clipped.max() > ROUNDING * np.abs(one).max():
            # A difference of two large numbers that nearly cancel keeps the rounding of the large ones.
            error = ROUNDING * np.abs(one).max() / clipped.max()
            np.testing.assert_allclose(heat, clipped / clipped.max(), rtol=0, atol=2 * error)
            np.testing.assert_allclose(alone, clipped / clipped.max(), rtol=0, atol=2 * error)


@given(map_stacks, st.integers(1, 9), st.integers(1, 9))
def test_a_heatmap_stays_within_0_and_1_and_has_no_nan(maps, height, width):
    heatmaps = resize.heatmap(maps, resize.Resizing(maps.shape[1:], (height, width)))

    for heat in heatmaps:
        assert ((heat >= 0) & (heat <= 1)).all()
        assert heat.max() in (0, 1)


@given(map_stacks)
def test_a_map_without_positive_evidence_gives_a_heatmap_of_zeros(maps):
    maps = -np.abs(maps)
    resizing = resize.Resizing(maps.shape[1:], maps.shape[1:])

    assert not resize.heatmap(maps, resizing).any()
    assert not resize.heatmap(maps[0], resizing).any()


def test_a_map_of_one_class_does_not_depend_on_the_others_beside_it():
    maps = np.array([[[1, 2]], [[300, 400]]], np.float32)

    together = resize.heatmap(maps, resize.Resizing((1, 2), (1, 2)))

    assert np.array_equal(together, [[[0.5, 1]], [[0.75, 1]]])


@given(map_stacks, st.integers(1, 9), st.integers(1, 9))
def test_stacks_of_stacks_give_the_heatmaps_of_each_stack(maps, height, width):
    resizing = resize.Resizing(maps.shape[1:], (height, width))
    stacks = np.stack([maps, -maps])

    assert np.array_equal(resize.heatmap(stacks, resizing), [resize.heatmap(stack, resizing) for stack in stacks])


def test_what_is_kept_between_calls_cannot_be_written_to():
    assert resize.taps(3, 8) is resize.taps(3, 8)
    for array in resize.taps(3, 8):
        with pytest.raises(ValueError, match="read-only"):
            array[0] = 1


def test_a_map_lies_over_its_window_and_nothing_outside_of_it():
    maps = np.array([[1, 2], [3, 4]], np.float32)
    inner = resize.Resizing((2, 2), (4, 4))(maps)

    cropped = resize.Resizing((2, 2), (8, 8), Window(0.25, 0.5, 0.75, 1.0))(maps)
    assert np.array_equal(cropped[2:6, 4:], inner)
    cropped[2:6, 4:] = 0
    assert not cropped.any()
    padded = resize.Resizing((2, 2), (2, 3), Window(-0.5, 0.0, 1.5, 4 / 3))(maps)
    assert np.array_equal(padded, inner[1:3, :3])
