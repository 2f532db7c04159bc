"""Names and labels of others on the exporter's pages and charts, and names that no artifact may have."""

from __future__ import annotations

from pathlib import Path

import pytest

pytest.importorskip("matplotlib")
pytest.importorskip("jinja2")

from camlite.confidence import Interval
from camlite.show import fonts
from camlite_export.agreement import report_pictures
from camlite_export.audit import audit_pictures
from camlite_export.contact_sheet import Column, sheet
from camlite_export.reports import page
from support.fresh_process import one_line, run_camlite

FORMULAS = ["$x$", r"$\frac{$", "a$b", "100 % $ 5 $", "{}", "%s"]


def test_a_dollar_sign_is_no_formula():
    """matplotlib would refuse half of these, and draw the others as mathematics."""
    import numpy as np

    pixels = np.zeros((8, 8, 3), np.uint8)
    known = [Interval(0.5, 0.4, 0.6)] * len(FORMULAS)

    assert sheet([Column(pixels, pixels, name, name) for name in FORMULAS], FORMULAS[1]).startswith(b"\x89PNG")
    assert audit_pictures.intervals(FORMULAS, known, (-1, 1), 0.0).startswith("data:image/svg")
    series = [np.array([0.1, 0.2])] * len(FORMULAS)
    assert report_pictures.distribution(FORMULAS, series, [None] * len(FORMULAS), 1e-6).startswith("data:image/svg")


def test_a_page_escapes_what_a_browser_would_obey_or_not_show(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    (tmp_path / "try.html").write_text("{{ text }}|{{ texts | join(', ') }}|{{ 1.5 }}")
    import jinja2

    monkeypatch.setattr(jinja2, "PackageLoader", lambda _package: jinja2.FileSystemLoader(tmp_path))

    text = page._render("try.html", {"text": "<b>\u202egpj\x1b[0m", "texts": ["a\u200b", "&"]})

    assert text == r"&lt;b&gt;\u202egpj\x1b[0m|a\u200b, &amp;|1.5"


@pytest.mark.parametrize("name", ["\x1b[31mred", "a/b", "../up", "x" * 201, "a\u202eb", "a\nb"])
def test_a_name_that_no_artifact_may_have_is_refused_before_the_long_work(name, tmp_path):
    complaint = one_line(run_camlite("export", "none.keras", "--name", name, cwd=tmp_path))

    assert complaint.startswith("camlite: the name of the artifacts")
    assert complaint.removesuffix("\n").isprintable()


@pytest.mark.skipif("犬" not in fonts.files_of("犬"), reason="no font here has Chinese characters")
@pytest.mark.filterwarnings("error:Glyph")
def test_charts_draw_names_that_matplotlibs_own_font_has_not():
    known = [Interval(0.1, 0.0, 0.2)]

    assert len({audit_pictures.intervals([name], known, (-1, 1), 0.0) for name in "犬猫"}) == 2
