"""Format version 1 of the card, as it was: artifacts of it are read for ever. Nothing here changes any more."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal, NamedTuple

from camlite.artifact.evidence_methods import EvidenceMethod

# Evidence by gradients was of all classes up to so many, and of the top class where there were more.
_MOST_CLASSES = 64


class PreprocessingVersion1(NamedTuple):
    """See `camlite.artifact.card.Preprocessing`."""

    height: int
    width: int
    channels: int
    scale: tuple[float, ...]
    offset: tuple[float, ...]
    fit: Literal["stretch", "crop"]
    order: Literal["rgb", "bgr"]


class HeadVersion1(NamedTuple):
    """See `camlite.artifact.card.Head`.

    Attributes:
        method: ``cam``: by class weights, which stood among the arrays where the device was to multiply them;
            ``hirescam``: by gradients, in the model.
    """

    layer: str
    height: int
    width: int
    channels: int
    activation: Literal["softmax", "sigmoid", "linear"]
    method: Literal["cam", "hirescam"]


class CardVersion1(NamedTuple):
    """See `camlite.artifact.card.Card`."""

    name: str
    precision: Literal["float32", "float16", "dynamic", "int8", "int16x8"]
    labels: tuple[str, ...]
    preprocessing: PreprocessingVersion1
    head: HeadVersion1
    classifier_sha256: str
    model_sha256: str
    made_with: Mapping[str, str]


def evidence_method(card: CardVersion1, has_weights: bool) -> EvidenceMethod:
    """What was told by the method, by whether class weights stood among the arrays, and by the number of classes."""
    if card.head.method == "cam":
        return "device" if has_weights else "graph"
    return "gradient" if len(card.labels) <= _MOST_CLASSES else "gradient_top"
