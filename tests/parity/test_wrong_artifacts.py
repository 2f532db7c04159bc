"""The proof that the checks can fail: each artifact that is wrong on purpose is caught, and no right one is."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from support.reference_classifier import CLASSIFIER, PROTOTYPES, parity

KINDS = ("float32.tflite", "float32.onnx", "int8.tflite", "int8.onnx")
FLOATS, INTEGERS = KINDS[:2], KINDS[2:]

# fault -> in which kinds of artifacts it is tried, and what must be said of it: by parity, and by check, which
# has no classifier at hand. None: check cannot know.
FAULTS = {
    "outputs-swapped": (FLOATS, "shapes", "the model has outputs"),
    "features-transposed": (KINDS, "evidence_error", "evidence error"),
    "features-of-another-layer": (FLOATS, "evidence_error", "evidence error"),
    "features-in-another-order": (FLOATS, "evidence_error", "completeness"),
    "class-weights-in-another-order": (KINDS, "evidence_error", "completeness"),
    "class-weights-5-percent": (KINDS, "evidence_error", "evidence error"),
    "head-weight-5-percent": (FLOATS, "score_difference", "completeness"),
    # In 8 bits this is no further from the truth than quantization is.
    "head-column-5-percent": (FLOATS, "score_difference", "completeness"),
    "another-classifier": (KINDS, "score_difference", "score difference"),
    "another-digest": (KINDS, "card", None),
    "labels-permuted": (KINDS, "card", None),
    "preprocessing": (KINDS, "card", "score difference"),
    "zero-point": (INTEGERS, "evidence_error", "evidence error"),
    "NaN-in-the-features": (FLOATS, "finiteness", "evidence error is nan"),
}
TRIED = [
    (f"{fault}.{kind}", by_parity, by_check) for fault, (kinds, by_parity, by_check) in FAULTS.items() for kind in kinds
]


def test_every_wrong_artifact_that_was_made_is_tried(made: Path) -> None:
    assert {path.name for path in (made / "wrong").iterdir()} == {name for name, *_ in TRIED}


@pytest.mark.parametrize("kind", KINDS)
def test_parity_passes_a_right_artifact(parity_says, kind: str) -> None:
    assert parity_says.of[f"right.{kind}"]["failures"] == []


@pytest.mark.parametrize("kind", KINDS)
def test_check_passes_a_right_artifact(check_says, kind: str) -> None:
    assert check_says.of[f"right.{kind}"]["failures"] == []


@pytest.mark.parametrize(("name", "by_parity"), [row[:2] for row in TRIED])
def test_parity_catches_a_wrong_artifact(parity_says, name: str, by_parity: str) -> None:
    checks = [failure["check"] for failure in parity_says.of[name]["failures"]]
    assert any(check.startswith(by_parity) for check in checks), checks


@pytest.mark.parametrize(("name", "by_check"), [(name, by_check) for name, _, by_check in TRIED if by_check])
def test_check_catches_a_wrong_artifact_without_the_classifier(check_says, name: str, by_check: str) -> None:
    failures = check_says.of[name]["failures"]
    assert any(by_check in failure for failure in failures), failures


@pytest.mark.parametrize("name", [name for name, _, by_check in TRIED if by_check is None])
def test_check_cannot_know_what_a_card_says_of_the_world(check_says, name: str) -> None:
    """Labels and origin have no consequence on the device that it could be held against."""
    assert check_says.of[name]["failures"] == []


def test_one_failure_among_many_artifacts_is_the_exit_code(parity_says, check_says) -> None:
    assert parity_says.status == 1
    assert check_says.status == 2  # two of them cannot even be opened


def test_permuted_labels_are_caught_by_pictures_in_folders_alone(made: Path, folder_of_pictures: Path) -> None:
    """Without a labels file parity believes the card, and then most pictures lie in the wrong folder."""
    wrong = made / "wrong" / "labels-permuted.float32.tflite"
    finished = parity(CLASSIFIER, wrong, "--data", folder_of_pictures, "--json")
    assert finished.returncode == 1, finished.stderr
    (found,) = json.loads(finished.stdout)["artifacts"]
    (failure,) = found["failures"]
    assert failure["check"] == "labels"
    assert "are in another order" in failure["message"]


def test_another_preprocessing_than_the_first_artifacts_is_caught_where_none_is_given(made: Path) -> None:
    right, wrong = made / "right" / "right.float32.tflite", made / "wrong" / "preprocessing.float32.tflite"
    finished = parity(CLASSIFIER, right, wrong, "--data", PROTOTYPES, "--json")
    first, second = json.loads(finished.stdout)["artifacts"]
    assert first["failures"] == []
    assert "card" in {failure["check"] for failure in second["failures"]}
