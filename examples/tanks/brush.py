"""What landscapes are painted with, N pictures at once: noise, soft shapes, and layers of colour."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from camlite.maps.resize import resize_matrix

Floats = NDArray[np.float32]

SIDE = 64

# Pixel centres in 0..1: x (1, 1, SIDE) to the right, y (1, SIDE, 1) downwards.
_PLACES = (np.arange(SIDE, dtype=np.float32) + 0.5) / SIDE
X, Y = _PLACES[np.newaxis, np.newaxis, :], _PLACES[np.newaxis, :, np.newaxis]


def each(values: NDArray[Any]) -> Floats:
    """One number a picture (N,) as (N, 1, 1), to be drawn with."""
    numbers: Floats = np.asarray(values, np.float32).reshape(-1, 1, 1)
    return numbers


def noise(random: np.random.Generator, count: int, cells: tuple[int, int], octaves: int = 4) -> Floats:
    """Fractal value noise about 0..1 with mean 0.5, float32 (count, SIDE, SIDE).

    Args:
        random: where the numbers come from.
        count: of pictures.
        cells: rows and columns of the coarsest lattice; each octave doubles them and halves its height.
        octaves: how many lattices are summed.
    """
    total, heights = np.zeros((count, SIDE, SIDE), np.float32), 0.0
    for octave in range(octaves):
        rows, columns = (min(SIDE, side << octave) for side in cells)
        lattice = random.random((count, rows, columns), np.float32)
        total += 0.5**octave * (resize_matrix(rows, SIDE) @ lattice @ resize_matrix(columns, SIDE).T)
        heights += 0.5**octave
    values: Floats = np.asarray((total / heights - 0.5) * 1.6 + 0.5, np.float32)
    return values


def ridge(random: np.random.Generator, count: int, cells: int, octaves: int = 4) -> Floats:
    """A skyline about 0..1: noise along x alone, float32 (count, 1, SIDE)."""
    return np.asarray(noise(random, count, (1, cells), octaves).mean(axis=1, keepdims=True))


def cover(distance: Floats, softness: float = 1.0) -> Floats:
    """How much of each pixel a shape covers, 0..1, from the signed distance to its edge (negative inside).

    Args:
        distance: in units of the picture's side.
        softness: width of the edge, in pixels.
    """
    return np.asarray((0.5 - distance * (SIDE / softness)).clip(0, 1), np.float32)


def smooth(low: float | Floats, high: float | Floats, values: Floats) -> Floats:
    """0 below `low`, 1 above `high`, and smooth between them (smoothstep)."""
    share = ((values - low) / (high - low)).clip(0, 1)
    return np.asarray(share * share * (3 - 2 * share), np.float32)


def paint(canvas: Floats, colour: Floats | tuple[float, float, float], share: Floats) -> None:
    """Lay a colour over the canvas (N, SIDE, SIDE, 3) where `share` (N, SIDE, SIDE) says how opaque it is.

    Args:
        canvas: colours in 0..1, changed in place.
        colour: one for all, one a picture (N, 3), or one a pixel (N, SIDE, SIDE, 3).
        share: 0..1.
    """
    layer = np.asarray(colour, np.float32)
    if layer.ndim == 2:
        layer = layer[:, np.newaxis, np.newaxis]
    canvas += (layer - canvas) * share[..., np.newaxis]


def ellipse(x: Floats, y: Floats, width: Floats, height: Floats) -> Floats:
    """Signed distance, nearly, to an ellipse about the origin with these half axes."""
    radius = np.sqrt((x / width) ** 2 + (y / height) ** 2)
    return np.asarray((radius - 1) * np.minimum(width, height), np.float32)


def box(x: Floats, y: Floats, width: Floats, height: Floats, round_: Floats) -> Floats:
    """Signed distance to a box about the origin with these half sides and round corners."""
    dx, dy = np.abs(x) - width + round_, np.abs(y) - height + round_
    outside = np.hypot(np.maximum(dx, 0), np.maximum(dy, 0))
    return np.asarray(outside + np.minimum(np.maximum(dx, dy), 0) - round_, np.float32)


def polygon(x: Floats, y: Floats, corners: list[tuple[float, float]], scale: Floats) -> Floats:
    """Signed distance, nearly, to a convex polygon with its corners clockwise (y downwards), times `scale`."""
    sides = []
    for (ax, ay), (bx, by) in zip(corners, corners[1:] + corners[:1], strict=True):
        length = float(np.hypot(bx - ax, by - ay))
        nx, ny = (by - ay) / length, -(bx - ax) / length
        sides.append((x - ax * scale) * nx + (y - ay * scale) * ny)
    return np.asarray(np.maximum.reduce(sides), np.float32)
