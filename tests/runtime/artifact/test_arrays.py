"""`camlite.artifact.arrays`: the arrays that a card implies."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from camlite import ArtifactError
from camlite.artifact.arrays import ARRAY_DTYPES, check_arrays
from support.small_artifacts import SMALL, arrays_of, card_strategy, changed, small_arrays

WHERE = "folder/file.tflite"


def test_arrays_stay_as_they_were_made():
    for name in small_arrays()._fields:
        with pytest.raises(AttributeError):
            setattr(small_arrays(), name, None)


@given(st.data())
def test_arrays_as_the_card_implies_them_pass(data):
    card = data.draw(card_strategy())

    check_arrays(card, data.draw(arrays_of(card)), WHERE)


@pytest.mark.parametrize(
    ("name", "shape"),
    [
        ("weights", (3, 5)),
        ("weights", (5, 4)),
        ("weights", (3, 2, 5, 3)),  # width and height exchanged
        ("weights", (15,)),
        ("weights", ()),
        ("bias", (4,)),
        ("bias", (3, 1)),
        ("bias", ()),
        ("golden_images", (2, 3, 4)),
        ("golden_images", (2, 3, 4, 3)),
        ("golden_images", ()),
        ("golden_images", (24,)),
        ("golden_scores", (1, 3)),
        ("golden_scores", (3, 2)),
        ("golden_evidence", (2, 3, 2)),
        ("golden_evidence", (2, 6)),
        ("golden_errors", (2, 4)),
        ("golden_errors", (3,)),
    ],
)
def test_an_array_of_another_shape_is_named_with_both_shapes(name, shape):
    array = np.zeros(shape, ARRAY_DTYPES[name])

    with pytest.raises(ArtifactError) as raised:
        check_arrays(SMALL, small_arrays()._replace(**{name: array}), WHERE)

    message = str(raised.value)
    assert message.startswith(WHERE)
    assert f"{name} has shape {shape}, the card implies" in message


@pytest.mark.parametrize(
    ("word", "implied"),
    [("device", {"weights", "bias"}), ("graph", {"bias"}), ("gradient", set()), ("gradient_top", set())],
)
def test_the_evidence_method_says_whether_class_weights_and_bias_are_there(word, implied):
    card = changed(SMALL, "head.evidence", word)
    all_there = small_arrays()
    for carried in ({"weights", "bias"}, {"weights"}, {"bias"}, set()):
        arrays = all_there._replace(**dict.fromkeys({"weights", "bias"} - carried))
        if carried == implied:
            check_arrays(card, arrays, WHERE)
            continue
        with pytest.raises(ArtifactError, match=r"(weights|bias) has shape"):
            check_arrays(card, arrays, WHERE)


@pytest.mark.parametrize("number", [math.nan, math.inf, -math.inf])
@pytest.mark.parametrize("name", ["weights", "bias", "golden_scores", "golden_evidence", "golden_errors"])
def test_an_array_with_a_number_that_is_not_finite_is_named(name, number):
    arrays = small_arrays()
    getattr(arrays, name).flat[-1] = number

    with pytest.raises(ArtifactError, match=f"{WHERE}: {name} holds numbers that are not finite"):
        check_arrays(SMALL, arrays, WHERE)
