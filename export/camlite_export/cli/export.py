"""``camlite export``: a trained classifier in, artifacts, a table and a picture out."""

from __future__ import annotations

import argparse
import contextlib
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Any, get_args

import camlite_export
from camlite.artifact import Container
from camlite.artifact.precisions import Precision
from camlite.show import say
from camlite_export.cli import options
from camlite_export.cli.waiting import STAGE_AND_BAR, waiting
from camlite_export.cutting.heads import OF_AFFINE_HEADS
from camlite_export.precisions import PRECISIONS
from camlite_export.sharpening.choosing import Maps
from camlite_export.targets.tflite_uint8 import Outputs

_CALIBRATED = [precision for precision, traits in PRECISIONS.items() if traits.needs_calibration]

EXAMPLES = (
    "camlite export flowers.keras --calibration photos",
    "camlite export flowers.keras --calibration photos --precisions int8 --sign maker.key",
    "camlite export model.tflite --labels labels.txt --calibration photos",
)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the command line."""
    parser.add_argument(
        "classifier", type=Path, help="a trained classifier: .keras, .h5, .hdf5, .model, .tflite, .onnx"
    )
    parser.add_argument(
        "--output",
        type=Path,
        metavar="DIR",
        help="folder for the artifacts (default: flowers/ next to flowers.keras)",
    )
    parser.add_argument("--name", help="name of the artifacts (default: that of the classifier's file)")
    parser.add_argument(
        "--labels", type=Path, metavar="FILE", help="file with one label per line (with or without numbers), or JSON"
    )
    parser.add_argument(
        "--calibration",
        type=Path,
        metavar="FOLDER|NPZ",
        help=f"pictures to measure with, needed for {' and '.join(_CALIBRATED)}: a folder, best with one subfolder per "
        "class, or an .npz with `images`",
    )
    parser.add_argument(
        "--formats", nargs="+", choices=get_args(Container), help="kinds of files to write (default: all)"
    )
    parser.add_argument(
        "--precisions",
        nargs="+",
        choices=get_args(Precision),
        help="precisions to write (default: all that can be made)",
    )
    parser.add_argument("--sign", type=Path, metavar="KEY", help="sign the artifacts with this key of `camlite keygen`")
    parser.add_argument(
        "--evidence",
        choices=OF_AFFINE_HEADS,
        default=OF_AFFINE_HEADS[0],
        help="what computes the evidence. device: camlite, from class weights (default); graph: the model itself, for "
        "all classes in every run, as an output that programs without camlite can read",
    )
    parser.add_argument(
        "--maps",
        choices=get_args(Maps),
        default="auto",
        help="auto: fine maps if they measure better (default); cam: only the coarse map of the last layer; sharp: "
        "always the best fine map, too",
    )
    parser.add_argument(
        "--guide",
        metavar="NAME",
        help="use this guide for sharp maps instead of the best one; names as `camlite inspect` shows them, such as "
        "`layercam conv_32`, or products of their layers, such as `layercam conv_16 * conv_32 * conv_32`",
    )
    parser.add_argument(
        "--outputs",
        choices=get_args(Outputs),
        default="int8",
        help="of int8.tflite: int8 (default), or uint8 for programs that take no int8, such as MediaPipe",
    )
    parser.add_argument("--json", action="store_true", help="print one JSON object instead of the table")
    options.add_classifier(parser)
    options.add_size(parser)
    options.add_preprocessing(parser)


def run(arguments: argparse.Namespace) -> int:
    """Export, then print how each artifact agrees with the original; 1 where something is wrong."""
    with _table_of_pixels(), waiting(STAGE_AND_BAR) as bar, warnings_as_lines():

        def progress(stage: str, begun: int, total: int) -> None:
            bar.total = total
            bar.set_description_str(stage)
            bar.update(begun - bar.n)

        exported = camlite_export.export(
            arguments.classifier,
            arguments.output,
            name=arguments.name,
            labels=arguments.labels,
            calibration=arguments.calibration,
            formats=arguments.formats,
            precisions=arguments.precisions,
            sign=arguments.sign,
            evidence=arguments.evidence,
            maps=arguments.maps,
            guide=arguments.guide,
            outputs=arguments.outputs,
            layer=options.layer(arguments.layer),
            size=arguments.size,
            preprocess=arguments.preprocess,
            mean=arguments.mean,
            std=arguments.std,
            order=arguments.order,
            fit=arguments.fit,
            trust=arguments.trust,
            structure=arguments.structure,
            progress=progress,
        )
    if arguments.json:
        say.record(exported.to_dict())
        return 0 if exported.passed else 1
    say.table(exported.HEADER, list(exported.rows()))
    if exported.picture:
        say.line("", str(exported.picture))
    say.line("", *exported.lines())
    steps = exported.next_steps()
    if steps:
        width = max(len(command) for command, _ in steps)
        say.line("", "next:", *(f"  {command:<{width}}  # {what}" for command, what in steps))
    return 0 if exported.passed else 1


@contextlib.contextmanager
def _table_of_pixels() -> Iterator[None]:
    """Where pixels have to be asked for, say first what each convention gives on the pictures."""
    from camlite.show.table import table
    from camlite_export.rightness.pixel_decision import UndecidedPixelsError

    try:
        yield
    except UndecidedPixelsError as error:
        if error.table:
            header, *rows = error.table
            say.errors(*table(header, rows).split("\n"))
        raise


@contextlib.contextmanager
def warnings_as_lines() -> Iterator[None]:
    """While it lasts, what camlite warns of is a line on standard error."""
    from camlite_export.cutting.coarse_maps import CoarseMapWarning, PlainMapsWarning
    from camlite_export.cutting.measured_places import UnknownPlacesWarning
    from camlite_export.sources.last_activation import SaturationWarning
    from camlite_export.sources.opening import MendedWarning
    from camlite_export.sources.pixel_conventions import PixelsWarning

    ours = (
        *(PixelsWarning, CoarseMapWarning, PlainMapsWarning, SaturationWarning, UnknownPlacesWarning, MendedWarning),
    )
    with warnings.catch_warnings():
        show = warnings.showwarning

        def say_it(message: Warning | str, category: type[Warning], *where: Any, **more: Any) -> None:
            if issubclass(category, ours):
                say.errors(str(message))
            else:
                show(message, category, *where, **more)

        warnings.showwarning = say_it
        for kind in ours:
            warnings.simplefilter("always", kind)
        yield
