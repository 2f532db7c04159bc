"""The page: whole or not at all, nothing fetched, and readable in a browser, wide and narrow."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path

import pytest

from support import browser
from support.page_tags import fetched, pictures
from support.reference_classifier import CLASSIFIER, LABELS, PROTOTYPES, parity


@dataclass(frozen=True)
class Made:
    """What a run of ``camlite parity --report`` has left."""

    folder: Path
    page: str
    stdout: str
    status: int


@pytest.fixture(scope="module")
def report(made: Path, tmp_path_factory) -> Made:
    """Of right artifacts, of one that fails, of one without finite numbers and of one without comparable shapes."""
    right = [made / "right" / f"right.{kind}" for kind in ("float32.tflite", "float32.onnx")]
    wrong = ("zero-point.int8.tflite", "NaN-in-the-features.float32.onnx", "outputs-swapped.float32.tflite")
    folder = tmp_path_factory.mktemp("report") / "new" / "parity"
    options = ["--data", PROTOTYPES, "--labels", LABELS, "--report", folder]
    finished = parity(CLASSIFIER, *right, *(made / "wrong" / name for name in wrong), *options)
    return Made(folder, (folder / "index.html").read_text(), finished.stdout, finished.returncode)


def test_the_folder_holds_the_page_and_the_record_alone(report: Made) -> None:
    assert {file.name for file in report.folder.iterdir()} == {"index.html", "parity.json"}
    assert [file.name for file in report.folder.parent.iterdir()] == ["parity"]


def test_the_record_is_json_that_any_parser_reads(report: Made) -> None:
    def refuse(constant: str) -> None:
        raise AssertionError(f"{constant} is no JSON")

    record = json.loads((report.folder / "parity.json").read_text(), parse_constant=refuse)
    assert [one["passed"] for one in record["artifacts"]] == [True, True, False, False, False]
    assert record["artifacts"][0]["gates"]["score_difference_max"]["limit"] == 1e-4
    assert record["images"] == 200


def test_the_program_says_where_the_page_is_and_fails(report: Made) -> None:
    assert report.stdout.endswith(f"{report.folder / 'index.html'}\n")
    assert report.status == 1


def test_the_page_fetches_nothing(report: Made) -> None:
    assert fetched(report.page) == []


def test_every_picture_says_what_it_shows(report: Made) -> None:
    found = pictures(report.page)
    assert len(found) == 3 + 4 * 4 * 4  # three charts; four artifacts, four images, four panels
    assert all(attributes["alt"] for attributes in found)


def test_what_failed_stands_at_the_top(report: Made) -> None:
    failures = report.page[: report.page.index("<h2>")]
    assert "3 of 5 artifacts" in failures
    for part in ("zero-point.int8.tflite", "numbers that are not finite", "features are (10,), expected (3, 3, 128)"):
        assert part in failures


def test_labels_and_names_cannot_bring_markup_of_their_own(made: Path, tmp_path: Path) -> None:
    labels = tmp_path / "labels.txt"
    labels.write_text("\n".join([f"<b onclick=alert({k})>" for k in range(10)]))
    right = made / "right" / "right.float32.tflite"
    folder = tmp_path / "report"
    parity(CLASSIFIER, right, "--labels", labels, "--report", folder)
    page = (folder / "index.html").read_text()
    assert "<b onclick" not in page
    assert "&lt;b onclick" in page


def test_another_folder_is_left_alone(made: Path, tmp_path: Path) -> None:
    (tmp_path / "thesis.tex").write_text("")
    finished = parity(CLASSIFIER, made / "right" / "right.float32.tflite", "--report", tmp_path)
    assert finished.returncode == 2
    assert finished.stderr.splitlines() == [
        f"camlite: {tmp_path}: holds something else than a report of parity; choose another --report"
    ]
    assert [file.name for file in tmp_path.iterdir()] == ["thesis.tex"]


def test_a_run_that_cannot_finish_leaves_the_older_report(report: Made, tmp_path: Path) -> None:
    before = (report.folder / "index.html").stat().st_mtime_ns
    finished = parity(CLASSIFIER, tmp_path / "missing.tflite", "--report", report.folder)
    assert finished.returncode == 2
    assert (report.folder / "index.html").stat().st_mtime_ns == before


@pytest.mark.skipif(browser.missing() is not None, reason=str(browser.missing()))
@pytest.mark.parametrize("dark", [False, True], ids=["light", "dark"])
@pytest.mark.parametrize("width", [1280, 400])
def test_in_a_browser_nothing_overflows_and_no_picture_is_missing(
    report: Made, tmp_path: Path, width: int, dark: bool
) -> None:
    with browser.browser(tmp_path) as chromium:
        chromium.open(report.folder / "index.html", width, 900, dark)
        assert chromium.evaluate("innerWidth") == width
        assert chromium.evaluate("document.documentElement.scrollWidth") <= width
        assert chromium.evaluate("[...document.images].filter(i => !(i.complete && i.naturalWidth > 0)).length") == 0
        assert chromium.evaluate("document.images.length") == 67
        beyond = (
            "[...document.body.querySelectorAll('*')].filter(e => e.getBoundingClientRect().right > innerWidth + 1)"
        )
        assert chromium.evaluate(f"{beyond}.map(e => e.outerHTML.slice(0, 80))") == []


@pytest.mark.skipif(browser.missing() is not None, reason=str(browser.missing()))
def test_on_a_narrower_page_each_figure_stands_beside_its_name(report: Made, tmp_path: Path) -> None:
    with browser.browser(tmp_path) as chromium:
        chromium.open(report.folder / "index.html", 1200, 900)
        found = chromium.evaluate(browser.FIGURES)

    assert len(found) > 10
    assert all(place["width"] <= 480 and place["height"] >= 12 for place in found), found


@pytest.mark.skipif(browser.missing() is not None, reason=str(browser.missing()))
def test_in_the_dark_the_paper_is_dark_and_the_ink_is_light(report: Made, tmp_path: Path) -> None:
    brightness = "getComputedStyle(document.body).{}.match(/[0-9]+/g).slice(0, 3).reduce((a, b) => a + +b, 0) / 765"
    with browser.browser(tmp_path) as chromium:
        for dark in (False, True):
            chromium.open(report.folder / "index.html", 1280, 900, dark)
            paper, ink = (chromium.evaluate(brightness.format(name)) for name in ("backgroundColor", "color"))
            assert (paper < 0.2 and ink > 0.8) if dark else (paper > 0.8 and ink < 0.2)
