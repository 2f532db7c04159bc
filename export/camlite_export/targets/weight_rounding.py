"""Round the weights of convolutions so that the errors cancel in their outputs, instead of each to the nearest.

GPTQ (Frantar et al., 2023, "GPTQ: Accurate Post-Training Quantization for Generative Pre-trained Transformers",
section 3): one weight after another is rounded, and what that does to the output is made good by the weights that
are still to come, as far as the inputs of the convolution are correlated. The converters then round nothing more.

On 6,000 training images of the reference classifier the peak of the int8 evidence stays in its cell on 99.25 %
with it and on 98.88 % without.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Sequence

import numpy as np
from numpy.typing import NDArray

from camlite_export.cutting.cut import BiasedConvolution
from camlite_export.precisions import Rounding
from camlite_export.sources.source import Floats

Doubles = NDArray[np.float64]

# Of the mean second moment, added to the diagonal; the paper's own.
_DAMPING = 0.01


@contextlib.contextmanager
def rounded(convolutions: Sequence[BiasedConvolution], rounding: Rounding) -> Iterator[None]:
    """Round the kernels in place; when the context ends they are as they were.

    Args:
        rounding: what the converter makes of them; floating-point numbers have no steps, and are left as they are.
    """
    kept = [convolution.kernel for convolution in convolutions]
    try:
        for convolution, kernel in zip(convolutions, kept, strict=True):
            if rounding.steps is not None and kernel.size >= rounding.least:
                convolution.set_kernel(_rounded(convolution, kernel, rounding.steps))
        yield
    finally:
        for convolution, kernel in zip(convolutions, kept, strict=True):
            convolution.set_kernel(kernel)


def _rounded(convolution: BiasedConvolution, kernel: Floats, steps: int) -> Floats:
    if steps not in convolution.rounded:
        flat = kernel.reshape(-1, kernel.shape[-1]).astype(np.float64)
        found = together(flat, convolution.moments, steps).reshape(kernel.shape).astype(np.float32)
        convolution.rounded[steps] = found
    return convolution.rounded[steps]


def together(weights: Doubles, moments: Doubles, steps: int) -> Doubles:
    """Round the weights (n, channels) of a layer, given the second moments (n, n) of its inputs.

    The largest weight of a channel stays as it is: from it the converter takes the channel's step.
    """
    size = len(weights)
    largest = np.abs(weights).max(axis=0)
    step = 2 * np.where(largest > 0, largest, 1) / steps
    damped = moments + np.eye(size) * max(_DAMPING * np.trace(moments) / size, np.finfo(np.float32).tiny)
    shares = np.linalg.cholesky(np.linalg.inv(damped)).T
    left, done = weights.copy(), np.empty_like(weights)
    for i in range(size):
        nearest = np.rint(left[i] / step).clip(-((steps + 1) // 2), steps // 2) * step
        done[i] = np.where(np.abs(weights[i]) == largest, weights[i], nearest)
        left[i + 1 :] -= np.outer(shares[i, i + 1 :], (left[i] - done[i]) / shares[i, i])
    return done
