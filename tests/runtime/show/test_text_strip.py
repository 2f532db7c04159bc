"""`camlite.show.text_strip`: text for pictures, never cut off."""

from __future__ import annotations

import re

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from camlite.show import text_strip
from support.fresh_process import run_python

pytest.importorskip("PIL")

texts = st.text(st.characters(codec="utf-8"), max_size=60)
widths = st.integers(text_strip.NARROWEST, 700)


def ink(strip: np.ndarray) -> np.ndarray:
    """Where a strip is not paper."""
    return (strip != text_strip.PAPER).any(axis=-1)


@given(text=texts, width=widths)
def test_whatever_the_text_and_the_width_no_ink_touches_the_edge(text, width):
    """Ink that were cut off would touch it."""
    strip = text_strip.strip(text, width)

    assert (strip.dtype, strip.shape[1:]) == (np.uint8, (width, 3))
    edges = ink(strip)
    assert not edges[[0, -1]].any()
    assert not edges[:, [0, -1]].any()


@pytest.mark.parametrize("text", ["Pullover 0.996", "W" * 300, "Ankle boot " * 20, "gjpqy|ÄÖÅ"])
def test_all_of_a_text_is_drawn_however_many_lines_it_takes(text):
    """As much ink as on a strip that is wide enough for one line at the same size."""
    narrow, wide = text_strip.strip(text, 240), text_strip.strip(text, 240 if len(text) < 20 else 20000)

    if len(text) >= 20:
        assert narrow.shape[0] > wide.shape[0] * 0.9
    # Characters that touch share a pixel in one breaking and not in the other, and lines have no spaces at their ends.
    assert ink(narrow).sum() > 0
    assert len(re.sub(r"\s", "", "".join(lines(text, 240)))) == len(re.sub(r"\s", "", text))


def lines(text: str, width: int) -> list[str]:
    font, plain = text_strip._font(" ".join(text.split()), 13)
    return text_strip._wrap(plain, font, width)


@given(text=texts, width=widths)
def test_breaking_into_lines_loses_no_character(text, width):
    _, plain = text_strip._font(" ".join(text.split()), 13)

    assert "".join(lines(text, width)).replace(" ", "") == plain.replace(" ", "")


def test_a_label_breaks_at_spaces():
    broken = lines("a label of several short words", 112)

    assert len(broken) > 1
    assert " ".join(broken) == "a label of several short words"


def test_text_contrasts_with_its_strip_as_far_as_two_colours_can():
    """WCAG's contrast ratio, of which 7 is its strictest demand."""
    light = [
        sum(w * (c / 255) ** 2.2 for w, c in zip((0.2126, 0.7152, 0.0722), colour, strict=True))
        for colour in (text_strip.INK, text_strip.PAPER)
    ]

    assert (light[0] + 0.05) / (light[1] + 0.05) > 15


def test_characters_that_no_font_has_are_drawn_as_something_that_can_be_read():
    source = (
        "from camlite.show import text_strip\n"
        "text_strip._SYSTEM_FONTS = ('there-is-no-such-font.ttf',)\n"
        "print(text_strip._font('\u00c4rmel \u8896 \x07', 13)[1])\n"
    )

    finished = run_python(source)

    assert finished.stdout == "Armel \\u8896 \\x07\n", finished.stderr


def test_a_label_that_no_font_has_is_its_number_and_a_line_says_why(monkeypatch, capsys):
    monkeypatch.setattr(text_strip, "SYSTEM_FONTS", ())
    monkeypatch.setattr(text_strip, "_undrawn", set())

    assert text_strip.name_of("犬", 3) == text_strip.name_of("犬", 3) == "class 3"
    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith("label '")
    assert "is drawn as 'class 3': no font here has its characters; install one" in line


@pytest.mark.parametrize("label", ["Pullover", "Élan", "back\\slash"])
def test_a_label_that_can_be_drawn_stays(monkeypatch, capsys, label):
    monkeypatch.setattr(text_strip, "SYSTEM_FONTS", ())

    assert text_strip.name_of(label, 3) == label
    assert capsys.readouterr().err == ""
