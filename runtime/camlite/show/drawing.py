"""Pictures of an explanation: overlay, heatmap, side by side, contour, with label and score.

Needs Pillow (extra ``image``), unlike `camlite.Explanation.overlay`.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Literal, NamedTuple, get_args

import numpy as np

from camlite.images import picture_files
from camlite.images.preprocessing import Pixels
from camlite.show import cell_borders, colour_bar, text_strip
from camlite.show.colours import Floats, colourize
from camlite.show.explained import Explained
from camlite.show.overlay import lay_over

Style = Literal["overlay", "heatmap", "side-by-side", "contour"]
STYLES: tuple[Style, ...] = get_args(Style)

# An image of fewer pixels is drawn larger, each pixel as a square, so that it can be seen; one of more is drawn
# smaller: a photo of 12 megapixels shows no more than this does, and takes 100 times the memory.
SMALLEST, LARGEST = 224, 1280

_OPACITY = 0.8
_LEVELS = (0.25, 0.5, 0.75)
_GAP = 4
_RAMP = 256
_MOST_COLUMNS = 4
_TEXT_ROWS = 64 + colour_bar.HIGHEST  # more than a text strip has, and the bar below it
# Bytes a pixel: while a panel is drawn; of each panel that is kept, as panel, with its text, on the sheet, and as PNG.
_PANEL_BESIDE, _PANEL_ITSELF = 16, 12
_STRIP = 64  # rows that are worked on at once: what is between takes the memory of a strip


class Drawing(NamedTuple):
    """How to draw.

    Attributes:
        style: ``overlay``: colours over the image in grey; ``heatmap``: the colours alone; ``side-by-side``: the image,
            then the overlay; ``contour``: lines at a quarter, a half and three quarters of the peak, on the image.
        colour_map: a key of `camlite.show.colours.COLOUR_MAPS`.
        text: whether label and score stand below each panel.
    """

    style: Style = "overlay"
    colour_map: str = "inferno"
    text: bool = True


def draw(explanation: Explained, drawing: Drawing) -> Pixels:
    """One panel for each explained class, as uint8 (H, W, 3); side by side up to four in a row.

    All panels have one scale, up to the most evidence of any of them: a class that little speaks for stays dark beside
    one that much speaks for. With text, a bar below tells of it.
    """
    shown, names = [], []
    base = _scaled(explanation.image)
    peak = scale(explanation, *base.shape[:2])
    if drawing.style == "side-by-side":
        shown.append(_coloured(base))
        names.append("")
    for index, chosen in enumerate(explanation.classes):
        shown.append(_panel(explanation, index, drawing, base, peak))
        names.append(_name(explanation, chosen) if drawing.text else "")
    if not drawing.text:
        return _arranged(shown)
    shown = [_labelled(*pair) for pair in zip(shown, names, strict=True)]
    sheet = _arranged(shown)
    return np.concatenate([sheet, colour_bar.bar(_ramp(drawing), peak, sheet.shape[1], shown[0].shape[1])])


def scale(explanation: Explained, height: int, width: int) -> float:
    """The evidence, in logits, that is drawn hottest at a size: the most that speaks for any explained class."""
    return float(explanation.peaks(height, width).max(initial=0))


def _ramp(drawing: Drawing) -> Pixels:
    """From no evidence to the most, as a style draws it, over grey where it lies over the picture: uint8 (1, n, 3)."""
    heat = np.linspace(0, 1, _RAMP, dtype=np.float32)[np.newaxis]
    if drawing.style == "heatmap":
        return np.rint(colourize(heat, drawing.colour_map)).astype(np.uint8)
    if drawing.style == "contour":
        return contour(np.full((1, _RAMP, 3), text_strip.PAPER, np.uint8), heat, drawing.colour_map)
    return lay_over(np.full((1, _RAMP, 1), 128, np.uint8), heat, _OPACITY, drawing.colour_map)


def _name(explanation: Explained, chosen: int) -> str:
    classes = (chosen,) if explanation.against is None else (chosen, explanation.against)
    names = {k: text_strip.name_of(explanation.explainer.labels, k) for k in classes}
    return " against ".join(f"{name} {float(explanation.scores[k]):.3f}" for k, name in names.items())


def panels(explanation: Explained, drawing: Drawing) -> Iterator[Pixels]:
    """The picture of each explained class, without text and with one scale: uint8 (H, W, 3)."""
    base = _scaled(explanation.image)
    peak = scale(explanation, *base.shape[:2])
    return (_panel(explanation, index, drawing, base, peak) for index in range(len(explanation.classes)))


def _panel(explanation: Explained, index: int, drawing: Drawing, base: Pixels, peak: float) -> Pixels:
    panel = _heated(explanation, index, drawing, base, peak)
    cell_borders.draw(explanation, panel)
    return panel


def _heated(explanation: Explained, index: int, drawing: Drawing, base: Pixels, peak: float) -> Pixels:
    heat = explanation.spread(base.shape[0], base.shape[1], index, peak)
    if drawing.style == "heatmap":
        drawn = np.empty((*heat.shape, 3), np.uint8)
        for strip in _strips(len(heat)):
            drawn[strip] = np.rint(colourize(heat[strip], drawing.colour_map))
        return drawn
    if drawing.style == "contour":
        return contour(_coloured(base), heat, drawing.colour_map)
    return lay_over(base, heat, _OPACITY, drawing.colour_map)


def drawn_size(height: int, width: int) -> tuple[int, int]:
    """Height and width of the panel that an image is drawn as, without text."""
    side = max(height, width)
    if side <= LARGEST:
        zoom = max(1, -(-SMALLEST // side))
        return height * zoom, width * zoom
    return max(1, round(height * LARGEST / side)), max(1, round(width * LARGEST / side))


def drawn_area(height: int, width: int) -> int:
    """Pixels of the panel that an image is drawn as, with its text."""
    rows, columns = drawn_size(height, width)
    return (rows + _TEXT_ROWS) * max(columns, text_strip.NARROWEST)


def memory(height: int, width: int, panels: int) -> int:
    """Bytes that drawing takes at the most, with the image itself and the PNG of what is drawn.

    Measured on 4000 x 4000 pixels, 9 panels of 1280 x 1280 and 199 of 160 x 240 (noise, which packs worst).
    """
    narrowed = 7 * min(height * width, LARGEST * max(height, width)) if max(height, width) > LARGEST else 0
    drawn = drawn_area(height, width) * (_PANEL_BESIDE + _PANEL_ITSELF * panels)
    return 3 * height * width + max(narrowed, drawn)


def _scaled(pixels: Pixels) -> Pixels:
    """The image at the size that it is drawn at."""
    height, width = drawn_size(*pixels.shape[:2])
    side = max(pixels.shape[:2])
    if side <= LARGEST:
        zoom = height // pixels.shape[0]
        return pixels.repeat(zoom, axis=0).repeat(zoom, axis=1)
    fromarray, times = picture_files.pillow("PIL.Image").fromarray, max(1, side // LARGEST // 2)
    flat = pixels[..., 0] if pixels.shape[2] == 1 else pixels
    # Means of squares, then rows, then columns, as Pillow does; strip by strip, as the whole image in Pillow's memory
    # would be one more copy of it.
    strips = (fromarray(flat[strip]).reduce(times) for strip in _strips(len(flat), _STRIP * times))
    narrow = np.concatenate([np.asarray(strip.resize((width, strip.height))) for strip in strips])
    return np.asarray(fromarray(narrow).resize((width, height))).reshape(height, width, -1)


def _strips(rows: int, size: int = _STRIP) -> Iterator[slice]:
    return (slice(top, top + size) for top in range(0, rows, size))


def _coloured(pixels: Pixels) -> Pixels:
    return np.repeat(pixels, 3, axis=2) if pixels.shape[2] == 1 else pixels


def contour(pixels: Pixels, heat: Floats, colour_map: str) -> Pixels:
    """Lines of equal heat over an image, uint8 (H, W, 3): each in its colour, between two dark ones."""
    slope = _slope(heat)
    half = max(1.0, max(pixels.shape) / 400)
    drawn = np.empty_like(pixels)
    for strip in _strips(len(pixels)):
        drawn[strip] = np.rint(_lines(pixels[strip].astype(np.float32), heat[strip], slope[strip], half, colour_map))
    return drawn


def _slope(heat: Floats) -> Floats:
    """How steep the heat is, per pixel; a side of one pixel has no slope."""
    slopes = [np.gradient(heat, axis=axis) for axis in (0, 1) if heat.shape[axis] > 1]
    return np.asarray(np.sqrt(sum((slope**2 for slope in slopes), np.zeros_like(heat))))


def _lines(drawn: Floats, heat: Floats, slope: Floats, half: float, colour_map: str) -> Floats:
    for level in _LEVELS:
        # The distance to the line, in pixels, where the heat is nearly a plane; flat places have none.
        distance = np.abs(heat - level) / np.maximum(slope, 1e-6)
        ink = colourize(np.array([[level + 0.25]], np.float32), colour_map)
        for colours, width in ((np.zeros_like(ink), half + 1.5), (ink, half)):
            share = (width + 0.5 - distance).clip(0, 1)[..., np.newaxis]
            drawn += share * (colours - drawn)
    return drawn


def _labelled(panel: Pixels, text: str) -> Pixels:
    """The panel in the middle of a sheet that is wide enough for text, and the text below."""
    width = max(panel.shape[1], text_strip.NARROWEST)
    left = (width - panel.shape[1]) // 2
    sheet = _sheet(panel.shape[0], width)
    sheet[:, left : left + panel.shape[1]] = panel
    return np.concatenate([sheet, text_strip.strip(text, width)])


def _arranged(panels: list[Pixels]) -> Pixels:
    """Panels of equal width in rows."""
    if len(panels) == 1:
        return panels[0]
    columns = min(_MOST_COLUMNS, len(panels))
    height, width = max(panel.shape[0] for panel in panels), panels[0].shape[1]
    rows = math.ceil(len(panels) / columns)
    sheet = _sheet(rows * (height + _GAP) - _GAP, columns * (width + _GAP) - _GAP)
    for index, panel in enumerate(panels):
        top, left = (index // columns) * (height + _GAP), (index % columns) * (width + _GAP)
        sheet[top : top + panel.shape[0], left : left + width] = panel
    return sheet


def _sheet(height: int, width: int) -> Pixels:
    return np.full((height, width, 3), text_strip.PAPER, np.uint8)
