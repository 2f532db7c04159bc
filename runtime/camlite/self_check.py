"""The self-check: an artifact's golden samples on this device's own kernels, against Keras's answers.

result = camlite.check(camlite.load("fashion_mnist.int8.tflite"))
result.passed, result.failures
"""

from __future__ import annotations

import math
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from camlite.artifact import Artifact
from camlite.artifact.arrays import Arrays
from camlite.artifact.precisions import PRECISIONS, Tolerance
from camlite.explainer import Explainer
from camlite.texts import counted

# An artifact carries how far it was from Keras where it was exported. Here it may be this many times as far, ...
_TIMES = 2

# ... and by the allowance of its precision further, but never more than anything that is fit for use: what was bad
# where it was exported is no excuse for being bad here.


@dataclass(frozen=True)
class Sample:
    """What this device answers for one golden sample.

    Attributes:
        expected: the class that Keras names.
        label: the class that the artifact names.
        score_difference: largest absolute difference of a score from Keras's.
        evidence_error: largest absolute difference of the evidence of the class that Keras names, divided by the mean
            over all samples of Keras's largest absolute evidence (for a single one, such as a black image, that may be
            0). If there is fine evidence, the larger of the two errors counts. None if the artifact gives evidence of
            its own top class only, and that is another class.
        completeness: see `camlite.Explanation.completeness`.
        tolerance: the largest value that each of the three may have.
    """

    expected: str
    label: str
    score_difference: float
    evidence_error: float | None
    completeness: float | None
    tolerance: Tolerance

    def excess(self, figure: str) -> float:
        """A figure divided by its tolerance: above 1 it fails. NaN counts as infinite, None as 0."""
        value = getattr(self, figure)
        share = 0.0 if value is None else value / getattr(self.tolerance, figure)
        return math.inf if math.isnan(share) else float(share)


@dataclass(frozen=True)
class Check:
    """The result of `check`.

    Attributes:
        artifact: the file that ran.
        backend: the interpreter that it ran on.
        samples: one per golden sample.
        seconds: how long all samples took.
        unfit: why the artifact was not fit for use when it was exported, as its card says; empty if nothing was found.
    """

    artifact: Path
    backend: str
    samples: tuple[Sample, ...]
    seconds: float
    unfit: str = ""

    @property
    def passed(self) -> bool:
        """Whether the card names no fault, there are samples, and every figure of every sample is within its
        tolerance."""
        return not self.failures

    @property
    def failures(self) -> tuple[str, ...]:
        """One line for each fault.

        First the faults that the card names, then each figure that is beyond its tolerance, with the worst sample and
        how far off it is.
        """
        known = unfit_lines(self.unfit)
        if not self.samples:
            return (*known, "carries no golden samples, so nothing is proven; export it again")
        beyond = [figure for figure in Tolerance._fields if self.worst(figure).excess(figure) > 1]
        return (*known, *(_line(self.samples, figure) for figure in beyond))

    def worst(self, figure: str) -> Sample:
        """The sample for which a figure is worst in relation to its tolerance."""
        return max(self.samples, key=lambda sample: sample.excess(figure))


def unfit_lines(unfit: str) -> tuple[str, ...]:
    """What is said of an artifact whose card has something against it; nothing where it has not."""
    return (f"not fit for use, as measured at its export: {unfit}",) if unfit else ()


def check(explainer: Explainer) -> Check:
    """Run the artifact's golden samples and compare the answers with those of Keras.

    It needs no other file, and takes as long as explaining a few images.
    """
    artifact = explainer.artifact
    arrays = artifact.arrays
    golden = (arrays.golden_images, arrays.golden_scores, _maps(arrays), tolerances(artifact))
    start = time.perf_counter()
    with np.errstate(invalid="ignore", over="ignore"):  # what is not finite fails
        samples = tuple(_sample(explainer, *one) for one in zip(*golden, strict=True))
    return Check(artifact.path, explainer.backend, samples, time.perf_counter() - start, artifact.card.unfit)


class _GoldenMap(NamedTuple):
    """What Keras gave for one sample, and what an error is counted in.

    Attributes:
        expected: evidence, or fine evidence.
        size: of coarse evidence, the largest of each sample's map, mean of all samples; of fine evidence, the sum of
            its magnitudes, likewise.
        is_fine: which of the two it is.
    """

    expected: NDArray[np.float32]
    size: float
    is_fine: bool

    def error(self, received: NDArray[np.float32]) -> float:
        """The largest difference; of fine evidence, whose peaks are sharp, the sum of all: twice the share elsewhere.

        In 8 bits a peak may move by a cell. On the 200 prototypes of the reference classifier, with the guide of
        28 x 28 cells that is chosen for it, the largest is 0.35 (95th percentile), and the sum 0.22.
        """
        differences = np.abs(received.reshape(self.expected.shape) - self.expected)
        return float(differences.sum() if self.is_fine else differences.max()) / self.size


def _maps(arrays: Arrays) -> list[tuple[_GoldenMap | None, ...]]:
    """Of each sample evidence, and fine evidence or None."""
    samples = len(arrays.golden_images)
    coarse: list[_GoldenMap | None] = []
    fine: list[_GoldenMap | None] = [None] * samples
    if samples:
        size = float(np.abs(arrays.golden_evidence).max(axis=(1, 2)).mean()) or 1.0
        coarse = [_GoldenMap(one, size, False) for one in arrays.golden_evidence]
    if samples and arrays.golden_fine is not None:
        size = float(np.abs(arrays.golden_fine).sum(axis=(1, 2)).mean()) or 1.0
        fine = [_GoldenMap(one, size, True) for one in arrays.golden_fine]
    return list(zip(coarse, fine, strict=True))


def tolerances(artifact: Artifact) -> list[Tolerance]:
    """The largest value that each figure of each golden sample may have, on any device."""
    traits, errors = PRECISIONS[artifact.card.precision], artifact.arrays.golden_errors
    if errors is None:
        return [traits.unmeasured] * len(artifact.arrays.golden_images)
    allowed = np.minimum(_TIMES * errors + np.asarray(traits.allowance), traits.most)
    return [Tolerance(*map(float, one)) for one in allowed]


def _sample(
    explainer: Explainer,
    image: NDArray[np.uint8],
    scores: NDArray[np.float32],
    maps: Sequence[_GoldenMap | None],
    tolerance: Tolerance,
) -> Sample:
    expected = int(scores.argmax())
    explanation = explainer.explain(image, [expected] if explainer.any_class else None, finite=False)
    error = None
    if explanation.classes[0] == expected:
        pairs = zip(maps, (explanation.evidence, explanation.fine), strict=True)
        errors = [golden.error(received) for golden, received in pairs if golden and received is not None]
        error = float(np.max(errors))  # NaN stays NaN
    return Sample(
        expected=explainer.labels[expected],
        label=explanation.label,
        score_difference=float(np.abs(explanation.scores - scores).max()),
        evidence_error=error,
        completeness=explanation.completeness,
        tolerance=tolerance,
    )


def _line(samples: Sequence[Sample], figure: str) -> str:
    index = max(range(len(samples)), key=lambda i: samples[i].excess(figure))
    sample = samples[index]
    named = "" if sample.label == sample.expected else f", which it takes for {sample.label!r}"
    failed = sum(one.excess(figure) > 1 for one in samples)
    return (
        f"{figure.replace('_', ' ')} is {getattr(sample, figure):.2g}, expected at most "
        f"{getattr(sample.tolerance, figure):.2g}, on golden sample {index} ({sample.expected!r}{named}); "
        f"wrong on {failed} of {counted(len(samples), 'sample')}"
    )
