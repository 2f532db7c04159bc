"""The card: what an artifact says about itself. The contract between the exporter and the device.

Named tuples and their JSON. The arrays that belong to a card (`camlite.artifact.arrays`) travel beside it;
`camlite.artifact` reads and verifies both.

``format`` in the JSON is the version. A reader knows every version up to its own, and refuses a later one, whatever
its fields, in one line that says to update camlite. Each version is exact: no field may be missing or unknown, but for
the layouts, which are left out where they are the usual ones.
In memory there is only the present one; what older ones said in other words is mapped to it.

To add a field: give it to its named tuple, with a default that is what older cards mean, and to `_check_ranges` if
not every value of its type will do. When the version has been released, raise `FORMAT_VERSION` as well, and keep the
tuples as they were beside `camlite.artifact.card_version_1`.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any, Literal, NamedTuple

from camlite.artifact import card_version_1, typed_json
from camlite.artifact.card_version_1 import CardVersion1
from camlite.artifact.evidence_methods import EVIDENCE_METHODS, EvidenceMethod, EvidenceTraits
from camlite.artifact.precisions import Precision
from camlite.errors import ArtifactError
from camlite.texts import counted

FORMAT_VERSION = 2

Fit = Literal["stretch", "crop"]
Activation = Literal["softmax", "sigmoid", "linear"]
ChannelOrder = Literal["rgb", "bgr"]
Layout = Literal["hwc", "chw"]

_LARGEST_SIDE = 16_384
_MOST_CLASSES = 1_000_000
# Of float32, in which pixels are computed.
_LARGEST_NUMBER = 3.4028234663852886e38
# Of a window's edges, in sides of the image; and the least that a window covers.
_FARTHEST = 100
_NARROWEST = 1e-4


class Preprocessing(NamedTuple):
    """How uint8 pixels become the classifier's input: ``pixel * scale + offset``, channel by channel.

    Attributes:
        height, width, channels: the classifier's input; channels is 1 (grey) or 3 (RGB).
        scale, offset: one float per channel.
        fit: how an image of another size is made to fit. ``stretch`` resizes each side on its own, ``crop`` first cuts
            out the largest centred window with the input's aspect ratio.
        order: of the classifier's colour channels, and so of scale and offset; images are always RGB.
    """

    height: int
    width: int
    channels: int
    scale: tuple[float, ...]
    offset: tuple[float, ...]
    fit: Fit
    order: ChannelOrder = "rgb"


class Window(NamedTuple):
    """Which part of the classifier's input the grid of cells covers: its edges, as fractions of the input's sides.

    The default is the whole input. The edges are inside 0..1 if the classifier crops, below 0 or above 1 if it pads.
    Cell (i, j) of a grid (h, w) covers ``top + (bottom - top) * i / h`` to ``top + (bottom - top) * (i + 1) / h``
    from top to bottom, and likewise from left to right.
    """

    top: float = 0.0
    left: float = 0.0
    bottom: float = 1.0
    right: float = 1.0


WHOLE = Window()


class Head(NamedTuple):
    """The part of the classifier between features and scores.

    Attributes:
        layer: name of the layer whose output the features are.
        height, width, channels: shape of the features of one image.
        activation: what turns logits into scores.
        evidence: how evidence is made, a word of `camlite.artifact.evidence_methods`.
        window: the part of the classifier's input that the grid (height, width) covers.
    """

    layer: str
    height: int
    width: int
    channels: int
    activation: Activation
    evidence: EvidenceMethod
    window: Window = WHOLE

    @property
    def evidence_traits(self) -> EvidenceTraits:
        """What the word implies for arrays, outputs and completeness."""
        return EVIDENCE_METHODS[self.evidence]


class Card(NamedTuple):
    """Everything that an artifact says about itself, except the arrays.

    Attributes:
        name: the classifier's name.
        precision: float32, float16, dynamic, int8 or int16x8.
        labels: one per class, in the order of the scores.
        preprocessing, head: see there.
        classifier_sha256: of the trained classifier's weights and structure.
        model_sha256: digest of the artifact's model bytes, verified before an interpreter sees them.
        made_with: name and version of each program that took part.
        pixels: why this preprocessing was chosen, one line for people; empty if it was not recorded.
        unfit: why the artifact is not fit for use, as measured when it was made, one line for people; empty if no fault
            was found.
        image_layout, features_layout: the order of axes that the model itself has of these two tensors: ``hwc``,
            (height, width, channels), or ``chw``, as PyTorch has them. Shapes and arrays are (height, width, channels)
            everywhere else.
    """

    name: str
    precision: Precision
    labels: tuple[str, ...]
    preprocessing: Preprocessing
    head: Head
    classifier_sha256: str
    model_sha256: str
    made_with: Mapping[str, str]
    pixels: str = ""
    unfit: str = ""
    image_layout: Layout = "hwc"
    features_layout: Layout = "hwc"


# Left out of the JSON where they are this: what is said of nearly all artifacts need not be said.
_LEFT_OUT: Mapping[str, Layout] = {"image_layout": "hwc", "features_layout": "hwc"}


def to_json(card: Card) -> str:
    """The card as JSON text, the same text for the same card."""
    return json.dumps({"format": FORMAT_VERSION, **as_dict(card)}, ensure_ascii=False, indent=1)


def as_dict(card: Card) -> dict[str, Any]:
    """The card as objects of JSON."""
    head = {**card.head._asdict(), "window": card.head.window._asdict()}
    fields = {**card._asdict(), "preprocessing": card.preprocessing._asdict(), "head": head}
    return {name: value for name, value in fields.items() if name not in _LEFT_OUT or value != _LEFT_OUT[name]}


def from_json(text: str, where: str, has_weights: bool) -> Card:
    """Read a card of any version and check it field by field.

    Args:
        text: of the card.
        where: what an error names.
        has_weights: whether class weights stand beside it; version 1 said with them how evidence is made.

    Raises:
        ArtifactError: a later format version, or a field that is missing, unknown, or of the wrong type or range.
    """
    try:
        fields = typed_json.parse(text)
    except ValueError as error:
        raise ArtifactError(f"{where}: the card is no JSON ({error}); export the artifact again") from None
    if not isinstance(fields, dict):
        raise ArtifactError(f"{where}: the card is a JSON {type(fields).__name__}, expected an object")
    version = fields.pop("format", None)
    if type(version) is not int or not 1 <= version <= FORMAT_VERSION:
        raise ArtifactError(
            f"{where}: format version {str(version)[:40]!r}, this camlite reads 1 to {FORMAT_VERSION}; "
            f"update camlite, or export the artifact again"
        )
    if version == 1:
        card = _from_version_1(typed_json.build(CardVersion1, fields, f"{where}: card"), has_weights)
    else:
        card = typed_json.build(Card, {**_LEFT_OUT, **fields}, f"{where}: card")
    _check_ranges(card, where)
    return card


def _from_version_1(card: CardVersion1, has_weights: bool) -> Card:
    head = card.head._asdict()
    del head["method"]
    parts = {
        "preprocessing": Preprocessing(**card.preprocessing._asdict()),
        "head": Head(**head, evidence=card_version_1.evidence_method(card, has_weights)),
    }
    return Card(**{**card._asdict(), **parts})


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
        if len(numbers) != image.channels or not all(abs(number) <= _LARGEST_NUMBER for number in numbers):
            raise ArtifactError(f"{where}: card: {name} {str(numbers)[:60]}, expected {image.channels} finite numbers")
    check_window(head.window, f"{where}: card")
    if not 1 <= len(card.labels) <= _MOST_CLASSES:
        raise ArtifactError(f"{where}: card: {counted(len(card.labels), 'label')}, expected 1 to {_MOST_CLASSES:,}")


def check_window(window: Window, where: str) -> None:
    """See that a grid lies over the image somewhere.

    Raises:
        ArtifactError: it does not, or lies farther than any does.
    """
    if not (_is_span(window.top, window.bottom) and _is_span(window.left, window.right)):
        raise ArtifactError(
            f"{where}: window {tuple(window)}, expected top < bottom and left < right, from "
            f"-{_FARTHEST} to {_FARTHEST}, that meet the image, 0 to 1"
        )


def _is_span(start: float, stop: float) -> bool:
    """Whether an axis of a window meets the image; False where a number is none."""
    return -_FARTHEST <= start < 1 and 0 < stop <= _FARTHEST and stop - start >= _NARROWEST
