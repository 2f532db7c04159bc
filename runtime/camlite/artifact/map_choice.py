"""Which maps an artifact gives, and why: the guide of its fine evidence, and what the candidates were measured at.

Optional: it travels beside the card as ``maps.json``. Artifacts without it give the map of their features only.
"""

from __future__ import annotations

import json
import math
from typing import Literal, NamedTuple

from camlite.artifact import typed_json
from camlite.artifact.card import WHOLE, Window, check_window
from camlite.errors import ArtifactError
from camlite.texts import counted

GuideClasses = Literal["top", "all"]
GuideMethod = Literal["layercam", "hirescam"]

_LARGEST_SIDE = 1024
# In coarse cells: two neighbours always meet within the least, and the largest covers any map.
_LEAST_RADIUS, _LARGEST_RADIUS = 0.5, 100.0
_LARGEST_FLOOR = 100.0


class Guide(NamedTuple):
    """The model's output ``guide``, and how evidence is redistributed by it, see `camlite.maps.redistribution`.

    Attributes:
        height, width: of the guide: h' and w', those of fine evidence.
        classes: whether the output is (h', w', 1) of the class with the highest score, or (h', w', K) of every class.
        layers: that it is made from, in the order in which the image meets them; one that counts twice is there twice.
        method: how it is made at each, see `camlite_export.cutting.guide`.
        smooth: whether it was smoothed at each.
        radius: how far a cell hands its evidence, in sides of a cell. With 2, 3, 4 and 14, the share of heat on the
            object was 0.68, 0.70, 0.70 and 0.65 (EfficientNet-Lite0, LayerCAM at 14 x 14 and 28 x 28, 100 pictures).
        floor: what each place gets beside its guide, as a share of the guide's mean.
        window: where the grid (h', w') lies over the classifier's input.
    """

    height: int
    width: int
    classes: GuideClasses
    layers: tuple[str, ...]
    method: GuideMethod
    smooth: bool
    radius: float = 3.0
    floor: float = 0.05
    window: Window = WHOLE

    def output_classes(self, classes: int) -> int:
        """How many maps the output ``guide`` has where there are K classes."""
        return 1 if self.classes == "top" else classes


class MeasuredMap(NamedTuple):
    """A candidate, and how well it points at what moves the score.

    Attributes:
        map: its name, for people: ``cam``, ``layercam block_12_add``.
        insertion, deletion: mean score, over that of the whole picture, while the places of the highest evidence are
            put in first, or taken away first (Petsiuk et al., 2018, "RISE").
    """

    map: str
    insertion: float
    deletion: float


class MapChoice(NamedTuple):
    """What was chosen, and out of what.

    Attributes:
        guide: of fine evidence; None where the map of the features was chosen.
        measured: the candidates that were measured, for people.
        measured_on: on how many pictures.
        chosen: why this one, one line for people; empty where nothing was measured.
    """

    guide: Guide | None
    measured: tuple[MeasuredMap, ...] = ()
    measured_on: int = 0
    chosen: str = ""


def as_dict(choice: MapChoice) -> dict[str, object]:
    """The choice as objects of JSON."""
    guide = None if choice.guide is None else {**choice.guide._asdict(), "window": choice.guide.window._asdict()}
    return {**choice._asdict(), "guide": guide, "measured": [one._asdict() for one in choice.measured]}


def to_json(choice: MapChoice) -> str:
    """The same text for the same choice."""
    return json.dumps(as_dict(choice), ensure_ascii=False, indent=1)


def from_json(text: str, where: str) -> MapChoice:
    """Read a choice and check it field by field.

    Args:
        text: of ``maps.json``.
        where: what an error names.

    Raises:
        ArtifactError: it is no JSON, or a field is missing, unknown, or of the wrong type or range.
    """
    where = f"{where}: maps"
    try:
        fields = typed_json.parse(text)
    except ValueError as error:
        raise ArtifactError(f"{where}: no JSON ({error}); export the artifact again") from None
    choice = typed_json.build(MapChoice, fields, where)
    if choice.measured_on < 0:
        raise ArtifactError(f"{where}: measured on {counted(choice.measured_on, 'picture')}, expected 0 or more")
    for one in choice.measured:
        if not (math.isfinite(one.insertion) and math.isfinite(one.deletion)):
            raise ArtifactError(f"{where}: insertion {one.insertion}, deletion {one.deletion}, expected finite numbers")
    if choice.guide is not None:
        _check_guide(choice.guide, where)
    return choice


def _check_guide(guide: Guide, where: str) -> None:
    for name, side in (("height", guide.height), ("width", guide.width)):
        if not 1 <= side <= _LARGEST_SIDE:
            raise ArtifactError(f"{where}: the guide's {name} is {side}, expected 1 to {_LARGEST_SIDE}")
    if not guide.layers:
        raise ArtifactError(f"{where}: the guide has no layers, expected at least one")
    for name, number, least, most in (
        ("radius", guide.radius, _LEAST_RADIUS, _LARGEST_RADIUS),
        ("floor", guide.floor, 0.0, _LARGEST_FLOOR),
    ):
        if not least <= number <= most:
            raise ArtifactError(f"{where}: the guide's {name} is {number}, expected {least:g} to {most:g}")
    check_window(guide.window, where)
