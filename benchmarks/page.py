"""The page docs/performance.md and its plot, from what `make bench` measured."""

from __future__ import annotations

import statistics
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

_TITLE = """# What an explanation costs

`make bench` measured this on {date}: {machine}, one thread, 28 x 28
images for the reference classifier. `classify` is the loop over the bare interpreter that a careful engineer writes
(`runtime/camlite/bench/plain_loop.py`); `explain` is camlite's, up to the finished heatmap at the size of the input.
Both run turn by turn in one process, each backend in a process of its own. A figure is the median of {passes} passes
minutes apart, in brackets the least and the largest of them: the machine is shared.
`camlite bench ARTIFACT...` measures the first rows on any device.

![Ratios to the plain loop, and growth](performance.png)
"""

_REST = """
## What the remaining time is made of

Microseconds of each step of `explain(image).heatmap`, medians, without the clock's own.

{parts}

The run belongs to the interpreter. The rest is about twenty calls of numpy; each takes 0.1 to 0.9 microseconds to
start, whatever it computes. With a network that runs in 12 microseconds, a ratio of 1.05 would allow 0.6 for all of
them. We tried to move them into the graph (ai-edge-litert, float32 and int8, interleaved). With the evidence of all
classes in the graph (`--evidence graph`) the run takes 28.7 instead of 28.5 and 12.2 instead of 12.4 microseconds, and
numpy half a microsecond less. With the heatmap in the graph as well, the run takes 1.4 to 5 more, which is what numpy
takes.

Memory: in addition to the interpreter, camlite keeps its own modules (1 MB) and the class weights in float32 (5 MB for
MobileNetV2 with 1000 classes).

Start: the bare script (`benchmarks/cold_start.py`) loads numpy, Pillow and the interpreter, decodes the picture,
classifies it and prints the class; `camlite explain` also verifies the artifact, draws the picture
with its label, and writes it. Most of the additional time is importing (argparse, json, Pillow's fonts, camlite's own
modules), followed by drawing, writing, verifying and the command line.

Export: the converters alone are called as their documentation does it (`benchmarks/converters.py`). `from_keras_model`
writes a SavedModel on the way to each `.tflite`; camlite traces the model and leaves that out, and so has time for
proving and measuring. A script that leaves it out, too, would be faster than both. Only the reference classifier was
measured.

Size: half of what int8.tflite of the reference classifier has more are its golden samples (4 of 8 kB); the rest are
card, labels, and what the model does not hold of the class weights. `size, artifact / bare converter's` compares the
artifact with what the converter makes of the same classifier without camlite. `camlite bench` has no converter and
prints `size / model`: a comparison with the model inside the artifact, which is smaller if camlite quantizes
differently (int8.onnx).

## All classes

The evidence of all 1000 classes of MobileNetV2 is 7 x 7 x 1280 x 1000 multiplications, a fifth of what the network
itself multiplies. So a ratio of 1.10 is possible only in int8, if the graph computes them (`camlite export --evidence
graph`). numpy multiplies float32 in every precision, at half the interpreter's speed.

## A camera's frames

1280 x 720 RGB, prepared for the 28 x 28 classifier; frames a second.

{frames}

camlite converts only the rows and columns that the bilinear resize uses to float32, and looks up the colours of the
overlay in a table of all pairs of grey and heat.

## Growth

Microseconds of `classify` and `explain` (a batch: for each of its images).

{growth}

## Others

The same architecture, one image; each library compared with the plain forward pass of its own framework.

{peers}
"""


class Row(NamedTuple):
    """A figure with its goal, the most or (`at_least`) the least that it may be."""

    what: str
    values: Sequence[float]
    goal: float
    at_least: bool = False

    @property
    def cells(self) -> tuple[str, str, str, str]:
        """As the table shows it."""
        middle, low, high = statistics.median(self.values), min(self.values), max(self.values)
        digits = 0 if self.at_least else 3
        spread = f" ({low:.{digits}f} to {high:.{digits}f})" if len(self.values) > 1 else ""
        reached = middle >= self.goal if self.at_least else round(middle, 3) <= self.goal
        goal = f"{self.goal:.0f} or more" if self.at_least else f"{self.goal:.2f} or less"
        return self.what, f"{middle:.{digits}f}{spread}", goal, "yes" if reached else "no"


def rows(found: Mapping[str, Any]) -> Iterator[Row]:
    """The table of goals."""
    races = found["races"].values()
    for race in races:
        seed = race["artifact"].startswith("fashion")
        name = race["artifact"].removeprefix("fashion_mnist.").replace("mobilenet", "MobileNetV2")
        yield Row(f"explain / classify, {name}, {race['backend']}", race["explain_ratio"], 1.05 if seed else 1.01)
    for race in races:
        if not race["artifact"].startswith("fashion"):
            name = race["artifact"].replace("mobilenet", "MobileNetV2")
            what = f"evidence of all 1000 classes / of one, {name}, {race['backend']}"
            yield Row(what, race["all_classes_ratio"], 1.1)
            yield Row(f"{what}, all in the graph", race["graph_ratio"], 1.1)
    explain = found["races"]["fashion_mnist.float32.tflite ai-edge-litert"]["explain"]
    notebook = found["peers"]["keras"]["course notebook"][1] / statistics.median(explain)
    yield Row("course notebook / explain, float32.tflite, ai-edge-litert", [notebook], 400, True)
    for race in races:
        if race["artifact"].startswith("fashion"):
            name = race["artifact"].removeprefix("fashion_mnist.")
            yield Row(
                f"resident memory, explaining / classifying, {name}, {race['backend']}", race["memory_ratio"], 1.03
            )
    yield Row("cold start, `camlite explain` / bare script", _ratios(found["cold start"]), 1.15)
    for name, (size, bare) in found["sizes"].items():
        yield Row(f"size, artifact / bare converter's, {name}", [size / bare], 1.01 if "Mobile" in name else 1.05)
    yield Row("wall time, `camlite export` of all eight / converters alone", _ratios(found["export"]), 1.25)


def write(found: Mapping[str, Any], folder: Path) -> str:
    """Write page and plot; returns the table of goals."""
    passes = len(next(iter(found["races"].values()))["explain_ratio"])
    goals = _table(["figure", "measured", "goal", "reached"], [row.cells for row in rows(found)])
    rest = _REST.format(parts=_parts(found), frames=_frames(found), growth=_growth(found), peers=_peers(found))
    (folder / "performance.md").write_text(_TITLE.format(passes=passes, **found) + "\n" + goals + "\n" + rest)
    draw(found, folder / "performance.png")
    return goals


def draw(found: Mapping[str, Any], path: Path) -> None:
    """Left: what an explanation takes beside the plain pass, camlite and others. Right: how both grow."""
    import matplotlib as mpl

    mpl.use("Agg")
    from matplotlib import pyplot as plt

    figure = plt.figure(figsize=(12, 6.4), layout="constrained", dpi=110)
    left, right = figure.subfigures(1, 2, width_ratios=(1, 1.35))
    bars = left.subplots()
    names, ratios = zip(*_compared(found), strict=True)
    colours = ["#b5367a" if "camlite" in name else "#9a9a9a" for name in names]
    bars.barh(range(len(names)), ratios, color=colours)
    for place, ratio in enumerate(ratios):
        bars.text(ratio, place, f" {ratio:.2f}" if ratio < 10 else f" {ratio:.0f}", va="center", fontsize=9)
    bars.set_yticks(range(len(names)), names, fontsize=9)
    bars.invert_yaxis()
    bars.set_xscale("log")
    bars.set_xlim(0.8, max(ratios) * 3)
    bars.axvline(1, color="black", linewidth=0.8)
    bars.set_xlabel("time with explanation / plain forward pass")
    bars.spines[["top", "right"]].set_visible(False)
    axes = right.subplots(3, 2).ravel()
    for axis, (name, points) in zip(axes, found["growth"].items(), strict=False):
        labels, classify, explain = zip(*points, strict=True)
        axis.plot(labels, classify, "o-", color="#9a9a9a", label="classify", markersize=4)
        axis.plot(labels, explain, "o-", color="#b5367a", label="explain", markersize=4)
        axis.set_yscale("log")
        axis.yaxis.set_major_formatter("{x:g}")
        axis.yaxis.set_minor_formatter("{x:g}" if max(explain) < 8 * min(classify) else "")
        axis.set_title(name, fontsize=10)
        axis.tick_params(labelsize=8, which="both")
        axis.tick_params(axis="x", labelsize=6.5 if len(labels) > 4 else 8)
        axis.spines[["top", "right"]].set_visible(False)
        axis.set_ylabel("us", fontsize=8)
    for axis in axes[len(found["growth"]) :]:
        axis.set_axis_off()
        axis.legend(*axes[0].get_legend_handles_labels(), loc="center", frameon=False)
    figure.savefig(path)
    plt.close(figure)


def example() -> Any:
    """A picture that the reference classifier knows: its first golden sample, uint8 (28, 28)."""
    from camlite import artifact

    reference = Path(__file__).resolve().parents[1] / "artifacts" / "fashion_mnist" / "fashion_mnist.int8.tflite"
    return artifact.read(reference).arrays.golden_images[0, ..., 0]


def _compared(found: Mapping[str, Any]) -> Iterator[tuple[str, float]]:
    for race in found["races"].values():
        name = race["artifact"].replace("fashion_mnist.", "").replace("mobilenet", "MobileNetV2")
        yield f"camlite, {name}, {race['backend']}", statistics.median(race["explain_ratio"])
    for peers in found["peers"].values():
        for name, times in peers.items():
            if name != "failed":
                yield name, times[1] / times[0]


def _ratios(taken: Mapping[str, Sequence[float]]) -> list[float]:
    bare, camlite = taken.values()
    return [statistics.median(one / other for one, other in zip(camlite, bare, strict=True))]


def _parts(found: Mapping[str, Any]) -> str:
    details = found["details"]
    steps = next(iter(details.values()))["parts"]
    lines = [[step, *(f"{one['parts'][step]:.2f}" for one in details.values())] for step in steps]
    around = [sum(one["parts"].values()) - one["parts"]["the interpreter's run"] for one in details.values()]
    lines.append(["**all but the run**", *(f"**{time:.2f}**" for time in around)])
    return _table(["step", *(name.replace(" ", ", ") for name in details)], lines)


def _frames(found: Mapping[str, Any]) -> str:
    details = found["details"]
    whats = next(iter(details.values()))["frames"]
    lines = [[what, *(f"{1e6 / one['frames'][what]:,.0f}" for one in details.values())] for what in whats]
    return _table(["", *(name.replace(" ", ", ") for name in details)], lines)


def _growth(found: Mapping[str, Any]) -> str:
    lines = []
    for axis, points in found["growth"].items():
        for size, classify, explain in points:
            lines.append([axis, size, f"{classify:,.0f}", f"{explain:,.0f}", f"{explain / classify:.2f}"])
    return _table(["axis", "size", "classify", "explain", "explain / classify"], lines)


def _peers(found: Mapping[str, Any]) -> str:
    lines = []
    for framework, peers in found["peers"].items():
        if "failed" in peers:
            lines.append([framework, f"does not run here: {' '.join(peers['failed'])[:100]}", "", ""])
            continue
        for name, (plain, time) in peers.items():
            lines.append([name, f"{plain:,.0f}", f"{time:,.0f}", f"{time / plain:.2f}"])
    return _table(["library", "plain forward pass us", "with explanation us", "ratio"], lines)


def _table(header: Sequence[str], lines: Sequence[Sequence[str]]) -> str:
    rule = ["---", *["---:"] * (len(header) - 1)]
    return "\n".join("| " + " | ".join(line) + " |" for line in (header, rule, *lines))
