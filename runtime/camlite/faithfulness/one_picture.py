"""All measures of several maps of one picture."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from camlite.faithfulness import average_drop, concentration, insertion_deletion, on_the_object, road
from camlite.faithfulness.insertion_deletion import STEPS
from camlite.faithfulness.measures import NAMES
from camlite.faithfulness.score import Floats, Picture, Score

_WHITE = 255.0


class PictureFigures(NamedTuple):
    """What was measured of M maps of a picture.

    Attributes:
        values: float64 (M, F), F as in `camlite.faithfulness.measures.MEASURES`; NaN where a figure does not exist.
        curves: of insertion and deletion, float64 (M, 2, steps + 1), divided by the whole picture's score.
    """

    values: Floats
    curves: Floats


def measure(
    score: Score,
    image: Picture,
    heats: NDArray[np.floating[Any]],
    k: int,
    mask: NDArray[np.bool_] | None = None,
    steps: int = STEPS,
    seed: tuple[int, ...] = (0,),
    road_too: bool = True,
) -> PictureFigures:
    """Measure maps of one class.

    Args:
        score: of pictures such as `image`.
        image: uint8 (H, W, C).
        heats: (M, H, W) in 0..1.
        k: the class whose maps they are.
        mask: (H, W), where the object is; None where that is not known, or it shows none.
        steps: of insertion and deletion.
        seed: of ROAD's noise, which is the same for all maps.
        road_too: whether ROAD is measured, which solves linear systems: 0.7 seconds for a map of 224 x 224; else NaN.
    """
    curves = insertion_deletion.measured_curves(score, image, heats, k, steps)
    noise = np.random.default_rng(seed).normal(0, road.NOISE * _WHITE, image.shape)
    shown = np.stack([image, *(average_drop.frame(image, heat) for heat in heats)])
    whole, *dimmed = score(shown)[:, k].tolist()
    values = np.full((len(heats), len(NAMES)), np.nan)
    for row, (heat, curve, rest) in enumerate(zip(heats, curves, dimmed, strict=True)):
        areas, drop = insertion_deletion.areas(curve), average_drop.drop(whole, rest)
        found = {
            "insertion": areas.insertion,
            "deletion": areas.deletion,
            "difference": areas.difference,
            "road": float(road.kept(score, image, heat, k, noise).mean()) if road_too else np.nan,
            "drop": drop.drop,
            "increase": drop.increase,
            "sparsity": concentration.sparsity(heat),
            "complexity": concentration.complexity(heat),
        }
        if mask is not None:
            found |= {"pointing": on_the_object.pointing(heat, mask), "inside": on_the_object.share(heat, mask)}
        values[row, : len(found)] = [found[name] for name in NAMES[: len(found)]]
    return PictureFigures(values, curves)
