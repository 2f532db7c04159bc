"""The card: what an artifact says about itself. The contract between the exporter and the device.

Named tuples and their JSON. The arrays that belong to a card (`camlite.artifact.arrays`) travel beside it;
`camlite.artifact` reads and verifies both.
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from typing import Any, Literal, NamedTuple, TypeVar, get_args

from camlite.errors import ArtifactError
from camlite.texts import hidden_character, printable

FORMAT_VERSION = 1

Precision = Literal["float32", "float16", "dynamic", "int8", "int16x8"]
Fit = Literal["stretch", "crop"]
Activation = Literal["softmax", "sigmoid", "linear"]
Method = Literal["cam", "hirescam"]
ChannelOrder = Literal["rgb", "bgr"]

_LARGEST_SIDE = 16_384
_MOST_CLASSES = 1_000_000


class Preprocessing(NamedTuple):
    """How uint8 pixels become the classifier's input: ``pixel * scale + offset``, channel by channel.

    Attributes:
        height, width, channels: the classifier's input; channels is 1 (grey) or 3 (RGB).
        scale, offset: one float a channel.
        fit: how an image of another size is made to fit. ``stretch`` resizes both sides alone,
            ``crop`` first cuts the largest centred window of the input's aspect ratio.
        order: of the classifier's colour channels, and so of scale and offset; images are always RGB.
    """

    height: int
    width: int
    channels: int
    scale: tuple[float, ...]
    offset: tuple[float, ...]
    fit: Fit
    order: ChannelOrder = "rgb"


class Head(NamedTuple):
    """What stands between features and scores.

    Attributes:
        layer: name of the layer whose output the features are.
        height, width, channels: shape of the features of one image.
        activation: what turns logits into scores.
        method: how evidence is made. ``cam``: features times class weights (Zhou et al., 2016), on the device, or by
            the model itself where the arrays have no class weights, as its output ``evidence`` (h, w, K).
            ``hirescam``: features times the gradient of the logit (Draelos and Carin, 2020), by the model
            itself, as its output ``evidence`` (h, w, K), or (h, w, 1) where it gives the top class alone.
    """

    layer: str
    height: int
    width: int
    channels: int
    activation: Activation
    method: Method


class Card(NamedTuple):
    """Everything but the arrays.

    Attributes:
        name: the classifier's name.
        precision: float32, float16, dynamic, int8 or int16x8.
        labels: one a class, in the order of the scores.
        preprocessing, head: see there.
        classifier_sha256: of the trained classifier's weights and structure.
        model_sha256: of the artifact's model bytes, verified before an interpreter sees them.
        made_with: name and version of each program that had a hand in it.
    """

    name: str
    precision: Precision
    labels: tuple[str, ...]
    preprocessing: Preprocessing
    head: Head
    classifier_sha256: str
    model_sha256: str
    made_with: Mapping[str, str]


def to_json(card: Card) -> str:
    """The card as JSON text, the same text for the same card."""
    return json.dumps({"format": FORMAT_VERSION, **as_dict(card)}, ensure_ascii=False, indent=1)


def as_dict(card: Card) -> dict[str, Any]:
    """The card as objects of JSON."""
    return {**card._asdict(), "preprocessing": card.preprocessing._asdict(), "head": card.head._asdict()}


def from_json(text: str, where: str) -> Card:
    """Read a card and check it field by field.

    Raises:
        ArtifactError: another format version, a field that is missing, unknown, or of the wrong type or range.
    """
    try:
        fields = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise ArtifactError(f"{where}: the card is no JSON ({error}); export the artifact again") from None
    if not isinstance(fields, dict):
        raise ArtifactError(f"{where}: the card is a JSON {type(fields).__name__}, expected an object")
    version = fields.pop("format", None)
    if type(version) is not int or version != FORMAT_VERSION:
        raise ArtifactError(
            f"{where}: format version {str(version)[:40]!r}, this camlite reads {FORMAT_VERSION}; "
            f"install the camlite that exported it, or export again"
        )
    card = _build(Card, fields, f"{where}: card")
    _check_ranges(card, where)
    return card


_T = TypeVar("_T")


def _build(kind: type[_T], fields: Mapping[str, Any], where: str) -> _T:
    if not isinstance(fields, dict):
        raise ArtifactError(f"{where}: expected an object, received {type(fields).__name__}")
    known = {name: str(getattr(written, "__forward_arg__", written)) for name, written in kind.__annotations__.items()}
    odd = sorted(known.keys() ^ fields.keys())
    if odd:
        raise ArtifactError(f"{where}: fields missing or unknown: {printable(', '.join(odd)[:200])}")
    return kind(**{name: _read(known[name], fields[name], f"{where}.{name}") for name in known})


def _read(annotation: str, value: Any, where: str) -> Any:
    """Check one JSON value against the annotation of its field."""
    if annotation in _NESTED:
        return _build(_NESTED[annotation], value, where)
    if annotation in _CHOICES:
        if value not in _CHOICES[annotation]:
            raise ArtifactError(f"{where}: {str(value)[:40]!r}, expected one of {', '.join(_CHOICES[annotation])}")
        return value
    if annotation.startswith("tuple"):
        kind = _SCALARS[annotation[len("tuple[") : -len(", ...]")]]
        if not isinstance(value, list) or not all(type(item) is kind for item in value):
            raise ArtifactError(f"{where}: expected a list of {kind.__name__}")
        return tuple(_printable(item, where) for item in value)
    if annotation.startswith("Mapping"):
        if not isinstance(value, dict) or not all(isinstance(item, str) for item in value.values()):
            raise ArtifactError(f"{where}: expected an object of strings")
        return {_printable(name, where): _printable(item, where) for name, item in value.items()}
    if type(value) is not _SCALARS[annotation]:
        raise ArtifactError(f"{where}: expected {annotation}, received {type(value).__name__}")
    return _printable(value, where)


def _printable(value: Any, where: str) -> Any:
    if isinstance(value, str):
        check_text(value, where)
    return value


def check_text(text: str, where: str) -> None:
    """Refuse what a terminal would obey, or would not show: the card's texts must not hold it.

    Raises:
        ArtifactError: see `camlite.texts.hidden_character`.
    """
    hidden = hidden_character(text)
    if hidden:
        shown = printable(text[:40])
        raise ArtifactError(
            f"{where}: '{shown}' has control or invisible characters ({hidden}); export again without them"
        )


_SCALARS: Mapping[str, type] = {"int": int, "float": float, "str": str}
_NESTED: Mapping[str, type] = {"Preprocessing": Preprocessing, "Head": Head}
_CHOICES: Mapping[str, tuple[str, ...]] = {
    "Precision": get_args(Precision),
    "Fit": get_args(Fit),
    "Activation": get_args(Activation),
    "Method": get_args(Method),
    "ChannelOrder": get_args(ChannelOrder),
}


def _check_ranges(card: Card, where: str) -> None:
    image, head = card.preprocessing, card.head
    sides = {"height": image.height, "width": image.width}
    sides |= {f"features {name}": getattr(head, name) for name in ("height", "width", "channels")}
    for name, side in sides.items():
        if not 1 <= side <= _LARGEST_SIDE:
            raise ArtifactError(f"{where}: card: {name} is {side}, expected 1 to {_LARGEST_SIDE}")
    if image.channels not in (1, 3):
        raise ArtifactError(f"{where}: card: {image.channels} channels, expected 1 or 3")
    for name in ("scale", "offset"):
        numbers = getattr(image, name)
        if len(numbers) != image.channels or not all(map(math.isfinite, numbers)):
            raise ArtifactError(f"{where}: card: {name} {str(numbers)[:60]}, expected {image.channels} finite numbers")
    if not 1 <= len(card.labels) <= _MOST_CLASSES:
        raise ArtifactError(f"{where}: card: {len(card.labels)} labels, expected 1 to {_MOST_CLASSES}")
