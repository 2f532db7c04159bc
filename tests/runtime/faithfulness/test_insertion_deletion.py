"""Insertion and deletion: frames, curves and areas, on classifiers of which the answer is known."""

from __future__ import annotations

import numpy as np
import pytest

from camlite.faithfulness import insertion_deletion
from camlite.faithfulness.blurring import blurred

SIDE = 20


def sees_one_square(images):
    """Class 0 is how bright the square rows 4..9, columns 10..15 is; class 1 is how bright the rest is not."""
    square = images[:, 4:10, 10:16].mean(axis=(1, 2, 3)) / 255
    return np.stack([square, 1 - square], axis=1)


@pytest.fixture
def image() -> np.ndarray:
    picture = np.zeros((SIDE, SIDE, 1), np.uint8)
    picture[4:10, 10:16] = 255
    return picture


@pytest.fixture
def on_it() -> np.ndarray:
    heat = np.zeros((SIDE, SIDE), np.float32)
    heat[4:10, 10:16] = 1
    return heat


def test_a_map_of_what_the_classifier_sees_inserts_high_and_deletes_low(image, on_it):
    right, wrong = insertion_deletion.measure(sees_one_square, image, np.stack([on_it, 1 - on_it]), 0, 20)

    assert right.insertion > 0.95 > 0.65 > wrong.insertion
    assert right.deletion < 0.7 < 0.95 < wrong.deletion
    assert right.difference == right.insertion - right.deletion > 0.3 > 0 > wrong.difference


def test_frames_go_from_the_baseline_to_the_picture_and_back():
    heat = np.random.default_rng(0).random((SIDE, SIDE))
    picture, baseline = np.full((SIDE, SIDE, 2), 7, np.uint8), np.zeros((SIDE, SIDE, 2), np.uint8)

    frames = insertion_deletion.frames(picture, heat, baseline, 5)

    assert (frames.shape, frames.dtype) == ((10, SIDE, SIDE, 2), np.uint8)
    shares = (frames == 7).mean(axis=(1, 2, 3))
    np.testing.assert_allclose(shares, [0, 0.2, 0.4, 0.6, 0.8, 1, 0.8, 0.6, 0.4, 0.2])
    # The hottest tenth is the first to come and the first to go.
    hottest = heat > np.quantile(heat, 0.9)
    assert (frames[1][hottest] == 7).all()
    assert (frames[6][hottest] == 0).all()


def test_pixels_of_equal_heat_go_line_by_line():
    heat = np.array([[0.0, 1.0, 0.0], [1.0, 0.0, 2.0]])

    np.testing.assert_array_equal(insertion_deletion.order(heat), [5, 1, 3, 0, 2, 4])


def test_areas_are_those_of_the_trapezoidal_rule_over_the_score_of_the_whole_picture():
    # baseline, inserted thirds, whole picture, and with thirds deleted
    scores = np.array([0.1, 0.3, 0.4, 0.5, 0.2, 0.1])

    curves = insertion_deletion.curves(scores)

    np.testing.assert_allclose(curves, [[0.2, 0.6, 0.8, 1], [1, 0.4, 0.2, 0.2]])
    found = insertion_deletion.areas(curves)
    assert found.insertion == pytest.approx((0.4 + 0.7 + 0.9) / 3)
    assert found.deletion == pytest.approx((0.7 + 0.3 + 0.2) / 3)


def test_where_the_whole_picture_scores_nothing_there_is_no_area():
    assert np.isnan(insertion_deletion.areas(insertion_deletion.curves(np.array([0.1, 0.2, 0, 0.2])))).all()


def test_pictures_that_all_maps_share_are_scored_once(image, on_it):
    counted = []

    def score(images):
        counted.append(len(images))
        return sees_one_square(images)

    found = insertion_deletion.measure(score, image, np.stack([on_it, on_it, on_it]), 0, 6)

    assert sum(counted) == 2 + 3 * 10
    whole = insertion_deletion.frames(image, on_it, blurred(image), 6)
    alone = insertion_deletion.areas(insertion_deletion.curves(sees_one_square(whole)[:, 0]))
    assert found == [alone] * 3


def test_prepared_inputs_are_measured_like_pixels(image, on_it):
    """The original is measured on float inputs of any range."""
    pixels = insertion_deletion.measure(sees_one_square, image.astype(np.float32), on_it[np.newaxis], 0)
    scaled = insertion_deletion.measure(
        lambda inputs: sees_one_square((inputs + 1) * 127.5),
        image.astype(np.float32) / 127.5 - 1,
        on_it[np.newaxis],
        0,
    )

    np.testing.assert_allclose(pixels, scaled, atol=1e-5)
