"""Read a labels file: one label a line, as is or numbered as Teachable Machine numbers them."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path

from camlite.errors import ClassifierError
from camlite.system import files
from camlite.texts import hidden_character, printable

_MOST_BYTES = 1 << 26
_NUMBERED = re.compile(r"(\d{1,7})[ \t]+(\S.*)")  # Python refuses to read a number of 5,000 digits


def of(given: str | Path | Sequence[str] | None, classes: int) -> tuple[str, ...]:
    """The labels of K classes: those given, or those of a file; ``class 0`` to ``class K-1`` where nothing is given.

    Raises:
        ClassifierError: see `read`.
    """
    if given is None:
        return tuple(f"class {k}" for k in range(classes))
    if isinstance(given, str | Path):
        return read(Path(given), classes)
    if not all(isinstance(label, str) for label in given):
        raise ClassifierError(f"labels: expected texts, received {[type(label).__name__ for label in given][:5]}")
    return _checked([label.strip() for label in given], classes, "labels")


def read(path: Path, classes: int) -> tuple[str, ...]:
    """The labels of K classes, from a file.

    Raises:
        ClassifierError: the file cannot be read, or has not one label a class.
    """
    try:
        text = files.read(path, _MOST_BYTES).decode("utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        raise ClassifierError(f"{path}: cannot read the labels ({error}); expected UTF-8 text") from None
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    numbered = [_NUMBERED.fullmatch(line) for line in lines]
    if all(match and int(match[1]) == k for k, match in enumerate(numbered)):
        lines = [match[2] for match in numbered if match]
    return _checked(lines, classes, str(path))


def _checked(lines: Sequence[str], classes: int, where: str) -> tuple[str, ...]:
    for line in lines:
        if hidden := hidden_character(line):
            raise ClassifierError(
                f"{where}: label '{printable(line[:40])}' has control or invisible characters ({hidden}); drop them"
            )
    if len(lines) != classes:
        raise ClassifierError(
            f"{where}: {len(lines)} labels, the classifier has {classes} classes; give one label a line"
        )
    return tuple(lines)
