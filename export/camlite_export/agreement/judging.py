"""Judge opened artifacts by the original, on images: what `camlite parity` and `camlite export` say of them.

Images are read once, in batches; for each batch the classifier answers here, and every artifact in the process of
its backend. What stays is a few numbers an image, and at the end the images on which each artifact is worst.

One bad item never takes the good ones along: an artifact that its interpreter cannot run, or dies of, has that as its
verdict, and an image that cannot be read is left out.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cache, partial
from pathlib import Path
from typing import Literal, NamedTuple

import numpy as np
from numpy.typing import NDArray

from camlite import self_check
from camlite.artifact import Artifact
from camlite.artifact.card import Preprocessing, Window
from camlite.artifact.map_choice import Guide
from camlite.artifact.precisions import Precision
from camlite.backends.interpreter import Tensor
from camlite.errors import CamliteError
from camlite.images.labelled_images import UNKNOWN, LabelledImages
from camlite.texts import counted
from camlite_export.agreement import fine_reference, gates, rounding_noise, structure
from camlite_export.agreement.expected import Expected
from camlite_export.agreement.gates import Gate, Verdict
from camlite_export.agreement.measurement import Measurement, join, measure
from camlite_export.agreement.reference import Reference, inputs_of, reference_of
from camlite_export.agreement.runner import Batch, Runner, batches
from camlite_export.agreement.structure import Failure
from camlite_export.cutting.file_cut import FileCut
from camlite_export.precisions import PRECISIONS
from camlite_export.rightness import label_evidence
from camlite_export.sources.source import Floats

Tensors = tuple[Tensor, Mapping[str, Tensor]]


@dataclass(frozen=True)
class Case:
    """One image, and how an artifact and the classifier answer it.

    Attributes:
        index: of the image; image: uint8 (H, W, channels).
        expected, received: scores of the classifier and of the artifact, float32 (K,).
        expected_evidence, received_evidence: of the class that the classifier names, float32 (h, w).
    """

    index: int
    image: NDArray[np.uint8]
    expected: NDArray[np.float32]
    received: NDArray[np.float32]
    expected_evidence: NDArray[np.float32]
    received_evidence: NDArray[np.float32]


@dataclass(frozen=True)
class Result:
    """One artifact against the classifier.

    Attributes:
        artifact, backend: what ran, on what.
        failures: of checks and gates, in the order in which they were made.
        measurement: None where its names or shapes leave nothing to compare.
        verdicts: of the gates of its precision.
        worst: the images on which its evidence is furthest from the classifier's, the worst first.
    """

    artifact: Artifact
    backend: str
    failures: tuple[Failure, ...]
    measurement: Measurement | None
    verdicts: tuple[Verdict, ...]
    worst: tuple[Case, ...]

    @property
    def passed(self) -> bool:
        """Whether no check failed."""
        return not self.failures

    @property
    def verdict(self) -> Literal["ok", "checked", "FAILED"]:
        """``checked`` where none failed on fewer different images than a verdict needs, see `gates.FEWEST_IMAGES`."""
        if self.failures:
            return "FAILED"
        return "ok" if self.measurement and self.measurement.different >= gates.FEWEST_IMAGES else "checked"


Progress = Callable[[int, int], object]


class Measured(NamedTuple):
    """What one batch gives.

    Attributes:
        start: index of its first image.
        found: for each artifact a measurement, or why its interpreter gave none; empty where no image was read.
        unread: index -> why, of images that could not be read.
    """

    start: int
    found: Sequence[Measurement | str]
    unread: Mapping[int, str]


# Gives batches in any order, see `measure_batch`.
Engine = Callable[[Preprocessing, int, Sequence[Path]], Iterator[Measured]]


class Judged(NamedTuple):
    """What `judge` finds.

    Attributes:
        results: one an artifact, in the order given.
        images: those that could be read.
        unread: a line for each that could not.
    """

    results: list[Result]
    images: LabelledImages
    unread: tuple[str, ...]


def judge(
    opened: Sequence[tuple[Runner, Tensors]],
    expected: Expected,
    images: LabelledImages,
    *,
    limits: Mapping[str, float] | None = None,
    ours: bool = True,
    shown: int = 0,
    engine: Engine | None = None,
    progress: Progress = lambda _done, _all: None,
) -> Judged:
    """Judge artifacts.

    Args:
        opened: the artifacts, each with its tensors as the interpreter has them.
        expected: the original.
        limits: gates by the names of their figures, in place of ours.
        ours: whether all our gates are asked: golden samples are few, and hard on purpose. A float32 artifact always
            has to pass its own: nothing is rounded there.
        shown: how many of the worst images to keep for each artifact.
        engine: who measures, given the input, the number of images and the artifacts' paths; by default this process.
        progress: called with the number of images that are done, and of all.

    Raises:
        CamliteError: the classifier cannot answer, or none of the images can be read.
    """
    found = [structure.failures(runner.artifact, *tensors, expected) for runner, tensors in opened]
    able = [runner for (runner, _), failures in zip(opened, found, strict=True) if structure.comparable(failures)]
    measured, unread = _measure(able, expected, images, engine, progress)
    images = images.without(unread)
    noise = cache(partial(_rounding_noise, expected, images))
    results = []
    for (runner, tensors), failures in zip(opened, found, strict=True):
        failures = [*_said_by_the_card(runner.artifact), *failures]
        measurement = measured.get(id(runner))
        if isinstance(measurement, str):
            broken = Failure("interpreter", measurement, measurement)
            results.append(Result(runner.artifact, runner.backend, (*failures, broken), None, (), ()))
            continue
        if isinstance(expected.cut, FileCut):
            judges: Mapping[str, Gate] = gates.of_file(runner.artifact.card.precision, limits or {})
        else:
            dtype = expected.cut.source.dtype
            judges = _judges(runner.artifact, tensors, measurement, limits or {}, ours, noise, dtype)
        results.append(_result(runner, failures, measurement, expected, images, judges, shown))
    return Judged(results, images, tuple(unread.values()))


def _judges(
    artifact: Artifact,
    tensors: Tensors,
    measurement: Measurement | None,
    limits: Mapping[str, float],
    ours: bool,
    noise: Callable[[Precision, bool], Measurement],
    original: str,
) -> Mapping[str, Gate]:
    """Gates for an artifact; where one is closed, no stricter than the classifier's own steadiness allows."""
    precision = artifact.card.precision
    judges = gates.of(precision, limits, ours or PRECISIONS[precision].noise_bits is None)
    as_precise = PRECISIONS[precision].noise_bits is None and original == "float32"  # rounding is no excuse
    if measurement is None or as_precise or all(one.passed for one in gates.judge(measurement, judges)):
        return judges
    _, outputs = tensors
    rounds_evidence = "evidence" in outputs and outputs["evidence"].scale > 0
    return gates.as_steady_as(judges, noise(precision, rounds_evidence), precision)


def _rounding_noise(
    expected: Expected, images: LabelledImages, precision: Precision, rounds_evidence: bool
) -> Measurement:
    parts = []
    for batch in batches(images, expected.target):
        prepared = inputs_of(batch.images, expected.target)
        reference = reference_of(expected.cut, prepared)
        truth = _truth(images, batch)
        parts.append(
            rounding_noise.measure(expected.cut, prepared, reference, precision, truth, rounds_evidence=rounds_evidence)
        )
    return join(parts)


def _measure(
    able: Sequence[Runner], expected: Expected, images: LabelledImages, engine: Engine | None, progress: Progress
) -> tuple[dict[int, Measurement | str], dict[int, str]]:
    """By the runner's id its measurement, or why there is none; and why images could not be read, by their indices."""
    if not able:
        return {}, {}
    if engine is not None:
        found = engine(expected.target, len(images), [runner.artifact.path for runner in able])
    else:
        found = _measure_here(able, expected, images)
    parts: dict[int, Sequence[Measurement | str]] = {}
    unread: dict[int, str] = {}
    done = 0
    for start, measured, bad in found:
        if measured:
            parts[start] = measured
        unread |= bad
        done += next((len(one) for one in measured if isinstance(one, Measurement)), 0)
        progress(done + len(unread), len(images))
    images.without(unread)  # none is left where nothing was measured
    ordered = zip(*(parts[start] for start in sorted(parts)), strict=True)
    return {id(runner): _joined(one) for runner, one in zip(able, ordered, strict=True)}, unread


def _joined(parts: Sequence[Measurement | str]) -> Measurement | str:
    broken = next((part for part in parts if isinstance(part, str)), None)
    return broken or join([part for part in parts if isinstance(part, Measurement)])


def _measure_here(able: Sequence[Runner], expected: Expected, images: LabelledImages) -> Iterator[Measured]:
    """Batch by batch; an artifact that has failed once is not tried again."""
    broken: dict[int, str] = {}
    for batch in batches(images, expected.target):
        sound = [runner for runner in able if id(runner) not in broken]
        start, found, unread = measure_batch(sound, expected, images, batch)
        by_runner = dict(zip(map(id, sound), found, strict=bool(found)))
        broken |= {key: one for key, one in by_runner.items() if isinstance(one, str)}
        every = [broken.get(id(runner)) or by_runner[id(runner)] for runner in able] if found else []
        yield Measured(start, every, unread)


def measure_batch(able: Sequence[Runner], expected: Expected, images: LabelledImages, batch: Batch) -> Measured:
    """Measure artifacts on a batch of the images."""
    if not batch.indices:
        return Measured(next(iter(batch.unread)), [], batch.unread)
    inputs = inputs_of(batch.images, expected.target)
    reference = reference_of(expected.cut, inputs)
    answers = [runner.answer(batch.images, reference.classes) for runner in able]
    fine = cache(partial(_fine_reference, expected, inputs, reference))
    found: list[Measurement | str] = []
    for runner, answer in zip(able, answers, strict=True):
        guided = (runner.artifact.card.head.window, runner.artifact.arrays.guide)
        try:
            found.append(measure(reference, answer(), _truth(images, batch), fine(*guided)))
        except CamliteError as error:
            found.append(str(error).removeprefix(f"{runner.artifact.path}: "))
    return Measured(batch.indices[0], found, batch.unread)


def _fine_reference(
    expected: Expected, inputs: Floats, reference: Reference, window: Window, guide: Guide | None
) -> Floats | None:
    """The original's fine evidence; None where the artifact has none, or names layers that the original has not."""
    if guide is None or fine_reference.layers_of(expected.cut, guide) is None:
        return None
    classes, evidence = reference.classes, reference.evidence
    return fine_reference.fine_evidence(expected.cut, inputs, classes, evidence, window, guide)


def _truth(images: LabelledImages, batch: Batch) -> NDArray[np.int64] | None:
    return None if images.classes is None else images.classes[list(batch.indices)]


def _result(
    runner: Runner,
    failures: list[Failure],
    measurement: Measurement | None,
    expected: Expected,
    images: LabelledImages,
    judges: Mapping[str, Gate],
    shown: int,
) -> Result:
    if measurement is None:
        return Result(runner.artifact, runner.backend, tuple(failures), None, (), ())
    verdicts = gates.judge(measurement, judges)
    found = [
        *failures,
        *_not_finite(measurement, images),
        *_golden_samples(runner),
        *_label_order(measurement, expected, images),
        *(_closed_gate(one, measurement, expected, images) for one in verdicts if not one.passed),
    ]
    worst = _cases(runner, measurement, expected, images, shown)
    return Result(runner.artifact, runner.backend, tuple(found), measurement, tuple(verdicts), worst)


def _said_by_the_card(artifact: Artifact) -> list[Failure]:
    """What was found where it was exported holds ever after."""
    return [Failure("fitness", line) for line in self_check.unfit_lines(artifact.card.unfit)]


def _golden_samples(runner: Runner) -> list[Failure]:
    try:
        found = dataclasses.replace(runner.check()(), unfit="").failures
    except CamliteError as error:
        found = (str(error).removeprefix(f"{runner.artifact.path}: "),)
    return [Failure("golden samples", line, line) for line in found]


def _not_finite(measurement: Measurement, images: LabelledImages) -> list[Failure]:
    bad = np.flatnonzero(~measurement.finite)
    if not len(bad):
        return []
    what = f"numbers that are not finite on {len(bad)} of {counted(len(measurement), 'image')}"
    return [Failure("finiteness", f"{what}, the first: {images.names[bad[0]]}", what)]


def _label_order(measurement: Measurement, expected: Expected, images: LabelledImages) -> list[Failure]:
    """Where the classifier itself, on labelled images, does not say what the labels say."""
    if images.classes is None:
        return []
    known = images.classes != UNKNOWN
    if not known.any():
        return []
    verdict = label_evidence.judge(measurement.named_reference[known], images.classes[known], expected.labels)
    return [Failure("labels", failure, failure) for failure in verdict.failures]


def _closed_gate(verdict: Verdict, measurement: Measurement, expected: Expected, images: LabelledImages) -> Failure:
    figure, index = verdict.gate.figure, verdict.worst
    label, other = (expected.labels[k[index]] for k in (measurement.named_reference, measurement.named))
    named = f"class {label!r}" if label == other else f"class {label!r} (the artifact says {other!r})"
    how_far = figure.how_far(measurement, index)
    message = f"{verdict}; worst on {images.names[index]}, {named}: {how_far}"
    return Failure(figure.name, message, f"{figure.title_of(measurement.different)} {verdict}")


def _cases(
    runner: Runner, measurement: Measurement, expected: Expected, images: LabelledImages, shown: int
) -> tuple[Case, ...]:
    """Read the worst images once more, and answer them once more."""
    bad_first = np.lexsort((-measurement.score_difference, np.nan_to_num(measurement.correlation, nan=-1.0)))
    chosen = [int(index) for index in bad_first[:shown]]
    if not chosen:
        return ()
    pixels = [images[index] for index in chosen]
    reference = reference_of(expected.cut, inputs_of(pixels, expected.target))
    answers = runner.answer(pixels, reference.classes)()
    rows = zip(chosen, pixels, reference.scores, answers.scores, reference.evidence, answers.evidence, strict=True)
    return tuple(Case(*row) for row in rows)
