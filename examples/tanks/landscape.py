"""Skies in every weather, and the land beneath them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from tanks import brush
from tanks.brush import Floats, X, Y


class Weather(NamedTuple):
    """Colours in 0..1 and shares of a sky.

    Attributes:
        zenith, horizon: colours of the sky above and below.
        cloud, shade: lit and dark colour of clouds.
        cover: how much of the sky is clouded, 0..1.
        edge: how soft the clouds are.
        sun: how bright the sun stands in it, 0..1.
    """

    zenith: tuple[float, float, float]
    horizon: tuple[float, float, float]
    cloud: tuple[float, float, float]
    shade: tuple[float, float, float]
    cover: float
    edge: float
    sun: float


WEATHERS: Mapping[str, Weather] = {
    "clear": Weather((0.16, 0.38, 0.76), (0.68, 0.83, 0.95), (1.0, 1.0, 1.0), (0.85, 0.9, 0.97), 0.10, 0.25, 0.7),
    "fair": Weather((0.20, 0.45, 0.82), (0.72, 0.86, 0.96), (1.0, 1.0, 0.99), (0.74, 0.8, 0.9), 0.42, 0.16, 0.4),
    "sunset": Weather((0.25, 0.34, 0.62), (0.99, 0.74, 0.47), (1.0, 0.8, 0.6), (0.72, 0.5, 0.52), 0.35, 0.30, 0.8),
    "overcast": Weather((0.60, 0.63, 0.67), (0.78, 0.79, 0.8), (0.8, 0.81, 0.83), (0.58, 0.6, 0.64), 0.85, 0.55, 0.0),
    "storm": Weather((0.30, 0.33, 0.40), (0.62, 0.64, 0.66), (0.56, 0.58, 0.62), (0.22, 0.24, 0.3), 0.80, 0.45, 0.0),
    "fog": Weather((0.74, 0.75, 0.76), (0.84, 0.84, 0.84), (0.82, 0.82, 0.83), (0.72, 0.73, 0.74), 0.60, 0.90, 0.0),
}
SUNNY = ("clear", "fair", "sunset")
CLOUDY = ("overcast", "storm", "fog")

# Colours of the ground: grass, dry grass, heath, mud, sand.
_GROUNDS = np.array(
    [[0.33, 0.43, 0.18], [0.58, 0.52, 0.29], [0.42, 0.40, 0.24], [0.42, 0.34, 0.25], [0.70, 0.60, 0.42]], np.float32
)
_LEAVES = np.array([[0.16, 0.27, 0.12], [0.22, 0.32, 0.13], [0.30, 0.33, 0.14], [0.13, 0.22, 0.15]], np.float32)


def skies(random: np.random.Generator, weathers: NDArray[np.intp]) -> Floats:
    """Paint a sky a picture: float32 (N, SIDE, SIDE, 3).

    Args:
        random: where the numbers come from.
        weathers: indices into `WEATHERS`, (N,).
    """
    count = len(weathers)
    table = list(WEATHERS.values())

    def colour(name: str) -> Floats:
        chosen = np.array([getattr(table[k], name) for k in weathers], np.float32)
        return chosen + random.normal(0, 0.02, (count, 3)).astype(np.float32)

    def number(name: str) -> Floats:
        return brush.each(np.array([getattr(table[k], name) for k in weathers]))

    height = brush.smooth(0.0, 0.55, Y) * np.ones((count, 1, 1), np.float32)
    canvas = np.broadcast_to(colour("zenith")[:, np.newaxis, np.newaxis], (count, brush.SIDE, brush.SIDE, 3)).copy()
    brush.paint(canvas, colour("horizon"), height)
    sun_x, sun_y = (brush.each(random.uniform(low, high, count)) for low, high in ((0.05, 0.95), (0.05, 0.3)))
    away = np.hypot(X - sun_x, Y - sun_y)
    brush.paint(canvas, (1.0, 0.95, 0.8), number("sun") * np.exp(-((away / 0.12) ** 2)) * 0.8)
    brush.paint(canvas, (1.0, 0.99, 0.92), number("sun") * brush.cover(away - 0.028))
    shapes = brush.noise(random, count, (3, 2), 5)
    shares = brush.smooth(1 - number("cover"), 1 - number("cover") + number("edge"), shapes + 0.08)
    lights = brush.smooth(0.3, 0.75, brush.noise(random, count, (3, 3), 4))[..., np.newaxis]
    lit, dark = (colour(name)[:, np.newaxis, np.newaxis] for name in ("cloud", "shade"))
    brush.paint(canvas, dark + (lit - dark) * lights, shares * 0.95)
    return canvas


def land(random: np.random.Generator, canvas: Floats) -> tuple[Floats, Floats]:
    """Paint hills, ground, trees and bushes over a sky.

    Light on the ground is drawn apart from the weather: it is the sky alone that tells it.

    Returns:
        The height of the horizon, 0..1 from above, (N, 1, 1); colours of leaves, (N, 3).
    """
    count = len(canvas)
    horizon = brush.each(random.uniform(0.40, 0.52, count))
    light = brush.each(random.uniform(0.75, 1.15, count))[..., np.newaxis]
    ground = _mixture(random, _GROUNDS, count)
    leaves = _mixture(random, _LEAVES, count)
    for lift, haze in ((0.12, 0.55), (0.07, 0.25)):
        skyline = horizon - lift * brush.ridge(random, count, 3) * brush.each(random.uniform(0.3, 1.2, count))
        far = (leaves * (1 - haze) + np.array([0.5, 0.56, 0.62], np.float32) * haze)[:, np.newaxis, np.newaxis]
        brush.paint(canvas, far * light, brush.cover(skyline - Y))
    depth = brush.smooth(0.0, 1.0, (Y - horizon) / (1 - horizon))
    texture = 0.55 * brush.noise(random, count, (16, 4), 3) + 0.45 * brush.noise(random, count, (5, 3), 4)
    shades = (0.82 + 0.5 * (texture - 0.5) * (0.5 + depth) + 0.18 * depth)[..., np.newaxis]
    patches = brush.smooth(0.52, 0.72, brush.noise(random, count, (6, 3), 3))[..., np.newaxis]
    other = _mixture(random, _GROUNDS, count)[:, np.newaxis, np.newaxis]
    soil = ground[:, np.newaxis, np.newaxis]
    brush.paint(canvas, (soil + (other - soil) * patches * 0.6) * shades * light, brush.cover(horizon - Y))
    _trees(random, canvas, horizon, leaves)
    return horizon, leaves


def bushes(random: np.random.Generator, canvas: Floats, leaves: Floats, base: Floats, most: float) -> Floats:
    """Paint a bush a picture, its foot at height `base` (N, 1, 1), and return what it covers, (N, SIDE, SIDE)."""
    count = len(canvas)
    x = X - brush.each(random.uniform(0.02, 0.98, count))
    size = brush.each(random.uniform(0.3, 1.0, count)) * most
    rough = (brush.noise(random, count, (14, 14), 2) - 0.5) * 0.05
    share = brush.cover(brush.ellipse(x, Y - base + size * 0.5, size, size * 0.7) + rough, 1.3)
    share = share * brush.cover(Y - base - 0.01, 1.5)
    lit = 0.65 + 0.9 * brush.noise(random, count, (20, 20), 2) * (1 - 0.5 * brush.smooth(-0.5, 0.8, (Y - base) / size))
    brush.paint(canvas, leaves[:, np.newaxis, np.newaxis] * lit[..., np.newaxis], share)
    return share


def _trees(random: np.random.Generator, canvas: Floats, horizon: Floats, leaves: Floats) -> None:
    """A line of trees on the horizon, thicker in some pictures; every second one is a conifer."""
    count = len(canvas)
    density = random.uniform(0.1, 0.9, count)
    for tree in range(12):
        x = X - brush.each(random.uniform(0, 1, count))
        height = brush.each(random.uniform(0.05, 0.14, count) * (random.random(count) < density))
        foot = horizon + brush.each(random.uniform(0.0, 0.05, count))
        up = foot - Y
        if tree % 2:
            distance = np.maximum(np.abs(x) - 0.32 * (height - up) * 0.8, -up)
        else:
            distance = brush.ellipse(x, up - height * 0.58, height * 0.36 + 1e-4, height * 0.45 + 1e-4)
            distance = np.minimum(distance, np.maximum(np.abs(x) - 0.008, np.abs(up - height * 0.15) - height * 0.15))
        share = brush.cover(np.asarray(distance, np.float32), 1.2) * (height > 0)
        tint = brush.each(random.uniform(0.7, 1.15, count))[..., np.newaxis]
        brush.paint(canvas, leaves[:, np.newaxis, np.newaxis] * tint, share)


def _mixture(random: np.random.Generator, palette: Floats, count: int) -> Floats:
    shares = random.dirichlet(np.full(len(palette), 0.5), count).astype(np.float32)
    return shares @ palette
