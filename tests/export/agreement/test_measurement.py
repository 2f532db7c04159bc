"""The metrics, held against values computed by hand."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest

from camlite_export.agreement.interpreter_process import Answers
from camlite_export.agreement.measurement import Measurement, join, measure
from camlite_export.agreement.reference import Reference

# Two images, three classes, maps of 2 x 2 places.
REFERENCE = Reference(
    scores=np.array([[0.7, 0.2, 0.1], [0.1, 0.5, 0.4]], np.float32),
    classes=np.array([0, 1]),
    evidence=np.array([[[4, 1], [0, -1]], [[0, 2], [1, 1]]], np.float32),
)


def answers(**changes: object) -> Answers:
    """What an artifact answers that agrees in everything, but for the changes."""
    same = {
        "scores": REFERENCE.scores,
        "classes": REFERENCE.classes,
        "evidence": REFERENCE.evidence,
        "completeness": np.array([0.0, 0.25]),
        "finite": np.array([True, True]),
    }
    return Answers(**{**same, **changes})


def changed(array: np.ndarray, *changes: tuple[tuple[int, ...], float]) -> np.ndarray:
    copy = array.copy()
    for place, value in changes:
        copy[place] = value
    return copy


def measured(**changes: object) -> Measurement:
    return measure(REFERENCE, answers(**changes))


def test_an_artifact_that_answers_as_the_reference_does_is_perfect() -> None:
    same = measured()
    assert same.named.tolist() == same.named_reference.tolist() == [0, 1]
    assert same.finite.tolist() == [True, True]
    for figure in ("score_difference", "evidence_difference", "evidence_error", "peak_shift"):
        assert getattr(same, figure).tolist() == [0, 0], figure
    for figure in ("same_class", "correlation", "overlap"):
        assert getattr(same, figure).tolist() == [1, 1], figure


def test_completeness_is_handed_on() -> None:
    assert measured().completeness.tolist() == [0, 0.25]


def test_score_difference_is_the_largest_of_all_classes() -> None:
    scores = changed(REFERENCE.scores, ((1, 1), 0.3), ((1, 0), 0.2))
    assert measured(scores=scores).score_difference == pytest.approx([0, 0.2])


def test_same_class_is_0_where_another_class_has_the_highest_score() -> None:
    scores = changed(REFERENCE.scores, ((1, 2), 0.6))
    assert measured(scores=scores).same_class.tolist() == [1, 0]
    assert measured(scores=scores).named.tolist() == [0, 2]


def test_accuracy_is_not_known_without_true_classes() -> None:
    assert np.isnan(measured().correct).all()
    assert np.isnan(measured().correct_reference).all()


def test_accuracy_is_of_artifact_and_reference_each() -> None:
    scores = changed(REFERENCE.scores, ((1, 2), 0.6))
    found = measure(REFERENCE, answers(scores=scores), np.array([1, 2]))
    assert found.correct.tolist() == [0, 1]
    assert found.correct_reference.tolist() == [0, 0]


def test_evidence_error_is_relative_to_the_mean_size_of_the_evidence() -> None:
    found = measured(evidence=changed(REFERENCE.evidence, ((0, 1, 1), -3), ((1, 0, 0), 0.5)))
    assert found.evidence_size.tolist() == [4, 2]
    assert found.evidence_difference.tolist() == [2, 0.5]
    assert found.evidence_error.tolist() == [2 / 3, 0.5 / 3]


def test_evidence_error_is_in_logits_where_no_image_has_evidence() -> None:
    empty = Reference(REFERENCE.scores, REFERENCE.classes, np.zeros((2, 2, 2), np.float32))
    found = measure(empty, answers(evidence=changed(empty.evidence, ((1, 0, 0), 0.25))))
    assert found.evidence_error.tolist() == [0, 0.25]


def test_correlation_is_that_of_pearson() -> None:
    # Without their mean, 1: (3, 0, -1, -2) and (-2, -1, 0, 3), -12 of 14; (-1, 1, 0, 0) and (0, 0, 1, -1), 0 of 2.
    evidence = REFERENCE.evidence[:, ::-1, ::-1]
    assert measured(evidence=evidence).correlation == pytest.approx([-12 / 14, 0])


def test_correlation_does_not_see_scale_and_offset() -> None:
    assert measured(evidence=REFERENCE.evidence * 3 + 7).correlation == pytest.approx([1, 1])


def test_correlation_of_a_map_without_structure_is_0_unless_both_have_none() -> None:
    flat = np.full((2, 2, 2), 5, np.float32)
    assert measured(evidence=flat).correlation.tolist() == [0, 0]
    both = measure(Reference(REFERENCE.scores, REFERENCE.classes, flat), answers(evidence=flat + 1))
    assert both.correlation.tolist() == [1, 1]


@pytest.mark.parametrize(("level", "off"), [(0, 1e-9), (2000, 1e-3)])
def test_a_map_without_structure_is_the_same_but_for_rounding(level: float, off: float) -> None:
    """A black picture gives no evidence, and 1e-9 of it where features are integers: that is no structure."""
    even = np.stack([np.full((2, 2), level, np.float32), REFERENCE.evidence[1]])
    reference = dataclasses.replace(REFERENCE, evidence=even)
    near, far = (changed(even, ((0, 0, 1), level + times * off)) for times in (1, 1e4))

    assert measure(reference, answers(evidence=near)).correlation.tolist() == [1, 1]
    assert measure(reference, answers(evidence=far)).correlation.tolist() == [0, 1]


def test_overlap_is_of_the_top_fifths() -> None:
    ten = np.arange(10, dtype=np.float32).reshape(1, 2, 5)
    one = Reference(REFERENCE.scores[:1], REFERENCE.classes[:1], ten)

    def overlap(evidence: np.ndarray) -> float:
        given = Answers(one.scores, one.classes, evidence, np.zeros(1), np.array([True]))
        return float(measure(one, given).overlap[0])

    assert overlap(ten) == 1
    assert overlap(changed(ten, ((0, 0, 0), 20), ((0, 1, 3), 0))) == pytest.approx(1 / 3)  # {9, 8} and {9, 0}
    assert overlap(-ten) == 0


def test_peak_shift_is_in_cells_along_the_straight_line() -> None:
    evidence = changed(REFERENCE.evidence, ((0, 1, 1), 9), ((1, 0, 0), 9))
    assert measured(evidence=evidence).peak_shift.tolist() == [np.sqrt(2), 1]


def test_where_cells_are_the_highest_alike_the_peak_is_at_any_of_them() -> None:
    """As in a picture of one colour: which of them is first is decided by the last bit."""

    def shift(expected: list[float], received: list[float]) -> float:
        maps = [np.array(values, np.float32).reshape(1, 1, -1) for values in (expected, received)]
        one = Reference(np.ones((1, 1), np.float32), np.array([0]), maps[0])
        given = Answers(one.scores, one.classes, maps[1], np.zeros(1), np.array([True]))
        return float(measure(one, given).peak_shift[0])

    assert shift([4, 4, 4, 0], [3.998, 3.998, 4.001, 0]) == 0
    assert shift([4, 0, 4 * (1 - 1e-7), 0], [0, 0, 4, 0]) == 0
    assert shift([4, 0, 3.999, 0], [0, 0, 4, 0]) == 2
    assert shift([4, 4, 0, 0], [0, 0, 0, 1]) == 2
    assert shift([0, 0, 0, 0], [0, 0, 1, 0]) == 0


@pytest.mark.parametrize("number", [np.nan, np.inf, -np.inf])
@pytest.mark.parametrize("name", ["scores", "evidence"])
def test_a_number_that_is_not_finite_leaves_that_image_without_figures(name: str, number: float) -> None:
    place = (1, 0, 1)[: getattr(REFERENCE, name).ndim]
    found = measured(**{name: changed(getattr(REFERENCE, name), (place, number))})
    assert found.finite.tolist() == [True, False]
    for figure in ("score_difference", "same_class", "evidence_error", "correlation", "overlap", "peak_shift"):
        first, second = getattr(found, figure)
        assert not np.isnan(first), figure
        assert np.isnan(second), figure


def test_features_that_are_not_finite_count_even_where_evidence_is() -> None:
    assert measured(finite=np.array([False, True])).finite.tolist() == [False, True]


def test_evidence_of_another_class_is_not_compared() -> None:
    found = measured(classes=np.array([0, 2]))
    assert found.correlation[0] == 1
    for figure in ("evidence_error", "correlation", "overlap", "peak_shift"):
        assert np.isnan(getattr(found, figure)[1]), figure
    assert found.score_difference.tolist() == [0, 0]


@pytest.mark.parametrize("name", ["scores", "evidence"])
def test_other_shapes_are_no_comparison(name: str) -> None:
    with pytest.raises(ValueError, match=f"{name}: the reference's are"):
        measured(**{name: getattr(REFERENCE, name)[..., :1]})


FINE = np.arange(12, dtype=np.float32).reshape(2, 2, 3)


def test_fine_evidence_is_compared_where_both_have_it() -> None:
    moved = FINE.copy()
    moved[1] = FINE[1, :, ::-1]  # 2 of each row at both of its ends
    same = measure(REFERENCE, answers(fine=FINE), fine=FINE)
    assert same.fine_correlation.tolist() == [1, 1]
    assert same.fine_elsewhere.tolist() == [0, 0]

    found = measure(REFERENCE, answers(fine=moved), fine=FINE)
    assert found.fine_correlation[0] == 1
    assert found.fine_correlation[1] < 1
    assert found.fine_moved.tolist() == [0, 4]
    assert found.fine_size.tolist() == [15, 51]
    assert found.fine_elsewhere == pytest.approx([0, 4 / 33])


def test_images_without_fine_evidence_have_no_figure_of_it() -> None:
    missing = FINE.copy()
    missing[0] = np.nan
    for received, expected in ((missing, FINE), (None, FINE), (FINE, None)):
        found = measure(REFERENCE, answers(fine=received), fine=expected)
        assert np.isnan(found.fine_correlation[0])
        assert np.isnan(found.fine_correlation[1]) == (received is not missing)
        assert found.correlation.tolist() == [1, 1]


def test_fine_evidence_of_another_size_is_no_comparison() -> None:
    with pytest.raises(ValueError, match="fine evidence: the reference's is"):
        measure(REFERENCE, answers(fine=FINE[:, :, :2]), fine=FINE)


def test_batches_join_to_what_they_would_be_as_one() -> None:
    first = measure(
        Reference(REFERENCE.scores[:1], REFERENCE.classes[:1], REFERENCE.evidence[:1]),
        Answers(REFERENCE.scores[:1], REFERENCE.classes[:1], REFERENCE.evidence[:1], np.zeros(1), np.array([True])),
    )
    joined = join([first, measured()])
    assert len(joined) == 3
    assert joined.completeness.tolist() == [0, 0, 0.25]
