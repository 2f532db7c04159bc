"""The page of `camlite faithful`: whole or not at all, nothing fetched, and readable in a browser, wide and narrow."""

from __future__ import annotations

import json
import shutil
import subprocess
from pathlib import Path

import pytest

from support import browser
from support.fresh_process import one_line, run_camlite
from support.page_tags import fetched, pictures
from support.striped_patches import write_folder

Made = tuple[Path, subprocess.CompletedProcess[str]]


@pytest.fixture(scope="module")
def report(tiny: Path, tmp_path_factory: pytest.TempPathFactory) -> Made:
    """Of two artifacts, with masks, one picture that cannot be read, and the original of one of them."""
    folder = tmp_path_factory.mktemp("faithful")
    data = write_folder(folder / "data", 14, beside=False)
    sorted((data / "images").rglob("*.png"))[0].write_bytes(b"no picture")
    artifacts = [tiny / "stripes" / f"stripes.{precision}.tflite" for precision in ("float32", "int8")]
    made = folder / "made" / "report"
    model = tiny / "stripes.keras"
    return made, run_camlite("faithful", *artifacts, data, "--report", made, "--model", model, "--steps", "5")


def test_the_folder_holds_page_and_record_and_the_program_says_where(report) -> None:
    folder, finished = report
    assert finished.returncode == 1  # of the picture
    assert finished.stdout.endswith(f"{folder / 'index.html'}\n"), finished.stderr
    assert {file.name for file in folder.iterdir()} == {"index.html", "faithful.json"}
    assert [file.name for file in folder.parent.iterdir()] == ["report"]


def test_the_record_is_what_json_prints_with_evidence_of_randomized_weights(report) -> None:
    record = json.loads((report[0] / "faithful.json").read_text())
    for one in record["artifacts"]:
        assert one["measures"]["pointing"]["artifact"][0] == 1
        stages = one["randomized_weights"]["stages"]
        assert [stage["layers"] for stage in stages] == list(range(1, len(stages) + 1))
        assert abs(stages[-1]["correlation"][0]) < 0.7
    assert record["artifacts"][0]["randomized_weights"] == record["artifacts"][1]["randomized_weights"]
    assert "with random weights its evidence correlates by" in report[1].stdout


def test_the_page_fetches_nothing_and_every_picture_says_what_it_shows(report) -> None:
    page = (report[0] / "index.html").read_text()
    assert fetched(page) == []
    assert all(picture["alt"] for picture in pictures(page))
    # Per artifact: two charts of curves, one of stages, and of thirteen pictures twelve, in three panels each.
    assert len(pictures(page)) == 2 * (3 + 12 * 3)


def test_figures_stand_beside_those_of_the_controls_and_measures_are_explained(report) -> None:
    page = (report[0] / "index.html").read_text()
    assert page.count("<td>a random map</td>") == page.count("<td>the middle</td>") == 2
    assert "Petsiuk et al., BMVC 2018" in page
    assert page.count("left out: ") == 2


def test_two_artifacts_of_the_same_name_are_told_apart_by_their_folders(tiny: Path, tmp_path: Path) -> None:
    data = write_folder(tmp_path / "data", 2, beside=False)
    artifact = tiny / "stripes" / "stripes.float32.tflite"
    (tmp_path / "copy").mkdir()
    shutil.copy(artifact, tmp_path / "copy")
    paths = [artifact, tmp_path / "copy" / artifact.name]

    assert run_camlite("faithful", *paths, data, "--report", tmp_path / "made", "--steps", "2").returncode == 0

    page = (tmp_path / "made" / "index.html").read_text()
    assert [f"<h2>{path}</h2>" in page for path in paths] == [True, True]
    assert f"<h2>{artifact.name}</h2>" not in page


def test_another_classifier_than_the_artifacts_is_one_line(tiny: Path, tmp_path: Path) -> None:
    data = write_folder(tmp_path / "data", 2, beside=False)
    artifact = tiny / "stripes" / "stripes.float32.tflite"
    finished = run_camlite("faithful", artifact, data, "--model", tiny / "hidden.keras")
    assert "another classifier" in one_line(finished)


def test_it_is_told_before_pictures_are_measured(tiny: Path, tmp_path: Path) -> None:
    """Of the two faults the one that takes no time to find; measuring may take an hour."""
    (tmp_path / "bad.png").write_bytes(b"no picture")
    artifact = tiny / "stripes" / "stripes.float32.tflite"
    finished = run_camlite("faithful", artifact, tmp_path, "--model", tiny / "hidden.keras")
    assert "another classifier" in one_line(finished)


def test_another_folder_is_left_alone(tiny: Path, tmp_path: Path) -> None:
    (tmp_path / "thesis.tex").touch()
    complaint = one_line(
        run_camlite("faithful", tiny / "stripes" / "stripes.int8.tflite", tmp_path, "--report", tmp_path)
    )
    assert complaint.endswith(f"{tmp_path}: holds something else than a report of faithful; choose another --report\n")
    assert [file.name for file in tmp_path.iterdir()] == ["thesis.tex"]


@pytest.mark.skipif(browser.missing() is not None, reason=str(browser.missing()))
def test_in_a_browser_nothing_overflows_and_no_picture_is_missing(report, tmp_path: Path) -> None:
    beyond = "[...document.body.querySelectorAll('*')].filter(e => e.getBoundingClientRect().right > innerWidth + 1)"
    with browser.browser(tmp_path) as chromium:
        for width, dark in ((1280, False), (400, True)):
            chromium.open(report[0] / "index.html", width, 900, dark)
            assert chromium.evaluate("document.documentElement.scrollWidth") <= width
            assert chromium.evaluate("[...document.images].every(i => i.complete && i.naturalWidth > 0)")
            assert chromium.evaluate(f"{beyond}.map(e => e.outerHTML.slice(0, 80))") == []
