"""Hold artifacts against the Keras classifier, image by image, in bounded memory.

Images are read once, in batches; for each batch the classifier answers here, and every artifact in the process of
its backend. What stays is a few numbers an image, and at the end the images on which each artifact is worst.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cache, partial
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from camlite import artifact as artifacts
from camlite.artifact import Artifact
from camlite.artifact.card import Preprocessing
from camlite.artifact.precisions import Precision
from camlite.images import labelled_images
from camlite.images.labelled_images import Images, LabelledImages
from camlite_export.agreement import gates, rounding_noise, structure
from camlite_export.agreement.expected import Expected, Given, open_expected
from camlite_export.agreement.gates import Gate, Verdict
from camlite_export.agreement.measurement import Measurement, join, measure
from camlite_export.agreement.reference import inputs_of, reference_of
from camlite_export.agreement.runner import Runner, batches, runners
from camlite_export.agreement.structure import Failure
from camlite_export.precisions import PRECISIONS
from camlite_export.rightness import label_evidence
from camlite_export.rightness.pixel_decision import Decision, decide
from camlite_export.sources.pixel_views import view_of


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


@dataclass(frozen=True, repr=False)
class Comparison:
    """Artifacts against the classifier, on the same images.

    Attributes:
        expected: the classifier.
        data: what the images are, as text.
        images: the images.
        results: one an artifact, in the order given.
        pixels: what the images say of the pixels; None of golden samples.
        card: why the first artifact has its preprocessing, as its card says; empty where it does not.
    """

    expected: Expected
    data: str
    images: LabelledImages
    results: tuple[Result, ...]
    pixels: Decision | None = None
    card: str = ""

    @property
    def passed(self) -> bool:
        """Whether no check failed on any artifact."""
        return all(result.passed for result in self.results)

    def to_dict(self) -> dict[str, Any]:
        """The record that ``camlite parity --json`` prints."""
        from camlite_export.agreement import report  # which shows what is measured here

        return report.record(self)

    def __repr__(self) -> str:
        failed = [result.artifact.path.name for result in self.results if not result.passed]
        verdict = f"FAILED: {', '.join(failed)}" if failed else "all passed"
        return f"<Comparison of {len(self.results)} artifacts with {self.expected.path} on {self.data}: {verdict}>"

    def _repr_html_(self) -> str:
        from camlite_export.agreement import summary
        from camlite_export.reports import notebook

        return notebook.table(summary.HEADER, [summary.row(one) for one in self.results], *summary.lines(self))


Progress = Callable[[int, int], object]

# Gives, for batches in any order, the index of the first image and a measurement an artifact, see `measure_batch`.
Engine = Callable[[Preprocessing, int, Sequence[Path]], Iterator[tuple[int, list[Measurement]]]]


def compare(
    classifier: Any,
    paths: Sequence[Path],
    data: Images | None = None,
    *,
    given: Given | None = None,
    limits: Mapping[str, float] | None = None,
    backend: str | None = None,
    shown: int = 0,
    engine: Engine | None = None,
    progress: Progress = lambda _done, _all: None,
) -> Comparison:
    """Compare artifacts with the classifier they were exported from.

    Args:
        classifier: path of a file or a model object, see `camlite_export.sources.opening.open_source`.
        paths: the artifacts.
        data: images, see `camlite.images.labelled_images.Images`; by default the first artifact's golden samples.
            Those are few, and hard on purpose: they pass no gates but the caller's.
        given: what the caller says of the classifier.
        limits: gates by the names of their figures, in place of ours.
        backend: by default the installed one that is preferred, for each container.
        shown: how many of the worst images to keep for each artifact.
        engine: who measures, given the input, the number of images and the artifacts' paths; by default this process.
        progress: called with the number of images that are done, and of all.

    Raises:
        CamliteError: an artifact, the classifier or an image cannot be read, or an interpreter cannot run.
    """
    read = [artifacts.read(path) for path in paths]
    with runners(read, backend) as opened:
        tensors = [runner.tensors() for runner in opened]
        expected = open_expected(classifier, given or Given(), read[0])
        images = _golden_samples(read[0]) if data is None else labelled_images.of(data, expected.labels)
        source = _told(data, len(images), paths[0])
        found = [structure.failures(one, *two, expected) for one, two in zip(read, tensors, strict=True)]
        able = [runner for runner, failures in zip(opened, found, strict=True) if structure.comparable(failures)]
        measured = dict(zip(map(id, able), _measure(able, expected, images, engine, progress), strict=True))
        dtype = expected.cut.source.dtype
        noise = cache(partial(_rounding_noise, expected, images))
        results = [
            _result(
                runner,
                failures,
                measured.get(id(runner)),
                expected,
                images,
                _judges(runner, measured.get(id(runner)), limits or {}, data is not None, noise, dtype),
                shown,
            )
            for runner, failures in zip(opened, found, strict=True)
        ]
    told = data is not None and bool(able)  # another classifier's card says nothing of these pixels
    pixels = decide(view_of(expected.cut.source), images, expected.labels, expected.target) if told else None
    return Comparison(expected, source, images, tuple(results), pixels, read[0].card.pixels)


def _told(data: Images | None, count: int, artifact: Path) -> str:
    """What the images are, as text."""
    if data is None:
        return f"the {count} golden samples of {artifact}"
    return f"{count:,} images of {data}" if isinstance(data, str | Path) else f"{count:,} images"


def _judges(
    runner: Runner,
    measurement: Measurement | None,
    limits: Mapping[str, float],
    ours: bool,
    noise: Callable[[Precision, bool], Measurement],
    original: str,
) -> Mapping[str, Gate]:
    """Gates for an artifact; where one is closed, no stricter than the classifier's own steadiness allows."""
    precision = runner.artifact.card.precision
    judges = gates.of(precision, limits, ours)
    as_precise = PRECISIONS[precision].noise_bits is None and original == "float32"  # rounding is no excuse
    if measurement is None or as_precise or all(one.passed for one in gates.judge(measurement, judges)):
        return judges
    _, outputs = runner.tensors()
    rounds_evidence = "evidence" in outputs and outputs["evidence"].scale > 0
    return gates.as_steady_as(judges, noise(precision, rounds_evidence), precision)


def _rounding_noise(
    expected: Expected, images: LabelledImages, precision: Precision, rounds_evidence: bool
) -> Measurement:
    parts = []
    for start, batch in batches(images, expected.target):
        prepared = inputs_of(batch, expected.target)
        reference = reference_of(expected.cut, prepared)
        truth = None if images.classes is None else images.classes[start : start + len(batch)]
        parts.append(
            rounding_noise.measure(expected.cut, prepared, reference, precision, truth, rounds_evidence=rounds_evidence)
        )
    return join(parts)


def _golden_samples(artifact: Artifact) -> LabelledImages:
    golden = artifact.arrays.golden_images
    names = [f"golden sample {i} of {artifact.path}" for i in range(len(golden))]
    return LabelledImages(names, None, lambda i: golden[i])


def _measure(
    able: Sequence[Runner], expected: Expected, images: LabelledImages, engine: Engine | None, progress: Progress
) -> list[Measurement]:
    if not able:
        return []
    if engine is not None:
        found = engine(expected.target, len(images), [runner.artifact.path for runner in able])
    else:
        found = (measure_batch(able, expected, images, *one) for one in batches(images, expected.target))
    parts: dict[int, list[Measurement]] = {}
    done = 0
    for start, measured in found:
        parts[start] = measured
        done += len(measured[0])
        progress(done, len(images))
    ordered = [parts[start] for start in sorted(parts)]
    return [join(list(one)) for one in zip(*ordered, strict=True)]


def measure_batch(
    able: Sequence[Runner], expected: Expected, images: LabelledImages, start: int, batch: Sequence[NDArray[np.uint8]]
) -> tuple[int, list[Measurement]]:
    """One measurement an artifact, of a batch of the images that begins at `start`, which is given back, too."""
    reference = reference_of(expected.cut, inputs_of(batch, expected.target))
    truth = None if images.classes is None else images.classes[start : start + len(batch)]
    answers = [runner.answer(batch, reference.classes) for runner in able]
    return start, [measure(reference, answer(), truth) for answer in answers]


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
        *(Failure("golden samples", line) for line in runner.check().failures),
        *_label_order(measurement, expected, images),
        *(_closed_gate(one, measurement, expected, images) for one in verdicts if not one.passed),
    ]
    worst = _cases(runner, measurement, expected, images, shown)
    return Result(runner.artifact, runner.backend, tuple(found), measurement, tuple(verdicts), worst)


def _not_finite(measurement: Measurement, images: LabelledImages) -> list[Failure]:
    bad = np.flatnonzero(~measurement.finite)
    if not len(bad):
        return []
    what = (
        f"{len(bad)} of {len(measurement)} images give numbers that are not finite, the first: {images.names[bad[0]]}"
    )
    return [Failure("finiteness", what)]


def _label_order(measurement: Measurement, expected: Expected, images: LabelledImages) -> list[Failure]:
    """Where the classifier itself, on labelled images, does not say what the labels say."""
    if images.classes is None:
        return []
    verdict = label_evidence.judge(measurement.named_reference, images.classes, expected.labels)
    return [Failure("labels", failure) for failure in verdict.failures]


def _closed_gate(verdict: Verdict, measurement: Measurement, expected: Expected, images: LabelledImages) -> Failure:
    figure, index = verdict.gate.figure, verdict.worst
    label, other = (expected.labels[k[index]] for k in (measurement.named_reference, measurement.named))
    named = f"class {label!r}" if label == other else f"class {label!r} (the artifact says {other!r})"
    how_far = figure.how_far(measurement, index)
    return Failure(figure.name, f"{verdict}; worst on {images.names[index]}, {named}: {how_far}")


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
