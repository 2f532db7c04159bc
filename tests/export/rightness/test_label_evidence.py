"""`camlite_export.rightness.label_evidence`: chance and permuted labels are found, and weak classifiers are let be."""

from __future__ import annotations

import numpy as np
import pytest

from camlite_export.rightness.label_evidence import LabelVerdict, in_another_order, judge

LABELS = tuple("abcdef")


def judged(
    named: list[int] | np.ndarray, truth: list[int] | np.ndarray, labels: tuple[str, ...] = LABELS
) -> LabelVerdict:
    return judge(np.array(named), np.array(truth), labels)


def pictures(count: int, right: float, order: list[int], seed: int = 0) -> LabelVerdict:
    """Of a classifier that is right so often, and whose labels stand in another order."""
    random = np.random.default_rng(seed)
    truth = np.arange(count) % len(order)
    guesses = random.integers(len(order), size=count)
    return judged(np.array(order)[np.where(random.random(count) < right, truth, guesses)], truth, LABELS[: len(order)])


def test_a_right_classifier_has_nothing_against_it() -> None:
    assert pictures(60, 0.9, [0, 1, 2]).failures == ()
    assert pictures(60, 1.0, [0, 1, 2]) == LabelVerdict(1.0, ())


@pytest.mark.parametrize("order", [[1, 0], [1, 0, 2], [1, 2, 0], [5, 4, 3, 2, 1, 0]])
def test_labels_in_another_order_are_found(order: list[int]) -> None:
    failures = pictures(120, 0.9, order).failures

    assert failures
    assert all("the labels, or the classes of the images, are in another order" in failure for failure in failures)


def test_the_message_names_the_labels_that_change_places() -> None:
    (failure,) = pictures(90, 1.0, [1, 0, 2]).failures

    assert failure.startswith(
        "the classifier names pictures of 'a' as 'b', 'b' as 'a': of their pictures 0% are classified"
    )


def test_numbered_folders_in_numerical_order_where_keras_sorts_names() -> None:
    labels = tuple(sorted(map(str, range(12))))
    truth = np.repeat(np.arange(12), 8)
    named = np.array([labels.index(str(k)) for k in range(12)])[truth]

    verdict = judged(named, truth, labels)
    assert verdict.accuracy == pytest.approx(2 / 12)
    assert verdict.failures


@pytest.mark.parametrize("seed", range(20))
def test_a_weak_classifier_is_no_permutation_and_no_chance(seed: int) -> None:
    assert pictures(200, 0.3, [0, 1, 2, 3], seed).failures == ()


def test_one_class_taken_for_another_is_no_permutation() -> None:
    truth = np.repeat([0, 1, 2], 20)
    assert judged(np.where(truth == 2, 1, truth), truth).failures == ()


def test_guessing_is_called_chance() -> None:
    (failure,) = pictures(90, 0.0, [0, 1, 2]).failures
    assert "is what chance gives" in failure


def test_the_same_class_for_everything_is_called_chance() -> None:
    (failure,) = judged([1] * 36, np.repeat([0, 1, 2], 12)).failures
    assert failure.startswith("accuracy 33.3% of 36 pictures is what chance gives (33.3%)")


@pytest.mark.parametrize(("named", "truth"), [([0, 1, 2], [0, 1, 2]), ([0, 1, 0], [0, 1, 2]), ([1, 0], [0, 1])])
def test_of_a_few_pictures_nothing_is_said(named: list[int], truth: list[int]) -> None:
    assert judged(named, truth).failures == ()


def test_of_pictures_of_one_class_nothing_is_said() -> None:
    assert judged([0] * 18 + [1, 2], [0] * 20).failures == ()


def test_many_classes_with_few_pictures_of_each() -> None:
    labels = tuple(map(str, range(1000)))
    truth = np.random.default_rng(0).permutation(1000)[:200]
    assert judged(np.where(np.arange(200) < 60, truth, 0), truth, labels).failures == ()


@pytest.mark.parametrize("classes", [2, 4, 12, 40])
def test_another_order_makes_nothing_right_by_chance(classes: int) -> None:
    random = np.random.default_rng(classes)
    truth, guesses = np.arange(200) % classes, random.integers(classes, size=200)

    assert (in_another_order(guesses, truth) == truth).mean() < 1 / classes + 0.1


def test_another_order_is_found_and_the_labels_stay_where_they_are_right() -> None:
    truth = np.arange(60) % 6
    order = np.array([2, 0, 1, 4, 3, 5])

    np.testing.assert_array_equal(in_another_order(order[truth], truth), truth)
    np.testing.assert_array_equal(in_another_order(truth, truth), truth)


def test_of_a_class_with_one_picture_the_label_stays() -> None:
    truth = np.arange(40)
    named = np.roll(truth, 1)
    np.testing.assert_array_equal(in_another_order(named, truth), named)
