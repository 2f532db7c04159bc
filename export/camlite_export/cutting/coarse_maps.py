"""Maps of so few cells that they point nowhere, the layer where a finer one is, and what hinders finer ones."""

from __future__ import annotations

import math
import warnings

from camlite.errors import ClassifierError
from camlite_export.cutting.cut import Cut
from camlite_export.sources.source import Source, Step

# With 2 x 2 cells each map is one bright quadrant. 3 x 3, as the reference classifier has, tells top from middle.
_FEWEST = 9
_FINER = 4  # cells to a side, at the least, of what is named instead


class CoarseMapWarning(UserWarning):
    """The last feature map has so few cells that its heatmaps say little."""


class PlainMapsWarning(UserWarning):
    """Finer maps were asked for, and an operator of the file hinders them."""


def warn_of_plain_ones(source: Source, kind: str) -> None:
    """Warn of an operator whose gradient is not known.

    Warns:
        PlainMapsWarning: always.
    """
    warnings.warn(
        f"{source.name}: plain maps only: camlite knows no gradient of its operator {kind}, which stands between all "
        f"finer layers and the scores",
        PlainMapsWarning,
        stacklevel=3,
    )


def warn(source: Source, cut: Cut) -> None:
    """Warn of a map of few cells, with the last layer that has a finer one.

    Warns:
        CoarseMapWarning: there are less than 9.
    """
    height, width, _ = cut.feature_shape
    if height * width >= _FEWEST:
        return
    finer = finer_step(source, cut.step)
    what = (
        f"{source.name}: its last feature map, of layer {cut.layer}, has {height} x {width} cells, which point nowhere"
    )
    if finer is None:
        warnings.warn(f"{what}; larger images, or a classifier with less pooling, give finer maps", CoarseMapWarning, 3)
        return
    sides = " x ".join(map(str, finer.shape[1:3]))
    warnings.warn(f"{what}; --layer {finer.name} gives {sides}", CoarseMapWarning, stacklevel=3)


def finer_step(source: Source, step: Step) -> Step | None:
    """The last step in front of one that has a finer map, and behind which the scores follow from it alone."""
    before = list(source.steps)[: list(source.steps).index(step)]
    places = math.prod(side or 0 for side in step.shape[1:3])
    for one in reversed(before):
        sides = [side or 0 for side in one.shape[1:3]]
        is_finer = len(one.shape) == 4 and min(sides) >= _FINER and math.prod(sides) > places
        if is_finer and _is_named_alone(source, one) and _can_be_cut(source, one):
            return one
    return None


def _is_named_alone(source: Source, step: Step) -> bool:
    return sum(one.name == step.name for one in source.steps) == 1


def _can_be_cut(source: Source, step: Step) -> bool:
    from camlite_export.cutting import cutter

    try:
        cutter.cut(source, step.name)
    except ClassifierError:
        return False
    return True
