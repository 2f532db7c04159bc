"""What the commands say: everything that they print goes through here, so that no text of others is obeyed.

Names, labels and messages are escaped by `camlite.texts`, and JSON has no NaN. Standard output may be closed, and then
nothing is said there; where it cannot take more, `camlite.cli` says so. Standard error is never a reason to fail.
"""

from __future__ import annotations

import contextlib
import math
import sys
from collections.abc import Mapping, Sequence
from typing import Any

from camlite.show.table import table as aligned
from camlite.texts import one_line, printable

_CLEAR = "\r\x1b[K"  # the terminal's line, from its beginning
_unfinished = False  # whether a line of `progress` stands on the terminal, which what comes next is to replace


def line(*lines: str) -> None:
    """Print lines on standard output, each in one line."""
    _clear()
    for text in lines:
        print(printable(text), flush=True)  # noqa: T201


def table(header: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
    """Print a table, see `camlite.show.table`."""
    line(*aligned(header, rows).split("\n"))


def record(content: Mapping[str, Any]) -> None:
    """Print one line of JSON, see `to_json`."""
    line(to_json(content))


def picture(text: str) -> None:
    """Print lines that a terminal is to obey: colours. Nothing of others may be in them."""
    print(text, flush=True)  # noqa: T201


def notice(message: str) -> None:
    """Print a message on standard error, in one line that begins with ``camlite:``."""
    errors(f"camlite: {one_line(message)}")


def errors(*lines: str) -> None:
    """Print lines on standard error, each in one line."""
    if sys.stderr is None:  # it was closed; `print` would take standard output instead
        return
    _clear()
    with contextlib.suppress(OSError, ValueError):  # it is full, or nobody reads it
        for text in lines:
            print(printable(text), file=sys.stderr, flush=True)  # noqa: T201


def progress(text: str, last: bool) -> None:
    """A line on a terminal's standard error that the next one writes over; the last one stays."""
    global _unfinished
    if sys.stderr is not None and sys.stderr.isatty():
        with contextlib.suppress(OSError):
            print(f"{_CLEAR}{printable(text)}", end="\n" if last else "", file=sys.stderr, flush=True)  # noqa: T201
            _unfinished = not last


def _clear() -> None:
    global _unfinished
    if _unfinished and sys.stderr is not None:
        _unfinished = False
        with contextlib.suppress(OSError, ValueError):
            print(_CLEAR, end="", file=sys.stderr, flush=True)  # noqa: T201


def to_json(content: Any, indent: int | None = None) -> str:
    """JSON in ASCII. It has no NaN and no infinity: they are null."""
    import json  # most lines are none of it

    try:
        return json.dumps(content, allow_nan=False, indent=indent)
    except ValueError:
        return json.dumps(finite(content), indent=indent)


def finite(value: Any) -> Any:
    """A value of dicts, lists and numbers with None in place of each number that is not finite, as JSON has none."""
    if isinstance(value, Mapping):
        return {key: finite(inner) for key, inner in value.items()}
    if isinstance(value, (list, tuple)):
        return [finite(inner) for inner in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value
