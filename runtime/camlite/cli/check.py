"""``camlite check``: an artifact's golden samples on this device."""

from __future__ import annotations

import argparse
import dataclasses
from pathlib import Path

import camlite
from camlite import backends
from camlite.artifact.container import SUFFIXES
from camlite.artifact.precisions import Tolerance
from camlite.backends.own_processes import OwnProcesses
from camlite.cli import options, several
from camlite.cli.several import Several
from camlite.self_check import Check, Sample
from camlite.show import say

EXAMPLES = (
    "camlite check flowers",
    "camlite check flowers/flowers.int8.tflite --json",
)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the command line."""
    several.add_artifacts(parser)
    parser.add_argument("--json", action="store_true", help="print one JSON object per line instead of the table")
    options.add_interpreter(parser)


def run(arguments: argparse.Namespace) -> int:
    """Check each artifact; 1 where one fails, 2 where one cannot be opened, the others checked all the same."""
    artifacts = Several(arguments.artifacts)
    rows, lines = [], []
    with OwnProcesses() as processes:
        for path in artifacts.each("checking"):
            with artifacts.one(path):
                result = processes.run(_interpreter(arguments, path), path, checked, arguments, path)
                artifacts.add(int(not result.passed))
                if arguments.json:
                    say.record(_record(result))
                rows.append(_row(result))
                lines += [f"{path}: {failure}" for failure in result.failures]
    if rows and not arguments.json:
        figures = [figure.replace("_", " ") for figure in Tolerance._fields]
        say.table(["artifact", "backend", "samples", *figures, "ms", ""], rows)
        say.line(*lines)
    return artifacts.status


def checked(arguments: argparse.Namespace, path: Path) -> Check:
    """Run the golden samples of an artifact, in this process.

    Raises:
        CamliteError: it cannot be opened.
    """
    return camlite.check(options.open_explainer(arguments, path))


def _interpreter(arguments: argparse.Namespace, path: Path) -> str:
    """Artifacts of one container have the same."""
    able = (
        name
        for container, suffix in SUFFIXES.items()
        if suffix == path.suffix.lower()
        for name in backends.installed(container)
    )
    return arguments.backend or next(able, "its interpreter")


def _row(result: Check) -> list[str]:
    figures = [_figure(result, figure) for figure in Tolerance._fields]
    backend = f"{result.backend} {backends.version(result.backend)}"
    verdict = "ok" if result.passed else "FAILED"
    return [
        str(result.artifact),
        backend,
        str(len(result.samples)),
        *figures,
        f"{result.seconds * 1000:.1f}",
        verdict,
    ]


def _figure(result: Check, figure: str) -> str:
    """Of the worst sample: the figure, and what it may be at most."""
    if not result.samples:
        return ""
    sample = result.worst(figure)
    value, most = getattr(sample, figure), getattr(sample.tolerance, figure)
    return "" if value is None else f"{value:.1e} {'>' if sample.excess(figure) > 1 else '<='} {most:.1e}"


def _record(result: Check) -> dict[str, object]:
    return {
        "artifact": str(result.artifact),
        "backend": result.backend,
        "backend_version": backends.version(result.backend),
        "passed": result.passed,
        "seconds": result.seconds,
        "samples": [_sample_record(sample) for sample in result.samples],
        "failures": list(result.failures),
    }


def _sample_record(sample: Sample) -> dict[str, object]:
    return {**dataclasses.asdict(sample), "tolerance": sample.tolerance._asdict()}
