"""Gradients, and GELU, made of operators that TFLite and ONNX have.

TensorFlow's own are operators of their own (ReluGrad, SigmoidGrad, Erfc, ...), which no converter knows; and those of
sums reshape to a shape that tf2onnx 1.17 gets wrong where the batch is dynamic. This is a workaround like those in
`camlite_export.workarounds`, and ends when the TFLite converter and tf2onnx convert TensorFlow's own.

In a graph, TensorFlow hands a gradient only the inputs and outputs that its own one uses, and None for the others:
so the gradients of activations below are written with the output alone where TensorFlow's are.

Where a gradient passes or does not is compared and chosen, or, where it stays float32, written with signs, products and
minima: TFLite's XNNPACK computes these, but neither comparisons nor choices, so that a pass of ReLU6 at 14 x 14 x 576
takes 30 microseconds instead of 600. In 8 bits it refuses the product of a gradient and a sign.
"""

from __future__ import annotations

import contextlib
import functools
import math
from collections.abc import Callable, Iterator, Mapping
from typing import Any

from camlite_export.cutting import plain_windows

Gradient = Callable[[Any, Any], Any]  # of an operation and the gradient of its output

# Selu (Klambauer et al., 2017, "Self-Normalizing Neural Networks")
_SELU_SCALE, _SELU_ALPHA = 1.0507009873554805, 1.6732632423543772


@contextlib.contextmanager
def shared_by_all_largest() -> Iterator[None]:
    """While it lasts, only the gradients of max pooling, local or global, are those below: TensorFlow's own of the
    first depends on which of several equal numbers stands first, and flat parts of a picture make many of them.
    """
    from tensorflow.python.framework import ops

    registry = ops.gradient_registry._registry
    kept = {name: registry[name] for name in ("Max", "MaxPool")}
    try:
        for name, one in kept.items():
            registry[name] = {**one, "type": _GRADIENTS[name]}
        yield
    finally:
        registry.update(kept)


@contextlib.contextmanager
def plain_operators(signs: bool = False) -> Iterator[None]:
    """While it lasts, TensorFlow uses the functions below; for tracing in one thread.

    With signs where what is traced stays float32.
    """
    import tensorflow as tf
    from tensorflow.python.framework import ops
    from tensorflow.python.ops import gen_math_ops, math_grad

    registry = ops.gradient_registry._registry
    gradients = {**_GRADIENTS, **_BY_SIGNS} if signs else _GRADIENTS
    kept = {name: registry[name] for name in gradients}
    gelu, convolution, reduced = tf.nn.gelu, tf.nn.convolution, math_grad._ReduceGradientArgs
    add_n = gen_math_ops.add_n
    try:
        for name, gradient in gradients.items():
            registry[name] = {**kept[name], "type": gradient}
        tf.nn.gelu, tf.nn.convolution = _gelu, functools.partial(_convolution, convolution)
        math_grad._ReduceGradientArgs, gen_math_ops.add_n = _reduced_to_operands, _added
        yield
    finally:
        registry.update(kept)
        tf.nn.gelu, tf.nn.convolution, math_grad._ReduceGradientArgs = gelu, convolution, reduced
        gen_math_ops.add_n = add_n


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


def _convolution(usual: Callable[..., Any], inputs: Any, filters: Any, *arguments: Any, **options: Any) -> Any:
    """One operator where it is dilated, too.

    TensorFlow makes three of such a convolution, as it has no gradient of the one.
    """
    import tensorflow as tf

    return (tf.nn.conv2d if inputs.shape.rank == 4 else usual)(inputs, filters, *arguments, **options)


def _reduced_to_operands(first: Any, second: Any, *gradients: Any) -> tuple[Any, Any]:
    """What TensorFlow does with the two gradients of an addition, product, quotient ... of tensors of different shapes.

    It looks at sizes when it runs where one of them, the batch's, is not known; here that is the same in both.
    """
    of_first, of_second = gradients
    return _reduced_to(first, second, of_first), _reduced_to(second, first, of_second)


def _reduced_to(operand: Any, other: Any, gradient: Any) -> Any:
    """Summed where an operand was repeated for the other one."""
    import tensorflow as tf

    if gradient is None:
        return None
    extra = max(0, other.shape.rank - operand.shape.rank)
    sides, others = list(operand.shape), list(other.shape)[extra:]
    if operand.shape.rank > other.shape.rank:
        others = [1] * (operand.shape.rank - other.shape.rank) + list(other.shape)
    axes = [extra + axis for axis, pair in enumerate(zip(sides, others, strict=True)) if pair[0] == 1 != pair[1]]
    if axes:
        gradient = tf.reduce_sum(gradient, axes, keepdims=True)
    return tf.reduce_sum(gradient, range(extra)) if extra else gradient


def _added(inputs: Any, **_: Any) -> Any:
    """What comes back on several ways, added: TFLite's XNNPACK has no sum of more than two."""
    import tensorflow as tf

    if inputs[0].dtype == tf.variant:  # lists of tensors, as recurrent layers have them
        return tf.raw_ops.AddN(inputs=inputs)
    return functools.reduce(tf.add, inputs)


def _sum(operation: Any, gradient: Any) -> Any:
    import tensorflow as tf

    return tf.broadcast_to(expanded(operation, gradient), tf.shape(operation.inputs[0])), None


def _mean(operation: Any, gradient: Any) -> Any:
    count = math.prod(operation.inputs[0].shape[axis] for axis in reduced_axes(operation))
    above, none = _sum(operation, gradient)
    return above / count, none


def _max(operation: Any, gradient: Any) -> Any:
    """Shared by all that are largest, as TensorFlow does; or nearly, see `plain_windows.shared_by_nearly_largest`."""
    import tensorflow as tf

    largest = plain_windows.how_nearly_largest(operation.inputs[0], expanded(operation, operation.outputs[0]))
    count = tf.reduce_sum(largest, reduced_axes(operation), keepdims=True)
    return largest * expanded(operation, gradient) / count, None


def reduced_axes(operation: Any) -> list[int]:
    """Along which axes an operation sums, or looks for the largest."""
    import tensorflow as tf

    rank = operation.inputs[0].shape.rank
    return sorted(int(axis) % rank for axis in tf.get_static_value(operation.inputs[1]).ravel())


def expanded(operation: Any, reduced: Any) -> Any:
    """Give a reduced tensor its axes back, of length 1."""
    import tensorflow as tf

    if not operation.get_attr("keep_dims"):
        for axis in reduced_axes(operation):
            reduced = tf.expand_dims(reduced, axis)
    return reduced


def _matrix_product(operation: Any, gradient: Any) -> Any:
    """Of a chosen class, one row of the matrix: it is looked up where TensorFlow multiplies by all."""
    import tensorflow as tf
    from tensorflow.python.ops import math_grad

    chosen = getattr(gradient, "op", None)  # outside of a graph nobody knows what made a tensor
    plain = not (operation.get_attr("transpose_a") or operation.get_attr("transpose_b"))
    if plain and chosen is not None and chosen.type == "OneHot" and _is_one_or_none(chosen):
        return tf.gather(tf.transpose(operation.inputs[1]), chosen.inputs[0]), None
    return math_grad._MatMulGrad(operation, gradient)


def _is_one_or_none(chosen: Any) -> bool:
    """Whether a OneHot gives 1 and 0."""
    import tensorflow as tf

    return [tf.get_static_value(one) for one in chosen.inputs[2:]] == [1, 0]


def _cut_out(operation: Any, gradient: Any) -> Any:
    """Of a part that was cut out, as by a Cropping2D: zeros around it."""
    import tensorflow as tf
    from tensorflow.python.ops import array_grad

    given, begin, _, strides = operation.inputs
    masks = [operation.get_attr(name) for name in ("ellipsis_mask", "new_axis_mask", "shrink_axis_mask")]
    begins, steps = tf.get_static_value(begin), tf.get_static_value(strides)
    if begins is None or steps is None or any(masks) or not all(step == 1 for step in steps):
        return array_grad._StridedSliceGrad(operation, gradient)
    around = []
    for axis, (side, left) in enumerate(zip(given.shape, gradient.shape, strict=True)):
        starts_at_0 = axis >= len(begins) or operation.get_attr("begin_mask") >> axis & 1
        first = 0 if starts_at_0 or side is None else int(begins[axis]) % side
        around.append((first, 0 if side is None else side - left - first))
    return tf.pad(gradient, around), None, None, None


def _concat(operation: Any, gradient: Any) -> Any:
    import tensorflow as tf

    *parts, axis = operation.inputs
    place = int(tf.get_static_value(axis))
    return [*tf.split(gradient, [part.shape[place] for part in parts], place), None]


def _relu_by_signs(operation: Any, gradient: Any) -> Any:
    import tensorflow as tf

    return gradient * tf.sign(operation.outputs[0])


def _relu6_by_signs(operation: Any, gradient: Any) -> Any:
    import tensorflow as tf

    output = operation.outputs[0]
    return gradient * tf.sign(output * (6 - output))


def _leaky_relu_by_signs(operation: Any, gradient: Any) -> Any:
    import tensorflow as tf

    alpha = operation.get_attr("alpha")
    below = tf.maximum(tf.sign(-operation.inputs[0]), 0)
    return gradient * (1 - (1 - alpha) * below)


def _elu_by_signs(operation: Any, gradient: Any) -> Any:
    import tensorflow as tf

    return gradient * tf.minimum(operation.outputs[0] + 1, 1)


def _selu_by_signs(operation: Any, gradient: Any) -> Any:
    import tensorflow as tf

    output = operation.outputs[0]
    below = tf.maximum(tf.sign(-output), 0)
    return gradient * (_SELU_SCALE + below * (output + (_SELU_SCALE * _SELU_ALPHA - _SELU_SCALE)))


_GRADIENTS: Mapping[str, Gradient] = {
    "AvgPool": plain_windows.average_pool,
    "ConcatV2": _concat,
    "Conv2D": plain_windows.convolution,
    "DepthwiseConv2dNative": plain_windows.depthwise_convolution,
    "Elu": _elu,
    "LeakyRelu": _leaky_relu,
    "MatMul": _matrix_product,
    "Max": _max,
    "MaxPool": plain_windows.max_pool,
    "Mean": _mean,
    "Relu": _relu,
    "Relu6": _relu6,
    "Rsqrt": _rsqrt,
    "Selu": _selu,
    "Sigmoid": _sigmoid,
    "Softplus": _softplus,
    "Sqrt": _sqrt,
    "StridedSlice": _cut_out,
    "Sum": _sum,
    "Tanh": _tanh,
}

_BY_SIGNS: Mapping[str, Gradient] = {
    "Elu": _elu_by_signs,
    "LeakyRelu": _leaky_relu_by_signs,
    "Relu": _relu_by_signs,
    "Relu6": _relu6_by_signs,
    "Selu": _selu_by_signs,
}
