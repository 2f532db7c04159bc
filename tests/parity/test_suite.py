"""The suite for others: five lines in their own repository."""

from __future__ import annotations

from pathlib import Path

import pytest

from camlite import CamliteError
from camlite_export.suite import parity_suite
from support.reference_classifier import CLASSIFIER, PROTOTYPES, run

FIVE_LINES = """
from camlite_export.suite import parity_suite

test_parity = parity_suite({classifier!r}, {artifacts!r}, data={data!r})
"""


def pytest_on(folder: Path, source: str) -> tuple[int, str]:
    """Run pytest as in a repository of its own: exit code, and what it prints."""
    (folder / "test_own.py").write_text(source)
    finished = run("-m", "pytest", "-p", "no:cacheprovider", "-rA", "--rootdir", folder, "test_own.py", cwd=folder)
    return finished.returncode, finished.stdout + finished.stderr


def test_five_lines_give_a_test_for_each_artifact_and_check(made: Path, tmp_path: Path) -> None:
    names = {"classifier": str(CLASSIFIER), "artifacts": str(made / "right" / "*"), "data": str(PROTOTYPES)}
    status, printed = pytest_on(tmp_path, FIVE_LINES.format(**names))
    assert status == 0, printed
    for test in ("right.float32.tflite-names", "right.int8.onnx-correlation_p5", "right.int8.tflite-golden samples"):
        assert f"PASSED test_own.py::test_parity[{test}]" in printed


@pytest.fixture(scope="module")
def faults_and_golden_samples(made: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[int, str]:
    """Two suites in one file: of wrong artifacts, and of a right one without images."""
    wrong, right = made / "wrong", made / "right" / "right.int8.tflite"
    faults = [str(wrong / f"{name}.float32.tflite") for name in ("outputs-swapped", "head-weight-5-percent")]
    lines = [
        "from camlite_export.suite import parity_suite",
        f"test_parity = parity_suite({str(CLASSIFIER)!r}, {faults!r}, data={str(PROTOTYPES)!r})",
        f"test_without_images = parity_suite({str(CLASSIFIER)!r}, {str(right)!r})",
    ]
    return pytest_on(tmp_path_factory.mktemp("faults"), "\n".join(lines))


def test_each_fault_fails_the_test_of_its_check_with_its_line(faults_and_golden_samples: tuple[int, str]) -> None:
    status, printed = faults_and_golden_samples
    assert status == 1
    failed = {line.split("[")[1].split("]")[0] for line in printed.splitlines() if line.startswith("FAILED")}
    assert {name for name in failed if name.startswith("head")} == {
        f"head-weight-5-percent.float32.tflite-{check}"
        for check in ("golden samples", "score_difference_max", "completeness_max")
    }
    assert "outputs-swapped.float32.tflite-shapes" in failed
    assert "outputs-swapped.float32.tflite-correlation_p5" not in failed  # float32 has no such gate
    assert "features are (10,), expected (3, 3, 128)" in printed


def test_what_the_images_cannot_tell_is_skipped(faults_and_golden_samples: tuple[int, str]) -> None:
    """The golden samples, which stand in for images, have no classes."""
    _, printed = faults_and_golden_samples
    assert "not known for these images" in printed
    assert "PASSED test_own.py::test_without_images[right.int8.tflite-golden samples]" in printed


def test_a_pattern_that_finds_nothing_is_an_error_at_once(tmp_path: Path) -> None:
    with pytest.raises(CamliteError, match=r"\*: no artifact there"):
        parity_suite(CLASSIFIER, tmp_path / "*")
