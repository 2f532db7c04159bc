"""``camlite parity``: measure artifacts against the Keras classifier they were exported from."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING

import camlite_export
from camlite.backends import BACKENDS
from camlite.cli import several
from camlite.cli.options import add_engine
from camlite.cli.several import Several
from camlite.show import say
from camlite_export.cli import options
from camlite_export.cli.waiting import STAGE_AND_BAR, waiting

if TYPE_CHECKING:
    from camlite_export.agreement.compare import Comparison

EXAMPLES = (
    "camlite parity flowers.keras flowers --data photos",
    "camlite parity flowers.keras flowers/flowers.int8.tflite --data photos --report parity --gate top1_agreement=0.99",
)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the command line."""
    parser.add_argument("classifier", type=Path, help="the trained classifier: .keras, .h5, .hdf5, .model")
    several.add_artifacts(parser)
    parser.add_argument(
        "--data",
        type=Path,
        metavar="FOLDER|NPZ",
        help="pictures to compare on (default: the golden samples of the first artifact)",
    )
    parser.add_argument(
        "--labels", type=Path, metavar="FILE", help="file with one label per line (with or without numbers), or JSON"
    )
    parser.add_argument("--report", type=Path, metavar="DIR", help="folder for a report: index.html and parity.json")
    parser.add_argument(
        "--gate",
        action="append",
        default=[],
        metavar="NAME=VALUE",
        help="a limit of your own, such as top1_agreement=0.99; may be given several times",
    )
    parser.add_argument(
        "--backend", choices=BACKENDS, help="the interpreter (default: the first one that is installed)"
    )
    parser.add_argument("--json", action="store_true", help="print one JSON object instead of the table")
    add_engine(parser)
    options.add_classifier(parser)
    options.add_preprocessing(parser)
    parser.set_defaults(fit=None)
    parser.epilog = "Labels, layer and preprocessing that you do not give are taken from the first artifact."


def run(arguments: argparse.Namespace) -> int:
    """Compare, print a row an artifact and a line a failed check.

    1 where one failed or an image cannot be read, 2 where an artifact cannot be opened; the others are compared.
    """
    from camlite_export.agreement import gates

    limits = dict(map(gates.parse, arguments.gate))
    artifacts = Several(arguments.artifacts)
    if not artifacts.paths:
        return artifacts.status
    comparison = _compare(arguments, artifacts.paths, limits)
    artifacts.add(2 if comparison.unopened else int(not comparison.passed))
    if arguments.json:
        say.record(comparison.to_dict())
        return artifacts.status
    from camlite_export.agreement import summary

    say.table(summary.HEADER, list(summary.rows(comparison.results)))
    say.line("", *summary.lines(comparison))
    if arguments.report:
        say.line(str(arguments.report / "index.html"))
    return artifacts.status


def _compare(arguments: argparse.Namespace, artifacts: list[Path], limits: dict[str, float]) -> Comparison:
    with waiting(STAGE_AND_BAR) as bar:

        def progress(done: int, total: int) -> None:
            bar.total = total
            bar.set_description_str("comparing images")
            bar.update(done - bar.n)

        return camlite_export.parity(
            arguments.classifier,
            artifacts,
            arguments.data,
            labels=arguments.labels,
            report=arguments.report,
            gates=limits,
            backend=arguments.backend,
            engine=arguments.engine,
            layer=options.layer(arguments.layer),
            preprocess=arguments.preprocess,
            mean=arguments.mean,
            std=arguments.std,
            order=arguments.order,
            fit=arguments.fit,
            trust=arguments.trust,
            structure=arguments.structure,
            progress=progress,
        )
