"""What a measurement comes down to: one number a figure, and the gate each precision must pass.

The gates of a precision, each beside what was measured, are in `camlite_export.precisions`.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Literal

import numpy as np

from camlite.artifact.precisions import Precision
from camlite.errors import CamliteError
from camlite.images import copies
from camlite_export.agreement.measurement import Floats, Measurement
from camlite_export.precisions import GATES_MEASURED_ON, PRECISIONS

# An artifact is further off than its classifier with nothing but its tensors rounded: kernels are rounded, too, and
# theirs is the same error at every place. Measured, in 8 bits: 1.36 times as far (reference classifier), 1.57 times
# (mini-XCEPTION); in 16 bits, kernels rounded in both: 1.97 times (Teachable Machine). A quarter more for other
# pictures. What the correlation lacks is a square of it.
_TIMES_THE_NOISE = 2.5

# One image of twenty is the 5th percentile; of fewer, each is more than that.
FEWEST_OF_A_PERCENTILE = 20

# Fewer images do not tell whether an artifact is fit. Measured on the reference classifier, eight right artifacts and
# 19 that are broken on purpose: on how many images, drawn at random from 10,000, the gates say what they say on all,
# in 95 % of the draws. Right ones: 4. Broken ones: 1 to 20; of 4 images, 34 % miss a map that is half a percent too
# large in float16, 26 % two classes that are swapped, 24 % a kernel at half its scale in int8, 18 % a calibration on 4
# images. 20 would do there, also where int8 is judged on the very images that it was calibrated on: 2,000 others say
# the same. But a fault of another classifier may show on fewer images: with 50, one that shows on 6 % of all images is
# met in 95 % of the draws (1 - 0.94^50), with 20 only one that shows on 14 %.
FEWEST_IMAGES = 50


@dataclass(frozen=True)
class Figure:
    """One number that sums up a measurement.

    Attributes:
        name: as `--gate` and JSON know it.
        title: as the report shows it.
        better: whether higher or lower is better, and so on which side of its limit a gate is open.
        per_image: what it sums up, (N,); NaN where an image has no such figure.
        summary: per-image figures to the number.
        distance: how far each image is off, (N,), and the text that says so: which of many is the worst.
        short: its column in the table of a terminal; empty where it has none.
        cell: its column in the table of the page, and which of the column's figures it is; None where it has none.
        share: whether it is a share of the images, shown in percent.
        steadiness: how many times as far from perfect an artifact may be as the classifier's own rounded tensors.
        fewest: of fewer different images it is not shown, as a percentile says nothing there; a gate that closes shows
            the worst.
        title_of_fewer: what that is called.
    """

    name: str
    title: str
    better: Literal["higher", "lower"]
    per_image: Callable[[Measurement], Floats]
    summary: Callable[[Floats], float]
    distance: tuple[Callable[[Measurement], Floats], str] = (lambda m: m.score_difference, "scores differ by")
    short: str = ""
    cell: tuple[str, str] | None = None
    share: bool = False
    steadiness: float = _TIMES_THE_NOISE
    fewest: int = 1
    title_of_fewer: str = ""

    @property
    def perfect(self) -> float:
        """Its value for two equal answers."""
        return 1.0 if self.better == "higher" else 0.0

    def value(self, measurement: Measurement) -> float | None:
        """The number as it is shown; None where no image has this figure, or fewer than it needs."""
        per_image = self.per_image(measurement)
        enough = _different(measurement, per_image) >= self.fewest
        return float(self.summary(_known(per_image))) if enough else None

    def judged(self, measurement: Measurement) -> float | None:
        """The number that a gate is given; None where no image has this figure."""
        known = _known(self.per_image(measurement))
        return float(self.summary(known)) if len(known) else None

    def title_of(self, images: int) -> str:
        """What it sums up on so many different images."""
        return self.title if images >= self.fewest else self.title_of_fewer

    def worst(self, measurement: Measurement) -> int:
        """Index of the image that is worst by this figure; among equals, of the one that is the furthest off."""
        per_image = self.per_image(measurement)
        bad = -per_image if self.better == "higher" else per_image
        far = self.distance[0](measurement)
        order = np.lexsort((-np.nan_to_num(far, nan=-1), -np.nan_to_num(bad, nan=-np.inf)))
        return int(order[0])

    def how_far(self, measurement: Measurement, index: int) -> str:
        """How far one image is off, as text."""
        own = "" if self.share else f"{self.text(float(self.per_image(measurement)[index]))}, "
        series, text = self.distance
        return f"{own}{text} {float(series(measurement)[index]):.2g}"

    def text(self, value: float | None) -> str:
        """The number as it is shown."""
        if value is None:
            return ""
        if self.share:
            return f"{value:.2%}"
        if self.better == "higher":
            return f"{value:.6f}"
        return f"{value:.1e}" if 0 < abs(value) < 1e-3 else f"{value:.3g}"

    def limit_text(self, limit: float, sides: tuple[str, str] = ("at least", "at most")) -> str:
        """A limit of it, and the side on which a gate is open."""
        side = sides[0] if self.better == "higher" else sides[1]
        return f"{side} {100 * limit:.4g}%" if self.share else f"{side} {limit:g}"


def _different(measurement: Measurement, per_image: Floats) -> int:
    """How many images have a figure and are no copies of others."""
    return copies.different(measurement.answered, ~np.isnan(per_image))


def _known(per_image: Floats) -> Floats:
    kept: Floats = per_image[~np.isnan(per_image)]
    return kept


def _fifth_percentile(per_image: Floats) -> float:
    return float(np.quantile(per_image, 0.05))


def _same_peak(measurement: Measurement) -> Floats:
    return np.where(np.isnan(measurement.peak_shift), np.nan, measurement.peak_shift == 0)


_LIST = (
    Figure(
        "score_difference_mean",
        "score difference, mean",
        "lower",
        lambda m: m.score_difference,
        np.mean,
        cell=("score difference", "mean"),
    ),
    Figure(
        "score_difference_max",
        "score difference, largest",
        "lower",
        lambda m: m.score_difference,
        np.max,
        short="score diff.",
        cell=("score difference", "max"),
    ),
    Figure(
        "top1_agreement",
        "top-1 agreement",
        "higher",
        lambda m: m.same_class,
        np.mean,
        short="top-1",
        cell=("top-1 agreement", ""),
        share=True,
    ),
    Figure(
        "accuracy",
        "accuracy",
        "higher",
        lambda m: m.correct,
        np.mean,
        short="accuracy",
        cell=("accuracy", ""),
        share=True,
    ),
    Figure(
        "accuracy_loss",
        "accuracy lost",
        "lower",
        lambda m: m.correct_reference - m.correct,
        np.mean,
        cell=("accuracy", "lost"),
        share=True,
    ),
    Figure(
        "evidence_error_mean",
        "evidence error, mean",
        "lower",
        lambda m: m.evidence_error,
        np.mean,
        cell=("evidence error", "mean"),
    ),
    Figure(
        "evidence_error_max",
        "evidence error, largest",
        "lower",
        lambda m: m.evidence_error,
        np.max,
        cell=("evidence error", "max"),
    ),
    Figure(
        "correlation_mean",
        "evidence correlation, mean",
        "higher",
        lambda m: m.correlation,
        np.mean,
        steadiness=_TIMES_THE_NOISE**2,
    ),
    Figure(
        "correlation_p5",
        "evidence correlation, 5th percentile",
        "higher",
        lambda m: m.correlation,
        _fifth_percentile,
        short="corr. p5",
        cell=("evidence correlation", "p5"),
        steadiness=_TIMES_THE_NOISE**2,
        fewest=FEWEST_OF_A_PERCENTILE,
        title_of_fewer="evidence correlation, worst",
    ),
    Figure(
        "correlation_min",
        "evidence correlation, worst",
        "higher",
        lambda m: m.correlation,
        np.min,
        short="worst",
        cell=("evidence correlation", "worst"),
        steadiness=_TIMES_THE_NOISE**2,
    ),
    Figure(
        "overlap_mean",
        "overlap of the top fifths",
        "higher",
        lambda m: m.overlap,
        np.mean,
        short="overlap",
        cell=("overlap", ""),
    ),
    Figure(
        "same_peak",
        "same peak",
        "higher",
        _same_peak,
        np.mean,
        (lambda m: m.peak_shift, "cells that the peak moves:"),
        short="same peak",
        cell=("peak", "same"),
        share=True,
    ),
    Figure(
        "peak_shift_max",
        "peak shift, largest, in cells",
        "lower",
        lambda m: m.peak_shift,
        np.max,
        cell=("peak", "max"),
    ),
    Figure(
        "fine_correlation_p5",
        "fine map correlation, 5th percentile",
        "higher",
        lambda m: m.fine_correlation,
        _fifth_percentile,
        (lambda m: m.fine_elsewhere, "share of the evidence that lies elsewhere:"),
        short="fine p5",
        cell=("fine map", "p5"),
        fewest=FEWEST_OF_A_PERCENTILE,
        title_of_fewer="fine map correlation, worst",
    ),
    Figure(
        "fine_elsewhere_mean",
        "fine evidence elsewhere, mean",
        "lower",
        lambda m: m.fine_elsewhere,
        np.mean,
        (lambda m: m.fine_elsewhere, "share of the evidence that lies elsewhere:"),
        cell=("fine map", "elsewhere"),
    ),
    Figure(
        "completeness_mean",
        "completeness residual, mean",
        "lower",
        lambda m: m.completeness,
        np.mean,
        short="completeness",
        cell=("completeness residual", "mean"),
    ),
    Figure(
        "completeness_max",
        "completeness residual, largest",
        "lower",
        lambda m: m.completeness,
        np.max,
        cell=("completeness residual", "max"),
    ),
)
OF_FINE_MAPS = ("fine_correlation_p5", "fine_elsewhere_mean")
FIGURES: Mapping[str, Figure] = {figure.name: figure for figure in _LIST}


@dataclass(frozen=True)
class Gate:
    """A figure's limit: the least it may be where higher is better, else the most. The limit itself passes.

    Attributes:
        figure, limit: see above.
        reason: why the limit stands there.
        measured_on: of how many images; None where the limit is to be taken literally.
        usual: the stricter limit that this one stands for, see `as_steady_as`; None where it is its own.
    """

    figure: Figure
    limit: float
    reason: str
    measured_on: int | None = None
    usual: float | None = None

    def passes(self, value: float, images: int) -> bool:
        """Whether a number that sums up so many images passes; NaN never does."""
        limit = self.limit_on(images)
        return value >= limit if self.figure.better == "higher" else value <= limit

    def limit_on(self, images: int) -> float:
        """The limit for so many images.

        It moves for shares alone. On fewer images than it was measured on, chance has more room: by two standard
        errors of a share of this size. And images are whole: the next count that is not stricter is the limit.
        """
        if not self.figure.share or self.measured_on is None:
            return self.limit
        outwards = -1 if self.figure.better == "higher" else 1
        spread = math.sqrt(self.limit * (1 - self.limit))
        room = 2 * spread * max(0.0, 1 / math.sqrt(images) - 1 / math.sqrt(self.measured_on))
        count = round((self.limit + outwards * room) * images, 6)
        return (math.floor(count) if outwards < 0 else math.ceil(count)) / images


@dataclass(frozen=True)
class Verdict:
    """What a gate says: the number it was given (or the worst, see `Figure.fewest`), its limit, and the worst image."""

    gate: Gate
    value: float
    limit: float
    passed: bool
    worst: int

    def __str__(self) -> str:
        figure = self.gate.figure
        return f"{figure.text(self.value)}, expected {figure.limit_text(self.limit)}"


def judge(measurement: Measurement, gates: Mapping[str, Gate]) -> list[Verdict]:
    """What each gate says of a measurement. A gate whose figure is not known (accuracy without classes) is silent."""
    verdicts = []
    for gate in gates.values():
        per_image = gate.figure.per_image(measurement)
        known = _known(per_image)
        if len(known):
            value, worst = float(gate.figure.summary(known)), gate.figure.worst(measurement)
            limit, passed = gate.limit_on(len(known)), gate.passes(value, len(known))
            if not passed and _different(measurement, per_image) < gate.figure.fewest:
                value = float(per_image[worst])
            verdicts.append(Verdict(gate, value, limit, passed, worst))
    return verdicts


def of(precision: Precision, limits: Mapping[str, float], ours: bool = True) -> dict[str, Gate]:
    """Gates by the names of their figures: ours of a precision, and the caller's limits in their place."""
    own = PRECISIONS[precision].gates if ours else {}
    gates = {name: Gate(FIGURES[name], limit, reason, GATES_MEASURED_ON) for name, (limit, reason) in own.items()}
    for name, limit in limits.items():
        gates[name] = Gate(FIGURES[name], limit, "set by the caller")
    return gates


# Of the file that ships, explained. Measured on the files of files-that-ship and on classifiers of keras.applications.
_SAME_SCORES = "the same operators in the same interpreter give the same scores, to the bit"
_OF_FILES: Mapping[str, tuple[float, str]] = {
    "score_difference_max": (0.0, _SAME_SCORES),
    "top1_agreement": (1.0, _SAME_SCORES),
    "evidence_error_max": (1e-3, "sums in another order: 1e-06; a guide's weights in 16 bits do not touch it"),
}
# What the file itself rounds between features and scores is its own: an 8-bit score is a multiple of 1/256.
_COMPLETENESS_OF_FILES: Mapping[bool, tuple[str, float, str]] = {
    True: ("completeness_max", 1e-4, "rounding alone: 1.4e-06"),
    False: ("completeness_mean", 0.15, "0.051 on noise (ResNet8 in int8, whose logits are multiples of 0.2)"),
}


def of_file(precision: Precision, limits: Mapping[str, float]) -> dict[str, Gate]:
    """Gates of an artifact that is the classifier's own file, and the caller's limits in their place."""
    name, limit, reason = _COMPLETENESS_OF_FILES[precision in ("float32", "float16")]
    own = {**_OF_FILES, name: (limit, reason)}
    gates = {name: Gate(FIGURES[name], limit, reason, GATES_MEASURED_ON) for name, (limit, reason) in own.items()}
    return {**gates, **of(precision, limits, ours=False)}


def _rounded(precision: Precision) -> str:
    """What was done to the classifier that an artifact of this precision is held against."""
    bits = PRECISIONS[precision].noise_bits
    if bits is None:
        return "in float32 against its own 16 bits"
    return f"with its tensors {'and kernels ' if bits == 16 else ''}in {bits} bits"


# What is fit for use at all, whatever the classifier's own steadiness excuses. Measured on 110 photographs: between
# what is much like the original (mini-XCEPTION in int8: correlation 0.981, evidence 0.12 off, scores 0.025, peaks 94 %)
# and what is not (Teachable Machine in int8, where 7 % of the classes change: 0.937, 0.16, 0.061, 75 %).
FIT: Mapping[str, tuple[float, str]] = {
    "score_difference_max": (0.25, "of a precision that hardly rounds"),
    "score_difference_mean": (0.035, "mini-XCEPTION 0.025, Teachable Machine 0.049 and 0.061"),
    "top1_agreement": (0.95, "of twenty pictures one may change its class"),
    "accuracy_loss": (0.02, "of fifty pictures one more may be named wrong"),
    "evidence_error_max": (0.5, "a map that has moved is further off"),
    "evidence_error_mean": (0.13, "mini-XCEPTION 0.12, Teachable Machine 0.15 and 0.16"),
    "correlation_p5": (0.97, "mini-XCEPTION 0.981, Teachable Machine 0.937 and 0.958"),
    "same_peak": (0.8, "mini-XCEPTION 94 %, Teachable Machine 75 % and 78 %"),
    "fine_correlation_p5": (0.9, "the reference classifier in int8 0.990; one of 28 cells off 0.73"),
    "fine_elsewhere_mean": (0.12, "the reference classifier in int8 0.028; made by another method 0.12"),
    "completeness_mean": (0.05, "evidence must add up to what the score says"),
    "completeness_max": (0.05, "evidence must add up to what the score says"),
}


def as_steady_as(gates: Mapping[str, Gate], noise: Measurement, precision: Precision) -> dict[str, Gate]:
    """Gates that ask no more of an artifact than the classifier itself can give when it is rounded, but always `FIT`.

    A classifier that is steep changes its answers when its tensors are rounded, and no conversion can undo that. So
    far this excuses an artifact; but one whose maps are not those of the classifier is not fit for use, whoever is to
    blame.

    Args:
        gates: of `of`; the caller's own stay as they are.
        noise: of `rounding_noise.measure`.
    """
    found = dict(gates)
    for name, gate in gates.items():
        figure, value = gate.figure, gate.figure.judged(noise)
        if value is None or gate.measured_on is None:
            continue
        limit = figure.perfect + figure.steadiness * (value - figure.perfect)
        if not _looser(figure, limit, gate.limit):
            continue
        reason = f"{figure.text(value)} of the classifier {_rounded(precision)}"
        found[name] = Gate(figure, limit, reason, len(noise), gate.limit)
        if name in FIT and _looser(
            figure, limit, Gate(figure, FIT[name][0], "", GATES_MEASURED_ON).limit_on(len(noise))
        ):
            least, why = FIT[name]
            reason = f"no less is fit for use ({why}), though {reason}"
            found[name] = Gate(figure, least, reason, GATES_MEASURED_ON, gate.limit)
    return found


def _looser(figure: Figure, limit: float, than: float) -> bool:
    return (limit < than) == (figure.better == "higher") and limit != than


def parse(text: str) -> tuple[str, float]:
    """``NAME=VALUE`` to a figure's name and a limit.

    Raises:
        CamliteError: no such figure, or the value is no finite number.
    """
    name, _, value = text.partition("=")
    return check(name, value)


def check(name: str, value: float | str) -> tuple[str, float]:
    """A figure's name and a limit.

    Raises:
        CamliteError: no such figure, or the value is no finite number.
    """
    text = f"{name}={value}"
    if name not in FIGURES:
        raise CamliteError(f"gate {text!r}: unknown figure; expected NAME=VALUE with one of {', '.join(FIGURES)}")
    try:
        limit = float(value)
    except (TypeError, ValueError):
        limit = math.nan
    if not math.isfinite(limit):
        raise CamliteError(f"gate {text!r}: {value!r} is no number; expected NAME=VALUE, such as top1_agreement=0.99")
    return name, limit
