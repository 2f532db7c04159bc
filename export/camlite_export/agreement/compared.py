"""What a comparison found; how it is told and drawn is in `summary` and `report`."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from camlite.images.labelled_images import LabelledImages
from camlite_export.agreement.expected import Expected
from camlite_export.agreement.judging import Result
from camlite_export.rightness.pixel_decision import Decision


@dataclass(frozen=True, repr=False)
class Compared:
    """Artifacts against the classifier, on the same images.

    Attributes:
        expected: the classifier.
        data: what the images are, as text.
        images: the images.
        results: one an artifact, in the order given.
        pixels: what the images say of the pixels; None of golden samples.
        card: why the first artifact has its preprocessing, as its card says; empty where it does not.
        unopened: artifacts that could not be opened, and why.
        unread: a line for each image that could not be read.
    """

    expected: Expected
    data: str
    images: LabelledImages
    results: tuple[Result, ...]
    pixels: Decision | None = None
    card: str = ""
    unopened: Mapping[Path, str] = field(default_factory=dict)
    unread: tuple[str, ...] = ()

    @property
    def passed(self) -> bool:
        """Whether everything could be compared, and no check failed on any artifact."""
        return not self.unopened and not self.unread and all(result.passed for result in self.results)
