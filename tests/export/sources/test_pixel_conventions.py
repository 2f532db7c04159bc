"""`camlite_export.sources.pixel_conventions`: the same inputs as Keras's own `preprocess_input` makes."""

from __future__ import annotations

import keras
import numpy as np
import pytest

from camlite.errors import ClassifierError
from camlite.images.preprocessing import prepare
from camlite_export.rightness import candidates
from camlite_export.sources.pixel_conventions import NAMED, preprocessing

PIXELS = np.random.default_rng(0).integers(0, 256, (9, 7, 3), np.uint8)
GREY = PIXELS[..., :1]

# Keras divides and subtracts in another order: a few roundings of 6e-8 of 255.
ROUNDING = 3e-5


def prepared(pixels: np.ndarray, **options: object) -> np.ndarray:
    return prepare(pixels, preprocessing(pixels.shape, **options))


@pytest.mark.parametrize(
    ("name", "application"),
    [
        ("signed", keras.applications.mobilenet),
        ("signed", keras.applications.mobilenet_v2),
        ("signed", keras.applications.resnet_v2),
        ("signed", keras.applications.inception_v3),
        ("signed", keras.applications.xception),
        ("signed", keras.applications.nasnet),
        ("imagenet", keras.applications.densenet),
        ("caffe", keras.applications.vgg16),
        ("caffe", keras.applications.resnet),
        ("raw", keras.applications.mobilenet_v3),
        ("raw", keras.applications.efficientnet),
        ("raw", keras.applications.efficientnet_v2),
        ("raw", keras.applications.convnext),
    ],
    ids=lambda value: value if isinstance(value, str) else value.__name__.rpartition(".")[2],
)
def test_the_named_ones_are_those_of_keras_applications(name: str, application: object) -> None:
    expected = np.asarray(application.preprocess_input(PIXELS.astype(np.float32)))
    np.testing.assert_allclose(prepared(PIXELS, name=name), expected, rtol=0, atol=ROUNDING)


def test_unit_is_a_rescaling_by_255() -> None:
    expected = np.asarray(keras.layers.Rescaling(1 / 255)(PIXELS))
    np.testing.assert_allclose(prepared(PIXELS, name="unit"), expected, rtol=0, atol=1e-6)


def test_mean_and_deviation_are_those_of_a_normalization_layer() -> None:
    mean, std = (120.0, 110.0, 100.0), (60.0, 50.0, 40.0)
    layer = keras.layers.Normalization(mean=mean, variance=np.square(std))
    received = prepared(PIXELS, mean=mean, std=std)
    np.testing.assert_allclose(received, np.asarray(layer(PIXELS.astype(np.float32))), rtol=0, atol=1e-5)


@pytest.mark.parametrize("share", [1, 255])
def test_mean_and_deviation_of_torch_are_on_0_to_1(share: int) -> None:
    mean, std = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)
    expected = (PIXELS / 255 - np.array(mean)) / np.array(std)

    received = prepared(PIXELS, mean=[share * one for one in mean], std=[share * one for one in std])

    np.testing.assert_allclose(received, expected, rtol=0, atol=ROUNDING)


@pytest.mark.parametrize(
    ("options", "told"),
    [
        ({"mean": (0.485, 0.456, 0.406)}, "--mean 123.675,116.28,103.53 --std 255"),
        ({"std": (0.5,)}, "--mean 0 --std 127.5"),
        ({"mean": (0.5,), "std": (1.0,)}, "--mean 127.5 --std 255"),
    ],
)
def test_what_may_be_on_either_scale_is_refused_with_the_numbers(options: dict, told: str) -> None:
    with pytest.raises(ClassifierError, match=f"if they are on 0..1, give {told}$"):
        prepared(PIXELS, **options)


@pytest.mark.parametrize("options", [{"mean": (0.0,), "std": (1.0,)}, {"mean": (103.9,), "std": (1.0,)}])
def test_pixels_as_they_are_stay_so(options: dict) -> None:
    np.testing.assert_allclose(
        prepared(PIXELS, **options), PIXELS - np.float32(options["mean"][0]), rtol=0, atol=ROUNDING
    )


def test_one_number_stands_for_all_channels() -> None:
    np.testing.assert_array_equal(
        prepared(PIXELS, mean=[100], std=[50]), prepared(PIXELS, mean=[100] * 3, std=[50] * 3)
    )


def test_mean_alone_keeps_the_named_deviation() -> None:
    received = preprocessing((9, 7, 3), "imagenet", mean=[1.0, 2.0, 3.0])
    assert received.scale == preprocessing((9, 7, 3), "imagenet").scale


@pytest.mark.parametrize("name", ["unit", "signed", "raw"])
def test_grey_classifiers_have_one_channel(name: str) -> None:
    assert prepared(GREY, name=name).shape == (9, 7, 1)


@pytest.mark.parametrize("name", ["imagenet", "caffe"])
def test_colour_statistics_do_not_fit_grey_classifiers(name: str) -> None:
    with pytest.raises(ClassifierError, match=r"3 numbers for mean, the classifier's input has 1 channel; give 1$"):
        preprocessing((9, 7, 1), name)


@pytest.mark.parametrize(("what", "numbers"), [("mean", [1.0, 2.0]), ("std", [1.0, 2.0, 3.0, 4.0])])
def test_a_count_that_does_not_fit_the_channels_is_refused(what: str, numbers: list[float]) -> None:
    with pytest.raises(ClassifierError, match=f"{len(numbers)} numbers for {what}.*3 channels; give 1 or 3"):
        preprocessing((9, 7, 3), **{what: numbers})


@pytest.mark.parametrize("std", [[0.0], [50.0, 0.0, 50.0], [-1.0], [float("nan")]])
def test_a_deviation_must_be_above_zero(std: list[float]) -> None:
    with pytest.raises(ClassifierError, match=r"above 0|finite"):
        preprocessing((9, 7, 3), std=std)


@pytest.mark.parametrize("mean", [[float("inf")], [float("nan")]])
def test_a_mean_must_be_a_number(mean: list[float]) -> None:
    with pytest.raises(ClassifierError, match="mean"):
        preprocessing((9, 7, 3), mean=mean)


@pytest.mark.parametrize("name", NAMED)
def test_the_card_gets_plain_numbers(name: str) -> None:
    received = preprocessing((9, 7, 3), name, fit="crop")
    assert (received.height, received.width, received.channels, received.fit) == (9, 7, 3, "crop")
    assert received.order == ("bgr" if name == "caffe" else "rgb")
    assert all(type(number) is float for number in (*received.scale, *received.offset))
    assert "-0.0" not in repr(received)


@pytest.mark.parametrize("name", NAMED)
def test_the_other_order_turns_the_channels_and_their_mean_and_deviation_with_them(name: str) -> None:
    other = "rgb" if name == "caffe" else "bgr"

    np.testing.assert_array_equal(prepared(PIXELS, name=name, order=other), prepared(PIXELS, name=name)[..., ::-1])
    usual = preprocessing((9, 7, 3), name)
    assert preprocessing((9, 7, 3), name, order=usual.order) == usual


def test_a_mean_of_ones_own_is_in_the_order_of_the_classifier() -> None:
    received = prepared(PIXELS, mean=[10.0, 20.0, 30.0], std=[1.0, 1.0, 1.0], order="bgr")
    np.testing.assert_allclose(received, PIXELS[..., ::-1] - np.array([10.0, 20.0, 30.0]), rtol=0, atol=ROUNDING)


def test_one_channel_has_no_order() -> None:
    with pytest.raises(ClassifierError, match="order bgr, but the classifier's input has 1 channel"):
        preprocessing((9, 7, 1), order="bgr")


def test_measured_numbers_are_on_255_however_small_they_are():
    """Of dark pictures, or of a network that scales 0..255 itself: nobody has written these on 0..1."""
    found = preprocessing((8, 8, 3), mean=[0.251], std=[1.0], measured=True)

    assert found.scale == (1.0, 1.0, 1.0)
    np.testing.assert_allclose(found.offset, -0.251)


def test_pictures_that_are_nearly_black_have_candidates():
    dark = np.full((4, 8, 8, 3), 0.25, np.float32)

    own = candidates.decoys((8, 8, 3), "stretch", dark)[candidates.OWN]

    assert own.scale == (1.0, 1.0, 1.0)
