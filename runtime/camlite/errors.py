"""The errors that camlite raises for a user's mistake or a damaged file. Each message is one line: what is wrong,
where, and what to do."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Sequence


class CamliteError(ValueError):
    """The base of all errors that a caller can fix. The commands print it and exit with 2.

    Attributes:
        findings: what camlite found out before, one line each; often this is the cause. The commands print these lines
            first, and a traceback shows them.
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
    """The file is not an artifact, is damaged, or has another version of the format."""


class BackendError(CamliteError):
    """No interpreter that can run the artifact is installed, or the installed one refuses it."""


class ClassifierError(CamliteError):
    """The classifier cannot be opened or explained."""


class AnswerError(CamliteError):
    """The classifier's answer for an image has numbers that are not finite, so it means nothing."""


class ImageError(CamliteError):
    """The image cannot be read, or has a wrong shape or dtype."""
