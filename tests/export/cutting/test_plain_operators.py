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
    "concat": lambda x: tf.concat([x * x, x, tf.ones((1, 7, 9, 3))], axis=-1),
    **{
        f"convolution, stride {stride}, {padding}": lambda x, stride=stride, padding=padding: tf.nn.conv2d(
            x, tf.random.stateless_normal((3, 4, 2, 5), (1, 2)), stride, padding
        )
        for stride in (1, 2)
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
            tf.nn.relu6(x), window, window, padding
        )
        for name, pool in (("max pool", tf.nn.max_pool2d), ("average pool", tf.nn.avg_pool2d))
        for rows, columns in ((2, 2), (3, 4), (7, 9), (1, 5))
        for padding in ("VALID", "SAME")
    },
    "max pool that overlaps": lambda x: tf.nn.max_pool2d(x, 3, 2, "SAME"),
    "average pool that overlaps": lambda x: tf.nn.avg_pool2d(x, 3, 1, "SAME"),
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


@pytest.mark.parametrize("name", FUNCTIONS)
def test_value_and_gradient_are_those_of_tensorflow(name: str) -> None:
    """In float32: a few roundings of 6e-8 of numbers below 100."""
    expected = gradient(FUNCTIONS[name], VALUES)
    with plain_operators():
        received = gradient(FUNCTIONS[name], VALUES)
    for ours, theirs in zip(received, expected, strict=True):
        assert ours.shape == theirs.shape
        np.testing.assert_allclose(ours, theirs, rtol=3e-6, atol=3e-6)


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
