"""How a converter rounds weights, and the classifier adjusted to it while it is converted."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from dataclasses import dataclass

from camlite_export.cutting.cut import ChangeKernel, TraceableCut
from camlite_export.sources.source import Floats
from camlite_export.targets import bias_correction, weight_rounding


@dataclass(frozen=True)
class Rounding:
    """How a converter rounds the weights of convolutions in one precision.

    Attributes:
        kernel: what it makes of a kernel.
        steps: how many it makes between the largest weight of an output channel and its negative; None where it makes
            none of equal size.
        least: of how many weights a kernel must be to be rounded at all.
    """

    kernel: ChangeKernel
    steps: int | None = None
    least: int = 0


@contextlib.contextmanager
def made_up_for(cut: TraceableCut, rounding: Rounding | None, images: Floats | None) -> Iterator[None]:
    """While it lasts, weights and biases are such that rounding does the least harm; afterwards they are as they were.

    Args:
        rounding: None where the converter does not round.
        images: representative inputs, float32 (N, H, W, channels); where there are none, nothing is done.
    """
    if rounding is None or images is None:
        yield
        return
    with (
        weight_rounding.rounded(cut.biased_convolutions(images), rounding.steps, rounding.least),
        bias_correction.corrected(cut.normalized_convolutions(images), rounding.kernel),
    ):
        yield
