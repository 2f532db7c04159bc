"""The convolutions of a Keras model whose weights a converter will round: seen at work, and adjusted in place.

Two kinds: those with a normalization behind them, whose shift can be corrected, and those with a bias of their own,
whose weights can be rounded together. What is done with them is the targets' affair.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from camlite_export import workarounds
from camlite_export.cutting.cut import ChangeKernel

if TYPE_CHECKING:
    import keras

Floats = NDArray[np.float32]
Doubles = NDArray[np.float64]

# As many images at once, or as few of large ones that their feature maps fit into memory.
_MOST_IMAGES, _FEWEST_IMAGES, _NUMBERS = 128, 16, 1 << 20
# Weights of one output channel; the time that rounding them together takes grows with the cube, and larger layers have
# small errors to begin with.
_MOST_WEIGHTS = 1152


@dataclass(frozen=True)
class NormalizedConvolution:
    """A convolution with a normalization behind it, see `camlite_export.cutting.cut.NormalizedConvolution`.

    Attributes:
        layer: Conv2D, DepthwiseConv2D or SeparableConv2D.
        shift: what the normalization adds in the end, a Keras variable (channels,).
        scale: what it multiplies by: float32 (channels,).
        mean_input: float32 (1, H, W, channels). A convolution is linear: its mean output is that of its mean input.
    """

    layer: Any
    shift: Any
    scale: Floats
    mean_input: Floats

    @property
    def bias(self) -> Floats:
        """What is added in the end, float32 (channels,)."""
        return np.asarray(self.shift.numpy())

    def set_bias(self, values: Floats) -> None:
        """Change it in the model."""
        self.shift.assign(values)

    def mean_shift(self, change: ChangeKernel) -> Floats:
        """How far changing the kernel shifts the mean of the output over images and places, float32 (channels,)."""
        before, after = (np.asarray(self._convolved(one)) for one in (lambda kernel, _: kernel, change))
        return np.asarray((after - before).mean(axis=(0, 1, 2)))

    def _convolved(self, change: ChangeKernel) -> Any:
        """What it gives for its mean input without its bias."""
        import keras

        layer, scale, inputs = self.layer, self.scale, self.mean_input
        options = {"strides": layer.strides, "padding": layer.padding, "dilation_rate": layer.dilation_rate}
        if isinstance(layer, keras.layers.SeparableConv2D):
            depthwise = change(np.asarray(layer.depthwise_kernel), (2, 3))
            pointwise = change(np.asarray(layer.pointwise_kernel) * scale, (3,))
            return keras.ops.separable_conv(inputs, depthwise, pointwise, **options)
        if isinstance(layer, keras.layers.DepthwiseConv2D):
            kernel = np.asarray(layer.kernel) * scale.reshape(-1, layer.depth_multiplier)
            return keras.ops.depthwise_conv(inputs, change(kernel, (2, 3)), **options)
        return keras.ops.conv(inputs, change(np.asarray(layer.kernel) * scale, (3,)), **options)


@dataclass(frozen=True)
class BiasedConvolution:
    """A convolution with a bias, see `camlite_export.cutting.cut.BiasedConvolution`."""

    layer: Any
    moments: Doubles

    @property
    def kernel(self) -> Floats:
        """Its weights, float32 (height, width, inputs, channels)."""
        return np.asarray(self.layer.kernel.numpy())

    def set_kernel(self, values: Floats) -> None:
        """Change them in the model."""
        self.layer.kernel.assign(values)

    @cached_property
    def rounded(self) -> dict[int, Floats]:
        """Kernels that were rounded before, by the number of steps: most precisions ask for the same."""
        return {}


def normalized(model: keras.Model, inputs: Floats) -> list[NormalizedConvolution]:
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

    for batch in _batches(inputs):
        met.clear()
        workarounds.run_through_graph(model, batch, visit)
    layers = [layer for layer, _ in met]
    return [
        NormalizedConvolution(
            layer, followers[id(layer)].beta, _scale(followers[id(layer)]), sums[id(layer)] / len(inputs)
        )
        for layer in layers
        if id(layer) in followers and layers.count(layer) == 1 and layer.activation is keras.activations.linear
    ]


def biased(model: keras.Model, inputs: Floats) -> list[BiasedConvolution]:
    """The convolutions of a functional model whose weights can be rounded together.

    Args:
        inputs: float32 (N, H, W, channels), representative.
    """
    import keras

    moments: dict[int, tuple[Any, Doubles]] = {}

    def visit(operation: Any, *arguments: Any, **options: Any) -> Any:
        if type(operation) is keras.layers.Conv2D and operation.use_bias and operation.groups == 1:
            weights = operation.kernel.shape[0] * operation.kernel.shape[1] * operation.kernel.shape[2]
            if weights <= _MOST_WEIGHTS:
                patches = _patches(operation, arguments[0])
                _, known = moments.get(id(operation), (operation, np.zeros((weights, weights))))
                moments[id(operation)] = operation, known + patches.T @ patches
        return operation(*arguments, **options)

    for batch in _batches(inputs):
        workarounds.run_through_graph(model, batch, visit)
    return [BiasedConvolution(layer, moment) for layer, moment in moments.values()]


def _batches(inputs: Floats) -> Iterator[Floats]:
    size = max(_FEWEST_IMAGES, min(_MOST_IMAGES, _NUMBERS // inputs[0].size))
    yield from (inputs[start : start + size] for start in range(0, len(inputs), size))


def _scale(normalization: Any) -> Floats:
    gain = np.asarray(normalization.gamma) if normalization.scale else 1.0
    return np.asarray(gain / np.sqrt(np.asarray(normalization.moving_variance) + normalization.epsilon), np.float32)


def _patches(layer: Any, inputs: Any) -> Doubles:
    """What the kernel is laid on: float64 (places, height * width * channels of the kernel)."""
    import tensorflow as tf

    height, width = layer.kernel_size
    patches = tf.image.extract_patches(
        inputs, (1, height, width, 1), (1, *layer.strides, 1), (1, *layer.dilation_rate, 1), layer.padding.upper()
    )
    return np.asarray(patches, np.float64).reshape(-1, patches.shape[-1])
