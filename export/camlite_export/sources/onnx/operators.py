"""The operators of ONNX as functions of TensorFlow, in float32: the float twin of each.

Made of functions whose gradients `camlite_export.cutting.plain_operators` writes with ordinary operators. To add one:
its function here, and its rule in `camlite.soundness.onnx_rules`. What slides a window is in `windows`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np

from camlite_export.sources.onnx import quantized, windows
from camlite_export.sources.onnx.call import Call, Twin, has_batch, with_any_batch


def _tf(name: str) -> Twin:
    """A function of TensorFlow, by its name, of all inputs."""

    def compute(_: Call, given: Sequence[Any]) -> Any:
        import tensorflow as tf

        function: Any = tf
        for part in name.split("."):
            function = getattr(function, part)
        return function(*given)

    return compute


def _folded(name: str) -> Twin:
    """A function of two, of as many as there are."""

    def compute(call: Call, given: Sequence[Any]) -> Any:
        found = given[0]
        for other in given[1:]:
            found = _tf(name)(call, [found, other])
        return found

    return compute


def _as_it_is(_: Call, given: Sequence[Any]) -> Any:
    import tensorflow as tf

    return tf.identity(given[0])


def _of_floats(function: Callable[[Call, Any], Any]) -> Twin:
    def compute(call: Call, given: Sequence[Any]) -> Any:
        import tensorflow as tf

        return function(call, tf.convert_to_tensor(given[0]))

    return compute


def _leaky_relu(call: Call, x: Any) -> Any:
    import tensorflow as tf

    return tf.nn.leaky_relu(x, float(call.option("alpha", 0.01)))


def _elu(call: Call, x: Any) -> Any:
    import tensorflow as tf

    alpha = float(call.option("alpha", 1.0))
    return tf.nn.elu(x) if alpha == 1 else tf.nn.relu(x) + alpha * tf.minimum(tf.exp(tf.minimum(x, 0.0)) - 1, 0.0)


def _selu(call: Call, x: Any) -> Any:
    import tensorflow as tf

    alpha, gamma = call.option("alpha", 1.6732632), call.option("gamma", 1.0507010)
    return gamma * (tf.nn.relu(x) + alpha * (tf.exp(tf.minimum(x, 0.0)) - 1))


def _hard_sigmoid(call: Call, x: Any) -> Any:
    import tensorflow as tf

    alpha, beta = float(call.option("alpha", 0.2)), float(call.option("beta", 0.5))
    return tf.minimum(tf.nn.relu(x * alpha + beta), 1.0)


def _hard_swish(_: Call, x: Any) -> Any:
    import tensorflow as tf

    return x * (tf.nn.relu6(x + 3.0) * np.float32(1 / 6))


def _gelu(call: Call, x: Any) -> Any:
    import tensorflow as tf

    return tf.nn.gelu(x, approximate=call.option("approximate", "none") == "tanh")


def _mish(_: Call, x: Any) -> Any:
    import tensorflow as tf

    return x * tf.tanh(tf.nn.softplus(x))


def _softsign(_: Call, x: Any) -> Any:
    import tensorflow as tf

    return x / (1 + tf.abs(x))


def _reciprocal(_: Call, x: Any) -> Any:
    return 1 / x


def _prelu(_: Call, given: Sequence[Any]) -> Any:
    import tensorflow as tf

    x, slope = tf.convert_to_tensor(given[0]), given[1]
    return tf.nn.relu(x) - slope * tf.nn.relu(-x)


def _clip(call: Call, given: Sequence[Any]) -> Any:
    import tensorflow as tf

    least = call.option("min", given[1] if len(given) > 1 else None)
    most = call.option("max", given[2] if len(given) > 2 else None)
    x = tf.convert_to_tensor(given[0])
    if x.dtype.is_floating and _is(least, 0) and most is None:
        return tf.nn.relu(x)
    if x.dtype.is_floating and _is(least, 0) and _is(most, 6):
        return tf.nn.relu6(x)
    x = x if least is None else tf.maximum(x, tf.cast(least, x.dtype))
    return x if most is None else tf.minimum(x, tf.cast(most, x.dtype))


def _is(limit: Any, number: float) -> bool:
    return limit is not None and not hasattr(limit, "op") and float(np.asarray(limit).ravel()[0]) == number


def _quotient(_: Call, given: Sequence[Any]) -> Any:
    import tensorflow as tf

    one, other = (tf.convert_to_tensor(each) for each in given)
    return one / other if one.dtype.is_floating else tf.truncatediv(one, other)


def _power(_: Call, given: Sequence[Any]) -> Any:
    import tensorflow as tf

    x = tf.convert_to_tensor(given[0])
    exponent = given[1]
    if _is(exponent, 2):
        return x * x
    if _is(exponent, 0.5):
        return tf.sqrt(x)
    return tf.pow(x, tf.cast(exponent, x.dtype))


def _cast(call: Call, given: Sequence[Any]) -> Any:
    import tensorflow as tf

    dtype = call.dtypes[0]
    return tf.cast(given[0], "float32" if dtype.startswith("float") else dtype)


def _mean_of_all(_: Call, given: Sequence[Any]) -> Any:
    total = given[0]
    for other in given[1:]:
        total = total + other
    return total / np.float32(len(given))


def _where(_: Call, given: Sequence[Any]) -> Any:
    import tensorflow as tf

    return tf.where(tf.cast(given[0], tf.bool), given[1], given[2])


# Normalizations.


def _batch_normalization(call: Call, given: Sequence[Any]) -> Any:
    x, scale, bias, mean, variance = given
    factor = np.asarray(scale) / np.sqrt(np.asarray(variance) + np.float32(call.option("epsilon", 1e-5)))
    shift = np.asarray(bias) - np.asarray(mean) * factor
    shape = (-1, *(1,) * (len(call.shape()) - 2))
    return x * factor.astype(np.float32).reshape(shape) + shift.astype(np.float32).reshape(shape)


def _normalized(x: Any, axes: Sequence[int], epsilon: float) -> Any:
    import tensorflow as tf

    mean = tf.reduce_mean(x, axis=list(axes), keepdims=True)
    rest = x - mean
    variance = tf.reduce_mean(rest * rest, axis=list(axes), keepdims=True)
    return rest * tf.math.rsqrt(variance + epsilon)


def _layer_normalization(call: Call, given: Sequence[Any]) -> Any:
    axes = range(call.axis(-1), len(call.shape()))
    found = _normalized(given[0], axes, call.option("epsilon", 1e-5)) * given[1]
    return found + given[2] if len(given) > 2 and given[2] is not None else found


def _instance_normalization(call: Call, given: Sequence[Any]) -> Any:
    rank = len(call.shape())
    shape = (-1, *(1,) * (rank - 2))
    found = _normalized(given[0], range(2, rank), call.option("epsilon", 1e-5))
    return found * np.reshape(given[1], shape) + np.reshape(given[2], shape)


def _group_normalization(call: Call, given: Sequence[Any]) -> Any:
    import tensorflow as tf

    _, channels, *sides = call.shape()
    groups = int(call.option("num_groups"))
    parts = tf.reshape(given[0], (-1, groups, channels // groups, *sides))
    found = _normalized(parts, range(2, len(parts.shape)), call.option("epsilon", 1e-5))
    each = [np.asarray(one) for one in given[1:3]]
    scale, bias = (np.repeat(one, channels // groups) if len(one) == groups != channels else one for one in each)
    shape = (-1, *(1,) * len(sides))
    return tf.reshape(found, (-1, channels, *sides)) * scale.reshape(shape) + bias.reshape(shape)


def _lp_normalization(call: Call, given: Sequence[Any]) -> Any:
    import tensorflow as tf

    x, axis = given[0], call.axis(-1)
    if call.option("p", 2) == 1:
        return x / tf.reduce_sum(tf.abs(x), axis=axis, keepdims=True)
    return x / tf.sqrt(tf.reduce_sum(x * x, axis=axis, keepdims=True))


def _local_response(call: Call, given: Sequence[Any]) -> Any:
    """Over neighbouring channels: the sum of squares as a product with a band of ones."""
    import tensorflow as tf

    x, size = given[0], int(call.option("size"))
    alpha, beta = call.option("alpha", 1e-4), call.option("beta", 0.75)
    channels = call.shape()[1]
    away = np.arange(channels)[np.newaxis] - np.arange(channels)[:, np.newaxis]
    band = ((away >= -((size - 1) // 2)) & (away <= size // 2)).astype(np.float32)
    last = tf.transpose(x * x, (0, 2, 3, 1))
    total = tf.transpose(tf.tensordot(last, band.T, 1), (0, 3, 1, 2))
    return x / tf.pow(call.option("bias", 1.0) + np.float32(alpha / size) * total, beta)


def _softmax(function: str) -> Twin:
    def compute(call: Call, given: Sequence[Any]) -> Any:
        import tensorflow as tf

        activate, rank = getattr(tf.nn, function), len(call.shape())
        if call.opset >= 13:
            return activate(given[0], axis=call.axis(-1))
        axis = call.axis(1)  # of all axes from this on
        flat = tf.reshape(given[0], (-1, int(np.prod(call.shape()[axis:]))))
        return tf.reshape(activate(flat), with_any_batch(call)) if rank > 2 else activate(flat)

    return compute


# Products.


def _general_product(call: Call, given: Sequence[Any]) -> Any:
    import tensorflow as tf

    product = tf.matmul(
        given[0], given[1], transpose_a=bool(call.option("transA", 0)), transpose_b=bool(call.option("transB", 0))
    )
    alpha, beta = call.option("alpha", 1.0), call.option("beta", 1.0)
    product = product if alpha == 1 else product * np.float32(alpha)
    if len(given) < 3 or given[2] is None:
        return product
    return product + (given[2] if beta == 1 else given[2] * np.float32(beta))


def _matrix_product(_: Call, given: Sequence[Any]) -> Any:
    import tensorflow as tf

    one, other = (tf.convert_to_tensor(each) for each in given)
    if len(other.shape) == 1:
        return tf.squeeze(tf.matmul(one, other[:, tf.newaxis]), -1)
    if len(other.shape) == 2 and len(one.shape) > 2:  # one product, which converters know
        return tf.tensordot(one, other, 1)
    return tf.matmul(one, other)


# Along axes.


def _reduction(name: str) -> Twin:
    def compute(call: Call, given: Sequence[Any]) -> Any:
        import tensorflow as tf

        axes = call.numbers("axes", 1, given)
        if not axes:
            if call.option("noop_with_empty_axes", 0):
                return tf.identity(given[0])
            axes = list(range(len(call.shape())))
        return _REDUCED[name](given[0], axes, bool(call.option("keepdims", 1)))

    return compute


def _reduced(name: str) -> Callable[[Any, list[int], bool], Any]:
    def compute(x: Any, axes: list[int], kept: bool) -> Any:
        import tensorflow as tf

        return getattr(tf, f"reduce_{name}")(x, axis=axes, keepdims=kept)

    return compute


def _by_sum(before: Callable[[Any], Any], behind: Callable[[Any], Any]) -> Callable[[Any, list[int], bool], Any]:
    def compute(x: Any, axes: list[int], kept: bool) -> Any:
        return behind(_reduced("sum")(before(x), axes, kept))

    return compute


def _sqrt(x: Any) -> Any:
    import tensorflow as tf

    return tf.sqrt(x)


def _abs(x: Any) -> Any:
    import tensorflow as tf

    return tf.abs(x)


def _same(x: Any) -> Any:
    return x


def _square(x: Any) -> Any:
    return x * x


_REDUCED: Mapping[str, Callable[[Any, list[int], bool], Any]] = {
    **{name: _reduced(name.lower()) for name in ("Max", "Mean", "Min", "Prod", "Sum")},
    "L1": _by_sum(_abs, _same),
    "L2": _by_sum(_square, _sqrt),
    "SumSquare": _by_sum(_square, _same),
}


# The same numbers, arranged in another way.


def _reshaped(call: Call, given: Sequence[Any]) -> Any:
    import tensorflow as tf

    return tf.reshape(given[0], with_any_batch(call))


def _transposed(call: Call, given: Sequence[Any]) -> Any:
    return windows.moved(given[0], call.option("perm", tuple(reversed(range(len(call.shape()))))))


def _concatenated(call: Call, given: Sequence[Any]) -> Any:
    import tensorflow as tf

    return tf.concat(list(given), call.axis(1))


def _split(call: Call, given: Sequence[Any]) -> Any:
    import tensorflow as tf

    axis = call.axis(0)
    return tf.split(given[0], [shape[axis] for shape in call.outputs], axis)


def _sliced(call: Call, given: Sequence[Any]) -> Any:
    import tensorflow as tf

    starts, ends = call.numbers("starts", 1, given) or [], call.numbers("ends", 2, given) or []
    axes = call.numbers("axes", 3, given) or list(range(len(starts)))
    steps = call.numbers("steps", 4, given) or [1] * len(starts)
    if len(call.shape()) > 1 and all(step == 1 for step in steps) and all(axes):
        return _cut_out(call, given[0], starts, ends, axes)
    parts = [slice(None)] * len(call.shape())
    for start, end, axis, step in zip(starts, ends, axes, steps, strict=True):
        parts[axis] = _part(start, end, step, call.shape()[axis])
    return tf.convert_to_tensor(given[0])[tuple(parts)]


def _cut_out(call: Call, values: Any, starts: list[int], ends: list[int], axes: list[int]) -> Any:
    """With a gradient that is padding, which everybody has."""
    import tensorflow as tf

    first, sizes = [0] * len(call.shape()), with_any_batch(call)
    for start, end, axis in zip(starts, ends, axes, strict=True):
        first[axis], _, _ = slice(start, end).indices(call.shape()[axis])
    return tf.slice(values, first, sizes)


def _part(start: int, end: int, step: int, side: int) -> slice:
    """Of numpy's kind; ends are as large as int64 where they mean: all."""
    first, last, by = slice(start, end, step).indices(side)
    if (first, last, by) == (0, side, 1):
        return slice(None)
    return slice(first, None if last < 0 else last, by)


def _gathered(call: Call, given: Sequence[Any]) -> Any:
    """Of constant places; where that is differentiated, with what every converter knows: a cut, or a product."""
    import tensorflow as tf

    axis, places = call.axis(0), np.asarray(given[1])
    places = np.where(places < 0, places + call.shape()[axis], places)
    if isinstance(given[0], np.ndarray):
        return np.take(given[0], places, axis)
    in_a_row, first = places.ravel(), int(places.ravel()[0])
    if np.array_equal(in_a_row, np.arange(first, first + len(in_a_row))):
        starts, sizes = [0] * len(call.shape()), [-1] * len(call.shape())
        starts[axis], sizes[axis] = first, len(in_a_row)
        return tf.reshape(tf.slice(given[0], starts, sizes), with_any_batch(call))
    if given[0].dtype != tf.float32:
        return tf.gather(given[0], places, axis=axis)
    chosen = np.eye(call.shape()[axis], dtype=np.float32)[:, in_a_row]
    rank = len(call.shape())
    back = [*range(axis), rank - 1, *range(axis, rank - 1)]
    return tf.reshape(tf.transpose(tf.tensordot(given[0], chosen, [[axis], [0]]), back), with_any_batch(call))


def _expanded(call: Call, given: Sequence[Any]) -> Any:
    import tensorflow as tf

    values = tf.convert_to_tensor(given[0])
    if tuple(call.shape()) == tuple(call.outputs[0]):
        return values
    batch = [tf.shape(values)[0]] if has_batch(call) and len(call.shape()) == len(call.outputs[0]) else []
    return tf.broadcast_to(values, tf.concat([batch, tf.constant(call.outputs[0][len(batch) :], tf.int32)], 0))


def _tiled(_: Call, given: Sequence[Any]) -> Any:
    import tensorflow as tf

    return tf.tile(given[0], np.asarray(given[1]))


def _padded(call: Call, given: Sequence[Any]) -> Any:
    import tensorflow as tf

    pads = call.numbers("pads", 1, given) or []
    axes = call.numbers("axes", 3, given)
    rank = len(call.shape())
    count = len(pads) // 2
    each = [[0, 0] for _ in range(rank)]
    for k, axis in enumerate(range(rank) if axes is None else axes):
        each[axis] = [pads[k], pads[k + count]]
    value = call.option("value", np.ravel(given[2])[0] if len(given) > 2 and given[2] is not None else 0.0)
    mode = {"constant": "CONSTANT", "reflect": "REFLECT", "edge": "SYMMETRIC"}[call.option("mode", "constant")]
    if mode == "SYMMETRIC" and max(map(max, each)) > 1:
        raise ValueError("edges are repeated more than once")
    return tf.pad(windows.cropped(given[0], each), [[max(0, one) for one in pair] for pair in each], mode, float(value))


def _constant_of_shape(call: Call, given: Sequence[Any]) -> Any:
    value = call.option("value")
    filled = np.zeros(1, np.float32) if value is None else np.ravel(value)
    return np.full([int(side) for side in np.ravel(np.asarray(given[0]))], filled[0])


def _depth_to_space(call: Call, given: Sequence[Any]) -> Any:
    import tensorflow as tf

    _, channels, height, width = call.shape()
    size, depth = int(call.option("blocksize")), channels // int(call.option("blocksize")) ** 2
    if call.option("mode", "DCR") == "DCR":
        parts = tf.transpose(tf.reshape(given[0], (-1, size, size, depth, height, width)), (0, 3, 4, 1, 5, 2))
    else:
        parts = tf.transpose(tf.reshape(given[0], (-1, depth, size, size, height, width)), (0, 1, 4, 2, 5, 3))
    return tf.reshape(parts, (-1, depth, height * size, width * size))


def _space_to_depth(call: Call, given: Sequence[Any]) -> Any:
    import tensorflow as tf

    _, channels, height, width = call.shape()
    size = int(call.option("blocksize"))
    parts = tf.reshape(given[0], (-1, channels, height // size, size, width // size, size))
    moved = tf.transpose(parts, (0, 3, 5, 1, 2, 4))
    return tf.reshape(moved, (-1, channels * size * size, height // size, width // size))


TWINS: Mapping[str, Twin] = {
    **{name: _tf(of) for name, of in {
        "Abs": "abs", "Add": "add", "And": "logical_and", "Ceil": "math.ceil", "Cos": "cos", "Equal": "equal",
        "Erf": "math.erf", "Exp": "exp", "Floor": "floor", "Greater": "greater", "GreaterOrEqual": "greater_equal",
        "IsNaN": "math.is_nan",
        "Less": "less", "LessOrEqual": "less_equal", "Log": "math.log", "Mul": "multiply", "Neg": "negative",
        "Not": "logical_not", "Or": "logical_or", "Relu": "nn.relu", "Round": "round", "Sigmoid": "sigmoid",
        "Sign": "sign", "Sin": "sin", "Softplus": "nn.softplus", "Sqrt": "sqrt", "Sub": "subtract", "Tanh": "tanh",
    }.items()},
    **{name: _folded(of) for name, of in {"Max": "maximum", "Min": "minimum", "Sum": "add"}.items()},
    **dict.fromkeys(("Dropout", "Identity"), _as_it_is),
    **{f"Reduce{name}": _reduction(name) for name in _REDUCED},
    **dict.fromkeys(("Flatten", "Reshape", "Squeeze", "Unsqueeze"), _reshaped),
    "BatchNormalization": _batch_normalization,
    "Cast": _cast,
    "Clip": _clip,
    "Concat": _concatenated,
    "ConstantOfShape": _constant_of_shape,
    "DepthToSpace": _depth_to_space,
    "Div": _quotient,
    "Elu": _of_floats(_elu),
    "Expand": _expanded,
    "Gather": _gathered,
    "Gelu": _of_floats(_gelu),
    "Gemm": _general_product,
    "GroupNormalization": _group_normalization,
    "HardSigmoid": _of_floats(_hard_sigmoid),
    "HardSwish": _of_floats(_hard_swish),
    "InstanceNormalization": _instance_normalization,
    "LRN": _local_response,
    "LayerNormalization": _layer_normalization,
    "LeakyRelu": _of_floats(_leaky_relu),
    "LogSoftmax": _softmax("log_softmax"),
    "LpNormalization": _lp_normalization,
    "MatMul": _matrix_product,
    "Mean": _mean_of_all,
    "Mish": _of_floats(_mish),
    "PRelu": _prelu,
    "Pad": _padded,
    "Pow": _power,
    "Reciprocal": _of_floats(_reciprocal),
    "Selu": _of_floats(_selu),
    "Slice": _sliced,
    "Softmax": _softmax("softmax"),
    "Softsign": _of_floats(_softsign),
    "SpaceToDepth": _space_to_depth,
    "Split": _split,
    "Tile": _tiled,
    "Transpose": _transposed,
    "Where": _where,
    **windows.TWINS,
    **quantized.TWINS,
}  # fmt: skip

LEARNED = frozenset({"Conv", "ConvInteger", "ConvTranspose", "Gemm", "MatMul", "MatMulInteger"}) | {
    "QLinearConv",
    "QLinearMatMul",
}
"""What has kernels."""
