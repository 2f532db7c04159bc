"""Convolutions and poolings of ONNX as functions of TensorFlow, which has them for channels last only.

Padding is written out, so that whatever a file pads, asymmetric or not, is what it is there.
"""

from __future__ import annotations

import itertools
from collections.abc import Mapping, Sequence
from typing import Any, Literal

import numpy as np

from camlite_export.sources.onnx.call import Call, Twin

_LEAST = -3.0e38
_LAST, _FIRST = (0, 2, 3, 1), (0, 3, 1, 2)

Pads = tuple[list[int], list[int]]
"""In front, and behind, of each axis."""


def convolution(call: Call, given: Sequence[Any]) -> Any:
    """Input (N, C, H, W), weights (filters, C / group, ...), bias."""
    return convolved(call, given[0], given[1], given[2] if len(given) > 2 else None)


def convolved(call: Call, values: Any, weights: Any, bias: Any) -> Any:
    """The same of what is given."""
    import tensorflow as tf

    filters, depth, *window = call.shape(1)
    if len(window) != 2:
        raise ValueError(f"a convolution over {len(window)} axes")
    groups = int(call.option("group", 1))
    strides, dilations = (_each(call, name, 1) for name in ("strides", "dilations"))
    given = _padded(values, _up_to_the_output(call, _pads(call, window), window), 0.0)
    kernel = _transposed(weights, (2, 3, 1, 0))
    if groups == 1:
        made = tf.nn.conv2d(given, kernel, strides, "VALID", dilations=dilations)
    elif depth == 1 and groups == call.shape()[1] and strides[0] == strides[1]:
        more = filters // groups
        kernel = tf.reshape(_transposed(weights, (2, 3, 0, 1)), (*window, groups, more))
        made = tf.nn.depthwise_conv2d(given, kernel, (1, *strides, 1), "VALID", dilations=dilations)
    else:
        parts = zip(tf.split(given, groups, -1), tf.split(kernel, groups, -1), strict=True)
        made = tf.concat([tf.nn.conv2d(*part, strides, "VALID", dilations=dilations) for part in parts], -1)
    return moved(made if bias is None else made + bias, _FIRST)


def moved(values: Any, axes: Sequence[int]) -> Any:
    """Transposed; where only sides of 1 change places, reshaped.

    tf2onnx 1.17 makes reshapes of such transposes after it has moved them to other places, and wrong ones.
    """
    import tensorflow as tf

    shape = list(values.shape)
    wide = [axis for axis in axes if axis == 0 or shape[axis] != 1]
    if axes[0] == 0 and wide == sorted(wide) and None not in shape[1:]:
        return tf.reshape(values, [-1, *(shape[axis] for axis in axes[1:])])
    return tf.transpose(values, axes)


def _transposed(values: Any, axes: Sequence[int]) -> Any:
    import tensorflow as tf

    return np.transpose(values, axes) if isinstance(values, np.ndarray) else tf.transpose(values, axes)


def _each(call: Call, name: str, default: int) -> list[int]:
    return [int(one) for one in call.option(name, (default,) * (len(call.shape()) - 2))]


def _pads(call: Call, window: Sequence[int]) -> Pads:
    """As the attributes say; behind as much more as `ceil_mode` needs."""
    sides, mode = call.shape()[2:], call.option("auto_pad", "NOTSET")
    rank = len(sides)
    strides, dilations = (_each(call, name, 1) for name in ("strides", "dilations"))
    if mode == "NOTSET":
        pads = [int(one) for one in call.option("pads", (0,) * 2 * rank)]
        return pads[:rank], pads[rank:]
    if mode == "VALID":
        return [0] * rank, [0] * rank
    total = [
        max(0, (-(-side // strides[k]) - 1) * strides[k] + (window[k] - 1) * dilations[k] + 1 - side)
        for k, side in enumerate(sides)
    ]
    less, more = [one // 2 for one in total], [one - one // 2 for one in total]
    return (less, more) if mode == "SAME_UPPER" else (more, less)


def _padded(values: Any, pads: Pads, value: float) -> Any:
    """A map (N, C, H, W) as (N, H, W, C), padded."""
    import tensorflow as tf

    last = moved(values, _LAST)
    if not any(map(any, pads)):
        return last
    each = [(0, 0), *zip(*pads, strict=True), (0, 0)]
    return tf.pad(cropped(last, each), [[max(0, one) for one in pair] for pair in each], constant_values=value)


def cropped(values: Any, pads: Sequence[Sequence[int]]) -> Any:
    """What negative pads leave."""
    import tensorflow as tf

    if min(itertools.chain(*pads)) >= 0:
        return values
    sides = [-1, *values.shape[1:]]
    starts = [max(0, -front) for front, _ in pads]
    sizes = [
        side if side == -1 else side - start - max(0, -back)
        for side, start, (_, back) in zip(sides, starts, pads, strict=True)
    ]
    return tf.slice(values, starts, sizes)  # whose gradient is padding, which everybody has


def _up_to_the_output(call: Call, pads: Pads, window: Sequence[int]) -> Pads:
    """Padded behind, so that as many windows fit as the file says: more than `pads` with `ceil_mode`."""
    strides, dilations = (_each(call, name, 1) for name in ("strides", "dilations"))
    behind = []
    for k, (side, count) in enumerate(zip(call.shape()[2:], call.outputs[0][2:], strict=True)):
        reach = (count - 1) * strides[k] + (window[k] - 1) * dilations[k] + 1
        behind.append(reach - side - pads[0][k])
    return pads[0], behind


def _pooling(kind: Literal["MAX", "AVG"]) -> Twin:
    def compute(call: Call, given: Sequence[Any]) -> Any:
        import tensorflow as tf

        window = [int(one) for one in call.option("kernel_shape")]
        if len(window) != 2:
            raise ValueError(f"a pooling over {len(window)} axes")
        said = _pads(call, window)
        pads = _up_to_the_output(call, said, window)
        values = _padded(given[0], pads, _LEAST if kind == "MAX" else 0.0)
        strides, dilations = (_each(call, name, 1) for name in ("strides", "dilations"))
        pool = tf.nn.max_pool2d if kind == "MAX" and dilations == [1, 1] else None
        if pool is None and dilations != [1, 1]:
            made = tf.nn.pool(values, window, kind, strides, "VALID", dilations=dilations)
        else:
            made = (pool or tf.nn.avg_pool2d)(values, window, strides, "VALID")
        if kind == "AVG":
            made = made * _shares(call, window, said, pads)
        return moved(made, _FIRST)

    return compute


def _shares(call: Call, window: Sequence[int], said: Pads, pads: Pads) -> Any:
    """What the mean of a whole window is to be multiplied by, where some of it does not count."""
    strides, dilations = (_each(call, name, 1) for name in ("strides", "dilations"))
    counted = []
    for k, side in enumerate(call.shape()[2:]):
        first = 0 if call.option("count_include_pad", 0) else pads[0][k]
        end = pads[0][k] + side + (said[1][k] if call.option("count_include_pad", 0) else 0)
        starts = np.arange(call.outputs[0][2 + k]) * strides[k]
        places = starts[:, np.newaxis] + np.arange(window[k]) * dilations[k]
        counted.append(((places >= first) & (places < end)).sum(axis=1))
    counts = np.outer(*counted)
    return (np.prod(window) / np.maximum(counts, 1)).astype(np.float32)[..., np.newaxis]


def _global(name: str) -> Twin:
    def compute(call: Call, given: Sequence[Any]) -> Any:
        import tensorflow as tf

        return getattr(tf, name)(given[0], axis=list(range(2, len(call.shape()))), keepdims=True)

    return compute


def _transposed_convolution(call: Call, given: Sequence[Any]) -> Any:
    import tensorflow as tf

    _, depth, *window = call.shape(1)
    if len(window) != 2 or int(call.option("group", 1)) != 1 or set(_each(call, "dilations", 1)) != {1}:
        raise ValueError("a transposed convolution in groups, dilated, or not over two axes")
    (top, left), (bottom, right) = _pads(call, window)
    _, _, height, width = call.outputs[0]
    shape = (tf.shape(given[0])[0], height + top + bottom, width + left + right, depth)
    kernel = _transposed(given[1], (2, 3, 1, 0))
    last = moved(given[0], _LAST)
    made = tf.nn.conv2d_transpose(last, kernel, shape, _each(call, "strides", 1), "VALID")
    made = made[:, top : top + height, left : left + width]
    return moved(made + given[2] if len(given) > 2 and given[2] is not None else made, _FIRST)


def _resized(call: Call, given: Sequence[Any]) -> Any:
    """Nearest neighbours by whole factors, and bilinear at half pixels."""
    import tensorflow as tf

    _, _, height, width = call.shape()
    _, _, rows, columns = call.outputs[0]
    mode = call.option("mode", "nearest")
    last = moved(given[0], _LAST)
    if mode == "nearest" and rows % height == 0 and columns % width == 0:
        made = tf.repeat(tf.repeat(last, rows // height, axis=1), columns // width, axis=2)
    elif mode == "linear" and call.option("coordinate_transformation_mode", "half_pixel") in (
        "half_pixel",
        "pytorch_half_pixel",
    ):
        made = tf.image.resize(last, (rows, columns))
    else:
        raise ValueError(f"Resize in mode {mode} to {rows} x {columns}")
    return moved(made, _FIRST)


TWINS: Mapping[str, Twin] = {
    "AveragePool": _pooling("AVG"),
    "Conv": convolution,
    "ConvTranspose": _transposed_convolution,
    "GlobalAveragePool": _global("reduce_mean"),
    "GlobalMaxPool": _global("reduce_max"),
    "MaxPool": _pooling("MAX"),
    "Resize": _resized,
    "Upsample": _resized,
}
