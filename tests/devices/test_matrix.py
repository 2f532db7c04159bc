"""What measures the devices, measured itself: it tells a difference, and writes what it found."""

from __future__ import annotations

from pathlib import Path

import pytest

from devices import environments, examination, page
from devices.environments import RELEASES, Release, UnavailableError
from devices.examination import TOLERANCES, Answer, Case, Finding
from devices.machine import DeviceError, Machine
from devices.matrix import Row

OLD, NEW = Release("onnxruntime", "onnx", oldest=True), Release("onnxruntime", "onnx")


def answer(score: float = 0.75, evidence: float = 2.0, label: str = "cat") -> Answer:
    return {"label": label, "scores": {"cat": score, "dog": 0.25}, "evidence": [[evidence, -4.0], [0.0, 1.0]]}


def explained(*answers: Answer, expected: Answer | None = None) -> str:
    """What is said of a float32 artifact that answers so, where one answer as above is expected."""
    case = Case(Path("pets.float32.onnx"), "float32", (Path("cat.png"),), Path("cat.npy"), [expected or answer()])
    return examination.judge(case, list(answers))[0]


def test_the_same_answer_passes() -> None:
    assert explained(answer()) == ""


def test_a_difference_within_the_tolerance_passes_and_one_beyond_it_does_not() -> None:
    most = TOLERANCES["float32"].score_difference
    assert explained(answer(score=0.75 + 0.9 * most)) == ""
    assert "score difference" in explained(answer(score=0.75 + 1.1 * most))


def test_a_difference_of_evidence_counts_in_shares_of_the_largest() -> None:
    most = 4 * TOLERANCES["float32"].evidence_difference
    assert explained(answer(evidence=2 + 0.9 * most)) == ""
    assert "evidence difference" in explained(answer(evidence=2 + 1.1 * most))


def test_a_number_that_is_none_does_not_pass() -> None:
    assert "score difference is nan" in explained(answer(score=float("nan")))
    assert "evidence difference is nan" in explained(answer(evidence=float("nan")))


def test_another_label_does_not_pass() -> None:
    assert "label 'dog', expected 'cat'" in explained(answer(label="dog"))


def test_either_label_passes_where_rounding_alone_decides() -> None:
    tie = 0.25 + TOLERANCES["float32"].score_difference
    assert explained(answer(tie, evidence=9.0, label="dog"), expected=answer(tie)) == ""


def test_a_missing_answer_does_not_pass() -> None:
    assert "answers are []" in explained()


def test_other_classes_do_not_pass() -> None:
    assert "answers are [(['dog', 'cat']" in explained({**answer(), "scores": {"dog": 0.75, "cat": 0.25}})


def finding(precision: str = "float32", explained: str = "", score: float = 1e-7) -> Finding:
    return Finding(f"pets.{precision}.onnx", precision, explained, "", score, 2e-7)  # type: ignore[arg-type]


ROWS = [
    Row("Python 3.10", NEW, "1.23.2", findings=[finding(), finding("int8", score=0.02)]),
    Row("Python 3.11", NEW, "1.32.0", findings=[finding(), finding("int8", explained="exit -11", score=float("nan"))]),
    Row("Python 3.10", OLD, "1.16.0", findings=[finding(), finding("int8")]),
    Row("Python 3.11", OLD, unavailable="no wheel"),
]


def test_the_page_shows_a_line_a_version_and_how_many_artifacts_passed(tmp_path: Path) -> None:
    page.write_section("make pets", "At home.", ROWS, tmp_path / "devices.md")
    assert (
        (tmp_path / "devices.md").read_text().split("\n## ")[1]
        == """`make pets`

At home.

| backend            | Python 3.10 | Python 3.11 |
| ------------------ | ----------- | ----------- |
| onnxruntime 1.16.0 | 2 of 2      | no wheel    |
| onnxruntime 1.23.2 | 2 of 2      |             |
| onnxruntime 1.32.0 |             | 1 of 2      |

| precision | largest score difference | allowed | largest evidence difference | allowed |
| --------- | ------------------------ | ------- | --------------------------- | ------- |
| float32   | 1.0e-07                  | 1e-05   | 2.0e-07                     | 1e-05   |
| int8      | 2.0e-02                  | 0.11    | 2.0e-07                     | 0.05    |
"""
    )


def test_a_command_replaces_its_own_section_of_the_page_and_no_other(tmp_path: Path) -> None:
    file = tmp_path / "devices.md"
    for command, place in (("make cats", "Here."), ("make dogs", "There."), ("make cats", "Elsewhere.")):
        page.write_section(command, place, ROWS, file)
    text = file.read_text()
    assert text.count("## `make cats`") == text.count("## `make dogs`") == 1
    assert "There." in text
    assert "Elsewhere." in text
    assert "Here." not in text


def test_a_python_that_is_missing_makes_an_environment_unavailable() -> None:
    with pytest.raises(UnavailableError, match="no such Python"):
        environments.find_python(environments.here(), "3.99")


@pytest.mark.devices
def test_an_index_out_of_reach_is_an_error_and_no_missing_wheel(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, wheel: Path
) -> None:
    for name, value in (("PIP_NO_INDEX", "1"), ("PIP_CONFIG_FILE", "/dev/null"), ("PIP_FIND_LINKS", "")):
        monkeypatch.setenv(name, value)
    with pytest.raises(DeviceError, match="No matching distribution"):
        environments.make(Machine("here", tmp_path), "3.11", RELEASES[0], wheel)
