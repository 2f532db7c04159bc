"""The classifier that artifacts are held against, and what they must say of themselves."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from camlite.artifact import Artifact
from camlite.artifact.card import ChannelOrder, Fit, Preprocessing
from camlite.errors import ClassifierError
from camlite_export.cutting import cutter
from camlite_export.cutting.cut import Cut
from camlite_export.sources import labels as label_files
from camlite_export.sources import same_answers
from camlite_export.sources.file_source import FileSource
from camlite_export.sources.opening import open_source
from camlite_export.sources.pixel_conventions import preprocessing
from camlite_export.sources.pixel_view import usual_fit
from camlite_export.sources.pixel_views import view_of
from camlite_export.sources.source import Source


class OtherClassifierError(ClassifierError):
    """An artifact's card speaks of another classifier."""


@dataclass(frozen=True)
class Expected:
    """The original, ready to be compared with.

    Attributes:
        path: what people call it: its path, or its name where it is an object.
        cut: of the original.
        labels: one a class.
        target: how pixels become its input.
        assumed: what the caller did not say, and so was taken from an artifact's card.
    """

    path: str
    cut: Cut
    labels: tuple[str, ...]
    target: Preprocessing
    assumed: tuple[str, ...]

    @property
    def name(self) -> str:
        """The last part of its path, or the name itself."""
        return self.path.rpartition("/")[2]


@dataclass(frozen=True)
class Given:
    """What the caller knows about the classifier; None means that the artifact's card is right.

    Attributes:
        layer: where to cut, see `camlite_export.cutting.cutter.cut`.
        labels: one per class, or a file with one per line.
        preprocess, mean, std, order, fit: see `camlite_export.sources.pixel_conventions`; where one is given,
            the others have its defaults.
        trusted: whether Python code in the classifier's file may run.
        structure: file with its layers, if the classifier's file holds weights only.
        backend: that the artifacts run on; a file that ships answers on the same one.
    """

    layer: int | str | None = None
    labels: str | Path | Sequence[str] | None = None
    preprocess: str | None = None
    mean: Sequence[float] | None = None
    std: Sequence[float] | None = None
    order: ChannelOrder | None = None
    fit: Fit | None = None
    trusted: bool = False
    structure: str | Path | None = None
    backend: str | None = None

    @property
    def says_preprocessing(self) -> bool:
        """Whether the caller says how pixels become the classifier's input."""
        return any(option is not None for option in (self.preprocess, self.mean, self.std, self.order, self.fit))


def open_expected(classifier: Any, given: Given, artifact: Artifact) -> Expected:
    """Open a classifier, cut it, and fill what the caller does not say from an artifact's card.

    Raises:
        OtherClassifierError: the artifact's card does not fit it.
        ClassifierError: it cannot be opened or cut, is not what would be converted, or does not fit
            what was given or what the card says.
    """
    card = artifact.card
    target = card.preprocessing
    source = open_source(
        classifier,
        default_size=(target.height, target.width),
        trusted=given.trusted,
        structure=given.structure,
    )
    if isinstance(source, FileSource):
        source = dataclasses.replace(source, backend=given.backend)
    path = str(classifier) if isinstance(classifier, str | Path) else source.name
    cut = _cut(source, given, artifact)
    if given.says_preprocessing:
        target = preprocessing(
            cut.image_shape,
            given.preprocess or source.pixels.preprocess,
            given.mean,
            given.std,
            given.fit or usual_fit(view_of(source)),
            given.order,
        )
    labels = card.labels if given.labels is None else label_files.of(given.labels, cut.classes)
    _check_fit(path, cut, artifact, target, labels)
    cut.prove(same_answers.probes_of(target))  # how steady the original is, is measured on what is converted
    assumed = {
        "layer": given.layer is None,
        "labels": given.labels is None,
        "preprocessing": not given.says_preprocessing,
    }
    return Expected(path, cut, labels, target, tuple(name for name, yes in assumed.items() if yes))


def _cut(source: Source, given: Given, artifact: Artifact) -> Cut:
    layer, method = artifact.card.head.layer, artifact.card.head.evidence
    if given.layer is not None:
        return cutter.cut(source, given.layer, method)
    try:
        return cutter.cut(source, layer, method)
    except ClassifierError as error:
        raise OtherClassifierError(
            f"{artifact.path}: its card says that the features are those of layer {layer!r}, but {error}; "
            f"it is of another classifier, or --layer is needed"
        ) from error


def _check_fit(path: str, cut: Cut, artifact: Artifact, target: Preprocessing, labels: tuple[str, ...]) -> None:
    """What was taken from the card may be of another classifier altogether."""
    received = ((target.height, target.width, target.channels), len(labels))
    if received != (cut.image_shape, cut.classes):
        raise OtherClassifierError(
            f"{artifact.path}: its card says images {received[0]} and {received[1]} classes, {path} has "
            f"{cut.image_shape} and {cut.classes}; it is of another classifier"
        )
