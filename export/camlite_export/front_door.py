"""The functions of `camlite_export`: what its commands do, for scripts and notebooks."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Collection, Mapping, Sequence
from pathlib import Path
from typing import Any, Literal, get_args

from camlite.artifact import Container
from camlite.artifact.card import ChannelOrder, Fit, Preprocessing
from camlite.artifact.evidence_methods import EvidenceMethod
from camlite.artifact.precisions import Precision
from camlite.artifact.typed_json import check_text
from camlite.backends import BACKENDS
from camlite.errors import CamliteError, ClassifierError, with_findings
from camlite.images import labelled_images
from camlite.images.labelled_images import Images, LabelledImages
from camlite_export import artifact_kinds, contact_sheet, exporting, output_folder, signing
from camlite_export.agreement import gates as gates_of
from camlite_export.agreement import report as reports
from camlite_export.agreement.compare import Comparison, compare
from camlite_export.agreement.expected import Given
from camlite_export.agreement.gates import FEWEST_IMAGES
from camlite_export.cutting import coarse_maps, cutter, file_cut
from camlite_export.cutting import guide as guides
from camlite_export.cutting.file_cut import FileCut
from camlite_export.cutting.heads import OF_AFFINE_HEADS
from camlite_export.results import Export, Inspection
from camlite_export.rightness.pixel_decision import Decision, UndecidedPixelsError, decide
from camlite_export.sharpening import choosing
from camlite_export.sharpening.choosing import Maps
from camlite_export.sources import labels as label_files
from camlite_export.sources import last_activation
from camlite_export.sources.file_source import FileSource
from camlite_export.sources.last_activation import SaturationWarning
from camlite_export.sources.opening import open_source
from camlite_export.sources.pixel_conventions import NAMED, PixelsWarning, preprocessing
from camlite_export.sources.pixel_view import usual_fit
from camlite_export.sources.pixel_views import view_of
from camlite_export.sources.source import Source

_MOST_NAME_BYTES = 200
_WORST_IMAGES = 4

# "fit" must not vouch for more than was looked at.
_NO_PICTURES = (
    "checked on golden samples only, a few images that are none of yours: for a verdict give --calibration "
    f"{FEWEST_IMAGES} pictures or more"
)

# Noise says little of maps, and a guide may double a file that is to stay as it is.
_PLAIN_MAPS = (
    "plain maps, as there are no pictures to measure finer ones on: give --calibration, or --maps sharp; finer maps "
    "make the file larger"
)

_NO_CLASSES = (
    "the pictures have no classes, so no accuracy is measured: put them in a folder per label, or give an .npz with "
    "`classes`"
)


def export(
    classifier: Any,
    output: str | Path | None = None,
    *,
    name: str | None = None,
    labels: str | Path | Sequence[str] | None = None,
    calibration: Images | None = None,
    formats: Sequence[Container] | Container | None = None,
    precisions: Sequence[Precision] | Precision | None = None,
    sign: str | Path | None = None,
    evidence: EvidenceMethod = "device",
    maps: Maps = "auto",
    guide: str | None = None,
    layer: int | str | None = None,
    size: int | tuple[int, int] | None = None,
    preprocess: str | None = None,
    mean: float | Sequence[float] | None = None,
    std: float | Sequence[float] | None = None,
    order: ChannelOrder | None = None,
    fit: Fit | None = None,
    trust: bool = False,
    structure: str | Path | None = None,
    progress: Callable[[str, int, int], object] | None = None,
) -> Export:
    """Turn a trained classifier into artifacts, each one file with all that a device needs, and measure them.

    All artifacts are made before the first is written, and each appears whole or not at all. Each is judged by the
    gates of `parity`; what is not fit for use is written all the same, and says so on its card. One that cannot be made
    is told, and so is a picture that cannot be read; the others are made without them.

    Args:
        classifier: path of a ``.keras``, ``.h5``, ``.hdf5`` or ``.model`` file, or a model object of Keras 3 or
            tf_keras; or path of a ``.tflite`` or ``.onnx`` file, whose artifact is the same file with its map. Left as
            it is.
        output: folder of the artifacts; by default the path of the classifier without its suffix.
        name: of the artifacts, ``NAME.PRECISION.tflite`` and ``NAME.PRECISION.onnx``; by default the file's or the
            model's.
        labels: one per class, in the order of the scores, or a file: one a line, numbered or not, or JSON as
            `class_indices` of Keras is saved; by default the names of
            the folders of `calibration`, those that the classifier's file holds, or ``class 0`` ...
        calibration: representative images, which int8 and int16x8 need: a folder, an ``.npz`` with ``images``, uint8
            (N, H, W) or (N, H, W, channels), or `camlite.images.labelled_images.LabelledImages`.
        formats: ``tflite``, ``onnx``; by default both.
        precisions: ``float32``, ``float16``, ``dynamic``, ``int8``, ``int16x8``; by default all that can be made.
        sign: file of a private key (``camlite keygen``) that the artifacts are signed with.
        evidence: ``device`` or ``graph``: where the evidence of an affine head is computed.
        maps: ``auto``: whichever insertion and deletion on the calibration images (golden samples, where there are
            none; then a file that ships keeps its plain maps) find best and worth its cost, those of the last features
            or fine ones besides, which add up to the same; where a precision spoils the fine ones, it has plain ones
            only. ``cam``: those of the last features, as coarse as these. ``sharp``: the best fine ones.
        guide: of ``sharp`` maps, instead of the best one: its name as `camlite inspect ARTIFACT` lists those that were
            measured, ``layercam conv_32``.
        layer: cut behind this one, an index (-3 is the last but two) or a name; by default it is found.
        size: of the images, one side or height and width in pixels, for a classifier that takes any.
        preprocess: what the classifier was trained on: ``unit`` 0..1, ``signed`` -1..1, ``imagenet``, ``caffe`` or
            ``raw`` 0..255; by default it is decided by evidence, see `camlite_export.rightness.pixel_decision`.
        mean: instead of `preprocess`, of the pixels on 0..255 (or both on 0..1, as PyTorch's): one number, or one per
            channel.
        std: their standard deviation, on the same scale.
        order: of the classifier's colour channels, ``rgb``, or ``bgr`` where OpenCV read the pictures of the training;
            by default it is decided as well, and is ``rgb`` where nothing tells.
        fit: how images of other sizes are made to fit, ``stretch`` or ``crop``; by default as the classifier's
            family does, else stretched.
        trust: whether code that the classifier's file carries may run.
        structure: file of what ``model.to_json()`` gave, where the classifier's file holds weights only.
        progress: called as each stage begins, with its name, how many have begun, and how many there are.

    Returns:
        What was written, with its agreement with the original, and whether all of it `passed`; a notebook shows it as
        a table and a picture.

    Raises:
        UndecidedPixelsError: nothing tells which pixels it was trained on; say `preprocess`.
        CamliteError: something cannot be read, is not known, does not fit, or cannot be written.

    Warns:
        PixelsWarning: evidence speaks against `preprocess`, or `mean` and `std`, or is in doubt of what was decided.
        MendedWarning: a ``.tflite`` file had to be changed, in nothing that it computes, so that interpreters load it.
        SaturationWarning: its scores are made of probabilities, whose evidence vanishes where they are saturated.
        UnknownPlacesWarning: its cells hardly look at places of their own, so where they lie could not be measured.
        CoarseMapWarning: the last feature map has so few cells that heatmaps say little; names a finer layer.
        PlainMapsWarning: `maps` is ``sharp`` or ``auto``, and a file that ships has an operator whose gradient camlite
            does not know; its maps are plain. Names the operator.
    """
    path = Path(classifier) if isinstance(classifier, str | Path) else None
    folder = _folder(output, path)
    given_name = name or (_without_suffix(path).name if path else None)
    if given_name:
        _check_name(given_name)
    containers = _several("formats", formats, Container)
    wanted_precisions = _several("precisions", precisions, Precision)
    _one("evidence", evidence, OF_AFFINE_HEADS)
    _one("maps", maps, get_args(Maps))
    if guide is not None and maps != "sharp":
        raise CamliteError(f"guide {guide!r}: only sharp maps have a guide, and these are {maps!r}; use maps sharp")
    if guide is not None:
        guides.check_name(guide)
    _check_pixels(preprocess, fit, order)
    # What would fail at the end is told before the long work.
    artifact_kinds.check_options(path, containers, wanted_precisions, calibration is not None)
    if isinstance(calibration, str | Path):
        labelled_images.check_there(Path(calibration))
    signer = None if sign is None else signing.signer(Path(sign))
    output_folder.check(folder)
    source = open_source(classifier, size=_sides(size), trusted=trust, structure=structure)
    cut = cutter.cut(source, layer, evidence)
    if layer is None:
        coarse_maps.warn(source, cut)
    _warn_of_saturation(source)
    if guide is not None:
        choosing.check_guide(cut, guide)
    class_labels, labels_from = label_files.choose(labels, calibration, source.labels, cut.classes)
    if isinstance(cut, FileCut) and labels is None and class_labels == label_files.of(None, cut.classes):
        file_cut.refuse_embedding(cut)
    calibrated, affine = calibration is not None, cut.affine is not None
    wanted = artifact_kinds.kinds_of(source, containers, wanted_precisions, calibrated, affine)
    images, unread, notes = _pictures(calibration, class_labels)
    if isinstance(source, FileSource) and maps == "auto" and calibration is None:
        maps, notes = "cam", (*notes, _PLAIN_MAPS)
    if isinstance(cut, FileCut) and maps != "cam" and cut.hindering is not None:
        coarse_maps.warn_of_plain_ones(source, cut.hindering)
        maps = "cam"
    shown_name = str(path or source.name)
    used_name = given_name or _check_name(source.name)
    output_folder.check(folder, [artifact_kinds.file_name(used_name, *one) for one in wanted])
    given, told = _given(source, preprocess, mean, std, fit, order), None
    if given is None and isinstance(source, FileSource) and source.told is not None:
        told = source.told
        given = _given(source, None, told.mean, told.std, fit, order)
    total, begun = exporting.stages(wanted, maps) + 1, 0

    def begin(stage: str) -> None:
        nonlocal begun
        begun += 1
        if progress:
            progress(stage, begun, total)

    with with_findings((labels_from, *notes) if images is not None else ()):
        pixels = decide(view_of(source), images, class_labels, given, fit, order)
        pixels = pixels if told is None else pixels.told_by(told.reason)
        if pixels.target is None:
            raise UndecidedPixelsError(shown_name, pixels)
        for doubt in pixels.warnings:
            warnings.warn(f"{shown_name}: {doubt}", PixelsWarning, stacklevel=2)
        exported, refused, chosen, spoiled = exporting.export(
            cut,
            name=used_name,
            labels=class_labels,
            target=pixels.target,
            pixels="; ".join([pixels.reason, *pixels.warnings]),
            calibration=images,
            pictures=str(calibration) if isinstance(calibration, str | Path) else "the calibration",
            wanted=wanted,
            folder=folder,
            maps=maps,
            guide=guide,
            progress=begin,
            sign=signer,
        )
    if chosen is not None:
        notes = (*notes, *chosen.lines)
    notes = (
        *notes,
        *(f"{kind} has plain maps only: {why}" for kind, why in spoiled.items()),
    )
    if chosen is not None and chosen.layers is not None and "int16x8" in {precision for _, precision in wanted}:
        notes = (*notes, "int16x8 has the plain map only: a guide needs comparisons, which int16x8 does not have")
    begin(contact_sheet.NAME)
    picture = _picture(exported, images)
    missing = (
        None
        if wanted_precisions or isinstance(source, FileSource)
        else artifact_kinds.left_out_text(images is not None, cut.affine is not None)
    )
    older = _older(folder, used_name, exported, refused, picture)
    return Export(tuple(exported), folder, picture, missing, pixels, labels_from, notes, refused, unread, older, path)


def inspect(
    classifier: Any,
    *,
    layer: int | str | None = None,
    size: int | tuple[int, int] | None = None,
    trust: bool = False,
    structure: str | Path | None = None,
) -> Inspection:
    """What a classifier is: the journey of the image through its layers, and where it is cut.

    All arguments are those of `export`.

    Raises:
        CamliteError: it cannot be read, or cannot be explained; the reason is in the message.
    """
    source = open_source(classifier, size=_sides(size), trusted=trust, structure=structure)
    cut = cutter.cut(source, layer)
    if layer is None:
        coarse_maps.warn(source, cut)
    _warn_of_saturation(source)
    name = str(classifier) if isinstance(classifier, str | Path) else source.name
    return Inspection(
        name,
        cut.image_shape,
        cut.classes,
        cut.activation,
        source.parameters,
        cut.evidence_method,
        _pixels_of(source),
        tuple(source.steps),
        cut.step,
        tuple(cut.finer_steps),
    )


def _warn_of_saturation(source: Source) -> None:
    if source.saturation:
        warnings.warn(f"{source.name}: {last_activation.saturation_text(source.saturation)}", SaturationWarning, 3)


def _pixels_of(source: Source) -> Decision:
    """What is known of the pixels without any pictures."""
    told = source.told if isinstance(source, FileSource) else None
    if told is None:
        return decide(view_of(source), None, ())
    given = _given(source, None, told.mean, told.std, None, None)
    return decide(view_of(source), None, (), given).told_by(told.reason)


def parity(
    classifier: Any,
    artifacts: str | Path | Sequence[str | Path],
    data: Images | None = None,
    *,
    labels: str | Path | Sequence[str] | None = None,
    report: str | Path | None = None,
    gates: Mapping[str, float] | None = None,
    backend: str | None = None,
    engine: Literal["local", "ray"] = "local",
    layer: int | str | None = None,
    preprocess: str | None = None,
    mean: float | Sequence[float] | None = None,
    std: float | Sequence[float] | None = None,
    order: ChannelOrder | None = None,
    fit: Fit | None = None,
    trust: bool = False,
    structure: str | Path | None = None,
    progress: Callable[[int, int], object] | None = None,
) -> Comparison:
    """Measure artifacts against the classifier that they were exported from: the original, as it was given.

    Labels, layer and preprocessing that are not given are those of the first artifact's card. Arguments that are not
    explained here are those of `export`.

    Args:
        artifacts: one file or several.
        data: images as `calibration` of `export` takes them; by default the first artifact's golden samples. Those
            are few, and hard on purpose: they pass no gates but the caller's.
        report: folder for a page for people, and ``parity.json``.
        gates: limits by the names of their figures, as ``{"top1_agreement": 0.99}``, in place of camlite's own.
        backend: by default the installed one that is preferred, for each format.
        engine: ``ray`` spreads batches over a Ray cluster; then classifier and data are paths.
        progress: called with the number of images that are done, and of all.

    Returns:
        What was measured, and whether it `passed`; a notebook shows it as a table.

    Raises:
        CamliteError: something cannot be read, is not known, or cannot run. A check that fails does not raise.
    """
    paths = [Path(one) for one in ([artifacts] if isinstance(artifacts, str | Path) else artifacts)]
    if not paths:
        raise CamliteError("parity: no artifacts; give one or more of `camlite export`")
    limits = dict(gates_of.check(figure, limit) for figure, limit in (gates or {}).items())
    _check_pixels(preprocess, fit, order)
    if backend is not None:
        _one("backend", backend, BACKENDS)
    folder = None if report is None else Path(report)
    if folder:
        reports.check_folder(folder)
    given = Given(layer, labels, preprocess, _numbers(mean), _numbers(std), order, fit, trust, structure, backend)
    comparison = compare(
        classifier,
        paths,
        data,
        given=given,
        limits=limits,
        backend=backend,
        shown=_WORST_IMAGES if folder else 0,
        engine=_engine(engine, classifier, data, given, backend, paths[0]),
        progress=progress or (lambda _done, _all: None),
    )
    if folder:
        reports.write(comparison, folder)
    return comparison


def _folder(output: str | Path | None, path: Path | None) -> Path:
    if output is not None:
        return Path(output)
    if path is None:
        raise ClassifierError("a model object has no folder of its own; give output=, the folder for the artifacts")
    return _without_suffix(path)


def _without_suffix(path: Path) -> Path:
    """``model`` of ``model.keras`` and of ``model.weights.h5``."""
    return path.with_name(path.stem.removesuffix(".weights") or path.stem)


def _check_name(name: str) -> str:
    """Of the artifacts, whose cards and files bear it; a wrong one is told before the long work."""
    check_text(name, "the name of the artifacts")
    if "/" in name or len(name.encode()) > _MOST_NAME_BYTES:
        raise ClassifierError(
            f"the name of the artifacts, {name[:40]}: expected at most {_MOST_NAME_BYTES} bytes without a slash; "
            f"choose one with --name"
        )
    return name


def _one(what: str, value: str, allowed: Collection[str]) -> str:
    if value not in allowed:
        raise ClassifierError(f"{what} {value!r}: expected {', '.join(allowed)}")
    return value


def _several(what: str, values: Sequence[str] | None, literal: Any) -> list[Any] | None:
    """What was chosen of the words of a Literal, one or several; None where nothing was."""
    if values is None:
        return None
    return [_one(what, value, get_args(literal)) for value in ([values] if isinstance(values, str) else values)]


def _check_pixels(preprocess: str | None, fit: Fit | None, order: ChannelOrder | None) -> None:
    if preprocess is not None:
        _one("preprocess", preprocess, NAMED.keys())
    if fit is not None:
        _one("fit", fit, get_args(Fit))
    if order is not None:
        _one("order", order, get_args(ChannelOrder))


def _sides(size: int | tuple[int, int] | None) -> tuple[int, int] | None:
    if size is None:
        return None
    sides = (size, size) if isinstance(size, int) else tuple(size)
    if len(sides) != 2 or not all(isinstance(side, int) and side > 0 for side in sides):
        raise ClassifierError(f"size {size!r}: expected one side or height and width, in pixels")
    return sides


def _numbers(given: float | Sequence[float] | None) -> Sequence[float] | None:
    return (float(given),) if isinstance(given, int | float) else given


def _given(
    source: Source,
    preprocess: str | None,
    mean: float | Sequence[float] | None,
    std: float | Sequence[float] | None,
    fit: Fit | None,
    order: ChannelOrder | None,
) -> Preprocessing | None:
    """What the user says of the pixels; None where nothing."""
    if preprocess is None and mean is None and std is None:
        return None
    fitted = fit or usual_fit(view_of(source))
    named = preprocess or source.pixels.preprocess
    return preprocessing(source.image_shape, named, _numbers(mean), _numbers(std), fitted, order)


def _picture(exported: Sequence[exporting.Exported], images: LabelledImages | None) -> Path | None:
    """Heatmaps of the int8 artifact, which has come the furthest from the original, else of any.

    Of those that are fit for use where some are; of none that gives no numbers.
    """
    ran = [one for one in exported if one.measurement and one.measurement.finite.all()]
    shown = min(ran, key=lambda one: (one.verdict == "UNFIT", ".int8." not in one.path.name), default=None)
    return contact_sheet.draw(shown.path, images) if images and shown else None


def _older(
    folder: Path,
    name: str,
    exported: Sequence[exporting.Exported],
    refused: Collection[str],
    picture: Path | None,
) -> tuple[str, ...]:
    """Files of an earlier export by the same name; those that could not be made now are told with the reason."""
    made = {one.path.name for one in exported} | {f"{name}.{kind}" for kind in refused}
    made |= {contact_sheet.NAME} if picture else set()
    return output_folder.left(folder, made, [*artifact_kinds.file_names(name), contact_sheet.NAME])


def _pictures(
    calibration: Images | None, labels: Sequence[str]
) -> tuple[LabelledImages | None, tuple[str, ...], tuple[str, ...]]:
    """Those that are looked at, and lines: on those that cannot be read, and on what is to be known of the others."""
    if calibration is None:
        return None, (), (_NO_PICTURES,)
    every = labelled_images.of(calibration, labels)
    images, unread = every.spread(exporting.MOST_MEASURED_IMAGES).readable()
    looked_at = f"looked at {len(images):,} of the {len(every):,} pictures, evenly spread"
    notes = every.notes or (() if every.classes is not None else (_NO_CLASSES,))
    return images, unread, (*notes, *([looked_at] if len(images) + len(unread) < len(every) else []))


def _engine(
    engine: str, classifier: Any, data: Images | None, given: Given, backend: str | None, believed: Path
) -> Any:
    """None for this process, else what spreads batches."""
    if _one("engine", engine, ("local", "ray")) == "local":
        return None
    if data is None:
        raise CamliteError(f"--engine {engine}: the golden samples are too few to be spread; give --data")
    if not isinstance(classifier, str | Path) or not isinstance(data, str | Path):
        raise CamliteError(f"--engine {engine}: each node opens classifier and images itself; give their paths")
    from camlite_export.agreement.ray_parity import Engine

    return Engine(Path(classifier), Path(data), given, backend, believed)
