"""The site of `make docs`: every link and picture is there, nothing comes from elsewhere, no page overflows."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from urllib.parse import unquote, urlsplit

import pytest

from support import browser
from support.code_blocks import DOCS, ROOT
from support.made_once import made_once
from support.page_tags import Tags

pytest.importorskip("mkdocs", reason="needs the extra docs")
WIDTHS = (400, 1280)


@pytest.fixture(scope="session")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of the pages, built as `make docs` builds it."""
    return made_once(tmp_path_factory, "site", _build)


def _build(folder: Path) -> None:
    finished = subprocess.run(
        [sys.executable, "-m", "mkdocs", "build", "--strict", "--quiet", "--site-dir", folder],
        capture_output=True,
        text=True,
        cwd=ROOT,
        timeout=600,
        env={**os.environ, "NO_MKDOCS_2_WARNING": "1"},
    )
    assert finished.returncode == 0, finished.stdout + finished.stderr


def html(site: Path) -> list[Path]:
    """The pages of the site, without the one that a server shows for those that are not there."""
    return sorted(page for page in site.rglob("*.html") if page.name != "404.html")


@cache
def tags(page: Path) -> list[tuple[str, dict[str, str | None]]]:
    return Tags(page.read_text(encoding="utf-8")).found


def addresses(page: Path) -> Iterator[str]:
    """What a page links to or shows."""
    for tag, attributes in tags(page):
        if tag in ("a", "img", "link", "script"):
            yield from (value for name in ("href", "src") if (value := attributes.get(name)))


@cache
def names(page: Path) -> set[str | None]:
    """The places of a page that a link can name."""
    return {attributes.get("id") or attributes.get("name") for _, attributes in tags(page)}


@pytest.mark.endurance
def test_every_link_and_every_picture_is_there(site):
    missing = []
    for page in html(site):
        for address in addresses(page):
            parts = urlsplit(address)
            if parts.scheme or address.startswith("//"):
                continue
            target = (page.parent / unquote(parts.path)).resolve() if parts.path else page
            target = target / "index.html" if target.is_dir() else target
            anchored = parts.fragment and target.suffix == ".html" and not parts.fragment.startswith("__")
            if not target.exists() or (anchored and unquote(parts.fragment) not in names(target)):
                missing.append(f"{page.relative_to(site)}: {address}")

    assert len(html(site)) > 20
    assert missing == []


@pytest.mark.endurance
def test_a_page_fetches_nothing_from_elsewhere(site):
    fetched = {
        value
        for page in html(site)
        for tag, attributes in tags(page)
        if tag in ("img", "script") or (tag == "link" and attributes.get("rel") != "canonical")
        for value in (attributes.get("src") or attributes.get("href") or "",)
        if urlsplit(value).scheme in ("http", "https") or value.startswith("//")
    }

    assert fetched == set()


@pytest.mark.endurance
@pytest.mark.skipif(browser.missing() is not None, reason=str(browser.missing()))
def test_no_page_scrolls_sideways_and_every_picture_is_drawn(site, tmp_path):
    wrong = []
    pictures = os.environ.get("CAMLITE_SCREENSHOTS")  # a folder, to look at them
    with browser.browser(tmp_path / "profile", "--allow-file-access-from-files") as window:
        window.before_pages("localStorage.clear()")  # where the choice between light and dark is remembered
        for page in html(site):
            for width in WIDTHS:
                dark = width == WIDTHS[0]
                window.open(page, width, 900, dark)
                window.wait("document.readyState === 'complete'")
                over = window.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth")
                blank = window.evaluate("[...document.images].filter(i => !i.naturalWidth).map(i => i.src)")
                if over > 0 or blank:
                    wrong.append(f"{page.relative_to(site)} at {width}: {over} pixels too wide, {blank}")
                if pictures:
                    name = page.relative_to(site).as_posix().replace("/", "-")
                    window.screenshot(Path(pictures, f"{name}.{width}.png"))

    assert wrong == []


def test_every_page_is_in_the_navigation():
    """A page that no reader finds is not written for anybody."""
    navigation = (ROOT / "mkdocs.yml").read_text()
    pages = [page.relative_to(DOCS).as_posix() for page in (*DOCS.glob("*.md"), *DOCS.glob("tutorials/*.md"))]

    assert [page for page in sorted(pages) if page not in navigation] == []
