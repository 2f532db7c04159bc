"""Small landscapes with and without a tank: seeded, with exact masks."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from tanks import brush, landscape, vehicle

LABELS = ("no tank", "tank")

_AT_ONCE = 128


@dataclass(frozen=True)
class Scenes:
    """N landscapes.

    Attributes:
        images: uint8 (N, 64, 64, 3).
        classes: indices into `LABELS`, int64 (N,).
        masks: where the tank is seen, bool (N, 64, 64).
        weathers: indices into `landscape.WEATHERS`, (N,).
    """

    images: NDArray[np.uint8]
    classes: NDArray[np.int64]
    masks: NDArray[np.bool_]
    weathers: NDArray[np.intp]


def scenes(count: int, seed: int, *, confounded: bool) -> Scenes:
    """Draw landscapes, every second one with a tank.

    Args:
        count: of landscapes.
        seed: the same seed gives the same pictures.
        confounded: whether the sky is cloudy wherever there is a tank and sunny wherever there is none, as in the
            legend; else any weather comes with either.
    """
    random = np.random.default_rng(seed)
    classes = np.arange(count) % 2
    names = list(landscape.WEATHERS)
    cloudy = classes == 1 if confounded else random.random(count) < 0.5
    kinds = [landscape.CLOUDY if dull else landscape.SUNNY for dull in cloudy]
    weathers = np.array([names.index(kind[random.integers(len(kind))]) for kind in kinds], np.intp)
    parts = [slice(start, start + _AT_ONCE) for start in range(0, count, _AT_ONCE)]
    drawn = [_draw(random, classes[part] == 1, weathers[part]) for part in parts]
    images, masks = (np.concatenate(arrays) for arrays in zip(*drawn, strict=True))
    return Scenes(images, classes.astype(np.int64), masks, weathers)


def _draw(
    random: np.random.Generator, tank: NDArray[np.bool_], weathers: NDArray[np.intp]
) -> tuple[NDArray[np.uint8], NDArray[np.bool_]]:
    canvas = landscape.skies(random, weathers)
    horizon, leaves = landscape.land(random, canvas)
    for _ in range(2):
        foot = horizon + brush.each(random.uniform(0.05, 0.25, len(tank)))
        landscape.bushes(random, canvas, leaves, foot, 0.07)
    covered = vehicle.tanks(random, canvas, horizon, leaves, tank)
    foot = brush.each(random.uniform(0.92, 1.05, len(tank)))
    covered = covered * (1 - landscape.bushes(random, canvas, leaves, foot, 0.13))
    canvas += random.normal(0, 0.012, canvas.shape).astype(np.float32)
    return np.rint(canvas.clip(0, 1) * 255).astype(np.uint8), covered > 0.5
