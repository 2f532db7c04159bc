"""Classifiers trained on pixels of every convention: which pixels are found, asked for, and never wrong."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator

import keras
import numpy as np
import pytest
from keras import layers

from camlite.images.labelled_images import LabelledImages
from camlite_export.rightness.pixel_decision import Decision, decide
from camlite_export.sources.opening import open_source
from camlite_export.sources.pixel_conventions import NAMED
from camlite_export.sources.pixel_views import view_of
from support.pixel_classifiers import SHAPES, Kind, as_given, behind, pictures, trained, trained_on_bgr

MEAN, DEVIATION = np.array([0.485, 0.456, 0.406]), np.array([0.229, 0.224, 0.225])
CAFFE = np.array([103.939, 116.779, 123.68])

# What stands in front of a network that was trained on 0..1, and is given pixels of each convention.
TO_UNIT = {
    "unit": lambda: [layers.Rescaling(2.0, -1.0), layers.Rescaling(0.5, 0.5), layers.Rescaling(1.0)],
    "signed": lambda: [layers.Rescaling(0.5, 0.5)],
    "imagenet": lambda: [layers.Rescaling(DEVIATION, MEAN)],
    "raw": lambda: [layers.Rescaling(1 / 255)],
}


class Reversed(layers.Layer):
    def call(self, images: object) -> object:
        return images[..., ::-1]


# What makes each convention of 0..255, inside.
OF_RAW = {
    "unit": lambda: [layers.Rescaling(1 / 255)],
    "signed": lambda: [layers.Rescaling(1 / 127.5, -1.0)],
    "imagenet": lambda: [layers.Rescaling(1 / 255), layers.Normalization(mean=MEAN, variance=DEVIATION**2)],
    "caffe": lambda: [Reversed(), layers.Rescaling(1.0, -CAFFE)],
}


def given(labelled: bool) -> LabelledImages:
    images, classes = pictures(160, 9)
    return as_given(images, classes if labelled else None)


GIVEN = {"no pictures": None, "pictures": False, "labelled pictures": True}


def found(model: keras.Model, what: str) -> Decision:
    pictures_given = GIVEN[what]
    view = view_of(open_source(model))
    return decide(view, None if pictures_given is None else given(pictures_given), SHAPES)


def matrix(kind: Kind) -> Iterator[tuple[str, str, str | None]]:
    for convention in NAMED:
        for what in GIVEN:
            yield convention, what, found(trained(kind, convention), what).name


def counted(kind: Kind) -> dict[str, Counter[str]]:
    """How often the pixels were right, asked for and wrong, by what was given."""
    counts: dict[str, Counter[str]] = {what: Counter() for what in GIVEN}
    for convention, what, name in matrix(kind):
        counts[what]["asked for" if name is None else "right" if name == convention else "wrong"] += 1
    print(kind, {what: dict(counter) for what, counter in counts.items()})
    return counts


def test_normalizations_tell_the_pixels_with_any_pictures_and_often_without() -> None:
    """Without, what remembers mean 0 may have been given -1..1, ImageNet's mean 0, or the pictures' own."""
    counts = counted("normalized")

    assert counts["pictures"] == counts["labelled pictures"] == {"right": 5}
    assert counts["no pictures"] == {"right": 3, "asked for": 2}


def test_without_normalizations_only_labelled_pictures_tell_and_the_rest_is_asked_for() -> None:
    counts = counted("plain")

    assert counts["no pictures"] == counts["pictures"] == {"asked for": 5}
    assert counts["labelled pictures"]["wrong"] == 0
    assert counts["labelled pictures"]["right"] >= 3


@pytest.mark.endurance
def test_normalizations_behind_an_activation_need_pictures() -> None:
    counts = counted("normalized behind relu")

    assert counts["pictures"] == counts["labelled pictures"] == {"right": 5}
    assert counts["no pictures"] == {"asked for": 5}


@pytest.mark.parametrize("what", GIVEN)
@pytest.mark.parametrize("convention", OF_RAW)
def test_whoever_makes_its_pixels_of_0_to_255_inside_is_given_those(convention: str, what: str) -> None:
    decision = found(behind(OF_RAW[convention](), trained("plain", convention)), what)

    assert decision.name == "raw", decision.reason
    assert "its own first layers scale them: 0..255 becomes" in decision.reason


@pytest.mark.parametrize("what", GIVEN)
@pytest.mark.parametrize("convention", [name for name in TO_UNIT if name != "unit"])
def test_what_stands_in_front_says_what_it_is_given(convention: str, what: str) -> None:
    decision = found(behind(TO_UNIT[convention](), trained("plain", "unit")), what)

    assert decision.name == convention, decision.reason


def test_layers_that_leave_pixels_as_they_are_say_nothing() -> None:
    assert found(behind(TO_UNIT["unit"](), trained("plain", "unit")), "no pictures").name is None


def test_twice_and_shifted_is_minus_1_to_1_of_0_to_1() -> None:
    model = behind([layers.Rescaling(2.0, -1.0)], trained("plain", "signed"))

    for what in GIVEN:
        assert found(model, what).name == "unit"


def test_an_adapted_normalization_remembers_its_pixels() -> None:
    images, _ = pictures(400, 3)
    for scale, convention in ((1.0, "raw"), (1 / 255, "unit")):
        layer = layers.Normalization()
        layer.adapt(images.astype(np.float32) * scale)
        model = behind([layer], trained("plain", "imagenet"))

        assert found(model, "pictures").name == convention
        assert found(model, "no pictures").name in (convention, None)


# In the other order of channels, as OpenCV reads pictures.
TURNED = {
    "unit": ("unit", "unit bgr", []),
    "signed": ("signed", "signed bgr", []),
    "raw": ("raw", "raw bgr", []),
    "scales inside": ("unit", "raw bgr", [layers.Rescaling(1 / 255)]),
    "scales to -1..1 inside": ("signed", "raw bgr", [layers.Rescaling(1 / 127.5, -1.0)]),
}


@pytest.mark.parametrize("what", TURNED)
def test_labelled_pictures_tell_the_order_of_the_channels(what: str) -> None:
    convention, expected, front = TURNED[what]
    decision = found(behind(front, trained_on_bgr(convention)), "labelled pictures")

    assert decision.name == expected, decision.reason
    assert decision.target is not None
    assert decision.target.order == "bgr"


@pytest.mark.parametrize("what", ["unit", "scales inside"])
def test_where_nothing_tells_the_order_it_is_rgb_and_that_is_said(what: str) -> None:
    convention, expected, front = TURNED[what]
    decision = found(behind(front, trained_on_bgr(convention)), "pictures")

    assert decision.name == expected.removesuffix(" bgr")
    assert decision.reason.endswith("; RGB, as is usual: nothing tells the order of the channels")
