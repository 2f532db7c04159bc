"""Which artifacts can be made of a classifier, what they are called, and why the others cannot."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import get_args

from camlite.artifact import Container
from camlite.artifact.container import SUFFIXES
from camlite.artifact.precisions import Precision
from camlite.errors import ClassifierError
from camlite_export.precisions import PRECISIONS, precisions_of
from camlite_export.sources import opening
from camlite_export.sources.file_source import FileSource
from camlite_export.sources.source import Source
from camlite_export.targets.tflite_uint8 import Outputs

Kind = tuple[Container, Precision]
OF_UINT8_OUTPUTS: Kind = ("tflite", "int8")
CONTAINERS: tuple[Container, ...] = get_args(Container)


def kinds(
    containers: Sequence[Container], precisions: Sequence[Precision] | None, calibrated: bool, affine: bool
) -> list[tuple[Container, Precision]]:
    """What to export: every precision of every container, or those asked for.

    Raises:
        ClassifierError: a precision asked for exists in none of the containers, needs calibration images, or
            cannot compute the evidence of a head that is not affine.
    """
    wanted = precisions or get_args(Precision)
    found = [
        (container, precision)
        for container in containers
        for precision in precisions_of(container)
        if precision in wanted
    ]
    for precision in precisions or ():
        if precision not in {found_precision for _, found_precision in found}:
            raise ClassifierError(f"precision {precision} does not exist in {' or '.join(containers)}; drop it")
        if PRECISIONS[precision].needs_calibration and not calibrated:
            raise ClassifierError(
                f"precision {precision} needs calibration images: give --calibration a folder of images or an .npz"
            )
        if not (affine or PRECISIONS[precision].has_comparisons):
            raise ClassifierError(
                f"precision {precision}: TFLite has no comparisons in it, which the gradient of a head that is not "
                f"affine is made of; choose another"
            )
    return [kind for kind in found if kind[1] not in left_out(calibrated, affine)]


def check_options(
    path: Path | None,
    containers: Sequence[Container] | None,
    precisions: Sequence[Precision] | None,
    calibrated: bool,
    outputs: Outputs = "int8",
) -> None:
    """Tell what cannot be, before a classifier is opened, which takes a while.

    Args:
        path: of the classifier's file, where it is one.
        outputs: of int8.tflite; uint8 where one is made only.

    Raises:
        ClassifierError: see `kinds_of`, but for what depends on the classifier's head.
    """
    if path is not None and opening.is_file_that_ships(path):
        _refuse_choice(str(path), containers, precisions)
        wanted = []
    else:
        wanted = kinds(containers or CONTAINERS, precisions, calibrated, affine=True)
    if outputs == "uint8":
        _check_uint8_outputs(path, wanted)


def _check_uint8_outputs(path: Path | None, wanted: Sequence[Kind]) -> None:
    if path is not None and opening.is_file_that_ships(path):
        raise ClassifierError(
            f"{path}: --outputs uint8 does not apply to a file that ships: its artifact is the same file, with the "
            f"outputs that it has; leave it out, or export the Keras model that the file was made from"
        )
    if OF_UINT8_OUTPUTS not in wanted:
        made = ", ".join(map(kind_text, wanted))
        raise ClassifierError(
            f"--outputs uint8 applies to int8.tflite only, and this export makes {made}; leave it out, or export "
            f"int8.tflite (--formats tflite --precisions int8 --calibration FOLDER)"
        )


def kinds_of(
    source: Source,
    containers: Sequence[Container] | None,
    precisions: Sequence[Precision] | None,
    calibrated: bool,
    affine: bool,
) -> list[tuple[Container, Precision]]:
    """What to export of a source: see `kinds`; of a file that ships, the same again.

    Raises:
        ClassifierError: see `kinds`; or a file is to become another one.
    """
    if not isinstance(source, FileSource):
        return kinds(containers or CONTAINERS, precisions, calibrated, affine)
    _refuse_choice(source.name, containers, precisions)
    return [(source.container, source.precision)]


def _refuse_choice(name: str, containers: Sequence[Container] | None, precisions: Sequence[Precision] | None) -> None:
    given = [option for option, value in (("--formats", containers), ("--precisions", precisions)) if value]
    if given:
        raise ClassifierError(
            f"{name}: {' and '.join(given)} do not apply to a file that ships: its artifact is the same file, in its "
            f"own precision, with its map, and is not quantized again; leave {'them' if given[1:] else 'it'} out, or "
            f"export the Keras model that the file was made from"
        )


def file_name(name: str, container: Container, precision: Precision) -> str:
    """``NAME.PRECISION.tflite`` or ``NAME.PRECISION.onnx``."""
    return f"{name}.{precision}{SUFFIXES[container]}"


def file_names(name: str) -> list[str]:
    """Of all artifacts that an export by this name may write."""
    return [file_name(name, container, precision) for container in CONTAINERS for precision in precisions_of(container)]


def left_out(calibrated: bool, affine: bool) -> dict[Precision, str]:
    """The precisions that cannot be made, and why."""
    found: dict[Precision, str] = {}
    for precision, traits in PRECISIONS.items():
        if traits.needs_calibration and not calibrated:
            found[precision] = "representative images are needed, --calibration FOLDER|NPZ"
        elif not (affine or traits.has_comparisons):
            found[precision] = "the gradient of this classifier's head cannot be computed in it"
    return found


def left_out_text(calibrated: bool, affine: bool) -> str | None:
    """The same for people, in one line; None where all can be made."""
    missing = left_out(calibrated, affine)
    names = {why: [precision for precision in missing if missing[precision] == why] for why in missing.values()}
    texts = [f"{' and '.join(of)} {'was' if len(of) == 1 else 'were'} left out: {why}" for why, of in names.items()]
    return "; ".join(texts) or None


def kind_text(kind: Kind) -> str:
    """``int8.tflite`` and the like."""
    container, precision = kind
    return f"{precision}{SUFFIXES[container]}"
