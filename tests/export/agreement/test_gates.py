"""From per-image figures to one number, and what a gate says of it."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import pytest

from camlite.artifact.precisions import Precision
from camlite.errors import CamliteError
from camlite_export.agreement import gates
from camlite_export.agreement.gates import FIGURES, Gate, Verdict
from camlite_export.agreement.measurement import Measurement
from camlite_export.precisions import PRECISIONS

NAN = float("nan")


def measurement(**figures: list[float]) -> Measurement:
    """Perfect agreement on as many images as a figure has, but for the figures given."""
    (count,) = {len(values) for values in figures.values()} or {4}
    perfect = {
        "named": np.zeros(count, np.int64),
        "named_reference": np.zeros(count, np.int64),
        "finite": np.ones(count, bool),
        "score_difference": np.zeros(count),
        "same_class": np.ones(count),
        "correct": np.full(count, NAN),
        "correct_reference": np.full(count, NAN),
        "evidence_size": np.ones(count),
        "evidence_difference": np.zeros(count),
        "correlation": np.ones(count),
        "overlap": np.ones(count),
        "peak_shift": np.zeros(count),
        "completeness": np.zeros(count),
        "fine_correlation": np.full(count, NAN),
        "fine_moved": np.full(count, NAN),
        "fine_size": np.full(count, NAN),
    }
    return Measurement(**{**perfect, **{name: np.array(values) for name, values in figures.items()}})


def value(figure: str, **figures: list[float]) -> float | None:
    return FIGURES[figure].value(measurement(**figures))


def verdict(figure: str, limit: float, **figures: list[float]) -> Verdict:
    (one,) = gates.judge(measurement(**figures), {figure: Gate(FIGURES[figure], limit, "")})
    return one


@pytest.mark.parametrize(
    ("figure", "series", "values", "expected"),
    [
        ("score_difference_max", "score_difference", [0.1, 0.4, 0.1], 0.4),
        ("score_difference_mean", "score_difference", [0.1, 0.4, 0.1], 0.2),
        ("top1_agreement", "same_class", [1, 1, 0, 1], 0.75),
        ("accuracy", "correct", [1, 0, 0, 1], 0.5),
        ("evidence_error_max", "evidence_difference", [0.25, 0.5], 0.5),
        ("evidence_error_mean", "evidence_difference", [0.25, 0.5], 0.375),
        ("correlation_mean", "correlation", [1, 0.5], 0.75),
        ("correlation_p5", "correlation", [*np.arange(101) / 100], 0.05),
        ("correlation_min", "correlation", [1, 0.5, 0.75], 0.5),
        ("overlap_mean", "overlap", [1, 0.5], 0.75),
        ("same_peak", "peak_shift", [0, 1, 1.4, 0], 0.5),
        ("peak_shift_max", "peak_shift", [0, 1, 1.5, 0], 1.5),
        ("fine_correlation_p5", "fine_correlation", [*np.arange(101) / 100], 0.05),
        ("completeness_mean", "completeness", [0.1, 0.3], 0.2),
        ("completeness_max", "completeness", [0.1, 0.3], 0.3),
    ],
)
def test_a_figure_sums_up_its_series(figure: str, series: str, values: list[float], expected: float) -> None:
    assert value(figure, **{series: values}) == pytest.approx(expected)


def test_a_percentile_of_fewer_than_twenty_images_is_not_shown() -> None:
    few, enough = [0.5, *[1.0] * 18], [0.5, *[1.0] * 19]
    assert value("correlation_p5", correlation=few) is None
    assert value("correlation_p5", correlation=enough) == pytest.approx(0.975)
    assert FIGURES["correlation_p5"].title_of(20) == "evidence correlation, 5th percentile"


def test_its_gate_closes_on_few_images_all_the_same_and_then_shows_the_worst() -> None:
    closed = verdict("correlation_p5", 0.96, correlation=[0.5, *[1.0] * 9])
    assert (closed.passed, closed.value, closed.worst) == (False, 0.5, 0)
    assert closed.gate.figure.title_of(10) == "evidence correlation, worst"


def test_every_figure_is_tested_above() -> None:
    (mark,) = (
        mark
        for mark in test_a_figure_sums_up_its_series.pytestmark
        if mark.name == "parametrize"  # type: ignore[attr-defined]
    )
    assert {row[0] for row in mark.args[1]} | {"accuracy_loss", "fine_elsewhere_mean"} == set(FIGURES)


def test_accuracy_lost_is_what_the_reference_has_more() -> None:
    assert value("accuracy_loss", correct=[1, 0, 0, 1], correct_reference=[1, 1, 0, 1]) == 0.25
    assert value("accuracy_loss", correct=[1, 1, 0, 1], correct_reference=[1, 0, 0, 0]) == -0.5


def test_fine_evidence_elsewhere_is_counted_in_what_all_images_have_of_it() -> None:
    """An image of hardly any evidence does not weigh more than the others."""
    assert value("fine_elsewhere_mean", fine_moved=[1, 0.5], fine_size=[10, 0.0]) == pytest.approx(0.15)


def test_gates_of_fine_maps_are_silent_where_there_are_none() -> None:
    for precision in ("float32", "int8"):
        own = {name: gate for name, gate in gates.of(precision, {}).items() if name in gates.OF_FINE_MAPS}
        assert len(own) == 2
        assert gates.judge(measurement(), own) == []


def test_images_without_a_figure_are_left_out_of_it() -> None:
    assert value("correlation_mean", correlation=[0.5, NAN, 1]) == 0.75


def test_a_figure_that_no_image_has_is_not_known() -> None:
    assert value("accuracy") is None
    assert gates.judge(measurement(), {"accuracy": Gate(FIGURES["accuracy"], 0.9, "")}) == []


@pytest.mark.parametrize("figure", ["score_difference_max", "completeness_max"])
def test_where_lower_is_better_the_limit_is_the_most_that_passes(figure: str) -> None:
    series = figure.removesuffix("_max")
    assert verdict(figure, 0.5, **{series: [0.5, 0]}).passed
    assert not verdict(figure, 0.5, **{series: [0.51, 0]}).passed


def test_where_higher_is_better_the_limit_is_the_least_that_passes() -> None:
    assert verdict("correlation_min", 0.5, correlation=[0.5, 1]).passed
    assert not verdict("correlation_min", 0.5, correlation=[0.49, 1]).passed


def test_a_figure_that_is_infinite_does_not_pass() -> None:
    assert not verdict("evidence_error_max", 1e9, evidence_difference=[np.inf, 0]).passed


def test_shares_are_of_whole_images() -> None:
    """Of 10,050 images, 1 % is a hundred and a half: 101 may differ, not 102."""
    gate = Gate(FIGURES["top1_agreement"], 0.99, "", measured_on=10_000)
    assert gate.passes(1 - 101 / 10_050, 10_050)
    assert not gate.passes(1 - 102 / 10_050, 10_050)


def test_the_callers_limit_is_taken_literally() -> None:
    assert verdict("top1_agreement", 0.99, same_class=[0] + [1] * 99).passed
    assert not verdict("top1_agreement", 0.999, same_class=[0] + [1] * 99).passed


@pytest.mark.parametrize(("images", "may_differ"), [(10, 1), (200, 5), (1000, 15), (10_000, 100), (40_000, 400)])
def test_on_fewer_images_than_it_was_measured_on_a_share_has_room_for_chance(images: int, may_differ: int) -> None:
    """By two standard errors more than on the 10,000: with 200 images 0.01 + 2 * 0.0995 * (1 / 14.1 - 1 / 100)."""
    gate = Gate(FIGURES["top1_agreement"], 0.99, "", measured_on=10_000)
    assert gate.passes(1 - may_differ / images, images)
    assert not gate.passes(1 - (may_differ + 1) / images, images)


def test_where_lower_is_better_the_room_is_on_the_other_side() -> None:
    gate = Gate(FIGURES["accuracy_loss"], 0.003, "", measured_on=10_000)
    assert gate.limit_on(10_000) == 0.003
    assert gate.limit_on(200) == 0.01


def test_no_other_figure_has_such_room() -> None:
    assert Gate(FIGURES["correlation_p5"], 0.999, "", measured_on=10_000).limit_on(10) == 0.999


def test_a_share_that_must_be_whole_lets_no_image_through() -> None:
    assert not Gate(FIGURES["top1_agreement"], 1.0, "", measured_on=10_000).passes(0.999, 1000)


@pytest.mark.parametrize(
    ("figure", "figures", "worst"),
    [
        ("correlation_p5", {"correlation": [1, 0.2, 0.7]}, 1),
        ("completeness_max", {"completeness": [0.1, 0.2, 0.3]}, 2),
        ("correlation_min", {"correlation": [NAN, 0.2, 0.7]}, 1),
        ("top1_agreement", {"same_class": [0, 1, 0, 0], "score_difference": [0.1, 0.9, 0.3, 0.2]}, 2),
        ("same_peak", {"peak_shift": [1, 0, 2, 1], "score_difference": [0.9, 0.9, 0.1, 0.2]}, 2),
    ],
)
def test_a_verdict_names_the_worst_image(figure: str, figures: Mapping[str, list[float]], worst: int) -> None:
    assert verdict(figure, 0.5, **figures).worst == worst


def test_a_verdict_says_how_far() -> None:
    assert str(verdict("top1_agreement", 0.99, same_class=[0, 1] * 50)) == "50.00%, expected at least 99%"
    assert str(verdict("score_difference_max", 1e-5, score_difference=[0.25])) == "0.25, expected at most 1e-05"


def test_a_figure_says_how_far_an_image_is_off() -> None:
    found = measurement(peak_shift=[0, 2], correlation=[1, 0.5], score_difference=[0, 0.25], same_class=[1, 0])
    assert FIGURES["same_peak"].how_far(found, 1) == "cells that the peak moves: 2"
    assert FIGURES["top1_agreement"].how_far(found, 1) == "scores differ by 0.25"
    assert FIGURES["correlation_p5"].how_far(found, 1) == "0.500000, scores differ by 0.25"


@pytest.mark.parametrize("precision", PRECISIONS)
def test_every_gate_stands_beside_what_was_measured(precision: Precision) -> None:
    for figure, (_, reason) in PRECISIONS[precision].gates.items():
        assert figure in FIGURES
        assert any(character.isdigit() for character in reason), figure


@pytest.mark.parametrize("precision", PRECISIONS)
def test_perfect_agreement_passes_every_gate(precision: Precision) -> None:
    assert all(one.passed for one in gates.judge(measurement(), gates.of(precision, {})))


def test_the_callers_limit_takes_the_place_of_ours_and_leaves_the_others() -> None:
    ours, theirs = gates.of("int8", {}), gates.of("int8", {"top1_agreement": 0.5, "accuracy": 0.9})
    assert theirs["top1_agreement"].limit == 0.5
    assert theirs["accuracy"].limit == 0.9
    assert {name: gate for name, gate in theirs.items() if gate.reason != "set by the caller"} == {
        name: gate for name, gate in ours.items() if name != "top1_agreement"
    }


def test_without_ours_the_callers_are_left() -> None:
    assert list(gates.of("int8", {"accuracy": 0.9}, ours=False)) == ["accuracy"]


def test_a_gate_is_read_from_the_command_line() -> None:
    assert gates.parse("top1_agreement=0.95") == ("top1_agreement", 0.95)


@pytest.mark.parametrize("text", ["top1=0.9", "=0.9", "top1_agreement", "top1_agreement=high", "overlap_mean=nan"])
def test_a_gate_that_makes_no_sense_is_refused_with_what_was_expected(text: str) -> None:
    with pytest.raises(CamliteError, match="expected NAME=VALUE"):
        gates.parse(text)


# --- Gates for classifiers that are not steady ----------------------------------------------------------------------


def test_a_gate_asks_no_more_than_the_classifier_with_rounded_tensors_gives() -> None:
    noise = measurement(correlation=[0.998] * 20, evidence_difference=[0.04] * 20)
    found = gates.as_steady_as(gates.of("int8", {}), noise, "int8")
    assert found["correlation_p5"].limit == pytest.approx(1 - 2.5**2 * 0.002)
    assert found["evidence_error_mean"].limit == pytest.approx(0.1)
    assert (found["correlation_p5"].usual, found["evidence_error_mean"].usual) == (0.999, 0.03)
    assert "8 bits" in found["correlation_p5"].reason
    assert found["score_difference_mean"] == gates.of("int8", {})["score_difference_mean"]


def test_no_unsteadiness_excuses_what_is_not_fit_for_use() -> None:
    """The maps of half of the images are anything, and so are those of the classifier itself once it is rounded."""
    wild = {"correlation": [0.1] * 20, "evidence_difference": [0.9] * 20, "score_difference": [0.5] * 20}
    noise = measurement(**wild)
    judges = gates.as_steady_as(gates.of("int8", {}), noise, "int8")
    assert judges["correlation_p5"].limit == gates.FIT["correlation_p5"][0]
    assert judges["correlation_p5"].reason.startswith("no less is fit for use (")
    failed = {one.gate.figure.name for one in gates.judge(noise, judges) if not one.passed}
    assert failed == {"correlation_p5", "evidence_error_mean", "score_difference_mean"}


@pytest.mark.parametrize("precision", PRECISIONS)
def test_what_is_fit_at_all_is_asked_of_every_gate_and_never_stricter_than_it(precision: Precision) -> None:
    for name, gate in gates.of(precision, {}).items():
        limit, reason = gates.FIT[name]
        assert reason
        assert limit <= gate.limit if gate.figure.better == "higher" else limit >= gate.limit


def test_chance_has_room_in_what_is_fit_at_all_as_in_every_share() -> None:
    noise = measurement(same_class=[1.0] * 10 + [0.0] * 10)
    judges = gates.as_steady_as(gates.of("int8", {}), noise, "int8")
    assert judges["top1_agreement"].limit == gates.FIT["top1_agreement"][0]
    (found,) = (one for one in gates.judge(noise, judges) if one.gate.figure.name == "top1_agreement")
    assert found.limit == 0.85  # of 20 images


def test_a_steady_classifier_keeps_its_gates() -> None:
    ours = gates.of("int8", {})
    assert gates.as_steady_as(ours, measurement(correlation=[0.9999] * 20), "int8") == ours


def test_a_gate_of_the_callers_is_taken_literally() -> None:
    theirs = gates.of("int8", {"correlation_p5": 0.99})
    found = gates.as_steady_as(theirs, measurement(correlation=[0.5] * 20), "int8")
    assert found["correlation_p5"].limit == 0.99


def test_an_artifact_far_beyond_the_noise_fails_all_the_same() -> None:
    noise = measurement(correlation=[0.998] * 20, same_class=[1.0] * 19 + [0.0])
    judges = gates.as_steady_as(gates.of("int8", {}), noise, "int8")
    far = measurement(correlation=[0.98] * 20, same_class=[1.0] * 16 + [0.0] * 4)
    failed = {one.gate.figure.name for one in gates.judge(far, judges) if not one.passed}
    assert failed == {"correlation_p5", "top1_agreement"}


def test_copies_of_an_image_make_no_percentile():
    """A hundred copies of one picture vouch for no more than that one."""
    correlations = [0.5, *[0.999] * (gates.FEWEST_OF_A_PERCENTILE - 1)]
    all_different = measurement(correlation=correlations)
    copied = measurement(correlation=correlations, answered=[0] * 10 + [1] * (len(correlations) - 10))

    assert FIGURES["correlation_p5"].value(all_different) is not None
    assert FIGURES["correlation_p5"].value(copied) is None
    (closed,) = gates.judge(copied, {"correlation_p5": Gate(FIGURES["correlation_p5"], 0.9999, "")})
    assert (closed.passed, closed.value) == (False, 0.5)
