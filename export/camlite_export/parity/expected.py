"""The classifier that artifacts are held against, and what they must say of themselves."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from camlite.artifact import Artifact
from camlite.artifact.card import Fit, Preprocessing
from camlite.errors import ClassifierError
from camlite_export.cutting import two_output
from camlite_export.cutting.two_output import TwoOutputModel
from camlite_export.sources import keras_files
from camlite_export.sources import labels as label_files
from camlite_export.sources.pixel_conventions import preprocessing

if TYPE_CHECKING:
    import keras


@dataclass(frozen=True)
class Expected:
    """A Keras classifier, ready to be compared with.

    Attributes:
        path: where it was opened.
        cut: its two-output model.
        labels: one a class.
        target: how pixels become its input.
        digest: of its weights.
        assumed: what the caller did not say, and so was taken from an artifact's card.
    """

    path: Path
    cut: TwoOutputModel
    labels: tuple[str, ...]
    target: Preprocessing
    digest: str
    assumed: tuple[str, ...]


@dataclass(frozen=True)
class Given:
    """What the caller says of the classifier; None where the artifact's card is to be believed.

    Attributes:
        layer: where to cut, see `camlite_export.cutting.two_output.cut`.
        labels: a file with one label a line.
        preprocess, mean, std, fit: see `camlite_export.sources.pixel_conventions`; where one is given, the others
            have its defaults.
        trusted: whether code that the classifier's file carries may run.
    """

    layer: int | str | None = None
    labels: Path | None = None
    preprocess: str | None = None
    mean: Sequence[float] | None = None
    std: Sequence[float] | None = None
    fit: Fit | None = None
    trusted: bool = False

    @property
    def says_preprocessing(self) -> bool:
        """Whether the caller says how pixels become the classifier's input."""
        return any(option is not None for option in (self.preprocess, self.mean, self.std, self.fit))


def open_expected(path: Path, given: Given, artifact: Artifact) -> Expected:
    """Open a classifier, cut it, and fill what the caller does not say from an artifact's card.

    Raises:
        ClassifierError: it cannot be opened or cut, or does not fit what was given or what the card says.
    """
    model = keras_files.open_classifier(path, given.trusted)
    card = artifact.card
    target = card.preprocessing
    size = (target.height, target.width) if None in model.inputs[0].shape[1:] else None
    cut = _cut(model, given, artifact, size)
    if given.says_preprocessing:
        target = preprocessing(
            cut.image_shape,
            given.preprocess or cut.default_preprocessing,
            given.mean,
            given.std,
            given.fit or "stretch",
        )
    labels = card.labels if given.labels is None else label_files.read(given.labels, cut.classes)
    _check_fit(path, cut, artifact, target, labels)
    assumed = {
        "layer": given.layer is None,
        "labels": given.labels is None,
        "preprocessing": not given.says_preprocessing,
    }
    return Expected(
        path, cut, labels, target, keras_files.digest(model), tuple(name for name, yes in assumed.items() if yes)
    )


def _cut(model: keras.Model, given: Given, artifact: Artifact, size: tuple[int, int] | None) -> TwoOutputModel:
    if given.layer is not None:
        return two_output.cut(model, given.layer, size)
    layer = artifact.card.head.layer
    try:
        return two_output.cut(model, layer, size)
    except ClassifierError as error:
        raise ClassifierError(
            f"{artifact.path}: its card says that the features are those of layer {layer!r}, but {error}; "
            f"it is of another classifier, or --layer is needed"
        ) from error


def _check_fit(
    path: Path, cut: TwoOutputModel, artifact: Artifact, target: Preprocessing, labels: tuple[str, ...]
) -> None:
    """What was taken from the card may be of another classifier altogether."""
    received = ((target.height, target.width, target.channels), len(labels))
    if received != (cut.image_shape, cut.classes):
        raise ClassifierError(
            f"{artifact.path}: its card says images {received[0]} and {received[1]} classes, {path} has "
            f"{cut.image_shape} and {cut.classes}; it is of another classifier"
        )
