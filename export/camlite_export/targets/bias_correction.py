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
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from camlite_export import workarounds

if TYPE_CHECKING:
    import keras

Floats = NDArray[np.float32]
Rounded = Callable[[Floats, tuple[int, ...]], Floats]
"""What a converter makes of a kernel, given the axes of the kernel's output channels."""

_BATCH = 16


@dataclass(frozen=True)
class Convolution:
    """A convolution with a normalization behind it.

    Attributes:
        layer: Conv2D, DepthwiseConv2D or SeparableConv2D.
        bias: what the normalization adds in the end, a Keras variable (channels,).
        scale: what it multiplies by: float32 (channels,).
        mean_input: float32 (1, H, W, channels). A convolution is linear: its mean output is that of its mean input.
    """

    layer: Any
    bias: Any
    scale: Floats
    mean_input: Floats


def observe(model: keras.Model, inputs: Floats) -> list[Convolution]:
    """The convolutions of a functional model that have a normalization right behind them, and are used once.

    Args:
        inputs: float32 (N, H, W, channels), representative.
    """
    import keras

    kinds = (keras.layers.Conv2D, keras.layers.DepthwiseConv2D, keras.layers.SeparableConv2D)
    sums: dict[int, Any] = {}
    followers: dict[int, Any] = {}
    met: list[tuple[Any, Any]] = []

    def visit(operation: Any, *arguments: Any, **options: Any) -> Any:
        result = operation(*arguments, **options)
        if isinstance(operation, kinds):
            met.append((operation, result))
            sums[id(operation)] = sums.get(id(operation), 0) + np.asarray(arguments[0]).sum(axis=0, keepdims=True)
        elif isinstance(operation, keras.layers.BatchNormalization) and operation.center:
            followers.update({id(layer): operation for layer, output in met if output is arguments[0]})
        return result

    for start in range(0, len(inputs), _BATCH):
        met.clear()
        workarounds.run_through_graph(model, inputs[start : start + _BATCH], visit)
    layers = [layer for layer, _ in met]
    return [
        Convolution(layer, followers[id(layer)].beta, _scale(followers[id(layer)]), sums[id(layer)] / len(inputs))
        for layer in layers
        if id(layer) in followers and layers.count(layer) == 1 and layer.activation is keras.activations.linear
    ]


@contextlib.contextmanager
def corrected(convolutions: Sequence[Convolution], rounded: Rounded | None) -> Iterator[None]:
    """Correct the biases in place; when the context ends they are as they were.

    Args:
        rounded: how the converter rounds kernels; None where it does not.
    """
    kept = [convolution.bias.numpy() for convolution in convolutions]
    try:
        if rounded:
            for convolution in convolutions:
                convolution.bias.assign(convolution.bias.numpy() - _shift(convolution, rounded))
        yield
    finally:
        for convolution, values in zip(convolutions, kept, strict=True):
            convolution.bias.assign(values)


def to_8_bits(kernel: Floats, channel_axes: tuple[int, ...], steps: float = 127) -> Floats:
    """A kernel as it comes back from symmetric integers, each output channel with a step of its own.

    Args:
        steps: into how many the largest weight of a channel is divided.
    """
    others = tuple(axis for axis in range(kernel.ndim) if axis not in channel_axes)
    step = np.abs(kernel).max(axis=others, keepdims=True) / steps
    integers = np.rint(kernel / np.where(step == 0, 1, step)).clip(-128, 127)
    return np.asarray(integers * step, np.float32)


def to_16_bits(kernel: Floats, _: tuple[int, ...]) -> Floats:
    """A kernel as it comes back from float16."""
    return kernel.astype(np.float16).astype(np.float32)


def _scale(normalization: Any) -> Floats:
    gain = np.asarray(normalization.gamma) if normalization.scale else 1.0
    return np.asarray(gain / np.sqrt(np.asarray(normalization.moving_variance) + normalization.epsilon), np.float32)


def _shift(convolution: Convolution, rounded: Rounded) -> Floats:
    """How far rounding shifts the mean output, (channels,)."""
    before, after = (np.asarray(_convolve(convolution, change)) for change in (lambda kernel, _: kernel, rounded))
    return np.asarray((after - before).mean(axis=(0, 1, 2)))


def _convolve(convolution: Convolution, rounded: Rounded) -> Any:
    """What a convolution gives for its mean input without its bias, its kernel rounded."""
    import keras

    layer, scale, inputs = convolution.layer, convolution.scale, convolution.mean_input
    options = {"strides": layer.strides, "padding": layer.padding, "dilation_rate": layer.dilation_rate}
    if isinstance(layer, keras.layers.SeparableConv2D):
        depthwise = rounded(np.asarray(layer.depthwise_kernel), (2, 3))
        pointwise = rounded(np.asarray(layer.pointwise_kernel) * scale, (3,))
        return keras.ops.separable_conv(inputs, depthwise, pointwise, **options)
    if isinstance(layer, keras.layers.DepthwiseConv2D):
        kernel = np.asarray(layer.kernel) * scale.reshape(-1, layer.depth_multiplier)
        return keras.ops.depthwise_conv(inputs, rounded(kernel, (2, 3)), **options)
    return keras.ops.conv(inputs, rounded(np.asarray(layer.kernel) * scale, (3,)), **options)
