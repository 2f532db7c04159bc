"""One picture of the legend: what both classifiers look at, in the field."""

from __future__ import annotations

import io
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from camlite.audit import engine
from camlite.images.masked_source import Source
from camlite.images.preprocessing import Pixels
from camlite.maps import resize
from camlite.show.overlay import lay_over
from camlite_export import output_folder
from camlite_export.agreement.interpreter_process import interpreter_process
from tanks.landscape import CLOUDY, WEATHERS
from tanks.legend import FIELD, NAMES, Audited, field_seed
from tanks.scenes import LABELS, scenes

_COLUMNS = 8
_ZOOM = 3
_OPACITY = 0.75
_GOOD, _BAD, _SOFT = "#1a7f37", "#c62828", "#6a6a70"


@dataclass(frozen=True)
class Seen:
    """What a classifier answers for a picture, and where it looked."""

    named: str
    right: bool
    overlay: Pixels


def draw(path: Path, folder: Path, audited: Sequence[Audited]) -> None:
    """Write the picture, PNG.

    Args:
        path: of the picture.
        folder: where `legend.rebuild` has written.
        audited: what it found.
    """
    chosen = _chosen(audited[0].seed)
    shown = [one for one in audited if one.precision == "int8" and one.seed == audited[0].seed]
    rows = []
    for one in shown:
        with interpreter_process() as process:
            rows.append((one, process.submit(_look, one.artifact, folder / "field", chosen).result()))
    output_folder.write_all(path.parent, {path.name: _sheet(rows)})


def _chosen(seed: int) -> list[int]:
    """Pictures of the field: tank or none, cloudy or sunny, turn by turn."""
    drawn = scenes(FIELD, field_seed(seed), confounded=False)
    cloudy = np.isin(drawn.weathers, [i for i, name in enumerate(WEATHERS) if name in CLOUDY])
    large = drawn.masks.sum(axis=(1, 2)) > np.median(drawn.masks[drawn.classes == 1].sum(axis=(1, 2)))
    groups = [
        np.flatnonzero((drawn.classes == k) & (cloudy == dull) & (large if k else True))
        for dull in (False, True)
        for k in (1, 0)
    ]
    turns = [int(group[turn]) for turn in range(_COLUMNS) for group in groups]
    # In the order in which the folder is read: label by label.
    return sorted(turns[:_COLUMNS], key=lambda i: (LABELS[1 - drawn.classes[i]], i))


def _look(artifact: Path, field: Path, chosen: Sequence[int]) -> list[tuple[Pixels, Seen]]:
    """Picture and answer; evidence is that of the audit, of the named class. For a process of its own."""
    measure, data = engine.Task(artifact, Source(field)).open()
    places = {int(Path(name).stem): place for place, name in enumerate(data.images.names)}
    found = []
    for number in chosen:
        pixels = data.images[places[number]]
        _, named, _, evidence = measure.evidence(pixels, None)
        large = pixels.repeat(_ZOOM, axis=0).repeat(_ZOOM, axis=1)
        size, drawn = (evidence.shape[0], evidence.shape[1]), (large.shape[0], large.shape[1])
        heat = resize.heatmap(evidence, resize.Resizing(size, drawn, measure.window))
        right = Path(data.images.names[places[number]]).parent.name == measure.labels[named]
        found.append((large, Seen(measure.labels[named], right, lay_over(large, heat, _OPACITY))))
    return found


def _sheet(rows: Sequence[tuple[Audited, Sequence[tuple[Pixels, Seen]]]]) -> bytes:
    from matplotlib.figure import Figure

    figure = Figure(figsize=(1.25 * _COLUMNS, 5.1), dpi=100, facecolor="white")
    figure.subplots_adjust(left=0.01, right=0.99, top=0.955, bottom=0.03, hspace=0.46, wspace=0.05)
    grid = figure.subplots(1 + len(rows), _COLUMNS, squeeze=False)
    for axes, (pixels, _) in zip(grid[0], rows[0][1], strict=True):
        axes.imshow(pixels)
    _title(grid[0], "The field: any weather, with and without a tank", "")
    for axes_row, (one, answers) in zip(grid[1:], rows, strict=True):
        for axes, (_, seen) in zip(axes_row, answers, strict=True):
            axes.imshow(seen.overlay)
            axes.set_xlabel(seen.named, fontsize=9, color=_GOOD if seen.right else _BAD, labelpad=2)
        tank = one.verdicts[LABELS.index("tank")]
        title = "Trained where tanks came with clouds" if NAMES[one.name] else "Trained in all weathers"
        told = f"{one.validation:.0%} of its validation set, {one.field:.0%} in the field. "
        _title(axes_row, f"{title}: {told}", f"camlite audit: {tank.text}", _BAD if tank.shortcut else _GOOD)
    for axes in grid.flat:
        axes.set(xticks=[], yticks=[])
        axes.spines[:].set_visible(False)
    buffer = io.BytesIO()
    figure.savefig(buffer, format="png", metadata={"Software": None})
    return _smaller(buffer)


def _title(axes_row: Any, text: str, verdict: str, colour: str = _SOFT) -> None:
    left, right = axes_row[0], axes_row[-1]
    left.text(0, 1.06, text, fontsize=10, color="#1d1d1f", transform=left.transAxes, va="bottom")
    right.text(
        1, 1.06, verdict, fontsize=10, color=colour, weight="bold", transform=right.transAxes, va="bottom", ha="right"
    )


def _smaller(picture: io.BytesIO) -> bytes:
    """In 256 colours, strewn, a picture of this kind looks the same and takes half the room."""
    from PIL import Image

    colours = Image.open(picture).convert("RGB")
    palette = colours.quantize(256, Image.Quantize.MEDIANCUT)
    buffer = io.BytesIO()
    colours.quantize(palette=palette, dither=Image.Dither.FLOYDSTEINBERG).save(buffer, "PNG", optimize=True)
    return buffer.getvalue()
