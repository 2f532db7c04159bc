"""Gradients of what slides a window over an image, convolutions and poolings, of operators that TFLite and ONNX have.

TensorFlow's own are Conv2DBackpropInput, which TFLite and ONNX have without dilation and groups only, and
DepthwiseConv2dNativeBackpropInput, MaxPoolGrad and AvgPoolGrad, which they do not have. See `plain_operators`.
"""

from __future__ import annotations

import contextlib
import functools
import itertools
from collections.abc import Iterator
from contextvars import ContextVar
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

Pair = tuple[int, int]

_WITHIN: ContextVar[float] = ContextVar("_WITHIN", default=0.0)
_NEARLY, _LEAST = 0.06, 1e-6


@contextlib.contextmanager
def shared_by_nearly_largest() -> Iterator[None]:
    """While it lasts, max pooling's gradient is shared by all that are nearly the largest of a window.

    Each in proportion to 1 - distance / (0.06 times the largest of the image), down to 0. Which of two is the larger is
    an accident where they are nearly equal, and other in 8 bits. The reference
    classifier's maps follow the score no worse so (insertion less deletion 0.620; with 0.03, 0.614; 1,000 images), and
    the 5th percentile of the correlation of int8's fine maps with float32's is 0.990; with 0.03, 0.989; not shared so,
    0.96.
    """
    token = _WITHIN.set(_NEARLY)
    try:
        yield
    finally:
        _WITHIN.reset(token)


@dataclass(frozen=True)
class _Windows:
    """Where the windows of a convolution or pooling lie on its input; each attribute for rows and columns.

    Attributes:
        size: of the input.
        count: of windows.
        length: of a window: how many numbers it takes.
        stride: from window to window.
        rate: from number to number inside a window.
        begin: how far the first window begins above and left of the input.
    """

    size: Pair
    count: Pair
    length: Pair
    stride: Pair
    rate: Pair
    begin: Pair

    @property
    def side_by_side(self) -> bool:
        """Whether they touch each other and do not overlap."""
        return self.length == self.stride


def _windows(operation: Any, gradient: Any, length: Pair, rate: Pair = (1, 1)) -> _Windows | None:
    """Of a traced operation and the gradient of its output; None where it is written as Keras never writes it."""
    padding = operation.get_attr("padding")
    if operation.get_attr("data_format") != b"NHWC" or padding == b"EXPLICIT":
        return None
    stride, size, count = (
        _inner(each) for each in (operation.get_attr("strides"), operation.inputs[0].shape, gradient.shape)
    )
    begin = [
        max(0, (number - 1) * step + (taken - 1) * apart + 1 - given) // 2 if padding == b"SAME" else 0
        for number, step, taken, apart, given in zip(count, stride, length, rate, size, strict=True)
    ]
    return _Windows(size, count, length, stride, rate, (begin[0], begin[1]))


def _inner(four: Any) -> Pair:
    """Rows and columns of (batch, rows, columns, channels)."""
    return int(four[1]), int(four[2])


def convolution(operation: Any, gradient: Any) -> Any:
    """Another convolution: of the gradient with zeros between its numbers, by the kernel turned around."""
    import tensorflow as tf
    from tensorflow.python.ops import nn_grad

    inputs, kernel = operation.inputs
    rate = _inner(operation.get_attr("dilations"))
    windows = _windows(operation, gradient, (kernel.shape[0], kernel.shape[1]), rate)
    if windows is None:
        return nn_grad._Conv2DGrad(operation, gradient)
    gradient, scale = _without_scale(gradient)
    kernel = kernel if scale is None else kernel * scale
    groups = inputs.shape[3] // kernel.shape[2]
    if kernel.shape[2] == 1 < groups:  # as ConvNeXt has it: one convolution, not hundreds
        each = tf.reshape(kernel, (*windows.length, groups, kernel.shape[3] // groups))
        return _of_each_channel(windows, gradient, each), None
    if groups == 1:
        return _of_one_group(operation, windows, gradient, kernel), None
    parts = zip(tf.split(gradient, groups, axis=3), tf.split(kernel, groups, axis=3), strict=True)
    return tf.concat([_of_one_group(operation, windows, *part) for part in parts], axis=3), None


def _without_scale(gradient: Any) -> tuple[Any, Any]:
    """A gradient before it was multiplied by one number for each channel, and those: a kernel takes them in.

    That is what a normalization does on the way back; on the way there, converters do the same.
    """
    made = gradient.op
    if made.type == "Mul" and made.inputs[1].shape.rank == 1 and made.inputs[1].shape[0] == gradient.shape[-1]:
        return made.inputs[0], made.inputs[1]
    return gradient, None


def _of_one_group(operation: Any, windows: _Windows, gradient: Any, kernel: Any) -> Any:
    import tensorflow as tf

    if windows.length == (1, 1):  # zeros come last: nothing multiplies them
        return _spread(tf.nn.conv2d(gradient, tf.transpose(kernel, (0, 1, 3, 2)), 1, "VALID"), windows)
    spans = _spans(windows)
    whole = spans[0] >= windows.size[0] and spans[1] >= windows.size[1]  # tf2onnx 1.17 gets what is left over wrong
    if windows.stride != (1, 1) and windows.rate == (1, 1) and whole:
        return tf.raw_ops.Conv2DBackpropInput(  # all sizes are known but the batch's
            input_sizes=tf.stack([tf.shape(gradient)[0], *windows.size, kernel.shape[2]]),
            filter=kernel,
            out_backprop=gradient,
            **{name: operation.get_attr(name) for name in ("strides", "padding", "data_format")},
        )
    turned = tf.transpose(kernel[::-1, ::-1], (0, 1, 3, 2))
    return tf.nn.conv2d(_spread(gradient, windows), turned, 1, "VALID", dilations=windows.rate)


def depthwise_convolution(operation: Any, gradient: Any) -> Any:
    """The same, channel by channel."""
    import tensorflow as tf
    from tensorflow.python.ops import nn_grad

    kernel = operation.inputs[1]
    rows, columns, channels, times = kernel.shape
    windows = _windows(operation, gradient, (rows, columns), _inner(operation.get_attr("dilations")))
    if windows is None:
        return nn_grad._DepthwiseConv2dNativeGrad(operation, gradient)
    gradient, scale = _without_scale(gradient)
    if scale is not None:
        kernel = kernel * tf.reshape(scale, (channels, times))
    return _of_each_channel(windows, gradient, kernel), None


def _of_each_channel(windows: _Windows, gradient: Any, kernel: Any) -> Any:
    """Of a convolution by a kernel (h, w, C, times)."""
    import tensorflow as tf

    rows, columns, channels, times = kernel.shape
    turned = tf.reshape(kernel[::-1, ::-1], (rows, columns, channels * times, 1))
    found = _channel_by_channel(_spread(gradient, windows), turned, windows.rate)
    if times > 1:  # each channel has been seen by several kernels
        together = np.repeat(np.eye(channels, dtype=np.float32), times, axis=0)
        found = tf.nn.conv2d(found, together[np.newaxis, np.newaxis], 1, "VALID")
    return found


def _channel_by_channel(values: Any, kernel: Any, rate: Pair = (1, 1)) -> Any:
    import tensorflow as tf

    return tf.nn.depthwise_conv2d(values, kernel, (1, 1, 1, 1), "VALID", dilations=rate)


def average_pool(operation: Any, gradient: Any) -> Any:
    """An equal share to each place of a window, padding left out."""
    from tensorflow.python.ops import nn_grad

    windows = _windows(operation, gradient, _inner(operation.get_attr("ksize")))
    if windows is None:
        return nn_grad._AvgPoolGrad(operation, gradient)
    shares = gradient / _numbers_inside(windows)
    if windows.side_by_side:
        return _repeated(shares, windows)
    return _channel_by_channel(_spread(shares, windows), np.ones((*windows.length, gradient.shape[3], 1), np.float32))


def max_pool(operation: Any, gradient: Any) -> Any:
    """Shared by all that are the largest of a window.

    TensorFlow gives all to the first of them. Of real numbers two are hardly ever equal; of features in 8 bits they
    often are, and sharing then is nearer to the gradient of what they were: at 14 x 14 places of the reference
    classifier, the 5th percentile of the correlation of int8's guides with the original's is 0.960, otherwise 0.938.
    """
    import tensorflow as tf
    from tensorflow.python.ops import nn_grad

    windows = _windows(operation, gradient, _inner(operation.get_attr("ksize")))
    if windows is None:
        return nn_grad._MaxPoolGrad(operation, gradient)
    values, largest = operation.inputs[0], operation.outputs[0]
    if windows.side_by_side:
        are_largest = _equal(values, _repeated(largest, windows))
        padding = operation.get_attr("padding").decode()
        shares = tf.nn.avg_pool2d(are_largest, windows.length, windows.stride, padding)
        return are_largest * _repeated(gradient / (shares * _numbers_inside(windows)), windows)
    found = list(_are_largest(windows, values, largest))
    each = gradient / tf.add_n([here for here, _ in found])
    placed = (_padded(_between_zeros(here * each, windows.stride), start, windows.size) for here, start in found)
    return functools.reduce(tf.add, placed)


def at_the_largest(operation: Any, others: Any) -> Any:
    """Other numbers at the place of the largest of each window of a max pooling; their mean where several are largest.

    None where the pooling is written as Keras never writes it.
    """
    import tensorflow as tf

    windows = _windows(operation, operation.outputs[0], _inner(operation.get_attr("ksize")))
    if windows is None:
        return None
    values, largest = operation.inputs[0], operation.outputs[0]
    found = [here for here, _ in _are_largest(windows, values, largest)]
    there = [part for part, _, _ in _numbers(windows, others)]
    chosen = [here * part for here, part in zip(found, there, strict=True)]
    return functools.reduce(tf.add, chosen) / functools.reduce(tf.add, found)


def _are_largest(windows: _Windows, values: Any, largest: Any) -> Iterator[tuple[Any, Pair]]:
    """For each number of a window: 1 in those windows where it is the largest, else 0; and where the first one lies."""
    for part, inside, start in _numbers(windows, values):
        here = _equal(part, largest)
        yield here if inside.all() else here * _constant(inside), start


def _numbers(windows: _Windows, values: Any) -> Iterator[tuple[Any, NDArray[np.bool_], Pair]]:
    """For each number of a window: those of all windows, whether each lies on the image, and where the first one lies.

    What does not is 0.
    """
    inside_rows, inside_columns = _inside(windows)
    padded = _padded(values, windows.begin, _spans(windows))
    for row, column in itertools.product(*map(range, windows.length)):
        rows, columns = (
            slice(start, start + (count - 1) * stride + 1, stride)
            for start, count, stride in zip((row, column), windows.count, windows.stride, strict=True)
        )
        inside = np.outer(inside_rows[:, row], inside_columns[:, column])
        yield padded[:, rows, columns], inside, (row - windows.begin[0], column - windows.begin[1])


def how_nearly_largest(values: Any, largest: Any) -> Any:
    """1 where a number is the largest of all of a channel, else 0; or less the further off, as `_equal` says.

    Where features were rounded, the largest may be that of other steps than they have, and equal none of them. So all
    are nearly the largest that are within a share of the image's largest number, whatever its sign.
    """
    import tensorflow as tf

    within = _WITHIN.get()
    if not within:
        return tf.cast(tf.equal(values, largest), values.dtype)
    every = list(range(1, values.shape.rank))
    far = tf.maximum(*(tf.reduce_max(one, every, keepdims=True) for one in (values, -values))) * within + _LEAST
    return tf.nn.relu(1 - tf.maximum(largest - values, 0) * (1 / far))


def _equal(values: Any, largest: Any) -> Any:
    """1 where a number is the largest, else 0, or less the further it is off, see `shared_by_nearly_largest`."""
    import tensorflow as tf

    within = _WITHIN.get()
    if not within:
        return tf.cast(tf.equal(values, largest), tf.float32)
    far = tf.reduce_max(largest, axis=(1, 2, 3), keepdims=True) * within + _LEAST
    return tf.nn.relu(1 - (largest - values) * (1 / far))


def _numbers_inside(windows: _Windows) -> Any:
    """How many numbers of each window lie on the image."""
    rows, columns = (inside.sum(axis=1) for inside in _inside(windows))
    return _constant(np.outer(rows, columns))


def _inside(windows: _Windows) -> tuple[NDArray[np.bool_], NDArray[np.bool_]]:
    """Which numbers of each window lie on the image, (windows, numbers), for rows and for columns."""

    def along(axis: int) -> NDArray[np.bool_]:
        starts = np.arange(windows.count[axis])[:, np.newaxis] * windows.stride[axis] - windows.begin[axis]
        places = starts + np.arange(windows.length[axis])
        return (places >= 0) & (places < windows.size[axis])

    return along(0), along(1)


def _spans(windows: _Windows) -> Pair:
    """From the first number of the first window to the last of the last."""
    spans = [
        (count - 1) * stride + (length - 1) * rate + 1
        for count, stride, length, rate in zip(windows.count, windows.stride, windows.length, windows.rate, strict=True)
    ]
    return spans[0], spans[1]


def _constant(values: NDArray[Any]) -> Any:
    """Numbers by place, for all images and channels."""
    import tensorflow as tf

    return tf.constant(values[np.newaxis, ..., np.newaxis], tf.float32)


def _spread(values: Any, windows: _Windows) -> Any:
    """Numbers by window as a convolution needs them that gives one for each place of the image: zeros between them and
    around them.
    """
    reach = [(length - 1) * rate for length, rate in zip(windows.length, windows.rate, strict=True)]
    before = (reach[0] - windows.begin[0], reach[1] - windows.begin[1])
    size = (windows.size[0] + reach[0], windows.size[1] + reach[1])
    return _padded(_between_zeros(values, windows.stride), before, size)


def _between_zeros(values: Any, stride: Pair) -> Any:
    """Each number at the upper left of a square of zeros."""
    import tensorflow as tf

    if stride == (1, 1):
        return values
    if stride[0] == stride[1]:
        channels = values.shape[3]
        zeros = (0, channels * (stride[0] * stride[1] - 1))
        return tf.nn.depth_to_space(tf.pad(values, ((0, 0), (0, 0), (0, 0), zeros)), stride[0])
    size = (values.shape[1] * stride[0], values.shape[2] * stride[1])
    rows, columns = (np.arange(side) % step == 0 for side, step in zip(size, stride, strict=True))
    return tf.raw_ops.ResizeNearestNeighbor(images=values, size=size) * _constant(np.outer(rows, columns))


def _repeated(values: Any, windows: _Windows) -> Any:
    """Numbers by window at the size of the image, each all over its window; 0 where there is none."""
    import tensorflow as tf

    size = (values.shape[1] * windows.length[0], values.shape[2] * windows.length[1])
    large = tf.raw_ops.ResizeNearestNeighbor(images=values, size=size)
    return _padded(large, (-windows.begin[0], -windows.begin[1]), windows.size)


def _padded(values: Any, before: Pair, size: Pair) -> Any:
    """With so many zeros above and on the left, and as many behind as make this size; where either is less than none,
    rows or columns are cut off.
    """
    import tensorflow as tf

    after = [wanted - given - first for wanted, given, first in zip(size, values.shape[1:3], before, strict=True)]
    cut = [
        slice(max(0, -first), given - max(0, -last))
        for given, first, last in zip(values.shape[1:3], before, after, strict=True)
    ]
    if any(first < 0 or last < 0 for first, last in zip(before, after, strict=True)):
        values = values[:, cut[0], cut[1]]
    around = [(max(0, first), max(0, last)) for first, last in zip(before, after, strict=True)]
    return tf.pad(values, [(0, 0), *around, (0, 0)]) if any(map(any, around)) else values
