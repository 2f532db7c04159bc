"""The scale of a picture: its colours from no evidence to the most, with the number of logits."""

from __future__ import annotations

import numpy as np

from camlite.images.preprocessing import Pixels
from camlite.show import text_strip

HIGHEST = 64
"""A bar has at most so many rows."""

_WIDEST, _SHORTEST, _MARGIN = 480, 24, 6


def bar(colours: Pixels, peak: float, width: int, panel: int) -> Pixels:
    """A bar of colours between 0 and its largest number, on the paper of `text_strip`: uint8 (h, width, 3).

    Args:
        colours: uint8 (1, n, 3), from no evidence to the most.
        peak: the most, in logits; where it is 0 there is nothing to scale, and the bar says so.
        width: of the result in pixels.
        panel: width of the panels above, at least `text_strip.NARROWEST`; bar and text are made for one of them.
    """
    size = min(panel, _WIDEST)
    if not peak > 0:
        return _low(_widened(text_strip.strip("no evidence for it", size), width))
    left, right = (_cut(text_strip.strip(text, size)) for text in ("0", f"{_short(peak)} logits"))
    start, stop = left.shape[1], size - right.shape[1]
    if stop - start < _SHORTEST:
        return _low(_widened(_above(colours, text_strip.strip(f"0 to {_short(peak)} logits", size)), width))
    height = max(left.shape[0], right.shape[0])
    sheet = _paper(height, width)
    sheet[: left.shape[0], :start] = left
    sheet[_MARGIN : height - _MARGIN, start:stop] = _stretched(colours, stop - start)
    sheet[: right.shape[0], stop:size] = right
    return _low(sheet)


def _above(colours: Pixels, strip: Pixels) -> Pixels:
    """The bar above its text, where both have no room beside each other."""
    width = strip.shape[1]
    sheet = _paper(2 * _MARGIN, width)
    sheet[_MARGIN:, _MARGIN:-_MARGIN] = _stretched(colours, width - 2 * _MARGIN)
    return np.concatenate([sheet, strip])


def _paper(height: int, width: int) -> Pixels:
    return np.full((height, width, 3), text_strip.PAPER, np.uint8)


def _widened(sheet: Pixels, width: int) -> Pixels:
    """A sheet on paper of a width; its text is as large as that of a panel, however many panels there are."""
    wider = _paper(len(sheet), width)
    wider[:, : sheet.shape[1]] = sheet
    return wider


def _stretched(colours: Pixels, width: int) -> Pixels:
    return colours[:, np.linspace(0, colours.shape[1] - 1, width).round().astype(np.intp)]


def _low(sheet: Pixels) -> Pixels:
    return sheet[:HIGHEST]


def _short(number: float) -> str:
    """Three digits, and no exponent before a million."""
    return f"{number:.0f}" if 1000 <= number < 1e6 else f"{number:.3g}"


def _cut(strip: Pixels) -> Pixels:
    """A strip of text without the paper that is right of it, but for a margin."""
    inked = np.flatnonzero((strip != text_strip.PAPER).any(axis=(0, 2)))
    return strip[:, : inked[-1] + 1 + _MARGIN]
