"""Texts that somebody else has written (names of files, labels, cards, messages): what may be shown of them.

A terminal and a journal obey control characters. Bidirectional overrides and characters of no width make a text look
like another: ``"gpj.exe"`` behind U+202E is read as ``exe.jpg``.
"""

from __future__ import annotations

import re

# What a terminal obeys, what ends a line, and lone surrogates, which no file and no terminal can take.
_CONTROL = "\x00-\x1f\x7f-\x9f\u2028\u2029\ud800-\udfff"
# Unicode's property Default_Ignorable_Code_Point (DerivedCoreProperties.txt): nothing is drawn for them. The
# bidirectional controls (U+061C, U+200E, U+200F, U+202A to U+202E, U+2066 to U+2069) are among them.
_UNSEEN = (
    "\u00ad\u034f\u061c\u115f\u1160\u17b4\u17b5\u180b-\u180f\u200b-\u200f\u202a-\u202e\u2060-\u206f\u3164\ufe00-\ufe0f"
    "\ufeff\uffa0\ufff0-\ufffb\U0001bca0-\U0001bca3\U0001d173-\U0001d17a\U000e0000-\U000e0fff"
)


def printable(text: str) -> str:
    """The text in one line, without anything that a terminal obeys or does not show: that is escaped, as in Python."""
    if text.isascii() and text.isprintable():
        return text
    return "".join(one if _is_shown(one) else repr(one)[1:-1] if not one.isprintable() else _code(one) for one in text)


def counted(number: int, noun: str) -> str:
    """A number of things: ``1 picture``, ``1,200 pictures``, ``2 golden samples``.

    Args:
        number: how many; noun: of one of them. Its plural ends with ``s``, or with ``es`` as of "class".
    """
    if number == 1:
        return f"1 {noun}"
    return f"{number:,} {noun}{'es' if noun.endswith(('s', 'x', 'ch', 'sh')) else 's'}"


def one_line(message: str) -> str:
    """A message of several lines, perhaps of a library, in one; what is not printable is escaped."""
    return printable(" ".join(message.split()))


def hidden_character(text: str) -> str | None:
    """The first character that the texts of a card must not hold, as ``U+202E``; None where there is none.

    These are control characters but the tab, lone surrogates, line separators, and characters that are not drawn:
    bidirectional controls and those of no width.
    """
    if text.isascii() and text.isprintable():
        return None
    found = re.search(f"[{_CONTROL}{_UNSEEN}]", text.replace("\t", " "))
    return found and f"U+{ord(found[0]):04X}"


def _is_shown(character: str) -> bool:
    if character == " ":
        return True
    if character.isspace():  # spaces of other widths are harmless; tabs and line breaks are not
        return re.match(f"[{_CONTROL}]", character) is None
    return character.isprintable() and re.match(f"[{_UNSEEN}]", character) is None


def _code(character: str) -> str:
    return f"\\u{ord(character):04x}" if ord(character) < 0x10000 else f"\\U{ord(character):08x}"
