"""``camlite faithful``: how well do an artifact's maps point at what moves its scores?"""

from __future__ import annotations

import argparse
import math
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from camlite.artifact import Artifact
from camlite.cli import options, several
from camlite.cli.several import Several
from camlite.confidence import Interval
from camlite.faithfulness import summary
from camlite.faithfulness.findings import Found, Sanity
from camlite.faithfulness.insertion_deletion import STEPS
from camlite.faithfulness.measuring import MAPS, Measured
from camlite.images.masked_source import Source
from camlite.show import say
from camlite.system.extensions import extension
from camlite.texts import counted

_COLUMNS = {"artifact": "its map", "random": "a random map", "centre": "the middle"}

EXAMPLES = (
    "camlite faithful flowers/flowers.int8.tflite photos",
    "camlite faithful flowers photos --report faithful",
)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the command line."""
    several.add_artifacts(parser)
    parser.add_argument("data", type=Path, help="pictures, with or without masks, as for `camlite audit`")
    parser.add_argument("--masks", type=Path, metavar="DIR", help="folder with the masks of DATA: the same names, .png")
    parser.add_argument("--images", type=Path, metavar="DIR", help="with COCO: folder with its pictures")
    parser.add_argument(
        "--steps",
        type=options.positive,
        default=STEPS,
        metavar="N",
        help=f"steps of insertion and deletion (default: {STEPS})",
    )
    parser.add_argument(
        "--model",
        type=Path,
        metavar="FILE",
        help="the original classifier: also compare its evidence with that of random weights",
    )
    parser.add_argument("--report", type=Path, metavar="DIR", help="folder for a report: index.html and faithful.json")
    parser.add_argument("--json", action="store_true", help="print one JSON object instead of the table")
    options.add_interpreter(parser)
    parser.epilog = "The exit code is 1 if a picture cannot be measured. The others are measured all the same."


def run(arguments: argparse.Namespace) -> int:
    """Measure each artifact; 1 where a picture is bad, 2 where an artifact is, the others are measured all the same."""
    report = extension("faithful_report") if arguments.report else None
    if report:
        report.check_folder(arguments.report)
    sanity = _Sanity(arguments) if arguments.model else None
    artifacts = Several(arguments.artifacts)
    found: list[Found] = []
    for path in artifacts.each("opening"):
        with artifacts.one(path):
            one = _measure(arguments, path, sanity)
            found.append(one)
            for line in one.figures.bad:
                say.notice(f"left out: {line}")
            artifacts.add(int(bool(one.figures.bad)))
    if not found:
        return artifacts.status
    content = _record(arguments, found)
    if report:
        say.progress(f"writing {arguments.report}", last=False)
        report.write(arguments.report, str(arguments.data), arguments.steps, found, content)
    if arguments.json:
        say.record(content)
    else:
        _print(arguments, found)
    return artifacts.status


class _Sanity:
    """Evidence of randomized weights, once for all artifacts of the same classifier, cut and pixels."""

    def __init__(self, arguments: argparse.Namespace) -> None:
        self._arguments = arguments
        self._randomized = extension("randomized_weights")
        self._known: dict[object, Sanity] = {}

    def of(self, artifact: Artifact) -> Sanity:
        card = artifact.card
        key = (card.classifier_sha256, card.head.layer, card.preprocessing, card.labels)
        if key not in self._known:
            say.progress(f"{self._arguments.model.name}: randomizing its weights", last=True)
            source = _source(self._arguments)
            self._known[key] = self._randomized.measure(self._arguments.model, artifact.path, source)
        return self._known[key]


def _source(arguments: argparse.Namespace) -> Source:
    return Source(arguments.data, arguments.images, arguments.masks)


def _measure(arguments: argparse.Namespace, path: Path, sanity: _Sanity | None) -> Found:
    explainer = options.open_explainer(arguments, path)
    measured = Measured(explainer, _source(arguments).open(explainer.labels))
    randomized = sanity.of(explainer.artifact) if sanity else None  # first: it tells whether --model is the right one

    def progress(done: int, of_all: int) -> None:
        say.progress(f"{path.name}: {done:,} of {counted(of_all, 'picture')}", done == of_all)

    figures = measured.run(arguments.steps, progress)
    return Found(measured, figures, summary.summarize(figures), randomized)


def _record(arguments: argparse.Namespace, found: Sequence[Found]) -> dict[str, Any]:
    """What ``--json`` prints, see runtime/spec/faithful.schema.json."""
    return {
        "data": str(arguments.data),
        "steps": arguments.steps,
        "artifacts": [one.record() for one in found],
    }


def _print(arguments: argparse.Namespace, found: Sequence[Found]) -> None:
    """A table per artifact, a row per measure: all of them beside one another are too wide for a terminal."""
    for one in found:
        say.line(f"{one.path}: {one.map}, {counted(len(one.figures.index), 'picture')}", "")
        rows = [
            [of.measure.title, of.measure.better, *(_cell(of.figures[name]) for name in MAPS)] for of in one.summaries
        ]
        say.table(["measure", "better", *(_COLUMNS[name] for name in MAPS)], rows)
        say.line("", *(f"{one.path}: {line}" for line in one.lines()), "")
    if arguments.report:
        say.line(str(arguments.report / "index.html"))
    else:
        say.line("--report DIR shows it in pictures; it needs the extra `audit`")


def _cell(of: Interval) -> str:
    return "" if math.isnan(of.mean) else f"{of.mean:.3f} ({of.low:.2f} to {of.high:.2f})"
