"""The quantized operators of ONNX in real numbers: what the integers stand for, within what they can hold."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from camlite_export.sources.onnx import windows
from camlite_export.sources.onnx.call import Call, Twin

_WIDEST = 1 << 24


def real(stored: Any, scale: Any, zero: Any, axis: int = 1) -> Any:
    """Real numbers of stored ones where these are constants; what is computed is in real numbers already."""
    if not isinstance(stored, np.ndarray) or stored.dtype.kind not in "iu":
        return stored
    factor, shift = np.asarray(scale, np.float32), np.asarray(0 if zero is None else zero).astype(np.int64)
    if factor.ndim == 1 and factor.size > 1:
        shape = [1] * stored.ndim
        shape[axis] = -1
        factor, shift = factor.reshape(shape), shift.reshape(shape) if shift.ndim else shift
    return ((stored.astype(np.int64) - shift).astype(np.float32) * factor.squeeze() if factor.size == 1 else
            (stored.astype(np.int64) - shift).astype(np.float32) * factor)  # fmt: skip


def _dequantized(call: Call, given: Sequence[Any]) -> Any:
    zero = given[2] if len(given) > 2 else None
    return real(given[0], given[1], zero, call.axis(1))


def _quantized(_: Call, given: Sequence[Any]) -> Any:
    return held(given[0], given[1], given[2] if len(given) > 2 else np.uint8(0))


def held(values: Any, scale: Any, zero: Any) -> Any:
    """Real numbers, as far as integers of this scale can hold them; not rounded, so that gradients stay."""
    import tensorflow as tf

    point = np.asarray(zero)
    if np.size(scale) != 1 or point.dtype.kind not in "iu":
        return values
    limits = np.iinfo(point.dtype)
    least, most = (
        (float(limit) - float(point.ravel()[0])) * float(np.ravel(scale)[0]) for limit in (limits.min, limits.max)
    )
    if least == 0:
        return tf.minimum(tf.nn.relu(values), most)
    return tf.minimum(tf.maximum(values, least), most)


def _convolution(call: Call, given: Sequence[Any]) -> Any:
    """Input, its scale and zero point, weights and theirs, those of the output, bias."""
    x, x_scale, x_zero, weights, w_scale, w_zero, y_scale, y_zero, *rest = given
    kernel = real(weights, w_scale, w_zero, 0)
    bias = None
    if rest and rest[0] is not None:
        bias = (np.asarray(rest[0], np.float64) * np.float64(x_scale) * np.asarray(w_scale, np.float64)).astype("f4")
    shapes = [call.inputs[0], call.inputs[3]]
    made = windows.convolved(call._replace(inputs=shapes), real(x, x_scale, x_zero), kernel, bias)
    return held(made, y_scale, y_zero)


def _product(_: Call, given: Sequence[Any]) -> Any:
    import tensorflow as tf

    x, x_scale, x_zero, weights, w_scale, w_zero, y_scale, y_zero = given
    made = tf.matmul(real(x, x_scale, x_zero), real(weights, w_scale, w_zero, 1))
    return held(made, y_scale, y_zero)


TWINS: Mapping[str, Twin] = {
    "DequantizeLinear": _dequantized,
    "QLinearConv": _convolution,
    "QLinearMatMul": _product,
    "QuantizeLinear": _quantized,
}
