"""The labels that a text holds: one a line, numbered or not, or JSON.

Tools number the labels that they write, each in its own way (``0 cat``, ``0: cat``, ``cat,0``), and not always in the
order of the scores. Where every line has a number, the numbers are the order; where they cannot be one, the text is
refused, because taken literally the labels would go to the wrong classes without a word.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator, Sequence
from typing import Any, NamedTuple

_NUMBER = r"(?P<number>\d{1,7})"  # Python refuses to read a number of 5,000 digits
_NAME = r"(?P<name>\S.*?)"

# What is written between a number and a name, and between a name and a number. "Class 1" is a name, and "1.5 mm".
_PATTERNS = tuple(
    map(
        re.compile,
        (rf"{_NUMBER}(?:\s*[:,;=)\]]\s*|\s*\.(?!\d)\s*|\s+-?\s*){_NAME}", rf"{_NAME}\s*[:,;=\t]\s*{_NUMBER}"),
    )
)
# These stand in names as well: they hold numbers only where the numbers are complete.
_LOOSE_PATTERNS = tuple(map(re.compile, (rf"{_NUMBER}[_\-]{_NAME}", rf"{_NAME}[\s_\-]+{_NUMBER}")))

_BULLET = re.compile(r"[-*\u2022]\s+(\S.*)")
_QUOTED = re.compile(r"""(["'])(.+)\1,?""")


class LabelTextError(ValueError):
    """A text of labels that cannot be understood; the message says what it holds, and what to do."""


class Labels(NamedTuple):
    """Labels in the order of the scores.

    Attributes:
        names: one a class.
        order: what put them into this order, to be said; empty where it is that of the lines.
    """

    names: Sequence[str]
    order: str = ""


def parse(text: str) -> Labels:
    """Labels from the text of a file.

    Raises:
        LabelTextError: numbers that are no order of classes, or JSON that holds something else than labels.
    """
    if text.strip()[:1] in ("[", "{") and text.strip()[-1] in ("]", "}"):
        return _of_json(text)
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    lines = _all(lines, lambda line: (found := _BULLET.fullmatch(line)) and found[1])
    lines = _all(lines, lambda line: (found := _QUOTED.fullmatch(line)) and found[2].strip())
    for pattern in (*_PATTERNS, *_LOOSE_PATTERNS):
        found = [match for match in map(pattern.fullmatch, lines) if match]
        names, numbers = [match["name"] for match in found], [int(match["number"]) for match in found]
        if not found or len(found) < len(lines) or (len(set(names)) == 1 < len(names)):
            continue  # "20 km/h" and "30 km/h" are names
        distinct, complete = len(set(names)) == len(names), _first(numbers) is not None
        if complete and (distinct or pattern in _PATTERNS):
            return _ordered(names, numbers)
        if distinct and pattern in _PATTERNS:
            raise LabelTextError(
                f"every label has a number, and the numbers are {_shown(numbers)}; expected each of 0 to "
                f"{len(lines) - 1}, or of 1 to {len(lines)}, once; where they are a part of the labels, write the "
                f"labels as JSON: {json.dumps(lines[:2], ensure_ascii=False)[:-1]}, ...]"
            )
    return Labels(lines)


def _all(lines: list[str], take: Callable[[str], str | None]) -> list[str]:
    """What is taken from each line, where it can be taken from all."""
    taken = [take(line) for line in lines]
    return lines if None in taken else [one for one in taken if one is not None]


def _counted(numbers: Sequence[int]) -> bool:
    """Whether lines are numbered as Teachable Machine does."""
    return list(numbers) == list(range(len(numbers)))


def _first(numbers: Sequence[int]) -> int | None:
    """0 or 1, where that and the numbers after it are there, each once; else None."""
    return next((one for one in (0, 1) if sorted(numbers) == list(range(one, one + len(numbers)))), None)


def _ordered(names: Sequence[str], numbers: Sequence[int]) -> Labels:
    by_number = [name for _, name in sorted(zip(numbers, names, strict=True))]
    said = "" if _counted(numbers) else f", in the order of their numbers, {min(numbers)} to {max(numbers)}"
    return Labels(by_number, said)


def _shown(numbers: Sequence[int]) -> str:
    return ", ".join(map(str, numbers[:8])) + (", ..." if len(numbers) > 8 else "")


def _of_json(text: str) -> Labels:
    try:
        content = json.loads(text, object_pairs_hook=_pairs)
    except (ValueError, RecursionError) as error:
        raise LabelTextError(f"looks like JSON and cannot be read as such ({error}); write it with json.dump") from None
    if isinstance(content, list) and content and all(isinstance(one, str) for one in content):
        return Labels([one.strip() for one in content])
    pairs = list(_names_and_numbers(content)) if isinstance(content, _Object) else []
    names, numbers = [name for name, _ in pairs], [number for _, number in pairs]
    if not pairs or _first(numbers) is None:
        raise LabelTextError(
            "this JSON is no list of labels, and names no index for each; expected "
            '["cat", "dog"], {"cat": 0, "dog": 1} or {"0": "cat", "1": "dog"}'
            + (f", received the indices {_shown(numbers)}" if pairs else "")
        )
    return _ordered(names, numbers)


class _Object(list[tuple[str, Any]]):
    """The pairs of a JSON object: a key may stand there twice."""


def _pairs(pairs: list[tuple[str, Any]]) -> Any:
    return _Object(pairs)


def _names_and_numbers(pairs: Sequence[tuple[str, Any]]) -> Iterator[tuple[str, int]]:
    """Label and index of each pair; nothing where one is no such pair."""
    if all(type(value) is int for _, value in pairs):
        yield from ((key.strip(), value) for key, value in pairs)
    elif all(isinstance(value, str) and re.fullmatch(r"\d{1,7}", key) for key, value in pairs):
        yield from ((value.strip(), int(key)) for key, value in pairs)
