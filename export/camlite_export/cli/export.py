"""``camlite export``: a trained Keras classifier in, artifacts, a table and a picture out."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING, get_args

import numpy as np

from camlite.artifact import Container
from camlite.artifact.card import Precision
from camlite.artifact.typed_json import check_text
from camlite.errors import ClassifierError
from camlite.show import say
from camlite_export import signing
from camlite_export.cli import options
from camlite_export.cutting.heads import OF_AFFINE_HEADS

if TYPE_CHECKING:
    from camlite_export.exporting import Exported


_MOST_NAME_BYTES = 200


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the command line."""
    parser.add_argument("classifier", type=Path, help="a trained classifier: .keras, .h5")
    parser.add_argument("--output", type=Path, metavar="DIR", help="default: the classifier's path without its suffix")
    parser.add_argument("--name", help="of the artifacts (default: the file's)")
    parser.add_argument("--labels", type=Path, metavar="FILE", help="text, one label a line")
    parser.add_argument(
        "--calibration",
        type=Path,
        metavar="FOLDER|NPZ",
        help="representative images, needed for int8 and int16x8: a folder of pictures, or an .npz with `images`",
    )
    parser.add_argument("--formats", nargs="+", choices=get_args(Container), default=get_args(Container))
    parser.add_argument("--precisions", nargs="+", choices=get_args(Precision), help="default: all that can be made")
    parser.add_argument("--sign", type=Path, metavar="KEY", help="sign the artifacts with this key of `camlite keygen`")
    parser.add_argument(
        "--evidence",
        choices=OF_AFFINE_HEADS,
        default=OF_AFFINE_HEADS[0],
        help="what computes it: the device, from class weights (default), or the graph, as an output, of all classes "
        "in every run; programs without camlite can read it",
    )
    options.add_classifier(parser)
    options.add_size(parser)
    options.add_preprocessing(parser)


def run(arguments: argparse.Namespace) -> int:
    """Export, then print how each artifact agrees with Keras."""
    name = _name(arguments)
    sign = signing.signer(arguments.sign) if arguments.sign else None  # a wrong key is told before the long work
    options.import_tensorflow_for(arguments.classifier, arguments.trust)
    from tqdm import tqdm

    from camlite.images import labelled_images
    from camlite_export import contact_sheet, exporting
    from camlite_export.cutting import two_output
    from camlite_export.sources import labels
    from camlite_export.sources.keras_files import open_classifier
    from camlite_export.sources.pixel_conventions import preprocessing

    path: Path = arguments.classifier
    classifier = open_classifier(path, arguments.trust)
    cut = two_output.cut(classifier, options.layer(arguments.layer), arguments.size, arguments.evidence)
    class_labels = labels.read(arguments.labels, cut.classes)
    calibration = labelled_images.load(arguments.calibration, class_labels) if arguments.calibration else None
    wanted = exporting.kinds(arguments.formats, arguments.precisions, calibration is not None, cut.affine is not None)
    if not (arguments.preprocess or arguments.mean or arguments.std) and (hint := options.pixels_hint(cut)):
        say.errors(f"{path}: {hint}")
    preprocess = arguments.preprocess or cut.default_preprocessing
    target = preprocessing(cut.image_shape, preprocess, arguments.mean, arguments.std, arguments.fit)
    folder: Path = arguments.output or path.with_suffix("")
    with tqdm(
        total=exporting.stages(wanted) + 1, bar_format="{desc:<40}{bar:30} {n}/{total}", leave=False, disable=None
    ) as bar:

        def progress(stage: str) -> None:
            bar.set_description(stage)
            bar.update()

        exported = exporting.export(
            cut,
            digest=cut.source.digest,
            name=name,
            labels=class_labels,
            target=target,
            calibration=calibration,
            wanted=wanted,
            folder=folder,
            progress=progress,
            sign=sign,
        )
        progress("heatmaps.png")
        shown = _shown(exported)
        picture = contact_sheet.draw(shown, calibration) if calibration and shown else None
    header = ["file", "kB", "top-1 agreement", "evidence correlation (5th percentile)"]
    say.table(header, [_row(one) for one in exported])
    if calibration is None and not arguments.precisions:
        say.line("", "int8 and int16x8 were left out: they need representative images, --calibration FOLDER|NPZ")
    elif not cut.affine and not arguments.precisions:
        say.line("", "int16x8 was left out: it cannot compute the gradient of this classifier's head")
    if picture:
        say.line("", str(picture))
    return 0


def _name(arguments: argparse.Namespace) -> str:
    """Of the artifacts, whose cards and files bear it; a wrong one is told before the long work."""
    name: str = arguments.name or arguments.classifier.stem
    check_text(name, "the name of the artifacts")
    if "/" in name or len(name.encode()) > _MOST_NAME_BYTES:
        raise ClassifierError(
            f"the name of the artifacts, {name[:40]}: expected at most {_MOST_NAME_BYTES} bytes without a slash; "
            f"choose one with --name"
        )
    return name


def _shown(exported: list[Exported]) -> Path | None:
    """The artifact for the picture: int8, which has come the furthest from Keras, else any that ran."""
    ran = [one.path for one in exported if one.measurement]
    return next((path for path in ran if ".int8." in path.name), next(iter(ran), None))


def _row(one: Exported) -> list[str]:
    size = f"{one.size / 1000:.1f}"
    if one.measurement is None:
        return [str(one.path), size, "", "not measured: no backend here"]
    agreement = f"{one.measurement.same_class.mean():.2%}"
    return [str(one.path), size, agreement, f"{np.quantile(one.measurement.correlation, 0.05):.6f}"]
