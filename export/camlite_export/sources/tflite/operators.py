"""The operators of TFLite as functions of TensorFlow, in float32: the float twin of each.

Options are those of the schema's objects; absent ones have the schema's defaults. Images and maps are (N, H, W, C), any
N, though the file says 1. To add an operator: its function here, and its rule in `camlite.soundness.tflite_rules`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np

Shape = tuple[int, ...]


class Call(NamedTuple):
    """What a twin knows of its operator.

    Attributes:
        options: an object of the schema, or None.
        inputs, outputs: shapes in the file; None for an input that was left out.
        dtypes: of the outputs, as numpy names them.
    """

    options: Any
    inputs: Sequence[Shape | None]
    outputs: Sequence[Shape]
    dtypes: Sequence[str]

    def option(self, name: str, default: Any = 0) -> Any:
        """One of the options."""
        return getattr(self.options, name, default)


Twin = Callable[[Call, Sequence[Any]], Any]

_SAME = 0
_NONE, _RELU, _RELU_N1_TO_1, _RELU6 = range(4)
_DEPTH = 2  # of what a filter of one place has: an operator of a 3-D convolution is not here


def activated(values: Any, activation: int) -> Any:
    """What is fused behind an operator."""
    import tensorflow as tf

    if activation == _RELU:
        return tf.nn.relu(values)
    if activation == _RELU6:
        return tf.nn.relu6(values)
    if activation == _RELU_N1_TO_1:
        return tf.minimum(tf.maximum(values, -1.0), 1.0)
    return values


def _padding(call: Call) -> str:
    return "SAME" if call.option("padding") == _SAME else "VALID"


def _with_bias(values: Any, given: Sequence[Any], index: int = 2) -> Any:
    return values + given[index] if len(given) > index and given[index] is not None else values


def _convolution(call: Call, given: Sequence[Any]) -> Any:
    import tensorflow as tf

    kernel = np.transpose(given[1], (1, 2, 3, 0)) if isinstance(given[1], np.ndarray) else tf.transpose(
        given[1], (1, 2, 3, 0)
    )  # fmt: skip
    strides = (call.option("strideH", 1), call.option("strideW", 1))
    dilations = (call.option("dilationHFactor", 1), call.option("dilationWFactor", 1))
    made = _in_groups(given[0], kernel, strides, _padding(call), dilations)
    return activated(_with_bias(made, given), call.option("fusedActivationFunction"))


def _in_groups(values: Any, kernel: Any, strides: tuple[int, int], padding: str, dilations: tuple[int, int]) -> Any:
    """A convolution of groups, which TensorFlow differentiates on a GPU only; a kernel (h, w, C, filters)."""
    import tensorflow as tf

    *window, depth, filters = (int(side) for side in kernel.shape)
    groups = int(values.shape[-1]) // depth
    if groups == 1:
        return tf.nn.conv2d(values, kernel, strides, padding, dilations=dilations)
    if depth == 1 and strides[0] == strides[1]:
        of_each = tf.reshape(kernel, (*window, groups, filters // groups))
        return tf.nn.depthwise_conv2d(values, of_each, (1, *strides, 1), padding, dilations=dilations)
    parts = zip(tf.split(values, groups, -1), tf.split(kernel, groups, -1), strict=True)
    return tf.concat([tf.nn.conv2d(*part, strides, padding, dilations=dilations) for part in parts], -1)


def _depthwise_convolution(call: Call, given: Sequence[Any]) -> Any:
    import tensorflow as tf

    _, height, width, filters = (int(side) for side in given[1].shape)
    channels = int(given[0].shape[-1])
    shape = (height, width, channels, filters // channels)
    kernel = given[1].reshape(shape) if isinstance(given[1], np.ndarray) else tf.reshape(given[1], shape)
    down, across = call.option("strideH", 1), call.option("strideW", 1)
    dilations = (call.option("dilationHFactor", 1), call.option("dilationWFactor", 1))
    values = given[0]
    if down != across:  # TensorFlow has no such one: each place, and then those that are met
        made = _at_strides(values, kernel, (down, across), _padding(call), dilations)
    else:
        strides = (1, down, across, 1)
        made = tf.nn.depthwise_conv2d(values, kernel, strides, _padding(call), dilations=dilations)
    return activated(_with_bias(made, given), call.option("fusedActivationFunction"))


def _at_strides(values: Any, kernel: Any, strides: Sequence[int], padding: str, dilations: Sequence[int]) -> Any:
    import tensorflow as tf

    if padding == "SAME":
        pads = [(0, 0)]
        for axis in (0, 1):
            side, reach = int(values.shape[1 + axis]), (int(kernel.shape[axis]) - 1) * dilations[axis] + 1
            total = max(0, (-(-side // strides[axis]) - 1) * strides[axis] + reach - side)
            pads.append((total // 2, total - total // 2))
        values = tf.pad(values, [*pads, (0, 0)])
    every = tf.nn.depthwise_conv2d(values, kernel, (1, 1, 1, 1), "VALID", dilations=tuple(dilations))
    return every[:, :: strides[0], :: strides[1]]


def _transposed_convolution(call: Call, given: Sequence[Any]) -> Any:
    import tensorflow as tf

    kernel = tf.transpose(given[1], (1, 2, 0, 3))
    _, *sides = call.outputs[0]
    shape = tf.concat([tf.shape(given[2])[:1], sides], axis=0)
    strides = (call.option("strideH", 1), call.option("strideW", 1))
    made = tf.nn.conv2d_transpose(given[2], kernel, shape, strides, _padding(call))
    return activated(_with_bias(made, given, 3), call.option("fusedActivationFunction"))


def _fully_connected(call: Call, given: Sequence[Any]) -> Any:
    import tensorflow as tf

    values, weights = given[0], given[1]
    units, depth = (int(side) for side in weights.shape)
    if not call.option("keepNumDims") or len(values.shape) == 1:
        values = tf.reshape(values, (-1, depth))
    turned = weights.T if isinstance(weights, np.ndarray) else tf.transpose(weights)
    made = _with_bias(tf.tensordot(values, turned, 1) if len(values.shape) > 2 else values @ turned, given)
    del units
    return activated(made, call.option("fusedActivationFunction"))


def _pool(name: str) -> Twin:
    def run(call: Call, given: Sequence[Any]) -> Any:
        import tensorflow as tf

        pool = {"mean": tf.nn.avg_pool2d, "max": tf.nn.max_pool2d}[name]
        window = (call.option("filterHeight", 1), call.option("filterWidth", 1))
        strides = (call.option("strideH", 1), call.option("strideW", 1))
        made = pool(given[0], window, strides, _padding(call))
        return activated(made, call.option("fusedActivationFunction"))

    return run


def _of_two(name: str) -> Twin:
    def run(call: Call, given: Sequence[Any]) -> Any:
        import tensorflow as tf

        functions = {
            "add": tf.add, "subtract": tf.subtract, "multiply": tf.multiply, "divide": tf.divide, "pow": tf.pow,
            "maximum": tf.maximum, "minimum": tf.minimum, "squared_difference": tf.math.squared_difference,
        }  # fmt: skip
        return activated(functions[name](given[0], given[1]), call.option("fusedActivationFunction"))

    return run


def _comparison(name: str) -> Twin:
    def run(_: Call, given: Sequence[Any]) -> Any:
        import tensorflow as tf

        return getattr(tf, name)(given[0], given[1])

    return run


def _of_one(name: str) -> Twin:
    """A function of `tf.math` or `tf.nn`, by its name."""

    def run(_: Call, given: Sequence[Any]) -> Any:
        import tensorflow as tf

        function = getattr(tf.math, name, None) or getattr(tf.nn, name)
        return function(given[0])

    return run


def _as_it_is(_: Call, given: Sequence[Any]) -> Any:
    import tensorflow as tf

    return tf.identity(given[0])


def _cast(call: Call, given: Sequence[Any]) -> Any:
    import tensorflow as tf

    dtype = call.dtypes[0]
    real = dtype in ("float16", "uint8", "int8", "int16")  # what the file has in few bits is real here
    return tf.cast(given[0], "float32" if real else dtype)


def _softmax(call: Call, given: Sequence[Any]) -> Any:
    import tensorflow as tf

    return tf.nn.softmax(given[0] * call.option("beta", 1.0))


def _log_softmax(_: Call, given: Sequence[Any]) -> Any:
    import tensorflow as tf

    return tf.nn.log_softmax(given[0])


def _hard_swish(_: Call, given: Sequence[Any]) -> Any:
    import tensorflow as tf

    return given[0] * tf.nn.relu6(given[0] + 3.0) / 6.0


def _gelu(call: Call, given: Sequence[Any]) -> Any:
    import tensorflow as tf

    return tf.nn.gelu(given[0], approximate=bool(call.option("approximate")))


def _leaky_relu(call: Call, given: Sequence[Any]) -> Any:
    import tensorflow as tf

    return tf.nn.leaky_relu(given[0], alpha=call.option("alpha"))


def _prelu(_: Call, given: Sequence[Any]) -> Any:
    import tensorflow as tf

    return tf.nn.relu(given[0]) - given[1] * tf.nn.relu(-given[0])


def _l2_normalized(_: Call, given: Sequence[Any]) -> Any:
    import tensorflow as tf

    return tf.math.l2_normalize(given[0], axis=-1)


def _reshaped(call: Call, given: Sequence[Any]) -> Any:
    """What the file says for one image; the batch stays in front, and is whatever is left."""
    import tensorflow as tf

    _, *sides = call.outputs[0] or (1,)
    if not call.outputs[0]:
        return tf.reshape(given[0], ())
    return tf.reshape(given[0], (-1, *sides))


def _reduced(name: str) -> Twin:
    def run(call: Call, given: Sequence[Any]) -> Any:
        import tensorflow as tf

        axes = tuple(int(axis) for axis in np.ravel(given[1]))
        reduce = {
            "mean": tf.reduce_mean, "sum": tf.reduce_sum, "max": tf.reduce_max, "min": tf.reduce_min,
            "prod": tf.reduce_prod,
        }[name]  # fmt: skip
        return reduce(given[0], axis=axes, keepdims=bool(call.option("keepDims")))

    return run


def _index_of_largest(call: Call, given: Sequence[Any]) -> Any:
    import tensorflow as tf

    return tf.argmax(given[0], axis=int(np.ravel(given[1])[0]), output_type=call.dtypes[0])


def _concatenated(call: Call, given: Sequence[Any]) -> Any:
    import tensorflow as tf

    return activated(tf.concat(list(given), call.option("axis")), call.option("fusedActivationFunction"))


def _packed(call: Call, given: Sequence[Any]) -> Any:
    import tensorflow as tf

    return tf.stack(list(given), call.option("axis"))


def _unpacked(call: Call, given: Sequence[Any]) -> Any:
    import tensorflow as tf

    return tf.unstack(given[0], call.option("num"), call.option("axis"))


def _split(call: Call, given: Sequence[Any]) -> Any:
    import tensorflow as tf

    return tf.split(given[1], call.option("numSplits"), int(np.ravel(given[0])[0]))


def _split_by_sizes(_: Call, given: Sequence[Any]) -> Any:
    import tensorflow as tf

    return tf.split(given[0], [int(one) for one in np.ravel(given[1])], int(np.ravel(given[2])[0]))


def _padded(_: Call, given: Sequence[Any]) -> Any:
    import tensorflow as tf

    return tf.pad(given[0], np.asarray(given[1]).reshape(-1, 2))


def _padded_with(_: Call, given: Sequence[Any]) -> Any:
    import tensorflow as tf

    return tf.pad(given[0], np.asarray(given[1]).reshape(-1, 2), constant_values=np.ravel(given[2])[0])


def _mirrored(call: Call, given: Sequence[Any]) -> Any:
    import tensorflow as tf

    mode = ("REFLECT", "SYMMETRIC")[call.option("mode")]
    return tf.pad(given[0], np.asarray(given[1]).reshape(-1, 2), mode)


def _transposed(_: Call, given: Sequence[Any]) -> Any:
    import tensorflow as tf

    return tf.transpose(given[0], [int(axis) for axis in np.ravel(given[1])])


def _expanded(_: Call, given: Sequence[Any]) -> Any:
    import tensorflow as tf

    return tf.expand_dims(given[0], int(np.ravel(given[1])[0]))


def _gathered(call: Call, given: Sequence[Any]) -> Any:
    import tensorflow as tf

    return tf.gather(given[0], np.asarray(given[1]), axis=call.option("axis"))


def _reversed(_: Call, given: Sequence[Any]) -> Any:
    import tensorflow as tf

    return tf.reverse(given[0], [int(axis) for axis in np.ravel(given[1])])


def _tiled(_: Call, given: Sequence[Any]) -> Any:
    import tensorflow as tf

    return tf.tile(given[0], [int(one) for one in np.ravel(given[1])])


def _broadcast_to(call: Call, given: Sequence[Any]) -> Any:
    import tensorflow as tf

    shape = call.outputs[0]
    if call.inputs[0] and len(call.inputs[0]) == len(shape) and call.inputs[0][0] == shape[0]:
        return tf.broadcast_to(given[0], tf.concat([tf.shape(given[0])[:1], shape[1:]], axis=0))
    return tf.broadcast_to(given[0], shape)


def _strided_slice(call: Call, given: Sequence[Any]) -> Any:
    """Where all of the one image is taken, all of any batch is."""
    shape = call.inputs[0] or ()
    begins, ends, strides = ([int(one) for one in np.ravel(given[index])] for index in (1, 2, 3))
    parts: list[Any] = []
    for axis, (begin, end, stride) in enumerate(zip(begins, ends, strides, strict=True)):
        if call.option("shrinkAxisMask") >> axis & 1:
            parts.append(begin)
            continue
        first = None if call.option("beginMask") >> axis & 1 else begin
        last = None if call.option("endMask") >> axis & 1 else end
        whole = axis == 0 and shape[:1] == (1,) and len(range(*slice(first, last, stride).indices(1))) == 1
        parts.append(slice(None) if whole else slice(first, last, stride))
    return given[0][tuple(parts)]


def _sliced(call: Call, given: Sequence[Any]) -> Any:
    shape = call.inputs[0] or ()
    begins, sizes = ([int(one) for one in np.ravel(given[index])] for index in (1, 2))
    parts = []
    for axis, (begin, size) in enumerate(zip(begins, sizes, strict=True)):
        whole = axis == 0 and shape[:1] == (1,) and begin == 0
        parts.append(slice(None) if whole else slice(begin, None if size == -1 else begin + size))
    return given[0][tuple(parts)]


def _resized(method: str) -> Twin:
    def run(call: Call, given: Sequence[Any]) -> Any:
        import tensorflow as tf

        corners, centres = bool(call.option("alignCorners")), bool(call.option("halfPixelCenters"))
        resize = {
            "bilinear": tf.compat.v1.image.resize_bilinear, "nearest": tf.compat.v1.image.resize_nearest_neighbor,
        }[method]  # fmt: skip
        sides = [int(side) for side in np.ravel(given[1])]
        return resize(given[0], sides, align_corners=corners, half_pixel_centers=centres)

    return run


def _blocks(function: str) -> Twin:
    def run(call: Call, given: Sequence[Any]) -> Any:
        import tensorflow as tf

        return getattr(tf.nn, function)(given[0], call.option("blockSize"))

    return run


def _selected(_: Call, given: Sequence[Any]) -> Any:
    import tensorflow as tf

    return tf.where(given[0], given[1], given[2])


def _product(call: Call, given: Sequence[Any]) -> Any:
    import tensorflow as tf

    return tf.matmul(
        given[0], given[1], transpose_a=bool(call.option("adjX")), transpose_b=bool(call.option("adjY"))
    )  # fmt: skip


def _summed(_: Call, given: Sequence[Any]) -> Any:
    import tensorflow as tf

    return tf.add_n(list(given))


def _cumulated(call: Call, given: Sequence[Any]) -> Any:
    import tensorflow as tf

    axis = int(np.ravel(given[1])[0])
    return tf.cumsum(given[0], axis, bool(call.option("exclusive")), bool(call.option("reverse")))


def _one_hot(call: Call, given: Sequence[Any]) -> Any:
    import tensorflow as tf

    indices, depth, on, off = given
    return tf.one_hot(indices, int(depth), np.ravel(on)[0], np.ravel(off)[0], call.option("axis", -1))


def _zeros_like(_: Call, given: Sequence[Any]) -> Any:
    import tensorflow as tf

    return tf.zeros_like(given[0])


def _shape(call: Call, given: Sequence[Any]) -> Any:
    """Fixed, as that of the one image that the file takes."""
    del given
    return np.array(call.inputs[0], call.dtypes[0])


TWINS: Mapping[str, Twin] = {
    "ADD": _of_two("add"),
    "AVERAGE_POOL_2D": _pool("mean"),
    "CONCATENATION": _concatenated,
    "CONV_2D": _convolution,
    "DEPTHWISE_CONV_2D": _depthwise_convolution,
    "DEPTH_TO_SPACE": _blocks("depth_to_space"),
    "DEQUANTIZE": _as_it_is,
    "FLOOR": _of_one("floor"),
    "FULLY_CONNECTED": _fully_connected,
    "L2_NORMALIZATION": _l2_normalized,
    "LOGISTIC": _of_one("sigmoid"),
    "MAX_POOL_2D": _pool("max"),
    "MUL": _of_two("multiply"),
    "RELU": _of_one("relu"),
    "RELU6": _of_one("relu6"),
    "RESHAPE": _reshaped,
    "RESIZE_BILINEAR": _resized("bilinear"),
    "SOFTMAX": _softmax,
    "SPACE_TO_DEPTH": _blocks("space_to_depth"),
    "TANH": _of_one("tanh"),
    "PAD": _padded,
    "PADV2": _padded_with,
    "GATHER": _gathered,
    "TRANSPOSE": _transposed,
    "MEAN": _reduced("mean"),
    "SUB": _of_two("subtract"),
    "DIV": _of_two("divide"),
    "SQUEEZE": _reshaped,
    "STRIDED_SLICE": _strided_slice,
    "EXP": _of_one("exp"),
    "SPLIT": _split,
    "LOG_SOFTMAX": _log_softmax,
    "CAST": _cast,
    "PRELU": _prelu,
    "MAXIMUM": _of_two("maximum"),
    "ARG_MAX": _index_of_largest,
    "MINIMUM": _of_two("minimum"),
    "LESS": _comparison("less"),
    "NEG": _of_one("negative"),
    "GREATER": _comparison("greater"),
    "GREATER_EQUAL": _comparison("greater_equal"),
    "LESS_EQUAL": _comparison("less_equal"),
    "SELECT": _selected,
    "SLICE": _sliced,
    "SIN": _of_one("sin"),
    "TRANSPOSE_CONV": _transposed_convolution,
    "TILE": _tiled,
    "EXPAND_DIMS": _expanded,
    "EQUAL": _comparison("equal"),
    "NOT_EQUAL": _comparison("not_equal"),
    "LOG": _of_one("log"),
    "SUM": _reduced("sum"),
    "SQRT": _of_one("sqrt"),
    "RSQRT": _of_one("rsqrt"),
    "SHAPE": _shape,
    "POW": _of_two("pow"),
    "REDUCE_MAX": _reduced("max"),
    "REDUCE_PROD": _reduced("prod"),
    "PACK": _packed,
    "UNPACK": _unpacked,
    "REDUCE_MIN": _reduced("min"),
    "SQUARE": _of_one("square"),
    "RESIZE_NEAREST_NEIGHBOR": _resized("nearest"),
    "LEAKY_RELU": _leaky_relu,
    "SQUARED_DIFFERENCE": _of_two("squared_difference"),
    "MIRROR_PAD": _mirrored,
    "ABS": _of_one("abs"),
    "SPLIT_V": _split_by_sizes,
    "CEIL": _of_one("ceil"),
    "REVERSE_V2": _reversed,
    "ADD_N": _summed,
    "COS": _of_one("cos"),
    "ELU": _of_one("elu"),
    "QUANTIZE": _as_it_is,
    "ROUND": _of_one("round"),
    "HARD_SWISH": _hard_swish,
    "SELECT_V2": _selected,
    "BATCH_MATMUL": _product,
    "CUMSUM": _cumulated,
    "BROADCAST_TO": _broadcast_to,
    "GELU": _gelu,
    "SIGN": _of_one("sign"),
    "LOGICAL_AND": _comparison("logical_and"),
    "LOGICAL_OR": _comparison("logical_or"),
    "LOGICAL_NOT": _of_one("logical_not"),
    "ONE_HOT": _one_hot,
    "ZEROS_LIKE": _zeros_like,
}

LEARNED = frozenset({"CONV_2D", "DEPTHWISE_CONV_2D", "FULLY_CONNECTED", "TRANSPOSE_CONV", "PRELU", "BATCH_MATMUL"})
"""Kinds whose constants were learned."""

MOVING = frozenset(
    {
        *("RESHAPE", "SQUEEZE", "EXPAND_DIMS", "TRANSPOSE", "REVERSE_V2", "GATHER", "TILE", "BROADCAST_TO", "CUMSUM"),
        *("DEPTH_TO_SPACE", "SPACE_TO_DEPTH", "PACK", "UNPACK", "SPLIT", "SPLIT_V", "SLICE", "STRIDED_SLICE"),
        *("BATCH_MATMUL", "FULLY_CONNECTED", "CONCATENATION", "ARG_MAX", "SHAPE"),
    }
)
"""Kinds that may put places elsewhere."""
