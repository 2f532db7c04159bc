"""Our figures are those of Quantus, wherever Quantus has the measure; support/quantus_figures.py wrote them."""

from __future__ import annotations

import json
from typing import Any

import numpy as np
import pytest

from camlite.faithfulness import concentration, insertion_deletion, on_the_object, road
from support import quantus_figures


@pytest.fixture(scope="module")
def given() -> quantus_figures.Inputs:
    return quantus_figures.inputs()


@pytest.fixture(scope="module")
def expected() -> dict[str, Any]:
    return json.loads(quantus_figures.FIGURES.read_text("utf-8"))


def same(received: Any, expected: Any) -> None:
    np.testing.assert_allclose(received, expected, rtol=0, atol=1e-6)


@pytest.mark.parametrize("name", ["sparsity", "complexity"])
def test_how_few_pixels_hold_the_heat(given, expected, name):
    same([getattr(concentration, name)(heat) for heat in given.heats], expected[name])


@pytest.mark.parametrize(("name", "measure"), [("pointing", on_the_object.pointing), ("inside", on_the_object.share)])
def test_heat_on_the_object(given, expected, name, measure):
    same([measure(heat, mask) for heat, mask in zip(given.heats, given.masks, strict=True)], expected[name])


def test_deletion_with_a_black_baseline_is_pixel_flipping(given, expected):
    for image, heat, k, scores in zip(given.images, given.heats, given.classes, expected["deletion"], strict=True):
        frames = insertion_deletion.frames(image, heat, np.zeros_like(image), quantus_figures.STEPS)
        of_class = given.score(frames)[:, k]
        same(insertion_deletion.curves(of_class)[1, 1:] * of_class[quantus_figures.STEPS], scores)


def test_road_without_noise(given, expected):
    still_named = [
        road.kept(given.score, image, heat, k, np.zeros_like(image), quantus_figures.PERCENTAGES)
        for image, heat, k in zip(given.images, given.heats, given.classes, strict=True)
    ]

    assert min(expected["road"]) < 0.5  # the class does go
    same(np.mean(still_named, axis=0), expected["road"])
