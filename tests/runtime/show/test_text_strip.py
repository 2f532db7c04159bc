"""`camlite.show.text_strip`: text for pictures, never cut off."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from camlite.show import fonts, text_strip

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


def letters(text: str) -> text_strip.Letters:
    return text_strip.Letters(" ".join(text.split()), 13)


def lines(text: str, width: int) -> list[str]:
    return letters(text).lines(width)


@given(text=texts, width=widths)
def test_breaking_into_lines_loses_no_character(text, width):
    assert "".join(lines(text, width)).replace(" ", "") == letters(text).text.replace(" ", "")


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


@pytest.fixture
def without_fonts(monkeypatch, tmp_path):
    """Folders of fonts that are empty, as on a small device."""
    monkeypatch.setattr(text_strip, "_told", set())
    monkeypatch.setenv("XDG_DATA_DIRS", str(tmp_path))
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path))


@pytest.mark.usefixtures("without_fonts")
def test_characters_that_no_font_has_are_drawn_as_something_that_can_be_read():
    assert letters("\u00c4rmel \u8896 \x07").text == "Armel \\u8896 \\x07"


@pytest.mark.usefixtures("without_fonts")
def test_labels_that_no_font_has_are_their_numbers_and_one_line_says_which_and_why(capsys):
    labels = ["cat", *"犬猫鳥魚熊馬"]

    assert [text_strip.name_of(labels, k) for k in (1, 0, 2, 1)] == ["class 1", "cat", "class 2", "class 1"]
    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith("camlite: pictures show the number in place of a label: no font here has the characters of ")
    assert line.endswith(" and 1 more; install one that has, such as Debian's fonts-noto-cjk")
    assert "(class 1)" in line
    assert "(class 0)" not in line


@pytest.mark.usefixtures("without_fonts")
@pytest.mark.parametrize("label", ["Pullover", "Élan", "back\\slash", "two words"])
def test_a_label_that_can_be_drawn_stays(capsys, label):
    assert text_strip.name_of([label], 0) == label
    assert capsys.readouterr().err == ""


needs_a_font = pytest.mark.skipif("犬" not in fonts.files_of("犬"), reason="no font here has Chinese characters")


@needs_a_font
@pytest.mark.parametrize("text", ["犬 1.000", "犬 against Élan 0.003", "猫と犬"])
def test_a_text_is_drawn_though_no_single_font_has_all_of_it(text):
    """A font of Chinese characters may have no digits, and one of digits has no such characters."""
    assert letters(text).text == text


@needs_a_font
def test_each_character_is_drawn_as_itself_and_not_as_the_box_of_missing_ones():
    drawn = {text_strip.strip(f"{one} 1", 112).tobytes() for one in "犬猫鳥"}

    assert len(drawn) == 3


@needs_a_font
def test_a_font_is_found_in_any_folder_of_fonts_whatever_its_name(monkeypatch, tmp_path):
    (tmp_path / "fonts" / "deep").mkdir(parents=True)
    (tmp_path / "fonts" / "broken.ttf").write_bytes(b"no font")
    (tmp_path / "fonts" / "deep" / "mine.ttf").write_bytes(Path(fonts.files_of("犬")["犬"]).read_bytes())
    monkeypatch.setenv("XDG_DATA_DIRS", str(tmp_path))
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path / "nothing"))

    assert text_strip.name_of(["犬"], 0) == "犬"
    assert letters("犬 1.000").text == "犬 1.000"
