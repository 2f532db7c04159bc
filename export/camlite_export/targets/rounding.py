"""The classifier, adjusted to how a converter rounds weights while it is converted."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator

from camlite_export.cutting.cut import TraceableCut
from camlite_export.precisions import Rounding
from camlite_export.sources.source import Floats
from camlite_export.targets import bias_correction, weight_rounding


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
    kernel_rounding = bias_correction.kernel_rounding(rounding)
    with (
        weight_rounding.rounded(cut.biased_convolutions(images), rounding),
        bias_correction.corrected(cut.normalized_convolutions(images), kernel_rounding),
    ):
        yield
