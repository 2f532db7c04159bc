"""`camlite_export.sources.same_answers`: what a rebuilt classifier is tried on, and how far it may be off."""

from __future__ import annotations

import keras
import numpy as np
import pytest

from camlite_export.sources import same_answers
from camlite_export.sources.pixel_conventions import NAMED, preprocessing


@pytest.mark.parametrize("shape", [(16, 12, 3), (16, 12, 1), (16, 12), (5,)])
def test_probes_span_what_pixels_may_have_become(shape: tuple[int, ...]) -> None:
    probes = same_answers.probes(shape)
    assert probes.shape == (len(NAMED), *shape)
    assert probes.dtype == np.float32
    unit, signed, *_, raw = probes
    assert 0 <= unit.min() < unit.max() <= 1
    assert -1 <= signed.min() < 0 < signed.max() <= 1
    assert 0 <= raw.min() < raw.max() <= 255
    if len(shape) > 1:
        assert raw.max() > 240


@pytest.mark.parametrize("name", NAMED)
def test_probes_of_a_convention_have_both_ends_of_its_range(name: str) -> None:
    target = preprocessing((8, 10, 3), name)
    probes = same_answers.probes_of(target)
    black, white = np.float32(target.offset), 255 * np.float32(target.scale) + np.float32(target.offset)
    np.testing.assert_allclose(probes.min(axis=(0, 1, 2)), black, atol=1e-4)
    np.testing.assert_allclose(probes.max(axis=(0, 1, 2)), white, atol=1e-4)


def no_noise() -> dict[str, np.ndarray]:
    return {"scores": np.zeros((3, 2), np.float32)}


def scores(*rows: list[float]) -> dict[str, np.ndarray]:
    return {"scores": np.array(rows, np.float32)}


def test_each_image_is_measured_by_its_own_numbers() -> None:
    """Large numbers of one image do not hide a difference on another."""
    expected, received = scores([1000, 0], [0, 1], [0, 0]), scores([1000.1, 0], [0, 1.1], [0, 0])
    assert same_answers.worst_difference(expected, received, 1e-3, no_noise) == ("scores", pytest.approx(0.1, rel=1e-3))
    assert same_answers.worst_difference(expected, expected, 1e-3, no_noise) is None


def test_what_rounding_moves_may_differ_and_no_more() -> None:
    expected, received = scores([0, 0], [0, 1], [0, 0]), scores([0, 0], [0.02, 1], [0, 0])
    steep = scores([0, 0], [0.01, 0], [0, 0])
    assert same_answers.worst_difference(expected, received, 1e-3, lambda: steep) is None
    assert same_answers.worst_difference(expected, received, 1e-3, lambda: scores([1, 1], [0, 0], [1, 1])) is not None


@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_numbers_that_are_not_finite(value: float) -> None:
    """The original's say nothing; those of what was rebuilt are wrong."""
    wrong, right = scores([value, 0], [0, 1], [0, 0]), scores([0, 0], [0, 1], [0, 0])
    assert same_answers.worst_difference(wrong, right, 1e-3, no_noise) is None
    assert same_answers.worst_difference(right, wrong, 1e-3, no_noise) is not None
    assert same_answers.finite(wrong)
    assert not same_answers.finite(scores([value, 0], [0, value]))


def test_inputs_that_a_classifier_does_not_answer_are_left_out() -> None:
    def answer(images: np.ndarray) -> np.ndarray:
        if (images < 0).any():
            raise ValueError("negative")
        return images * 2

    inputs, answers = same_answers.answered(answer, np.array([1, -1, 3, -1], np.float32))
    np.testing.assert_array_equal(inputs, [1, 3])
    np.testing.assert_array_equal(answers, [2, 6])
    with pytest.raises(ValueError, match="negative"):
        same_answers.answered(answer, np.array([-1, -2], np.float32))


@pytest.mark.parametrize(("dtype", "relative"), [("float32", 2**-20), ("float16", 2**-11), ("bfloat16", 2**-8)])
def test_rounding_is_that_of_the_dtype(dtype: str, relative: float) -> None:
    values = np.random.default_rng(0).normal(0, 100, 10_000).astype(np.float32)
    error = np.abs(same_answers.rounding_to(dtype)(values) / values - 1).max()
    assert relative / 2 < error <= relative * 1.01


def test_steep_models_are_moved_further() -> None:
    flat, steep = (
        keras.Sequential(
            [keras.Input((4,)), keras.layers.Dense(2, kernel_initializer=keras.initializers.Constant(size))]
        )
        for size in (1, 100)
    )
    inputs = np.random.default_rng(0).uniform(0, 1, (3, 4)).astype(np.float32)
    moved = [
        np.abs(same_answers.moved_by_rounding(model, inputs, "float16")["scores"]).max() for model in (flat, steep)
    ]
    assert 0 < moved[0] < moved[1]
