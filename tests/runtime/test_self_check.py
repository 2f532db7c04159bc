"""The self-check on the device."""

from __future__ import annotations

import dataclasses
import json
import math
from pathlib import Path

import numpy as np
import pytest

import camlite
from camlite import artifact
from camlite.artifact.precisions import PRECISIONS, Precision, Tolerance
from camlite.self_check import Check, Sample
from support.fresh_process import fresh_process, run_camlite

GOOD = Sample("boot", "boot", 0.1, 0.2, 0.3, Tolerance(0.1, 0.2, 0.3))


def checked(path: Path, backend: str | None = None, threads: int = 1) -> Check:
    """Run in a process that has only seen this interpreter."""
    with fresh_process() as process:
        return process.submit(_check, path, backend, threads).result()


def _check(path: Path, backend: str | None, threads: int) -> Check:
    return camlite.check(camlite.load(path, backend, threads))


def checked_by_hand(*samples: Sample) -> Check:
    return Check(Path("by-hand.tflite"), "ai-edge-litert", samples, 0.0)


def resealed(path: Path, folder: Path, **arrays: np.ndarray | None) -> Path:
    """The same artifact with other arrays."""
    read = artifact.read(path)
    changed = folder / path.name
    changed.write_bytes(artifact.pack(read.container, read.model, read.card, read.arrays._replace(**arrays)))
    return changed


@pytest.fixture(scope="module")
def stripes(tiny: Path) -> Path:
    return tiny / "stripes" / "stripes.float32.tflite"


def test_every_tiny_artifact_passes(tiny: Path) -> None:
    paths = sorted(path for path in tiny.rglob("*") if path.suffix in (".tflite", ".onnx"))
    finished = run_camlite("check", *paths)
    assert finished.returncode == 0, finished.stdout + finished.stderr
    assert finished.stdout.count(" ok\n") == len(paths) > 10


def test_it_says_what_ran_on_what(stripes: Path) -> None:
    result = checked(stripes, "ai-edge-litert")
    assert result.artifact == stripes
    assert result.backend == "ai-edge-litert"
    assert result.passed
    assert len(result.samples) == len(artifact.read(stripes).arrays.golden_images) > 0


def test_it_takes_less_than_a_second(stripes: Path) -> None:
    assert checked(stripes).seconds < 1


def test_it_runs_on_several_threads_as_well(stripes: Path) -> None:
    assert checked(stripes, threads=2).passed


def test_another_score_than_keras_had_is_a_failure_that_says_where_and_how_far(stripes: Path, tmp_path: Path) -> None:
    scores = artifact.read(stripes).arrays.golden_scores.copy()
    scores[1, scores[1].argmin()] += 0.25
    result = checked(resealed(stripes, tmp_path, golden_scores=scores))
    (failure,) = result.failures
    expected = result.samples[1].expected
    assert failure == (
        f"score difference is 0.25, expected at most 1e-05, on golden sample 1 ({expected!r}); "
        f"wrong on 1 of {len(result.samples)} samples"
    )


def test_other_evidence_than_keras_had_is_a_failure(stripes: Path, tmp_path: Path) -> None:
    evidence = artifact.read(stripes).arrays.golden_evidence
    result = checked(resealed(stripes, tmp_path, golden_evidence=evidence * 1.01))
    (failure,) = result.failures
    assert failure.startswith("evidence error is 0.0")


def test_evidence_that_does_not_add_up_is_a_failure(stripes: Path, tmp_path: Path) -> None:
    bias = artifact.read(stripes).arrays.bias
    assert bias is not None
    result = checked(resealed(stripes, tmp_path, bias=bias + np.array([1, 0, 0], np.float32)))
    (failure,) = result.failures
    assert failure.startswith("completeness is ")


def test_an_artifact_without_golden_samples_proves_nothing(stripes: Path, tmp_path: Path) -> None:
    arrays = artifact.read(stripes).arrays
    golden = ("golden_images", "golden_scores", "golden_evidence", "golden_errors")
    none = {name: getattr(arrays, name)[:0] for name in golden}
    result = checked(resealed(stripes, tmp_path, **none))
    assert not result.passed
    assert "no golden samples" in result.failures[0]


def test_an_artifact_is_held_against_what_it_did_where_it_was_exported(stripes: Path) -> None:
    """At most twice as far from Keras, and what another interpreter may add."""
    errors = artifact.read(stripes).arrays.golden_errors
    assert errors is not None
    received = [sample.tolerance for sample in checked(stripes).samples]
    assert np.array(received) == pytest.approx(2 * errors + np.array(PRECISIONS["float32"].allowance))


def test_errors_that_were_bad_at_the_export_excuse_nothing(stripes: Path, tmp_path: Path) -> None:
    """A tolerance is never wider than anything that is fit for use."""
    errors = artifact.read(stripes).arrays.golden_errors
    assert errors is not None
    received = checked(resealed(stripes, tmp_path, golden_errors=np.full_like(errors, 0.41)))
    assert {sample.tolerance for sample in received.samples} == {PRECISIONS["float32"].most}


def test_what_the_card_says_against_an_artifact_is_the_first_failure(stripes: Path, tmp_path: Path) -> None:
    read = artifact.read(stripes)
    unfit = tmp_path / stripes.name
    card = read.card._replace(unfit="maps of somewhere else")
    unfit.write_bytes(artifact.pack(read.container, read.model, card, read.arrays))
    result = checked(unfit)
    assert not result.passed
    assert result.failures == ("not fit for use, as measured at its export: maps of somewhere else",)
    finished = run_camlite("check", unfit)
    assert finished.returncode == 1
    assert f"{unfit}: {result.failures[0]}" in finished.stdout


def test_the_exporters_own_interpreter_does_here_what_it_did_there(
    stripes: Path, request: pytest.FixtureRequest
) -> None:
    if request.config.getoption("--artifacts"):
        pytest.skip("made elsewhere, perhaps by another version, which rounds otherwise")
    errors = artifact.read(stripes).arrays.golden_errors
    received = [(one.score_difference, one.evidence_error, one.completeness) for one in checked(stripes).samples]
    assert np.array(received, np.float32).tolist() == np.asarray(errors).tolist()


def test_without_a_measurement_at_the_export_a_tolerance_of_the_precision_holds(stripes: Path, tmp_path: Path) -> None:
    result = checked(resealed(stripes, tmp_path, golden_errors=None))
    assert {sample.tolerance for sample in result.samples} == {PRECISIONS["float32"].unmeasured}
    assert result.passed


def test_a_figure_at_its_tolerance_passes() -> None:
    assert checked_by_hand(GOOD).passed


@pytest.mark.parametrize("figure", Tolerance._fields)
@pytest.mark.parametrize("value", [math.nan, math.inf, 0.31])
def test_a_figure_beyond_its_tolerance_or_without_a_value_fails(figure: str, value: float) -> None:
    bad = dataclasses.replace(GOOD, **{figure: value}, label="shoe")
    (failure,) = checked_by_hand(GOOD, bad).failures
    assert failure.startswith(figure.replace("_", " "))
    assert "golden sample 1 ('boot', which it takes for 'shoe'); wrong on 1 of 2 samples" in failure


def test_what_an_artifact_does_not_give_is_not_asked_for() -> None:
    assert checked_by_hand(dataclasses.replace(GOOD, completeness=None, evidence_error=None)).passed


@pytest.mark.parametrize("precision", PRECISIONS)
def test_evidence_of_another_place_is_beyond_every_tolerance(precision: Precision) -> None:
    """A map that is moved differs from itself by about its own size."""
    assert PRECISIONS[precision].allowance.evidence_error <= PRECISIONS[precision].unmeasured.evidence_error < 0.5


def test_the_worst_sample_is_the_one_that_is_furthest_beyond_its_own_tolerance() -> None:
    near = dataclasses.replace(GOOD, evidence_error=0.3)
    far = dataclasses.replace(GOOD, evidence_error=0.2, tolerance=Tolerance(0.1, 0.1, 0.3))
    none = dataclasses.replace(GOOD, evidence_error=math.nan)
    assert checked_by_hand(GOOD, near, far).worst("evidence_error") is far
    assert checked_by_hand(near, far, none).worst("evidence_error") is none


def test_the_command_fails_with_1_and_a_line(stripes: Path, tmp_path: Path) -> None:
    evidence = artifact.read(stripes).arrays.golden_evidence
    wrong = resealed(stripes, tmp_path, golden_evidence=evidence[:, ::-1])
    finished = run_camlite("check", stripes, wrong)
    assert finished.returncode == 1
    assert "FAILED" in finished.stdout
    assert f"{wrong}: evidence error is " in finished.stdout
    assert finished.stderr == ""


def test_an_artifact_that_cannot_be_opened_is_a_line_and_2_and_the_others_are_checked(stripes: Path) -> None:
    finished = run_camlite("check", "missing.tflite", stripes, stripes.with_suffix(".txt"))
    assert finished.returncode == 2
    assert len(finished.stderr.splitlines()) == 2
    assert finished.stderr.startswith("camlite: missing.tflite: cannot read it")
    assert finished.stdout.count(" ok\n") == 1


def test_json_is_one_object_a_line_that_any_parser_reads(tiny: Path, stripes: Path) -> None:
    hidden = tiny / "hidden" / "hidden.float32.tflite"
    finished = run_camlite("check", stripes, hidden, "--json")

    def refuse(constant: str) -> None:
        raise AssertionError(f"{constant} is no JSON")

    first, second = (json.loads(line, parse_constant=refuse) for line in finished.stdout.splitlines())
    assert first["artifact"] == str(stripes)
    assert first["passed"] is True
    assert first["failures"] == []
    assert set(first["samples"][0]) == {field.name for field in dataclasses.fields(Sample)}
    assert set(first["samples"][0]["tolerance"]) == set(Tolerance._fields)
    assert 0 <= second["samples"][0]["completeness"] <= 1e-5
