"""What camlite raises for a user's mistake or a damaged file: one line that says what, where and what to do."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Sequence


class CamliteError(ValueError):
    """The root of every error that a caller can mend. The commands print it and exit with 2.

    Attributes:
        findings: what was found out before, each one line; it may well be the reason. The commands print it first, and
            a traceback shows it.
    """

    findings: tuple[str, ...] = ()


@contextlib.contextmanager
def with_findings(lines: Sequence[str]) -> Iterator[None]:
    """What a user has to know already is not lost where something is refused afterwards: errors carry it."""
    try:
        yield
    except CamliteError as error:
        error.findings = (*lines, *error.findings)
        for line in lines:
            if hasattr(error, "add_note"):  # Python 3.11 and later
                error.add_note(line)
        raise


class ArtifactError(CamliteError):
    """The file is no artifact, is damaged, or was made for another version of the format."""


class BackendError(CamliteError):
    """No interpreter that can run the artifact is installed, or the one that is refuses it."""


class ClassifierError(CamliteError):
    """The classifier cannot be opened, cut, or explained truthfully."""


class AnswerError(CamliteError):
    """The classifier's answer for an image holds numbers that are not finite, so that it says nothing."""


class ImageError(CamliteError):
    """The image cannot be read, or is not of the shape and dtype that was asked for."""
