"""From a trained classifier to artifacts: cut, derive, convert, seal, measure."""

from __future__ import annotations

import dataclasses
import hashlib
import importlib.metadata
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, NamedTuple

import numpy as np
from numpy.typing import NDArray

from camlite import artifact
from camlite.artifact import Container
from camlite.artifact.arrays import Arrays
from camlite.artifact.card import Card, Head, Preprocessing, Window
from camlite.artifact.evidence_methods import EVIDENCE_METHODS
from camlite.artifact.map_choice import MapChoice
from camlite.artifact.precisions import Precision
from camlite.errors import ClassifierError
from camlite.images.labelled_images import LabelledImages, of_arrays
from camlite.texts import counted, one_line
from camlite_export import golden_samples, output_folder
from camlite_export.agreement import fine_reference, interpreter_process
from camlite_export.agreement.expected import Expected
from camlite_export.agreement.fitness import Judgement, judge_all
from camlite_export.agreement.gates import FEWEST_IMAGES, OF_FINE_MAPS
from camlite_export.agreement.interpreter_process import InterpreterProcess
from camlite_export.agreement.judging import Progress as Judging
from camlite_export.agreement.measurement import Measurement
from camlite_export.agreement.reference import Reference, inputs_of, reference_of
from camlite_export.agreement.structure import Failure
from camlite_export.artifact_kinds import OF_UINT8_OUTPUTS, Kind, file_name, kind_text
from camlite_export.cutting import active_bias, measured_places
from camlite_export.cutting.cut import Cut, TraceableCut
from camlite_export.cutting.file_cut import FileCut
from camlite_export.cutting.two_output import TwoOutputModel
from camlite_export.precisions import PRECISIONS
from camlite_export.sharpening import choosing
from camlite_export.sharpening.choosing import Chosen, Maps
from camlite_export.sources import same_answers
from camlite_export.sources.source import Floats
from camlite_export.targets import DESCRIBED, FILES, TARGETS, tflite_uint8, weights_finder
from camlite_export.targets.description import Description
from camlite_export.targets.tflite_uint8 import Outputs

_MOST_CALIBRATION_IMAGES = 200
# `camlite parity` on the same pictures must agree; of more than so many, few gates would close that do not here.
MOST_MEASURED_IMAGES = 500
_MOST_PROVEN_IMAGES = 32
_MOST_ADDED_UP = 16

_MADE_WITH = ("camlite", "keras", "tensorflow", "tf2onnx", "onnx", "onnxruntime")


@dataclass(frozen=True)
class Exported:
    """One artifact that was written, and how it agrees with the original.

    Attributes:
        path, size: of the file, in bytes.
        measurement: None where no backend is installed here, or where its interpreter gave nothing to measure.
        backend: what ran it; None where none is installed here, and so nothing is known of it.
        failures: the checks and gates that it does not pass; its card says so, too.
        pictures: on which pictures of the user it was measured, as text; None where it was on golden samples.
        calibrated: on how many of them it was calibrated, too.
    """

    path: Path
    size: int
    measurement: Measurement | None
    backend: str | None = None
    failures: tuple[Failure, ...] = ()
    pictures: str | None = None
    calibrated: int = 0

    @property
    def kind(self) -> str:
        """``int8.tflite`` and the like."""
        return ".".join(self.path.name.split(".")[-2:])

    @property
    def images(self) -> int:
        """On how many images it was measured: no figure vouches for more."""
        return len(self.measurement) if self.measurement else 0

    @property
    def different(self) -> int:
        """How many of them are no copies of others."""
        return self.measurement.different if self.measurement else 0

    @property
    def verdict(self) -> Literal["fit", "checked", "UNFIT", "not measured"]:
        """Whether it is fit for use; ``checked`` where it passed on fewer different images than `FEWEST_IMAGES`."""
        if self.failures:
            return "UNFIT"
        if self.backend is None:
            return "not measured"
        return "fit" if self.different >= FEWEST_IMAGES else "checked"


class Exports(NamedTuple):
    """What `export` made.

    Attributes:
        artifacts: what was written, in the order in which it was wanted.
        refused: ``int16x8.tflite`` and the like -> why it could not be made.
        chosen: which maps it gives, and why; None where nobody was to choose.
        plain: ``int8.tflite`` and the like -> why it has plain maps only though a guide was chosen.
    """

    artifacts: list[Exported]
    refused: Mapping[str, str]
    chosen: Chosen | None = None
    plain: Mapping[str, str] = {}


Progress = Callable[[str], None]


def export(
    cut: Cut,
    *,
    name: str,
    labels: tuple[str, ...],
    target: Preprocessing,
    pixels: str = "",
    calibration: LabelledImages | None,
    pictures: str = "the calibration",
    wanted: Sequence[tuple[Container, Precision]],
    folder: Path,
    maps: Maps = "cam",
    guide: str | None = None,
    progress: Progress = lambda _: None,
    sign: artifact.Sign | None = None,
    outputs: Outputs = "int8",
) -> Exports:
    """Write one artifact for each wanted container and precision.

    All artifacts are made and judged before the first is written, and each appears whole or not at all. Those that
    cannot be made are told, and the others are written; so are those that are not fit for use, with that on the card.

    Args:
        cut: of the classifier, see `camlite_export.cutting`.
        name: file names are ``NAME.PRECISION.tflite`` and ``NAME.PRECISION.onnx``.
        labels: one a class.
        target: how pixels become the classifier's input.
        pixels: why, for the card.
        calibration: representative images.
        pictures: where they are from, as text.
        wanted: of `kinds`.
        folder: made where it is missing.
        maps, guide: see `camlite_export.export`.
        progress: called with the name of each stage as it begins, `stages` times in all.
        sign: signs each artifact, see `camlite_export.signing.signer`.
        outputs: of int8.tflite, see `camlite_export.export`.

    Raises:
        ClassifierError: nothing can be made of it, the classifier flips the image inside, or what would be
            converted does not say what the original says.
        CamliteError: the folder cannot be written to.
    """
    progress("head")
    _prove(cut, target, calibration)
    cut = _adding_up(cut, target, calibration)
    window = measured_places.of_cut(cut, target).window
    head = cut.affine
    golden_images = golden_samples.choose(calibration, target, cut)
    inputs = inputs_of(list(golden_images), target)
    answers = reference_of(cut, inputs)
    chosen = None
    if maps != "cam":
        progress("maps")
        chosen = _chosen(cut, target, window, calibration, golden_images, maps, guide)
        cut = cut.guided_by(chosen.layers)
    traits = EVIDENCE_METHODS[cut.evidence_method]
    weights = head.weights if head and traits.has_weights else None
    bias = head.bias if head and traits.adds_up else None
    arrays = Arrays(weights, bias, golden_images, answers.scores, answers.evidence)
    if chosen is not None:
        arrays = _with_maps(arrays, cut, inputs, answers, window, chosen.maps)
    making = _Making(cut, name, labels, target, pixels, window, arrays, calibration, sign, outputs)
    can_be_plain = maps == "auto" and cut.guide_layers is not None
    images = calibration.spread(MOST_MEASURED_IMAGES) if calibration else of_arrays(golden_images)
    with interpreter_process.interpreter_processes(soon=(container for container, _ in wanted)) as process_of:
        models, refused = making.models(wanted, progress)
        if not can_be_plain:
            _raise_where_nothing_was_made(models, refused)
        progress("golden samples")
        steps = _Steps(progress, len(wanted))
        judged = making.judged(models, images, process_of, steps.done)
        spoiled = _spoiled(judged, refused) if can_be_plain else {}
        if spoiled:
            plain = making.without_a_guide()
            models, refused = plain.models(list(spoiled), lambda _: None)
            judged |= plain.judged(models, images, process_of)
            _raise_where_nothing_was_made(judged, refused)
    steps.end()
    progress("writing")
    made = {kind: judged[kind] for kind in wanted if kind in judged}
    output_folder.write_all(folder, {file_name(name, *kind): one.content for kind, one in made.items()})
    artifacts = [
        Exported(
            folder / file_name(name, container, precision),
            len(one.content),
            one.measurement,
            one.backend,
            one.failures,
            None if calibration is None else pictures,
            min(len(images), _MOST_CALIBRATION_IMAGES) if PRECISIONS[precision].needs_calibration else 0,
        )
        for (container, precision), one in made.items()
    ]
    return Exports(
        artifacts,
        {kind_text(kind): _why(error) for kind, error in refused.items()},
        chosen,
        {kind_text(kind): why for kind, why in spoiled.items() if kind in judged},
    )


@dataclass(frozen=True)
class _Making:
    """All that artifacts of one classifier are made of."""

    cut: Cut
    name: str
    labels: tuple[str, ...]
    target: Preprocessing
    pixels: str
    window: Window
    arrays: Arrays
    calibration: LabelledImages | None
    sign: artifact.Sign | None
    outputs: Outputs

    def without_a_guide(self) -> _Making:
        """The same with plain maps."""
        maps = self.arrays.maps
        if maps is not None:
            maps = maps._replace(guide=None, chosen="cam: in this precision fine maps would not be the original's")
        arrays = self.arrays._replace(maps=maps, golden_fine=None)
        return dataclasses.replace(self, cut=self.cut.guided_by(None), arrays=arrays)

    def models(self, wanted: Sequence[Kind], progress: Progress) -> tuple[dict[Kind, bytes], dict[Kind, Exception]]:
        """The models, and why some could not be made."""
        return _convert(self.cut, self.target, self.calibration, wanted, progress, self.outputs)

    def judged(
        self,
        models: Mapping[Kind, bytes],
        images: LabelledImages,
        process_of: Callable[[Container], InterpreterProcess],
        progress: Judging = lambda _done, _all: None,
    ) -> dict[Kind, Judgement]:
        """Sealed, with their errors on golden samples, and judged by the original."""
        files = {file_name(self.name, *kind): self._packed(kind, content) for kind, content in models.items()}
        files = golden_samples.carry_errors(files, process_of, self.sign, golden_samples.least_errors(self.cut))
        expected = Expected(self.name, self.cut, self.labels, self.target, ())
        ours = self.calibration is not None
        found = judge_all(files, expected, images, process_of, ours=ours, sign=self.sign, progress=progress)
        return dict(zip(models, found.values(), strict=True))

    def _packed(self, kind: Kind, content: bytes) -> bytes:
        container, precision = kind
        converted = not isinstance(self.cut, FileCut)  # a file that ships stays what it is, and small
        if converted:
            told = Description(self.name, precision, self.labels, self.target, self.cut.activation)
            content = DESCRIBED[container](content, told)
        card = _card(self.cut, self.name, precision, self.labels, self.target, self.pixels, self.window, content)
        carried = _as_the_model_has_them(self.arrays, content, self.cut.feature_shape)._replace(label_file=converted)
        if self.arrays.guide is not None and not _has_guide(self.cut, precision):
            carried = carried._replace(maps=None, golden_fine=None)
        return artifact.pack(container, content, card, carried, self.sign)


def _spoiled(judged: Mapping[Kind, Judgement], refused: Mapping[Kind, Exception]) -> dict[Kind, str]:
    """Those that could not be made with a guide, or whose fine maps only are not the original's; and why."""
    return {kind: _why(error) for kind, error in refused.items()} | {
        kind: f"fine ones would not be the original's: {'; '.join(failure.short for failure in one.failures)}"
        for kind, one in judged.items()
        if one.failures and all(failure.check in OF_FINE_MAPS for failure in one.failures)
    }


def _has_guide(cut: Cut, precision: Precision) -> bool:
    """Whether the model of a precision has a guide: it is made of comparisons, which in a file are float32."""
    if isinstance(cut, FileCut):
        return cut.guide_layers is not None
    return cut.guide_layers is not None and PRECISIONS[precision].has_comparisons


def _gives_bias(cut: Cut, precision: Precision) -> bool:
    """Whether the model of a precision gives the bias of the active pieces.

    Not where its evidence is rounded to 8 bits, with one scale for all classes. What is added to a file is float32.
    """
    return cut.gives_bias and (isinstance(cut, FileCut) or not PRECISIONS[precision].needs_calibration)


def _adding_up(cut: Cut, target: Preprocessing, calibration: LabelledImages | None) -> Cut:
    """Without the bias of the active pieces where it does not add up on the user's own pictures."""
    if not cut.gives_bias or calibration is None:
        return cut
    features, _ = cut.answer(inputs_of(list(calibration.spread(_MOST_ADDED_UP)), target))
    return cut if active_bias.adds_up(cut.head, features) else cut.without_bias()


def _chosen(
    cut: Cut,
    target: Preprocessing,
    window: Window,
    calibration: LabelledImages | None,
    golden_images: NDArray[np.uint8],
    maps: Maps,
    guide: str | None,
) -> Chosen:
    """The best maps; plain ones, and why, where nobody insists on sharp ones and nothing can be measured."""
    pictures: Sequence[NDArray[np.uint8]] = calibration or list(golden_images)
    called = ("picture", "") if calibration else ("golden sample", " (noise, none of your pictures)")
    try:
        return choosing.choose(cut, target, window, pictures, maps, guide, *called)
    except ClassifierError as error:
        if maps == "sharp":
            raise
        return Chosen(None, MapChoice(None, chosen=one_line(f"cam: nothing else could be tried, as {error}")))


def _with_maps(arrays: Arrays, cut: Cut, inputs: Floats, answers: Reference, window: Window, maps: MapChoice) -> Arrays:
    """And what an artifact says of its maps."""
    fine = None
    if maps.guide is not None:
        fine = fine_reference.fine_evidence(cut, inputs, answers.classes, answers.evidence, window, maps.guide)
    return arrays._replace(maps=maps, golden_fine=fine)


def _prove(cut: Cut, target: Preprocessing, calibration: LabelledImages | None) -> None:
    """What is converted must say what the original says of the user's own pictures, and of all that pixels can be."""
    cut.prove(same_answers.probes_of(target))
    if calibration is not None:
        cut.prove(inputs_of(list(calibration.spread(_MOST_PROVEN_IMAGES)), target))


def stages(wanted: Sequence[tuple[Container, Precision]], maps: Maps) -> int:
    """How often `export` calls `progress`."""
    return 3 + 2 * len(wanted) + (maps != "cam")


class _Steps:
    """Measuring as so many stages: batches are as large as the images let them be."""

    def __init__(self, progress: Progress, count: int) -> None:
        self._progress, self._count, self._begun = progress, count, 0
        self._begin("measuring", 1)

    def done(self, images: int, of: int) -> None:
        """So many images are measured."""
        self._begin(f"measuring, {images} of {counted(of, 'image')}", 1 + images * (self._count - 1) // of)

    def end(self) -> None:
        """All are."""
        self._begin("measuring", self._count)

    def _begin(self, stage: str, last: int) -> None:
        for _ in range(self._begun, last):
            self._progress(stage)
        self._begun = max(self._begun, last)


def _convert(
    cut: Cut,
    target: Preprocessing,
    calibration: LabelledImages | None,
    wanted: Sequence[Kind],
    progress: Progress,
    outputs: Outputs,
) -> tuple[dict[Kind, bytes], dict[Kind, Exception]]:
    """The models, and why some could not be made."""
    prepared = inputs_of(list(calibration.spread(_MOST_CALIBRATION_IMAGES)), target) if calibration else None
    models: dict[Kind, bytes] = {}
    refused: dict[Kind, Exception] = {}
    for container, precision in wanted:
        progress(kind_text((container, precision)))
        try:
            made = cut if _has_guide(cut, precision) else cut.guided_by(None)
            made = made if _gives_bias(cut, precision) else made.without_bias()
            if isinstance(made, FileCut):
                models[container, precision] = FILES[container](made)
            else:
                model = TARGETS[container].convert(_traceable(made), precision, prepared)
                changed = outputs == "uint8" and (container, precision) == OF_UINT8_OUTPUTS
                models[container, precision] = tflite_uint8.convert(model, target) if changed else model
        except Exception as error:
            refused[container, precision] = error
    return models, refused


def _why(error: Exception) -> str:
    """Why something could not be made, in one line."""
    return str(error) if isinstance(error, ClassifierError) else one_line(f"{type(error).__name__}: {error}")[:300]


def _raise_where_nothing_was_made(models: Mapping[Kind, object], refused: Mapping[Kind, Exception]) -> None:
    if models:
        return
    for error in refused.values():
        if not isinstance(error, ClassifierError):
            raise error
    raise ClassifierError("; ".join(dict.fromkeys(map(str, refused.values()))))


def _traceable(cut: Cut) -> TraceableCut:
    if isinstance(cut, TwoOutputModel):
        return cut
    raise TypeError(f"{cut.source.name}: nobody here converts a {type(cut).__name__}")


def _as_the_model_has_them(arrays: Arrays, model: bytes, feature_shape: tuple[int, int, int]) -> Arrays:
    """Class weights of the model itself, where they can be found in it."""
    height, width, channels = feature_shape
    stored = None if arrays.weights is None else weights_finder.find(model, arrays.weights, height * width)
    if arrays.weights is None or stored is None:
        return arrays
    rest = weights_finder.rest(model, arrays.weights, stored)
    weights = stored.read(model, channels, arrays.weights.shape[1], rest)
    return arrays._replace(weights=weights, stored_weights=stored, weights_rest=rest)


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
        image_layout=cut.source.image_layout if isinstance(cut, FileCut) else "hwc",
        features_layout=cut.source.layout_of(cut.step) if isinstance(cut, FileCut) else "hwc",
    )
