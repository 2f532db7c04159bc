"""Bias correction for rounded weights (Nagel et al., 2019, "Data-Free Quantization Through Weight Equalization
and Bias Correction", section 4.2).

The converters fold a normalization into the weights of the convolution in front of it, and where a channel hardly
varies, they are multiplied by a lot. Rounding them shifts the mean of the output, and a deep, narrow network adds up
those shifts. They are known before the conversion, from the weights and the mean of the convolution's input, and the
normalization's own shift takes them back. Of a Teachable Machine model (MobileNetV2 0.35), in int8, the 5th
percentile of the evidence correlation goes from 0.80 to 0.94, the top-1 agreement from 88 % to 100 %.

A convolution without normalization is left alone: the reference classifier gained nothing in its scores, and 0.5 %
more of its peaks moved.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Sequence

import numpy as np

from camlite_export.cutting.cut import ChangeKernel, NormalizedConvolution
from camlite_export.precisions import Rounding
from camlite_export.sources.source import Floats


@contextlib.contextmanager
def corrected(convolutions: Sequence[NormalizedConvolution], rounded: ChangeKernel | None) -> Iterator[None]:
    """Correct the biases in place; when the context ends they are as they were.

    Args:
        rounded: how the converter rounds kernels; None where it does not.
    """
    kept = [convolution.bias for convolution in convolutions]
    try:
        if rounded:
            for convolution in convolutions:
                convolution.set_bias(convolution.bias - convolution.mean_shift(rounded))
        yield
    finally:
        for convolution, values in zip(convolutions, kept, strict=True):
            convolution.set_bias(values)


def kernel_rounding(rounding: Rounding) -> ChangeKernel:
    """What a rounding makes of a kernel."""
    if rounding.steps is None:
        return to_16_bits
    steps, least = rounding.steps / 2, rounding.least
    return lambda kernel, axes: kernel if kernel.size < least else to_integers(kernel, axes, steps)


def to_integers(kernel: Floats, channel_axes: tuple[int, ...], steps: float) -> Floats:
    """A kernel as it comes back from symmetric integers, each output channel with a step of its own.

    Args:
        steps: into how many the largest weight of a channel is divided.
    """
    others = tuple(axis for axis in range(kernel.ndim) if axis not in channel_axes)
    step = np.abs(kernel).max(axis=others, keepdims=True) / steps
    integers = np.rint(kernel / np.where(step == 0, 1, step)).clip(-steps, steps)
    return np.asarray(integers * step, np.float32)


def to_16_bits(kernel: Floats, _: tuple[int, ...]) -> Floats:
    """A kernel as it comes back from float16."""
    return kernel.astype(np.float16).astype(np.float32)
