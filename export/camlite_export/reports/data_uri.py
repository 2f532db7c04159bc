"""Pictures as data URIs, so that a page fetches nothing."""

from __future__ import annotations

import base64
import io
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np
from numpy.typing import NDArray

from camlite.show import fonts

# Readable on white and on black: the contrast to either is 4.5.
GREY = "#757575"
FILL = "#d9702a"
LIMIT = "#3d85c6"
# matplotlib's setting for labels and names: a dollar sign is no formula.
PLAIN_TEXT: dict[Any, Any] = {"text.parse_math": False}


def png(colours: NDArray[Any]) -> str:
    """A picture (H, W) or (H, W, 3) with numbers in 0..255."""
    from PIL import Image

    buffer = io.BytesIO()
    Image.fromarray(np.rint(colours).astype(np.uint8)).save(buffer, format="PNG", optimize=True)
    return _uri("image/png", buffer.getvalue())


def svg(figure: Any) -> str:
    """A matplotlib figure, transparent; the same text for the same figure, when it was drawn inside `style`."""
    buffer = io.BytesIO()
    figure.savefig(buffer, format="svg", transparent=True, metadata={"Date": None, "Creator": None})
    return _uri("image/svg+xml", buffer.getvalue())


@contextmanager
def style(text: str = "") -> Iterator[None]:
    """How charts are drawn that stand on light and on dark paper.

    Args:
        text: all labels that are drawn; they may be in any script.
    """
    import matplotlib

    settings = {**PLAIN_TEXT, "svg.hashsalt": "camlite", "font.size": 9, "text.color": GREY}
    with matplotlib.rc_context({**settings, "font.family": families(text)}):
        yield


def families(text: str) -> list[str]:
    """matplotlib's own font, and those of the system for what it lacks; also those that were installed lately."""
    from matplotlib import font_manager

    families = ["DejaVu Sans"]
    for file in sorted(set(fonts.files_of(text).values()) - {fonts.OWN}):
        font_manager.fontManager.addfont(file)
        families.append(font_manager.get_font(file).family_name)
    return list(dict.fromkeys(families))


def plain_axes(axes: Any) -> None:
    """Leave of the frame the bottom line alone."""
    axes.spines[["left", "right", "top"]].set_visible(False)
    axes.spines["bottom"].set_color(GREY)
    axes.tick_params(which="both", colors=GREY, labelsize=8)
    axes.tick_params(axis="y", length=0)


def _uri(kind: str, content: bytes) -> str:
    return f"data:{kind};base64,{base64.b64encode(content).decode()}"
