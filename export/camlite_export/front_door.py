"""The functions of `camlite_export`: what its commands do, for scripts and notebooks."""

from __future__ import annotations

import functools
import threading
import warnings
from collections.abc import Callable, Collection, Mapping, Sequence
from pathlib import Path
from typing import Any, Literal, ParamSpec, TypeVar, get_args

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
from camlite_export.targets import tflite_uint8
from camlite_export.targets.tflite_uint8 import Outputs

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

_Parameters = ParamSpec("_Parameters")
_Result = TypeVar("_Result")
_WORKING = threading.RLock()


def _one_at_a_time(function: Callable[_Parameters, _Result]) -> Callable[_Parameters, _Result]:
    """In several threads, one after the other: converters are led and silenced by what a process has once, such as its
    standard error and TensorFlow's functions, which two would not give back as they were.
    """

    @functools.wraps(function)
    def alone(*arguments: _Parameters.args, **options: _Parameters.kwargs) -> _Result:
        with _WORKING:
            return function(*arguments, **options)

    return alone


@_one_at_a_time
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
    outputs: Outputs = "int8",
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
    """Turn a trained classifier into artifacts and measure them. Each artifact is one file with all that a device
    needs.

    All artifacts are made before the first is written, and no partial file is left if writing fails. Each is judged by
    the gates of `parity`. An artifact that is not fit for use is written all the same, and its card says so. If an
    artifact cannot be made, or a picture cannot be read, the result says so, and the others are made.

    Args:
        classifier: path of a ``.keras``, ``.h5``, ``.hdf5`` or ``.model`` file, a model object of Keras 3 or tf_keras,
            or path of a ``.tflite`` or ``.onnx`` file; its artifact is the same file with the map added. It is not
            changed.
        output: folder for the artifacts; by default the path of the classifier without its suffix.
        name: name of the artifacts, ``NAME.PRECISION.tflite`` and ``NAME.PRECISION.onnx``; by default that of the file
            or the model.
        labels: one per class, in the order of the scores; or a file with one per line, with or without numbers, or JSON
            such as Keras's `class_indices`. By default the names of the folders in `calibration`, those in the
            classifier's file, or ``class 0`` ...
        calibration: representative images, needed for int8 and int16x8: a folder, an ``.npz`` with ``images``, uint8
            (N, H, W) or (N, H, W, channels), or `camlite.images.labelled_images.LabelledImages`.
        formats: ``tflite``, ``onnx``; by default both.
        precisions: ``float32``, ``float16``, ``dynamic``, ``int8``, ``int16x8``; by default all that can be made.
        sign: file with the private key (``camlite keygen``) to sign the artifacts with.
        evidence: where the evidence of an affine head is computed: ``device`` (by camlite) or ``graph`` (by the model).
        maps: ``auto``: fine maps if they measure better and are worth their cost, by insertion and deletion on the
            calibration images. Without these, golden samples are used, and a ``.tflite`` or ``.onnx`` file keeps its
            plain maps. A precision that spoils the fine maps has plain ones only. ``cam``: only the coarse map of the
            last features. ``sharp``: always the best fine maps, too.
        guide: the guide to use for ``sharp`` maps instead of the best one, such as ``layercam conv_32``; `camlite
            inspect ARTIFACT` lists the names of those that were measured.
        outputs: of int8.tflite, ``int8`` or ``uint8``: the same real numbers, for programs that take no int8, such as
            MediaPipe and LiteRT.js. All other artifacts have float32 outputs.
        layer: take the map after this layer: a name or an index (-3 is the third from the end); by default camlite
            finds it.
        size: size of the images in pixels, one side or height and width, for a classifier that takes any size.
        preprocess: the pixels that the classifier was trained on: ``unit`` 0..1, ``signed`` -1..1, ``imagenet``,
            ``caffe`` or ``raw`` 0..255; by default camlite finds out, see `camlite_export.rightness.pixel_decision`.
        mean: instead of `preprocess`: mean of the pixels on 0..255 (or with `std` on 0..1, as in PyTorch), one number
            or one per channel.
        std: standard deviation of the pixels, on the same scale.
        order: order of the colour channels, ``rgb``, or ``bgr`` if OpenCV read the training pictures; by default
            camlite finds out, and takes ``rgb`` if nothing tells.
        fit: how to fit images of another shape, ``stretch`` or ``crop``; by default what the classifier's family does,
            otherwise ``stretch``.
        trust: whether Python code in the classifier's file may run.
        structure: file with the output of ``model.to_json()``, if the classifier's file holds weights only.
        progress: called at the beginning of each stage with its name, how many have begun, and how many there are.

    Returns:
        What was written, how it agrees with the original, and whether all of it `passed`. A notebook shows a table and
        a picture.

    Raises:
        UndecidedPixelsError: nothing tells which pixels the classifier was trained on; give `preprocess`.
        CamliteError: something cannot be read or written, is unknown, or does not fit.

    Warns:
        PixelsWarning: the pictures or the layers contradict `preprocess`, or `mean` and `std`, or the decision is in
            doubt.
        MendedWarning: a ``.tflite`` file had to be changed so that interpreters can load it; what it computes is the
            same.
        SaturationWarning: the scores are computed from probabilities; where these are saturated, evidence vanishes.
        UnknownPlacesWarning: the cells hardly look at different places, so camlite could not measure where they lie.
        CoarseMapWarning: the last feature map has so few cells that heatmaps say little; names a finer layer.
        PlainMapsWarning: `maps` is ``sharp`` or ``auto``, and camlite does not know the gradient of an operator in the
            ``.tflite`` or ``.onnx`` file. Its maps are plain; the warning names the operator.
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
        raise CamliteError(f"guide {guide!r} needs maps 'sharp', received {maps!r}; add --maps sharp, or leave it out")
    if guide is not None:
        guides.check_name(guide)
    _one("outputs", outputs, get_args(Outputs))
    _check_pixels(preprocess, fit, order)
    # What would fail at the end is told before the long work.
    artifact_kinds.check_options(path, containers, wanted_precisions, calibration is not None, outputs)
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
        if outputs == "uint8":
            tflite_uint8.check_pixels(pixels.target)
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
            outputs=outputs,
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


@_one_at_a_time
def inspect(
    classifier: Any,
    *,
    layer: int | str | None = None,
    size: int | tuple[int, int] | None = None,
    trust: bool = False,
    structure: str | Path | None = None,
) -> Inspection:
    """Show what a classifier is made of: its layers, and where camlite cuts it.

    The arguments are those of `export`.

    Raises:
        CamliteError: the classifier cannot be read or explained; the message says why.
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


@_one_at_a_time
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
    """Compare artifacts with the classifier that they were exported from.

    Labels, layer and preprocessing that you do not give are taken from the first artifact's card. Arguments that are
    not explained here are those of `export`.

    Args:
        artifacts: one file or several.
        data: images, as `calibration` of `export`; by default the first artifact's golden samples. Those are few, and
            hard on purpose, so only your own gates apply to them.
        report: folder for a report, ``index.html`` and ``parity.json``.
        gates: limits by the names of their figures, such as ``{"top1_agreement": 0.99}``; they replace camlite's own.
        backend: the interpreter; by default the first installed one, for each format.
        engine: ``ray`` spreads batches over a Ray cluster; then classifier and data must be paths.
        progress: called with the number of images that are done, and the number of all.

    Returns:
        What was measured, and whether it `passed`. A notebook shows a table.

    Raises:
        CamliteError: something cannot be read, is unknown, or cannot run. A check that fails does not raise.
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
