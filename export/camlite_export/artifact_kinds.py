"""Which artifacts can be made of a classifier, what they are called, and why the others cannot."""

from __future__ import annotations

from collections.abc import Sequence
from typing import get_args

from camlite.artifact import Container
from camlite.artifact.container import SUFFIXES
from camlite.artifact.precisions import Precision
from camlite.errors import ClassifierError
from camlite_export.precisions import PRECISIONS, precisions_of
from camlite_export.sources.file_source import FileSource
from camlite_export.sources.source import Source

Kind = tuple[Container, Precision]
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
    given = [option for option, value in (("--formats", containers), ("--precisions", precisions)) if value]
    if given:
        raise ClassifierError(
            f"{source.name}: {' and '.join(given)} do not apply to a file that ships: its artifact is the same "
            f"{source.container} file, {source.precision}, with its map; leave {'them' if given[1:] else 'it'} out"
        )
    return [(source.container, source.precision)]


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
