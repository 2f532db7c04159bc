"""From a trained classifier to artifacts: cut, derive, convert, seal, measure."""

from __future__ import annotations

import hashlib
import importlib.metadata
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import Executor
from dataclasses import dataclass
from pathlib import Path
from typing import get_args

import numpy as np
from numpy.typing import NDArray

from camlite import artifact, backends
from camlite.artifact import Container
from camlite.artifact.arrays import Arrays
from camlite.artifact.card import Card, Head, Preprocessing, Window
from camlite.artifact.container import SUFFIXES
from camlite.artifact.evidence_methods import EVIDENCE_METHODS
from camlite.artifact.precisions import Precision
from camlite.errors import ClassifierError
from camlite.images.labelled_images import LabelledImages
from camlite_export import golden_samples, output_folder
from camlite_export.agreement import interpreter_process
from camlite_export.agreement.measurement import Measurement, measure
from camlite_export.agreement.reference import Reference, inputs_of, reference_of
from camlite_export.cutting import measured_places
from camlite_export.cutting.cut import Cut, TraceableCut
from camlite_export.precisions import PRECISIONS, precisions_of
from camlite_export.targets import TARGETS, weights_finder

CONTAINERS: tuple[Container, ...] = get_args(Container)
_OF_SUFFIX: Mapping[str, Container] = {suffix: container for container, suffix in SUFFIXES.items()}

_MOST_CALIBRATION_IMAGES = 200
_MOST_MEASURED_IMAGES = 200

_MADE_WITH = ("camlite", "keras", "tensorflow", "tf2onnx", "onnx", "onnxruntime")


@dataclass(frozen=True)
class Exported:
    """One artifact that was written, and how it agrees with the original; None where no backend is installed here."""

    path: Path
    size: int
    measurement: Measurement | None


Progress = Callable[[str], None]


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


def export(
    cut: TraceableCut,
    *,
    name: str,
    labels: tuple[str, ...],
    target: Preprocessing,
    pixels: str = "",
    calibration: LabelledImages | None,
    wanted: Sequence[tuple[Container, Precision]],
    folder: Path,
    progress: Progress = lambda _: None,
    sign: artifact.Sign | None = None,
) -> list[Exported]:
    """Write one artifact for each wanted container and precision.

    All artifacts are converted before the first is written, and each appears whole or not at all.

    Args:
        cut: of the classifier, see `camlite_export.cutting`.
        name: file names are ``NAME.PRECISION.tflite`` and ``NAME.PRECISION.onnx``.
        labels: one a class.
        target: how pixels become the classifier's input.
        pixels: why, for the card.
        calibration: representative images.
        wanted: of `kinds`.
        folder: made where it is missing.
        progress: called with the name of each stage as it begins, `stages` times in all.
        sign: signs each artifact, see `camlite_export.signing.signer`.

    Raises:
        CamliteError: the folder cannot be written to, or the classifier flips the image inside.
    """
    progress("head")
    window = measured_places.of_cut(cut, target).window
    head = cut.affine
    golden_images = golden_samples.choose(calibration, target, cut)
    answers = reference_of(cut, inputs_of(list(golden_images), target))
    traits = EVIDENCE_METHODS[cut.evidence_method]
    weights = head.weights if head and traits.has_weights else None
    bias = head.bias if head and traits.adds_up else None
    arrays = Arrays(weights, bias, golden_images, answers.scores, answers.evidence)
    models = _convert(cut, target, calibration, wanted, progress)
    files = {}
    for (container, precision), content in models.items():
        card = _card(cut, name, precision, labels, target, pixels, window, content)
        carried = _as_the_model_has_them(arrays, content, cut.feature_shape)
        files[f"{name}.{precision}{SUFFIXES[container]}"] = artifact.pack(container, content, card, carried, sign)
    with interpreter_process.interpreter_processes() as process_of:
        progress("golden samples")
        files = golden_samples.carry_errors(files, process_of, sign)
        progress("writing")
        output_folder.write_all(folder, files)
        images, truth = _spread(calibration, _MOST_MEASURED_IMAGES) if calibration else (list(golden_images), None)
        reference = reference_of(cut, inputs_of(images, target))
        measurements = _measure([folder / file for file in files], process_of, images, reference, truth, progress)
        return [
            Exported(path, len(content), measurement)
            for (path, measurement), content in zip(measurements, files.values(), strict=True)
        ]


def stages(wanted: Sequence[tuple[Container, Precision]]) -> int:
    """How often `export` calls `progress`."""
    return 3 + 2 * len(wanted)


def _convert(
    cut: TraceableCut,
    target: Preprocessing,
    calibration: LabelledImages | None,
    wanted: Sequence[tuple[Container, Precision]],
    progress: Progress,
) -> dict[tuple[Container, Precision], bytes]:
    prepared = None
    if calibration is not None:
        images, _ = _spread(calibration, _MOST_CALIBRATION_IMAGES)
        prepared = inputs_of(images, target)
    models: dict[tuple[Container, Precision], bytes] = {}
    for container, precision in wanted:
        progress(f"{precision}{SUFFIXES[container]}")
        models[container, precision] = TARGETS[container].convert(cut, precision, prepared)
    return models


def _as_the_model_has_them(arrays: Arrays, model: bytes, feature_shape: tuple[int, int, int]) -> Arrays:
    """Class weights of the model itself, where they can be found in it."""
    height, width, channels = feature_shape
    stored = None if arrays.weights is None else weights_finder.find(model, arrays.weights, height * width)
    if arrays.weights is None or stored is None:
        return arrays
    rest = weights_finder.rest(model, arrays.weights, stored)
    weights = stored.read(model, channels, arrays.weights.shape[1], rest)
    return arrays._replace(weights=weights, stored_weights=stored, weights_rest=rest)


def _spread(images: LabelledImages, most: int) -> tuple[list[NDArray[np.uint8]], NDArray[np.int64] | None]:
    """At most so many of the images, evenly spaced: folders are sorted by class."""
    step = -(-len(images) // most)
    return images[::step], None if images.classes is None else images.classes[::step]


def _measure(
    paths: Sequence[Path],
    process_of: Callable[[Container], Executor],
    images: Sequence[NDArray[np.uint8]],
    reference: Reference,
    truth: NDArray[np.int64] | None,
    progress: Progress,
) -> Iterator[tuple[Path, Measurement | None]]:
    """Run each artifact in a process that has only seen its own interpreter."""
    for path in paths:
        progress(f"measuring {'.'.join(path.name.split('.')[-2:])}")
        container = _OF_SUFFIX[path.suffix]
        if not backends.installed(container):
            yield path, None
            continue
        classes = reference.classes.tolist()
        answers = process_of(container).submit(interpreter_process.answer, path, None, images, classes).result()
        yield path, measure(reference, answers, truth)


def _card(
    cut: Cut,
    name: str,
    precision: Precision,
    labels: tuple[str, ...],
    target: Preprocessing,
    pixels: str,
    window: Window,
    content: bytes,
) -> Card:
    height, width, channels = cut.feature_shape
    return Card(
        name=name,
        precision=precision,
        labels=labels,
        preprocessing=target,
        head=Head(cut.layer, height, width, channels, cut.activation, cut.evidence_method, window),
        classifier_sha256=cut.source.digest,
        model_sha256=hashlib.sha256(content).hexdigest(),
        made_with={program: importlib.metadata.version(program) for program in _MADE_WITH},
        pixels=pixels,
    )
