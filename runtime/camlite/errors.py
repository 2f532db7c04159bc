"""What camlite raises for a user's mistake or a damaged file: one line that says what, where and what to do."""

from __future__ import annotations


class CamliteError(ValueError):
    """The root of every error that a caller can mend. The commands print it and exit with 2."""


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
