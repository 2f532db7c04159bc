"""Gradients, and GELU, made of operators that TFLite and ONNX have.

TensorFlow's own are operators of their own (ReluGrad, SigmoidGrad, Erfc, ...), which no converter knows; and those of
sums reshape to a shape that tf2onnx 1.17 gets wrong where the batch is dynamic. This is a workaround like those in
`camlite_export.workarounds`, and ends when the TFLite converter and tf2onnx convert TensorFlow's own.

In a graph, TensorFlow hands a gradient only the inputs and outputs that its own one uses, and None for the others:
so the gradients of activations below are written with the output alone where TensorFlow's are.
"""

from __future__ import annotations

import contextlib
import math
from collections.abc import Callable, Iterator, Mapping
from typing import Any

import numpy as np

Gradient = Callable[[Any, Any], Any]  # of an operation and the gradient of its output

# Selu (Klambauer et al., 2017, "Self-Normalizing Neural Networks")
_SELU_SCALE, _SELU_ALPHA = 1.0507009873554805, 1.6732632423543772


@contextlib.contextmanager
def plain_operators() -> Iterator[None]:
    """While it lasts, TensorFlow uses the functions below; for tracing in one thread."""
    import tensorflow as tf
    from tensorflow.python.framework import ops

    registry = ops.gradient_registry._registry
    kept, gelu = {name: registry[name] for name in _GRADIENTS}, tf.nn.gelu
    try:
        for name, gradient in _GRADIENTS.items():
            registry[name] = {**kept[name], "type": gradient}
        tf.nn.gelu = _gelu
        yield
    finally:
        registry.update(kept)
        tf.nn.gelu = gelu


def _relu(operation: Any, gradient: Any) -> Any:
    import tensorflow as tf

    return tf.where(operation.outputs[0] > 0, gradient, tf.zeros_like(gradient))


def _relu6(operation: Any, gradient: Any) -> Any:
    import tensorflow as tf

    output = operation.outputs[0]
    return tf.where(tf.logical_and(output > 0, output < 6), gradient, tf.zeros_like(gradient))


def _leaky_relu(operation: Any, gradient: Any) -> Any:
    import tensorflow as tf

    return tf.where(operation.inputs[0] > 0, gradient, gradient * operation.get_attr("alpha"))


def _elu(operation: Any, gradient: Any) -> Any:
    import tensorflow as tf

    output = operation.outputs[0]
    return tf.where(output > 0, gradient, gradient * (output + 1))


def _selu(operation: Any, gradient: Any) -> Any:
    import tensorflow as tf

    output = operation.outputs[0]
    return tf.where(output < 0, gradient * (output + _SELU_SCALE * _SELU_ALPHA), gradient * _SELU_SCALE)


def _sigmoid(operation: Any, gradient: Any) -> Any:
    return gradient * operation.outputs[0] * (1 - operation.outputs[0])


def _tanh(operation: Any, gradient: Any) -> Any:
    return gradient * (1 - operation.outputs[0] * operation.outputs[0])


def _softplus(operation: Any, gradient: Any) -> Any:
    import tensorflow as tf

    return gradient * tf.sigmoid(operation.inputs[0])


def _sqrt(operation: Any, gradient: Any) -> Any:
    return gradient * 0.5 / operation.outputs[0]


def _rsqrt(operation: Any, gradient: Any) -> Any:
    import tensorflow as tf

    return gradient * -0.5 * operation.outputs[0] * tf.square(operation.outputs[0])


def _gelu(features: Any, approximate: bool = False, **_: Any) -> Any:
    """GELU (Hendrycks and Gimpel, 2016), whose slope is cdf(x) + x pdf(x), with cdf(x) = GELU(x) / x.

    The error function would be an operator of its own; in this form the converters see GELU alone.
    """
    import tensorflow as tf

    if approximate:
        inner = math.sqrt(2 / math.pi) * (features + 0.044715 * features * features * features)
        return 0.5 * features * (1 + tf.tanh(inner))

    @tf.custom_gradient  # type: ignore[untyped-decorator]
    def exact(x: Any) -> Any:
        value = 0.5 * x * (1 + tf.math.erf(x / math.sqrt(2)))

        def gradient(above: Any) -> Any:
            at_zero = tf.equal(x, 0)
            cdf = tf.where(at_zero, tf.zeros_like(x) + 0.5, value / tf.where(at_zero, tf.zeros_like(x) + 1, x))
            return above * (cdf + x * tf.exp(-0.5 * x * x) / math.sqrt(2 * math.pi))

        return value, gradient

    return exact(features)


def _sum(operation: Any, gradient: Any) -> Any:
    import tensorflow as tf

    return tf.broadcast_to(_expanded(operation, gradient), tf.shape(operation.inputs[0])), None


def _mean(operation: Any, gradient: Any) -> Any:
    count = math.prod(operation.inputs[0].shape[axis] for axis in _axes(operation))
    above, none = _sum(operation, gradient)
    return above / count, none


def _max(operation: Any, gradient: Any) -> Any:
    """Shared by all that are largest, as TensorFlow does."""
    import tensorflow as tf

    values = operation.inputs[0]
    largest = tf.cast(tf.equal(values, _expanded(operation, operation.outputs[0])), values.dtype)
    return largest * _expanded(operation, gradient) / tf.reduce_sum(largest, _axes(operation), keepdims=True), None


def _axes(operation: Any) -> list[int]:
    import tensorflow as tf

    rank = operation.inputs[0].shape.rank
    return sorted(int(axis) % rank for axis in tf.get_static_value(operation.inputs[1]).ravel())


def _expanded(operation: Any, reduced: Any) -> Any:
    """Give a reduced tensor its axes back, of length 1."""
    import tensorflow as tf

    if not operation.get_attr("keep_dims"):
        for axis in _axes(operation):
            reduced = tf.expand_dims(reduced, axis)
    return reduced


def _max_pool(operation: Any, gradient: Any) -> Any:
    """To the first of the largest in each window, as TensorFlow does; for windows that do not overlap."""
    import tensorflow as tf
    from tensorflow.python.ops import nn_grad

    if not _side_by_side(operation):
        return nn_grad._MaxPoolGrad(operation, gradient)
    values, (rows, columns) = operation.inputs[0], _window(operation)
    _, height, width, _ = values.shape
    steps = [np.arange(size) + begin for size, begin in zip((height, width), _begin(operation), strict=True)]
    place = (steps[0] % rows)[:, np.newaxis] * columns + steps[1] % columns
    order = tf.constant(rows * columns - place, tf.float32)[tf.newaxis, ..., tf.newaxis]
    largest = tf.cast(tf.equal(values, _spread(operation, operation.outputs[0])), tf.float32) * order
    first = tf.nn.max_pool2d(largest, (rows, columns), (rows, columns), operation.get_attr("padding").decode())
    return tf.where(tf.equal(largest, _spread(operation, first)), _spread(operation, gradient), tf.zeros_like(values))


def _avg_pool(operation: Any, gradient: Any) -> Any:
    """An equal share to each place of a window, padding left out; for windows that do not overlap."""
    import tensorflow as tf
    from tensorflow.python.ops import nn_grad

    if not _side_by_side(operation):
        return nn_grad._AvgPoolGrad(operation, gradient)
    _, height, width, _ = gradient.shape
    counts = []
    for count, size, length, begin in zip(
        (height, width), _sizes(operation), _window(operation), _begin(operation), strict=True
    ):
        edges = (np.arange(count + 1) * length - begin).clip(0, size)
        counts.append(np.diff(edges))
    places = tf.constant(np.outer(*counts), tf.float32)[tf.newaxis, ..., tf.newaxis]
    return _spread(operation, gradient / places)


def _side_by_side(operation: Any) -> bool:
    """Whether the windows of a pooling touch each other and do not overlap."""
    same = list(operation.get_attr("ksize")) == list(operation.get_attr("strides"))
    return same and operation.get_attr("data_format") == b"NHWC"


def _window(operation: Any) -> tuple[int, int]:
    _, rows, columns, _ = operation.get_attr("ksize")
    return rows, columns


def _begin(operation: Any) -> tuple[int, int]:
    """How far the first window of a pooling begins above and left of its input."""
    if operation.get_attr("padding") == b"VALID":
        return 0, 0
    (rows, columns), (height, width) = _window(operation), _sizes(operation)
    return -height % rows // 2, -width % columns // 2


def _sizes(operation: Any) -> tuple[int, int]:
    """Height and width of a pooling's input."""
    _, height, width, _ = operation.inputs[0].shape
    return height, width


def _spread(operation: Any, pooled: Any) -> Any:
    """A pooled tensor at the size of the pooling's input: each number over its window, 0 where there is none."""
    import tensorflow as tf

    (height, width), (rows, columns), (top, left) = _sizes(operation), _window(operation), _begin(operation)
    size = pooled.shape[1] * rows, pooled.shape[2] * columns
    spread = tf.raw_ops.ResizeNearestNeighbor(images=pooled, size=size)[:, top : top + height, left : left + width]
    missing = height + top - size[0], width + left - size[1]
    return tf.pad(spread, [(0, 0), (0, max(0, missing[0])), (0, max(0, missing[1])), (0, 0)])


def _convolution(operation: Any, gradient: Any) -> Any:
    """TensorFlow's own, but that all sizes are known but the batch's."""
    import tensorflow as tf

    inputs, kernel = operation.inputs
    result = tf.raw_ops.Conv2DBackpropInput(
        input_sizes=tf.stack([tf.shape(gradient)[0], *inputs.shape[1:]]),
        filter=kernel,
        out_backprop=gradient,
        **{name: operation.get_attr(name) for name in ("strides", "padding", "data_format", "dilations")},
    )
    return result, None


def _depthwise(operation: Any, gradient: Any) -> Any:
    """A depthwise convolution as well: of the gradient with zeros between its numbers, by the kernel turned around."""
    import tensorflow as tf
    from tensorflow.python.ops import nn_grad

    kernel = operation.inputs[1]
    if operation.get_attr("data_format") != b"NHWC" or operation.get_attr("padding") == b"EXPLICIT":
        return nn_grad._DepthwiseConv2dNativeGrad(operation, gradient)
    (_, stride, _, _), (_, rate, _, _) = operation.get_attr("strides"), operation.get_attr("dilations")
    turned = tf.reshape(kernel[::-1, ::-1], (*kernel.shape[:2], kernel.shape[2] * kernel.shape[3], 1))
    spread = _at_sides(operation, gradient, stride, rate)
    found = tf.nn.depthwise_conv2d(spread, turned, (1, 1, 1, 1), "VALID", dilations=(rate, rate))
    if kernel.shape[3] > 1:  # each channel has been seen by several kernels
        together = np.repeat(np.eye(kernel.shape[2], dtype=np.float32), kernel.shape[3], axis=0)
        found = tf.nn.conv2d(found, together[np.newaxis, np.newaxis], 1, "VALID")
    return found, None


def _between_zeros(values: Any, stride: int) -> Any:
    """Each number at the upper left of a square of zeros."""
    import tensorflow as tf

    if stride == 1:
        return values
    _, height, width, _ = values.shape
    ones = [(np.arange(size * stride) % stride == 0).astype(np.float32) for size in (height, width)]
    spread = tf.raw_ops.ResizeNearestNeighbor(images=values, size=(height * stride, width * stride))
    return spread * np.outer(*ones)[np.newaxis, ..., np.newaxis]


def _at_sides(operation: Any, gradient: Any, stride: int, rate: int) -> Any:
    """With so many zeros around, or rows and columns less, that a convolution gives the size of the input."""
    import tensorflow as tf

    before, after, kept = [], [], []
    for size, given, length in zip(_sizes(operation), gradient.shape[1:3], operation.inputs[1].shape[:2], strict=True):
        reach = (length - 1) * rate
        padded = max(0, (given - 1) * stride + reach + 1 - size) if operation.get_attr("padding") == b"SAME" else 0
        before.append(reach - padded // 2)
        after.append(max(0, size + reach - before[-1] - given * stride))
        kept.append(size + reach)
    around = tf.pad(_between_zeros(gradient, stride), [(0, 0), *zip(before, after, strict=True), (0, 0)])
    return around[:, : kept[0], : kept[1]]


def _concat(operation: Any, gradient: Any) -> Any:
    import tensorflow as tf

    *parts, axis = operation.inputs
    place = int(tf.get_static_value(axis))
    return [*tf.split(gradient, [part.shape[place] for part in parts], place), None]


_GRADIENTS: Mapping[str, Gradient] = {
    "AvgPool": _avg_pool,
    "ConcatV2": _concat,
    "Conv2D": _convolution,
    "DepthwiseConv2dNative": _depthwise,
    "Elu": _elu,
    "LeakyRelu": _leaky_relu,
    "Max": _max,
    "MaxPool": _max_pool,
    "Mean": _mean,
    "Relu": _relu,
    "Relu6": _relu6,
    "Rsqrt": _rsqrt,
    "Selu": _selu,
    "Sigmoid": _sigmoid,
    "Softplus": _softplus,
    "Sqrt": _sqrt,
    "Sum": _sum,
    "Tanh": _tanh,
}
