"""`camlite_export.cutting.plain_operators`: the same numbers as TensorFlow's own gradients, by other operators."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import tensorflow as tf

from camlite_export.cutting.plain_operators import plain_operators

Function = Callable[[Any], Any]

# From -8 to 8 and with exact zeros and sixes, where the slopes of relu and relu6 jump.
VALUES = np.concatenate([np.linspace(-8, 8, 121), [0, 6, 0, 6, 0]]).astype(np.float32).reshape(1, 7, 9, 2)


def depthwise(shape: tuple[int, ...], stride: int, padding: str, x: Any) -> Any:
    return tf.nn.depthwise_conv2d(x, tf.random.stateless_normal(shape, (1, 2)), (1, stride, stride, 1), padding)


def distinct(x: Any) -> Any:
    """No two numbers are the same, so that each window has one largest."""
    return (x + 9) * tf.random.stateless_uniform((7, 9, 2), (3, 4), 0.5)


def overlapping(pool: Any, window: tuple[int, int], stride: int, padding: str, x: Any) -> Any:
    return pool(distinct(x), window, stride, padding)


def convolution(shape: tuple[int, ...], stride: Any, rate: Any, padding: str, x: Any) -> Any:
    kernel = tf.random.stateless_normal(shape, (1, 2))
    return tf.nn.conv2d(x, kernel, stride, padding, dilations=rate)


FUNCTIONS: dict[str, Function] = {
    "relu": tf.nn.relu,
    "relu6": tf.nn.relu6,
    "leaky_relu": lambda x: tf.nn.leaky_relu(x, 0.3),
    "elu": tf.nn.elu,
    "selu": tf.nn.selu,
    "gelu": lambda x: tf.nn.gelu(x),
    "gelu, approximate": lambda x: tf.nn.gelu(x, approximate=True),
    "sigmoid": tf.sigmoid,
    "tanh": tf.tanh,
    "softplus": tf.nn.softplus,
    "sqrt": lambda x: tf.sqrt(x * x + 1),
    "rsqrt": lambda x: tf.math.rsqrt(x * x + 1),
    "sum": lambda x: tf.reduce_sum(x * x, axis=(1, 2)),
    "sum, axes kept": lambda x: tf.reduce_sum(x * x, axis=-1, keepdims=True),
    "mean": lambda x: tf.reduce_mean(x * x, axis=(1, -2)),
    "max": lambda x: tf.reduce_max(tf.nn.relu(x), axis=(1, 2)),
    "product with one number a channel and image": lambda x: x * tf.reduce_mean(x, (1, 2), keepdims=True),
    "sum with a tensor of fewer axes": lambda x: x * x + tf.reshape(x, (63, 2))[:9],
    "quotient of one number an image": lambda x: tf.reduce_sum(x * x, (1, 2, 3), keepdims=True) / (x * x + 1),
    "difference, the first of fewer axes": lambda x: tf.reshape(x, (63, 2))[7] - x * 0.5,
    "concat": lambda x: tf.concat([x * x, x, tf.ones((1, 7, 9, 3))], axis=-1),
    **{
        f"convolution {rows} x {columns}, stride {stride}, rate {rate}, {padding}": functools.partial(
            convolution, (rows, columns, 2, 5), stride, rate, padding
        )
        for rows, columns in ((3, 4), (1, 1))
        for stride, rate in ((1, 1), (3, 1), ((1, 2), 1))
        for padding in ("VALID", "SAME")
    },
    **{
        f"depthwise convolution {rows} x {columns}, stride {stride}, {times} kernels, {padding}": functools.partial(
            depthwise, (rows, columns, 2, times), stride, padding
        )
        for rows, columns in ((3, 3), (2, 5), (1, 1))
        for stride in (1, 2, 3)
        for times in (1, 2)
        for padding in ("VALID", "SAME")
    },
    "depthwise convolution, dilated": lambda x: tf.nn.depthwise_conv2d(
        x, tf.random.stateless_normal((3, 3, 2, 1), (1, 2)), (1, 1, 1, 1), "SAME", dilations=(2, 2)
    ),
    **{
        f"{name} {rows} x {columns}, {padding}": lambda x, pool=pool, window=(rows, columns), padding=padding: pool(
            distinct(x), window, window, padding
        )
        for name, pool in (("max pool", tf.nn.max_pool2d), ("average pool", tf.nn.avg_pool2d))
        for rows, columns in ((2, 2), (3, 4), (7, 9), (1, 5))
        for padding in ("VALID", "SAME")
    },
    **{
        f"{name} {rows} x {columns} that overlaps, stride {stride}, {padding}": functools.partial(
            overlapping, pool, (rows, columns), stride, padding
        )
        for name, pool in (("max pool", tf.nn.max_pool2d), ("average pool", tf.nn.avg_pool2d))
        for rows, columns, stride in ((3, 3, 2), (3, 3, 1), (2, 4, 3), (5, 2, 1))
        for padding in ("VALID", "SAME")
    },
}


# Whose gradients TensorFlow cannot compute on a CPU.
LINEAR: dict[str, Function] = {
    **{
        f"convolution {rows} x {columns}, rate 2, {padding}": functools.partial(
            convolution, (rows, columns, 2, 5), 1, 2, padding
        )
        for rows, columns in ((3, 4), (1, 1))
        for padding in ("VALID", "SAME")
    },
    **{
        f"convolution in two groups, stride {stride}, {padding}": functools.partial(
            convolution, (3, 3, 1, 4), stride, 1, padding
        )
        for stride in (1, 2)
        for padding in ("VALID", "SAME")
    },
}


def gradient(function: Function, values: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Value and gradient, traced as for export, each output counted by a weight of its own."""

    @tf.function(autograph=False, input_signature=[tf.TensorSpec((None, *values.shape[1:]))])
    def traced(x: Any) -> Any:
        with tf.GradientTape() as tape:
            tape.watch(x)
            value = function(x)
            weights = tf.random.stateless_normal(value[0].shape, (1, 2))
            weighted = tf.reduce_sum(value * weights)
        return value, tape.gradient(weighted, x)

    value, slope = traced(values)
    return np.asarray(value), np.asarray(slope)


def _recurrent(x: Any) -> Any:
    """Rows one after another, each with what is kept of those above; used twice, so that its gradient adds lists."""
    rows = tf.transpose(x, [1, 0, 2, 3])
    kept = tf.scan(lambda above, row: 0.5 * above + tf.tanh(row), rows)
    return tf.transpose(kept * tf.scan(lambda above, row: above + 0.1 * row, kept), [1, 0, 2, 3])


FUNCTIONS["a loop over rows"] = _recurrent


@pytest.mark.parametrize("name", FUNCTIONS)
def test_value_and_gradient_are_those_of_tensorflow(name: str) -> None:
    """In float32: a few roundings of 6e-8 of numbers below 100."""
    expected = gradient(FUNCTIONS[name], VALUES)
    with plain_operators():
        received = gradient(FUNCTIONS[name], VALUES)
    for ours, theirs in zip(received, expected, strict=True):
        assert ours.shape == theirs.shape
        np.testing.assert_allclose(ours, theirs, rtol=3e-6, atol=3e-6)


@pytest.mark.parametrize("stride", [2, 1])
def test_all_that_are_the_largest_of_a_window_share_its_gradient(stride: int) -> None:
    values = np.float32([[6, 6, 0], [6, 1, 6]]).reshape(1, 2, 3, 1)
    with plain_operators():
        _, slope = gradient(lambda x: tf.nn.max_pool2d(x, 2, stride, "VALID") * 6, values)
    of_windows = np.asarray(tf.random.stateless_normal((1, 3 - stride, 1), (1, 2))).ravel()
    shares = np.float32([[[2, 2, 0], [2, 0, 0]], [[0, 3, 0], [0, 0, 3]]])[: len(of_windows)]
    np.testing.assert_allclose(slope[0, ..., 0], np.tensordot(of_windows, shares, 1), rtol=1e-6)


@pytest.mark.parametrize("name", LINEAR)
def test_gradient_of_what_is_linear_times_any_input_is_its_output(name: str) -> None:
    with plain_operators():
        _, slope = gradient(LINEAR[name], VALUES)
    for seed in range(5):
        inputs = np.random.default_rng(seed).normal(size=VALUES.shape).astype(np.float32)
        output = LINEAR[name](tf.constant(inputs))
        expected = tf.reduce_sum(output * tf.random.stateless_normal(output[0].shape, (1, 2)))
        np.testing.assert_allclose((slope * inputs).sum(), expected, rtol=1e-4, atol=1e-4)


def test_what_was_replaced_is_given_back_even_after_an_error() -> None:
    from tensorflow.python.framework import ops

    before, gelu = dict(ops.gradient_registry._registry), tf.nn.gelu

    def fail_inside() -> None:
        with plain_operators():
            assert ops.gradient_registry._registry["Relu"] != before["Relu"]
            assert tf.nn.gelu is not gelu
            raise RuntimeError

    with pytest.raises(RuntimeError):
        fail_inside()
    assert ops.gradient_registry._registry == before
    assert tf.nn.gelu is gelu


def test_a_convolution_with_a_group_per_channel_goes_back_in_one() -> None:
    """As ConvNeXt has them: 768 convolutions of one channel each took a minute to convert, and long to run."""

    @tf.function(autograph=False, input_signature=[tf.TensorSpec((1, 9, 9, 32))])
    def traced(x: Any) -> Any:
        with tf.GradientTape() as tape:
            tape.watch(x)
            value = convolution((3, 3, 1, 32), 1, 1, "SAME", x)
        return tape.gradient(value, x)

    with plain_operators():
        kinds = [one.type for one in traced.get_concrete_function().graph.get_operations()]

    assert sum("Conv2" in kind or "Conv2d" in kind for kind in kinds) == 2  # there, and back
