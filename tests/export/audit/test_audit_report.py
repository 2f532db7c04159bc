"""The page of an audit: whole or not at all, nothing fetched, and readable in a browser, wide and narrow."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path

import pytest

from support import browser
from support.fresh_process import one_line, run_camlite
from support.page_tags import fetched, pictures
from support.striped_patches import write_folder

KINDS = ("masks", "no masks")
Made = tuple[Path, subprocess.CompletedProcess[str]]


@pytest.fixture(scope="module")
def reports(tiny: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Made]:
    """Of a data set with masks, a shortcut in it, and of the same without them."""
    folder = tmp_path_factory.mktemp("audit")
    data = write_folder(folder / "data", 30, beside=True)
    artifact = tiny / "stripes" / "stripes.int8.tflite"
    made = {}
    for kind, source in zip(KINDS, (data, data / "images"), strict=True):
        report = folder / kind / "report"
        made[kind] = (report, run_camlite("audit", artifact, source, "--report", report))
    return made


@pytest.mark.parametrize("kind", KINDS)
def test_the_folder_holds_page_and_record_and_the_program_says_where(reports, kind: str) -> None:
    folder, finished = reports[kind]
    assert finished.stderr == ""
    assert finished.returncode == (1 if kind == "masks" else 0)
    assert finished.stdout.endswith(f"{folder / 'index.html'}\n")
    assert {file.name for file in folder.iterdir()} == {"index.html", "audit.json"}
    assert [file.name for file in folder.parent.iterdir()] == ["report"]


def test_the_record_is_json_that_any_parser_reads(reports) -> None:
    def refuse(constant: str) -> None:
        raise AssertionError(f"{constant} is no JSON")

    record = json.loads((reports["masks"][0] / "audit.json").read_text(), parse_constant=refuse)
    assert record["shortcut"] is True
    assert {one["verdict"] for one in record["classes"]} == {"context"}
    assert record["classes"][0]["follows"]["other"][0] < 0


@pytest.mark.parametrize("kind", KINDS)
def test_the_page_fetches_nothing_and_every_picture_says_what_it_shows(reports, kind: str) -> None:
    page = (reports[kind][0] / "index.html").read_text()
    assert fetched(page) == []
    assert all(picture["alt"] for picture in pictures(page))
    # Two classes: four offenders of four panels, a mean map, a group's map and a view of it, two sheets of six.
    assert len(pictures(page)) >= 2 * (4 * 4 + 1 + 2 + 2 * 6) + (2 if kind == "masks" else 0)


def test_what_is_a_shortcut_stands_at_the_top(reports) -> None:
    page = (reports["masks"][0] / "index.html").read_text()
    assert "✗ horizontal, vertical: recognized by something else than the object." in page[: page.index("<h2>")]


def test_labels_cannot_bring_markup_of_their_own(tiny: Path, tmp_path: Path) -> None:
    from camlite import artifact
    from support.small_artifacts import changed

    read = artifact.read(tiny / "stripes" / "stripes.float32.tflite")
    card = changed(read.card, "labels", ("<b onclick=alert(1)>", "vertical", "plain"))
    path = tmp_path / "a.tflite"
    path.write_bytes(artifact.pack("tflite", read.model, card, read.arrays))
    data = write_folder(tmp_path / "data", 4, beside=False)
    (data / "images" / "horizontal").rename(data / "images" / "0")
    (data / "masks" / "horizontal").rename(data / "masks" / "0")
    run_camlite("audit", path, data, "--report", tmp_path / "report")
    page = (tmp_path / "report" / "index.html").read_text()
    assert "<b onclick" not in page
    assert "&lt;b onclick" in page


def test_another_folder_is_left_alone(tiny: Path, tmp_path: Path) -> None:
    (tmp_path / "thesis.tex").touch()
    finished = run_camlite("audit", tiny / "stripes" / "stripes.int8.tflite", tmp_path, "--report", tmp_path)
    complaint = one_line(finished)
    assert complaint.endswith(f"{tmp_path}: holds something else than a report of audit; choose another --report\n")
    assert [file.name for file in tmp_path.iterdir()] == ["thesis.tex"]


@pytest.mark.skipif(browser.missing() is not None, reason=str(browser.missing()))
@pytest.mark.parametrize("kind", KINDS)
def test_in_a_browser_nothing_overflows_and_no_picture_is_missing(reports, tmp_path: Path, kind: str) -> None:
    beyond = "[...document.body.querySelectorAll('*')].filter(e => e.getBoundingClientRect().right > innerWidth + 1)"
    with browser.browser(tmp_path) as chromium:
        for width, dark in ((1280, False), (1280, True), (400, False), (400, True)):
            chromium.open(reports[kind][0] / "index.html", width, 900, dark)
            assert chromium.evaluate("document.documentElement.scrollWidth") <= width
            assert chromium.evaluate("[...document.images].every(i => i.complete && i.naturalWidth > 0)")
            assert chromium.evaluate(f"{beyond}.map(e => e.outerHTML.slice(0, 80))") == []


@pytest.mark.skipif(browser.missing() is not None, reason=str(browser.missing()))
@pytest.mark.parametrize("width", [1200, 900, 400])
@pytest.mark.parametrize("kind", KINDS)
def test_where_a_row_is_a_card_each_figure_stands_beside_its_name_and_none_over_another(
    reports, tmp_path: Path, kind: str, width: int
) -> None:
    with browser.browser(tmp_path) as chromium:
        chromium.open(reports[kind][0] / "index.html", width, 900)
        found = chromium.evaluate(browser.FIGURES)

    assert len(found) > 10
    assert all(place["width"] <= 480 and place["height"] >= 12 for place in found), found
