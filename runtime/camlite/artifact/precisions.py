"""What a precision is on the device: how its tensors begin and end, and how far its answers may be from the original's.

What it is where artifacts are made is in `camlite_export.precisions`.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal, NamedTuple

Precision = Literal["float32", "float16", "dynamic", "int8", "int16x8"]


class Tolerance(NamedTuple):
    """The largest value that each figure of a golden sample may have, see `camlite.self_check.Sample`."""

    score_difference: float
    evidence_error: float
    completeness: float


class PrecisionTraits(NamedTuple):
    """What a precision implies.

    Attributes:
        integer_ends: whether the image may be uint8 and the outputs int8; else they are float32.
        allowance: how much further than at the export a figure may be here, as another interpreter rounds elsewhere.
        unmeasured: what a figure may be where nothing was measured at the export, for want of an interpreter.
        most: what a figure may ever be, whatever was measured at the export.
    """

    integer_ends: bool
    allowance: Tolerance
    unmeasured: Tolerance
    most: Tolerance


# allowance: measured with ai-edge-litert 2.3 against tflite-runtime 2.14, reference classifier, 5,000 test images, by
# how much a figure of theirs differs at the most: float32 3e-7, float16 4e-7, dynamic 0.005, int8 0.084, 0.006 and
# 0.070, int16x8 2e-4. float32 and float16 have room for CPUs that multiply and add in one step, or compute in half
# precision (1e-3).
# unmeasured: about twice what the worst of 10,000 test images needs (reference classifier; float32 2e-6, 1e-6, 1e-6;
# float16 0.007, 0.002, 0.001; dynamic 0.06, 0.05, 0.04; int8 0.12, 0.24, 0.10; int16x8 0.05, 0.25, 0.04), and more for
# float32. Deep classifiers in 8 bits need more still.
# most: between what is fit for use and what is not, on golden samples, which are hard on purpose: a Teachable Machine
# model 0.085 and 0.29 in float16, 0.096 and 0.099 in dynamic; mini-XCEPTION 0.12 and 0.23 in int8; but Teachable
# Machine in int8 0.51 and 0.58. A map that has moved differs from itself by about its own size.
_MOST_IN_FLOAT = Tolerance(0.15, 0.4, 0.02)
_MOST_IN_8_BITS = Tolerance(0.35, 0.5, 0.35)
PRECISIONS: Mapping[Precision, PrecisionTraits] = {
    "float32": PrecisionTraits(False, Tolerance(1e-5, 1e-5, 1e-5), Tolerance(1e-4, 1e-4, 1e-4), _MOST_IN_FLOAT),
    "float16": PrecisionTraits(False, Tolerance(5e-3, 5e-3, 2e-3), Tolerance(0.015, 0.005, 0.002), _MOST_IN_FLOAT),
    "dynamic": PrecisionTraits(False, Tolerance(0.01, 0.005, 0.005), Tolerance(0.15, 0.1, 0.1), _MOST_IN_8_BITS),
    "int8": PrecisionTraits(True, Tolerance(0.1, 0.01, 0.1), Tolerance(0.25, 0.45, 0.2), _MOST_IN_8_BITS),
    "int16x8": PrecisionTraits(False, Tolerance(1e-3, 1e-3, 1e-3), Tolerance(0.1, 0.45, 0.1), _MOST_IN_8_BITS),
}
