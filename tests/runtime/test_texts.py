"""`camlite.texts`: what may be shown of texts that others have written."""

from __future__ import annotations

import sys
import unicodedata

import pytest

from camlite.texts import hidden_character, one_line, printable


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("Ärmel, 袖, T-shirt/top", "Ärmel, 袖, T-shirt/top"),
        ("a\u00a0b\u3000c", "a\u00a0b\u3000c"),  # spaces of other widths
        ("esc\x1b[31m", r"esc\x1b[31m"),
        ("a\nb\tc\r", r"a\nb\tc\r"),
        ("\x7f\x9b", r"\x7f\x9b"),
        ("\u202egpj.exe", r"\u202egpj.exe"),
        ("a\u200bb\ufeff", r"a\u200bb\ufeff"),
        ("\u2028\u2029\x85", r"\u2028\u2029\x85"),
        ("\udce9\ud800", r"\udce9\ud800"),
        ("\u3164\u115f\ufe0f", r"\u3164\u115f\ufe0f"),  # no format characters, and drawn by nothing all the same
        ("\U000e0041", r"\U000e0041"),
    ],
)
def test_what_a_terminal_obeys_or_does_not_show_is_escaped(text, shown):
    assert printable(text) == shown
    assert printable(shown) == shown


def test_no_character_that_is_shown_is_a_control_a_line_break_or_of_the_bidirectional_ones():
    shown = [one for one in map(chr, range(sys.maxunicode + 1)) if printable(one) == one]

    assert {unicodedata.category(one) for one in shown}.isdisjoint({"Cc", "Cf", "Cs", "Zl", "Zp"})
    assert len("".join(shown).splitlines()) == 1
    assert {unicodedata.bidirectional(one) for one in shown}.isdisjoint(
        {"LRE", "RLE", "LRO", "RLO", "PDF", "LRI", "RLI", "FSI", "PDI"}
    )


def test_a_message_of_several_lines_becomes_one():
    assert one_line(" a\n  b\u2028c\x1b[0m ") == r"a b c\x1b[0m"


@pytest.mark.parametrize("text", ["Ärmel", "袖", "a\tb", "a b", "犬\u3000猫", "e\u0301", "", "שלום", "مرحبا", "नमस्ते"])
def test_labels_of_any_script_hold_nothing_hidden(text):
    assert hidden_character(text) is None


@pytest.mark.parametrize(
    "code",
    [
        *(
            0x00,
            0x1B,
            0x7F,
            0x85,
            0x9B,
            0xAD,
            0x34F,
            0x61C,
            0x115F,
            0x17B4,
            0x180E,
            0x200B,
            0x200C,
            0x200D,
            0x200E,
            0x200F,
        ),
        *(
            0x2028,
            0x2029,
            0x202A,
            0x202B,
            0x202C,
            0x202D,
            0x202E,
            0x2060,
            0x2064,
            0x2066,
            0x2067,
            0x2068,
            0x2069,
            0x206A,
        ),
        *(0x3164, 0xD800, 0xDFFF, 0xFE00, 0xFE0F, 0xFEFF, 0xFFA0, 0xFFF9, 0x1D173, 0xE0001, 0xE0041, 0xE01EF),
    ],
)
def test_a_character_that_is_not_drawn_is_found_and_named(code):
    assert hidden_character(f"label{chr(code)}") == f"U+{code:04X}"
