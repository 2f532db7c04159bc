"""`camlite_export.golden_samples`: a few small images that travel in the artifact."""

from __future__ import annotations

from functools import cache

import keras
import numpy as np
import pytest

from camlite.artifact.card import Preprocessing
from camlite.errors import ClassifierError
from camlite.images.labelled_images import LabelledImages
from camlite_export import golden_samples
from camlite_export.cutting import two_output
from camlite_export.cutting.two_output import TwoOutputModel
from camlite_export.sources.pixel_conventions import preprocessing


def images_of(pixels: np.ndarray) -> LabelledImages:
    return LabelledImages([str(i) for i in range(len(pixels))], None, lambda i: pixels[i])


def shades(count: int, height: int, width: int, channels: int = 3) -> np.ndarray:
    """Image i is of shade 10 i."""
    shade = (10 * np.arange(count, dtype=np.uint8))[:, None, None, None]
    return np.broadcast_to(shade, (count, height, width, channels))


@cache
def classifier(height: int, width: int, channels: int) -> TwoOutputModel:
    """Two classes, dark and bright; at half brightness, 127.5, their scores are equal."""
    model = keras.Sequential(
        [
            keras.Input((height, width, channels)),
            keras.layers.Conv2D(1, 1, name="brightness"),
            keras.layers.GlobalAveragePooling2D(),
            keras.layers.Dense(2, activation="softmax"),
        ]
    )
    model.set_weights(
        [np.full((1, 1, channels, 1), 8 / channels), np.zeros(1), np.array([[-1.0, 1.0]]), np.array([4.0, -4.0])]
    )
    return two_output.cut(model)


def chosen(images: LabelledImages | None, target: Preprocessing) -> np.ndarray:
    return golden_samples.choose(images, target, classifier(target.height, target.width, target.channels))


def test_images_of_different_classes_come_first_and_then_the_least_sure() -> None:
    """Shades 120 and 130 are the least sure of the dark and of the bright, then 110 and 140."""
    found = chosen(images_of(shades(26, 8, 8)), preprocessing((8, 8, 3)))
    assert found.dtype == np.uint8
    assert set(found[:2, 0, 0, 0].tolist()) == {120, 130}
    assert set(found[2:, 0, 0, 0].tolist()) <= {110, 140}
    assert len(found) == 4


def test_an_image_that_the_classifier_gives_no_numbers_to_is_no_sample() -> None:
    """One that divides by an image's brightness gives none to a black one."""
    image = keras.Input((8, 8, 3))
    seen = keras.layers.Conv2D(4, 3)(image / keras.ops.mean(image, axis=(1, 2, 3), keepdims=True))
    scores = keras.layers.Dense(2, activation="softmax")(keras.layers.GlobalAveragePooling2D()(seen))
    cut, target = two_output.cut(keras.Model(image, scores)), preprocessing((8, 8, 3))

    found = golden_samples.choose(images_of(shades(3, 8, 8)), target, cut)

    assert sorted(found[:, 0, 0, 0].tolist()) == [10, 20]
    with pytest.raises(ClassifierError, match=r"its answers to 1 calibration picture that were tried are not finite"):
        golden_samples.choose(images_of(shades(1, 8, 8)), target, cut)


def test_fewer_images_are_fewer_samples() -> None:
    assert len(chosen(images_of(shades(1, 8, 8)), preprocessing((8, 8, 3)))) == 1


@pytest.mark.parametrize(("size", "expected"), [((28, 28), (28, 28)), ((224, 224), (48, 48)), ((50, 300), (48, 48))])
def test_they_are_small(size: tuple[int, int], expected: tuple[int, int]) -> None:
    found = chosen(images_of(shades(3, 300, 400)), preprocessing((*size, 3)))
    assert found.shape == (3, *expected, 3)


def test_an_image_of_the_right_size_is_kept_pixel_by_pixel() -> None:
    pixels = np.random.default_rng(0).integers(0, 256, (2, 28, 28, 1), np.uint8)
    found = chosen(images_of(pixels), preprocessing((28, 28, 1), "signed"))
    assert sorted(map(bytes, found)) == sorted(map(bytes, pixels))


def test_colour_images_of_a_grey_classifier_become_grey() -> None:
    assert chosen(images_of(shades(2, 28, 28)), preprocessing((28, 28, 1))).shape == (2, 28, 28, 1)


def test_channels_stay_rgb_for_a_classifier_of_bgr() -> None:
    red = np.zeros((1, 8, 8, 3), np.uint8)
    red[..., 0] = 200
    np.testing.assert_array_equal(chosen(images_of(red), preprocessing((8, 8, 3), "caffe")), red)


def test_what_a_crop_leaves_out_is_left_out() -> None:
    wide = np.zeros((1, 10, 30, 3), np.uint8)
    wide[:, :, 10:20] = 99
    found = chosen(images_of(wide), preprocessing((10, 10, 3), fit="crop"))
    assert (found == 99).all()


@pytest.mark.parametrize("shape", [(28, 28, 1), (224, 320, 3), (3, 2, 3)])
def test_without_calibration_images_they_are_random_fields_always_the_same(shape: tuple[int, int, int]) -> None:
    first, second = (chosen(None, preprocessing(shape)) for _ in range(2))
    np.testing.assert_array_equal(first, second)
    assert first.shape == (4, min(48, shape[0]), min(48, shape[1]), shape[2])
    assert first.dtype == np.uint8
    assert len(np.unique(first.reshape(4, -1), axis=0)) == 4
    assert first.std() > 20
