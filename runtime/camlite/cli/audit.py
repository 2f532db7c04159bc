"""``camlite audit``: does an artifact look at the object, or beside it?"""

from __future__ import annotations

import argparse
import math
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from camlite.audit import engine as engines
from camlite.audit.counterfactual import KINDS
from camlite.audit.regions import REGIONS
from camlite.audit.verdict import JUDGED, LEAST_IMAGES, ClassVerdict, judge
from camlite.cli import options
from camlite.confidence import Interval
from camlite.images.masked_source import Source
from camlite.show import say
from camlite.system.extensions import extension
from camlite.texts import counted

EXAMPLES = (
    "camlite audit flowers/flowers.int8.tflite photos",
    "camlite audit flowers/flowers.int8.tflite photos --report audit",
)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the command line."""
    parser.add_argument("artifact", type=Path, help="a .tflite or .onnx file that `camlite export` wrote")
    parser.add_argument(
        "data",
        type=Path,
        help="a folder with images/LABEL/STEM.jpg and masks/LABEL/STEM.png, Pascal VOC, COCO's .json, or an .npz with "
        "images, classes and masks; without masks: any folder of pictures",
    )
    parser.add_argument("--images", type=Path, metavar="DIR", help="with COCO: folder with its pictures")
    parser.add_argument("--report", type=Path, metavar="DIR", help="folder for a report: index.html and audit.json")
    parser.add_argument("--json", action="store_true", help="print one JSON object instead of the table")
    options.add_engine(parser)
    parser.add_argument(
        "--resume",
        type=Path,
        metavar="DIR",
        help="folder that keeps finished batches: a run that was stopped continues from there",
    )
    options.add_interpreter(parser)
    parser.epilog = "The exit code is 1 if the classifier recognizes a class by something else than its object."


def run(arguments: argparse.Namespace) -> int:
    """Audit, print a row a class; 1 where one is a shortcut."""
    say.progress(f"opening {arguments.artifact.name}", last=False)
    report = extension("audit_report") if arguments.report else None
    if report:
        report.check_folder(arguments.report)
    engine = engines.local
    if arguments.engine == "ray":
        engine = extension("ray_audit").engine
    task = engines.Task(
        arguments.artifact,
        Source(arguments.data, arguments.images),
        arguments.backend,
        arguments.threads,
        tuple(arguments.trusted) if arguments.trusted else None,
    )
    measure, data = task.open()
    say.progress(f"reading {arguments.data.name}", last=False)
    figures = engines.run(task, measure, len(data), engine, arguments.resume, _progress)
    labels = measure.labels
    verdicts = judge(figures, labels, data.read_mask is not None)
    found = _record(arguments, verdicts)
    if report:
        say.progress(f"writing {arguments.report}", last=False)
        report.write(arguments.report, task, measure, data, figures, verdicts, found)
    if arguments.json:
        say.record(found)
    else:
        _print(arguments, verdicts)
    return int(any(one.shortcut for one in verdicts))


def _record(arguments: argparse.Namespace, verdicts: Sequence[ClassVerdict]) -> dict[str, Any]:
    """The verdicts as JSON has them; a number that is not known is null."""
    return {
        "artifact": str(arguments.artifact),
        "data": str(arguments.data),
        "shortcut": any(one.shortcut for one in verdicts),
        "classes": [_class_record(one) for one in verdicts],
    }


def _class_record(one: ClassVerdict) -> dict[str, Any]:
    """One verdict as JSON has it."""

    def interval(of: Interval) -> list[float] | None:
        return None if math.isnan(of.mean) else list(of)

    return {
        "label": one.label,
        "verdict": one.verdict,
        "region": one.region,
        "reason": one.reason,
        "images": one.images,
        "of": one.of,
        "objects": one.objects,
        **{name: interval(getattr(one, name)) for name in ("concentration", "inside", "object_share", "peak")},
        "follows": {kind: interval(one.follows[kind]) for kind in KINDS},
        "regions": {name: interval(of) for name, of in one.regions.items()},
        "region_follows": {name: interval(of) for name, of in one.region_follows.items()},
    }


def _print(arguments: argparse.Namespace, verdicts: Sequence[ClassVerdict]) -> None:
    masked = any(one.verdict != "no masks" for one in verdicts)
    rows = [_row(one, masked) for one in verdicts]
    if masked:
        header = ["class", "images", "verdict", "evidence on the object", "its share", "peak", "score follows it"]
    else:
        header = ["class", "images", "suspect region", *(f"score follows {name}" for name in REGIONS)]
    say.table([*header, "evidence in sky, ground, border, corners, less their share"], rows)
    notes = [f"{one.label}: {one.reason}" for one in verdicts if one.reason and one.verdict == "undecided"]
    if masked and any(not one.objects for one in verdicts):
        notes.append("* shows no object: judged by the counterfactual only")
    if not masked:
        notes.append("no masks, so no verdict: a suspect region is one that the score follows more than all the rest")
    if any(one.images != one.of for one in verdicts):
        notes.append("images: only those count that the artifact classifies correctly")
    say.line(*notes)
    if arguments.report:
        say.line(str(arguments.report / "index.html"))
    else:
        say.line("--report DIR shows it in pictures; it needs the extra `audit`")


def _row(one: ClassVerdict, masked: bool) -> list[str]:
    regions = "  ".join(f"{of.mean:+.0%}" for of in one.regions.values()) if one.images else ""
    images = str(one.images) if one.images == one.of else f"{one.images} of {one.of}"
    if not masked:
        follows = ["" if math.isnan(of.mean) else f"{of.mean:+.2f}" for of in one.region_follows.values()]
        found = one.region or ("none" if one.images >= LEAST_IMAGES else "too few images")
        return [one.label, images, found, *follows, regions]
    return [
        one.label,
        images,
        one.text,
        _percent(one.inside),
        "" if math.isnan(one.object_share.mean) else f"{one.object_share.mean:.0%}",
        "" if math.isnan(one.peak.mean) else f"{one.peak.mean:.0%}",
        _signed(one.follows[JUDGED]),
        regions,
    ]


def _percent(of: Interval) -> str:
    return "" if math.isnan(of.mean) else f"{of.mean:.0%} ({of.low:.0%} to {of.high:.0%})"


def _signed(of: Interval) -> str:
    return "" if math.isnan(of.mean) else f"{of.mean:+.2f} ({of.low:+.2f} to {of.high:+.2f})"


def _progress(done: int, of_all: int) -> None:
    """A line that writes over itself, for a person who waits."""
    say.progress(f"{done:,} of {counted(of_all, 'image')}", done == of_all)
