"""From a trained classifier to artifacts: cut, derive, convert, seal, measure."""

from __future__ import annotations

import hashlib
import importlib.metadata
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, get_args

import numpy as np
from numpy.typing import NDArray

from camlite import artifact, backends
from camlite.artifact import Format
from camlite.card import Arrays, Card, Head, Precision, Preprocessing
from camlite.errors import ClassifierError
from camlite_export import (
    classifier,
    golden,
    interpreter_process,
    keras_reference,
    parity,
    saved_model,
    seal,
    to_onnx,
    to_tflite,
)
from camlite_export import head as heads
from camlite_export.labelled_images import LabelledImages
from camlite_export.two_output import TwoOutputModel

if TYPE_CHECKING:
    import keras

FORMATS: tuple[Format, ...] = get_args(Format)
PRECISIONS: Mapping[Format, tuple[Precision, ...]] = {"tflite": to_tflite.PRECISIONS, "onnx": to_onnx.PRECISIONS}
NEED_CALIBRATION: frozenset[Precision] = frozenset({"int8", "int16x8"})

_MOST_CALIBRATION_IMAGES = 200
_MOST_MEASURED_IMAGES = 200

_MADE_WITH = {"tflite": ("keras", "tensorflow"), "onnx": ("keras", "tensorflow", "tf2onnx", "onnx", "onnxruntime")}


@dataclass(frozen=True)
class Exported:
    """One artifact that was written, and how it agrees with Keras; None where no backend is installed here."""

    path: Path
    size: int
    measurement: parity.Measurement | None


Progress = Callable[[str], None]


def kinds(
    formats: Sequence[Format], precisions: Sequence[Precision] | None, calibrated: bool
) -> list[tuple[Format, Precision]]:
    """What to export: every precision of every format, or those asked for.

    Raises:
        ClassifierError: a precision asked for exists in none of the formats, or needs calibration images.
    """
    wanted = precisions or get_args(Precision)
    found = [(format_, precision) for format_ in formats for precision in PRECISIONS[format_] if precision in wanted]
    for precision in precisions or ():
        if precision not in {found_precision for _, found_precision in found}:
            raise ClassifierError(f"precision {precision} does not exist in {' or '.join(formats)}; drop it")
        if precision in NEED_CALIBRATION and not calibrated:
            raise ClassifierError(
                f"precision {precision} needs calibration images: give --calibration a folder of images or an .npz"
            )
    return [kind for kind in found if calibrated or kind[1] not in NEED_CALIBRATION]


def export(
    model: keras.Model,
    two_output: TwoOutputModel,
    *,
    name: str,
    labels: tuple[str, ...],
    target: Preprocessing,
    calibration: LabelledImages | None,
    wanted: Sequence[tuple[Format, Precision]],
    folder: Path,
    progress: Progress = lambda _: None,
) -> list[Exported]:
    """Write one artifact for each wanted format and precision.

    All artifacts are converted before the first is written, and each appears whole or not at all.

    Args:
        model: the classifier; two_output: of `two_output.cut`.
        name: file names are ``NAME.PRECISION.tflite`` and ``NAME.PRECISION.onnx``.
        labels: one a class.
        target: how pixels become the classifier's input.
        calibration: representative images.
        wanted: of `kinds`.
        folder: made where it is missing.
        progress: called with the name of each stage as it begins, `stages` times in all.

    Raises:
        ClassifierError: the head is not affine.
        CamliteError: the folder cannot be written to.
    """
    progress("head")
    head = heads.derive(two_output.head)
    golden_images = golden.choose(calibration, target)
    answers = keras_reference.answer(two_output, head, keras_reference.inputs(list(golden_images), target))
    arrays = Arrays(head.weights, head.bias, golden_images, answers.scores, answers.evidence)
    models = _convert(two_output, target, calibration, wanted, progress)
    files = {}
    for (format_, precision), content in models.items():
        card = _card(model, two_output, name, format_, precision, labels, target, content)
        files[f"{name}.{precision}.{format_}"] = artifact.pack(format_, content, card, arrays)
    progress("writing")
    seal.write_all(folder, files)
    images, truth = _spread(calibration, _MOST_MEASURED_IMAGES) if calibration else (list(golden_images), None)
    reference = keras_reference.answer(two_output, head, keras_reference.inputs(images, target))
    exported = []
    for format_ in {format_: None for format_, _ in wanted}:
        with interpreter_process.interpreter_process() as process:
            for file, content in files.items():
                if not file.endswith(format_):
                    continue
                progress(f"measuring {file}")
                measurement = None
                if backends.installed(format_):
                    run = process.submit(
                        interpreter_process.answer, folder / file, None, images, reference.classes.tolist()
                    )
                    measurement = parity.measure(reference, run.result(), truth)
                exported.append(Exported(folder / file, len(content), measurement))
    return exported


def stages(wanted: Sequence[tuple[Format, Precision]]) -> int:
    """How often `export` calls `progress`."""
    return 2 + 2 * len(wanted)


def _convert(
    two_output: TwoOutputModel,
    target: Preprocessing,
    calibration: LabelledImages | None,
    wanted: Sequence[tuple[Format, Precision]],
    progress: Progress,
) -> dict[tuple[Format, Precision], bytes]:
    prepared = None
    if calibration is not None and NEED_CALIBRATION & {precision for _, precision in wanted}:
        images, _ = _spread(calibration, _MOST_CALIBRATION_IMAGES)
        prepared = keras_reference.inputs(images, target)
    models: dict[tuple[Format, Precision], bytes] = {}
    if any(format_ == "tflite" for format_, _ in wanted):
        with saved_model.saved_model(two_output) as saved:
            for format_, precision in wanted:
                if format_ == "tflite":
                    progress(f"{precision}.tflite")
                    models[format_, precision] = to_tflite.convert(saved, precision, prepared)
    if any(format_ == "onnx" for format_, _ in wanted):
        traced = to_onnx.trace(two_output)
        for format_, precision in wanted:
            if format_ == "onnx":
                progress(f"{precision}.onnx")
                models[format_, precision] = to_onnx.convert(traced, precision, prepared)
    return models


def _spread(images: LabelledImages, most: int) -> tuple[list[NDArray[np.uint8]], NDArray[np.int64] | None]:
    """At most so many of the images, evenly spaced: folders are sorted by class."""
    step = -(-len(images) // most)
    return images[::step], None if images.classes is None else images.classes[::step]


def _card(
    model: keras.Model,
    two_output: TwoOutputModel,
    name: str,
    format_: Format,
    precision: Precision,
    labels: tuple[str, ...],
    target: Preprocessing,
    content: bytes,
) -> Card:
    height, width, channels = two_output.feature_shape
    made_with = ("camlite", *_MADE_WITH[format_])
    return Card(
        name=name,
        precision=precision,
        labels=labels,
        preprocessing=target,
        head=Head(two_output.layer, height, width, channels, two_output.activation, "cam"),
        classifier_sha256=classifier.digest(model),
        model_sha256=hashlib.sha256(content).hexdigest(),
        made_with={program: importlib.metadata.version(program) for program in made_with},
    )
