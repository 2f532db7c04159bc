"""Read a labels file: one label a line, as is or numbered as Teachable Machine numbers them."""

from __future__ import annotations

import re
from pathlib import Path

from camlite.errors import ClassifierError
from camlite.system import files
from camlite.texts import hidden_character, printable

_MOST_BYTES = 1 << 26
_NUMBERED = re.compile(r"(\d{1,7})[ \t]+(\S.*)")  # Python refuses to read a number of 5,000 digits


def read(path: Path | None, classes: int) -> tuple[str, ...]:
    """The labels of K classes; ``class 0`` to ``class K-1`` where no file is given.

    Raises:
        ClassifierError: the file cannot be read, or has not one label a class.
    """
    if path is None:
        return tuple(f"class {k}" for k in range(classes))
    try:
        text = files.read(path, _MOST_BYTES).decode("utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        raise ClassifierError(f"{path}: cannot read the labels ({error}); expected UTF-8 text") from None
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    numbered = [_NUMBERED.fullmatch(line) for line in lines]
    if all(match and int(match[1]) == k for k, match in enumerate(numbered)):
        lines = [match[2] for match in numbered if match]
    for line in lines:
        if hidden := hidden_character(line):
            raise ClassifierError(
                f"{path}: label '{printable(line[:40])}' has control or invisible characters ({hidden}); drop them"
            )
    if len(lines) != classes:
        raise ClassifierError(
            f"{path}: {len(lines)} labels, the classifier has {classes} classes; give one label a line"
        )
    return tuple(lines)
