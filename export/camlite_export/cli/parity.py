"""``camlite parity``: measure artifacts against the Keras classifier they were exported from."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING, Any

from camlite.backends import BACKENDS
from camlite.cli.options import add_engine
from camlite.errors import CamliteError
from camlite.show import say
from camlite_export.cli import options

if TYPE_CHECKING:
    from camlite_export.agreement.compare import Comparison, Result

_WORST_IMAGES = 4

_COLUMNS = {
    "score_difference_max": "score diff.",
    "top1_agreement": "top-1",
    "accuracy": "accuracy",
    "correlation_p5": "correlation p5",
    "correlation_min": "worst",
    "overlap_mean": "overlap",
    "same_peak": "same peak",
    "completeness_mean": "completeness",
}


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the command line."""
    parser.add_argument("classifier", type=Path, help="the trained classifier: .keras, .h5")
    parser.add_argument("artifacts", type=Path, nargs="+", metavar="artifact", help="what was exported from it")
    parser.add_argument(
        "--data", type=Path, metavar="FOLDER|NPZ", help="images (default: the first artifact's golden samples)"
    )
    parser.add_argument("--labels", type=Path, metavar="FILE", help="text, one label a line")
    parser.add_argument("--report", type=Path, metavar="DIR", help="write a page for people there, and parity.json")
    parser.add_argument(
        "--gate",
        action="append",
        default=[],
        metavar="NAME=VALUE",
        help="a limit of your own, as top1_agreement=0.99; may be given several times",
    )
    parser.add_argument("--backend", choices=BACKENDS, help="default: whichever is installed")
    parser.add_argument("--json", action="store_true", help="one JSON object instead of the table")
    add_engine(parser)
    options.add_classifier(parser)
    options.add_preprocessing(parser)
    parser.set_defaults(fit=None)
    parser.epilog = "Labels, layer and preprocessing that are not given are those of the first artifact's card."


def run(arguments: argparse.Namespace) -> int:
    """Compare, print a row an artifact and a line a failed check; 1 where one failed."""
    from camlite_export.agreement import gates, report
    from camlite_export.agreement.expected import Given

    limits = dict(map(gates.parse, arguments.gate))
    if arguments.report:
        report.check_folder(arguments.report)
    given = Given(
        layer=options.layer(arguments.layer),
        labels=arguments.labels,
        preprocess=arguments.preprocess,
        mean=arguments.mean,
        std=arguments.std,
        fit=arguments.fit,
        trusted=arguments.trust,
    )
    comparison = _compare(arguments, given, limits)
    if arguments.report:
        report.write(comparison, arguments.report)
    if arguments.json:
        say.record(report.record(comparison))
    else:
        _print(comparison, arguments.report)
    return 0 if comparison.passed else 1


def _compare(arguments: argparse.Namespace, given: Any, limits: dict[str, float]) -> Comparison:
    options.import_tensorflow_for(arguments.classifier, arguments.trust)
    from tqdm import tqdm

    from camlite_export.agreement.compare import compare

    with tqdm(desc="parity", unit=" images", leave=False, disable=None) as bar:

        def progress(done: int, total: int) -> None:
            bar.total = total
            bar.update(done - bar.n)

        return compare(
            arguments.classifier,
            arguments.artifacts,
            arguments.data,
            given=given,
            limits=limits,
            backend=arguments.backend,
            shown=_WORST_IMAGES if arguments.report else 0,
            engine=_engine(arguments, given),
            progress=progress,
        )


def _engine(arguments: argparse.Namespace, given: Any) -> Any:
    """None for this process, else what spreads batches."""
    if arguments.engine == "local":
        return None
    if arguments.data is None:
        raise CamliteError(f"--engine {arguments.engine}: the golden samples are too few to be spread; give --data")
    from camlite_export.agreement.ray_parity import Engine

    return Engine(arguments.classifier, arguments.data, given, arguments.backend, arguments.artifacts[0])


def _print(comparison: Comparison, folder: Path | None) -> None:
    say.table(["artifact", *_COLUMNS.values(), ""], [_row(result) for result in comparison.results])
    say.line("")
    for result in comparison.results:
        for failure in result.failures:
            say.line(f"{result.artifact.path}: {failure.check}: {failure.message}")
        _print_wide_gates(result)
    expected = comparison.expected
    believed = f"; {', '.join(expected.assumed)} as the card says" if expected.assumed else ""
    say.line(f"{comparison.data} against {expected.path}{believed}")
    if folder:
        say.line(str(folder / "index.html"))


def _print_wide_gates(result: Result) -> None:
    """Say where an artifact only passes because the classifier itself is not steady."""
    wide = [one for one in result.verdicts if one.gate.usual is not None]
    if wide:
        say.line(f"{result.artifact.path}: Keras itself, with its tensors rounded, is as far off; so this is asked:")
    for one in wide:
        figure, usual = one.gate.figure, one.gate.usual
        asked, before = figure.text(one.limit), figure.text(usual)
        say.line(f"  {figure.name} {asked} instead of {before}: {one.gate.reason}")


def _row(result: Result) -> list[str]:
    from camlite_export.agreement.gates import FIGURES

    measured = result.measurement
    texts = [FIGURES[name].text(FIGURES[name].value(measured)) if measured else "" for name in _COLUMNS]
    return [result.artifact.path.name, *texts, "ok" if result.passed else "FAILED"]
