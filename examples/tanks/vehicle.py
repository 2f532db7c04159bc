"""A tank, seen from its side, bare or under a camouflage net."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from tanks import brush
from tanks.brush import Floats, X, Y

_PAINTS = np.array([[0.30, 0.33, 0.20], [0.36, 0.34, 0.22], [0.25, 0.29, 0.22], [0.42, 0.38, 0.27]], np.float32)
_HULL = [(-1.0, -0.32), (0.78, -0.32), (1.06, -0.14), (0.9, 0.06), (-0.98, 0.06)]
_TURRET = [(-0.5, -0.66), (0.22, -0.68), (0.46, -0.5), (0.4, -0.32), (-0.6, -0.32)]
_WHEELS = (-0.72, -0.36, 0.0, 0.36, 0.72)


def tanks(
    random: np.random.Generator, canvas: Floats, horizon: Floats, leaves: Floats, shown: NDArray[np.bool_]
) -> Floats:
    """Paint a tank into those pictures that are to show one.

    Args:
        random: where the numbers come from.
        canvas: float32 (N, SIDE, SIDE, 3), changed in place.
        horizon: (N, 1, 1); leaves: (N, 3), which nets are made of.
        shown: bool (N,).

    Returns:
        What the tank covers of each pixel, 0..1, (N, SIDE, SIDE).
    """
    count = len(canvas)
    scale = brush.each(random.uniform(0.13, 0.21, count))
    facing = brush.each(np.where(random.random(count) < 0.5, -1.0, 1.0))
    tilt = brush.each(random.normal(0, 0.05, count))
    across = X - (0.5 + brush.each(random.uniform(-1, 1, count)) * (0.5 - 1.15 * scale))
    ground = horizon + 0.06 + brush.each(random.uniform(0.2, 1.0, count)) * (0.86 - horizon)
    x = facing * across
    y = Y - ground + 0.45 * scale + tilt * across
    netted = brush.each(random.random(count) < 0.5)
    visible = brush.each(shown)
    shadow = brush.cover(brush.ellipse(x, y - 0.42 * scale, 1.12 * scale, 0.1 * scale), 2.5)
    brush.paint(canvas, (0.12, 0.12, 0.09), shadow * 0.45 * visible)
    paint = _PAINTS[random.integers(0, len(_PAINTS), count)] * random.uniform(0.85, 1.15, (count, 1)).astype(np.float32)
    covered = _bare(canvas, x, y, scale, paint, visible, random)
    net = _net(random, x, y, scale) * netted * visible
    blotches = brush.noise(random, count, (22, 22), 2)[..., np.newaxis]
    brush.paint(canvas, leaves[:, np.newaxis, np.newaxis] * (0.55 + 0.9 * blotches), net * 0.9)
    return np.asarray(np.maximum(covered, net), np.float32)


def _bare(
    canvas: Floats,
    x: Floats,
    y: Floats,
    scale: Floats,
    paint: Floats,
    visible: Floats,
    random: np.random.Generator,
) -> Floats:
    """Barrel, turret, hull, tracks and wheels; what they cover."""
    count = len(canvas)
    lift = brush.each(random.uniform(-0.02, 0.12, count))
    barrel = brush.box(x - 0.95 * scale, y + (0.52 + lift * 0.5) * scale + lift * x, 0.62 * scale, 0.045 * scale, 0 * x)
    pattern = (0.86 + 0.35 * (brush.noise(random, count, (10, 10), 2) - 0.5))[..., np.newaxis]
    body = paint[:, np.newaxis, np.newaxis] * pattern
    covered = np.zeros(canvas.shape[:3], np.float32)
    track = brush.box(x + 0.02 * scale, y - 0.2 * scale, 0.98 * scale, 0.22 * scale, 0.2 * scale)
    for distance, colour in (
        (barrel, body * 0.7),
        (
            brush.polygon(x, y, _TURRET, scale),
            body * (1.12 - 0.25 * brush.smooth(-0.6, -0.3, y / scale))[..., np.newaxis],
        ),
        (track, np.full(3, 0.13, np.float32)),
        (brush.polygon(x, y, _HULL, scale), body * (1.15 - 0.4 * brush.smooth(-0.3, 0.1, y / scale))[..., np.newaxis]),
    ):
        share = brush.cover(distance) * visible
        brush.paint(canvas, colour, share)
        covered = np.maximum(covered, share)
    for wheel in _WHEELS:
        radius = 0.15 * scale
        distance = np.hypot(x - wheel * scale, y - 0.22 * scale) - radius
        brush.paint(canvas, paint * 0.8, brush.cover(np.asarray(distance, np.float32)) * visible)
    return covered


def _net(random: np.random.Generator, x: Floats, y: Floats, scale: Floats) -> Floats:
    """A net over hull and turret, its hem in rags."""
    rough = (brush.noise(random, len(scale), (16, 16), 2) - 0.5) * 0.35 * scale
    over = np.minimum(
        brush.ellipse(x + 0.08 * scale, y + 0.42 * scale, 0.62 * scale, 0.34 * scale),
        brush.ellipse(x, y + 0.1 * scale, 1.08 * scale, 0.28 * scale),
    )
    holes = brush.smooth(0.25, 0.4, brush.noise(random, len(scale), (26, 26), 1))
    return brush.cover(np.asarray(over + rough, np.float32), 1.4) * holes
