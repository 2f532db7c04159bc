"""What small tensors of ONNX hold, where it follows from shapes and constants.

Converters write the arithmetic of shapes into the graph: `Shape`, a slice of it, a product, and the result is where
something is reshaped to. Here numpy computes it. A tensor whose numbers are not known that way has none
(`Tensor.numbers` is None), and what needs them is refused.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from camlite.soundness.limits import Shape
from camlite.soundness.onnx_operator import MOST_KNOWN, Operator, Tensor, each_once
from camlite.soundness.onnx_shapes import broadcast_shapes, sides_of

Numbers = NDArray[Any]

_KINDS = "?ilf"  # of which numpy and onnxruntime make the same: not of float16, which onnxruntime widens
_LARGEST = (1 << 31) - 1  # beyond, integers may overflow


def known(name: str, operator: Operator, shape: Shape, dtype: np.dtype[Any]) -> Numbers | None:
    """What the first output of an operator holds; None where that is not known."""
    compute = _OPERATORS.get(name)
    if compute is None or operator.outputs != 1 or dtype.char not in _KINDS or _elements(shape) > MOST_KNOWN:
        return None
    if name not in _OF_SHAPES:
        given = [one for one in operator.inputs if one is not None]
        if any(one.numbers is None or one.dtype.char not in _KINDS for one in given):
            return None
    result = compute(operator, [None if one is None else one.numbers for one in operator.inputs], dtype)
    if result is None or (name in _COMPUTED and (np.abs(result.astype(np.float64)) > _LARGEST).any()):
        return None
    if result.shape != shape:
        raise ValueError(f"numbers of shape {result.shape}, expected {shape}")
    return result.astype(dtype)


def _elements(shape: Shape) -> int:
    total = 1
    for side in shape:
        total *= side
    return total


def _simply(function: Callable[..., Any]) -> Callable[..., Numbers | None]:
    """Element by element, of numpy arrays."""
    return lambda _operator, given, _dtype: np.asarray(function(*given))


def _divided(_: Operator, given: Sequence[Any], dtype: np.dtype[Any]) -> Numbers | None:
    """Integers are divided as C does it: the same as Python for those that are not negative."""
    one, other = given
    if (other == 0).any() or (dtype.kind == "i" and ((one < 0).any() or (other < 0).any())):
        return None
    return np.asarray(one // other if dtype.kind == "i" else one / other)


def _cast(_: Operator, given: Sequence[Any], dtype: np.dtype[Any]) -> Numbers | None:
    (numbers,) = given
    if not np.isfinite(numbers).all() or (np.abs(numbers.astype(np.float64)) > _LARGEST).any():
        return None
    return np.asarray(numbers.astype(dtype))


def _gathered(operator: Operator, given: Sequence[Any], _: np.dtype[Any]) -> Numbers | None:
    numbers, places = given
    axis = operator.axis(0)
    if places.size and not (-numbers.shape[axis] <= places.min() and places.max() < numbers.shape[axis]):
        return None
    return np.asarray(numbers.take(places, axis))


def _sliced(operator: Operator, given: Sequence[Any], _: np.dtype[Any]) -> Numbers | None:
    starts, ends, axes, steps = (operator.integers(name, k) for k, name in enumerate(_PARTS, 1))
    parts = [slice(None)] * given[0].ndim
    for k, axis in enumerate(each_once(range(len(starts or ())) if axes is None else axes, given[0].ndim)):
        parts[axis] = slice((starts or ())[k], (ends or ())[k], steps[k] if steps else 1)
    return np.asarray(given[0][tuple(parts)])


_PARTS = ("starts", "ends", "axes", "steps")


def _concatenated(operator: Operator, given: Sequence[Any], _: np.dtype[Any]) -> Numbers | None:
    return np.asarray(np.concatenate(given, operator.axis()))


def _filled(operator: Operator, _: Sequence[Any], dtype: np.dtype[Any]) -> Numbers | None:
    value = operator.attributes.get("value")
    number = value.numbers if isinstance(value, Tensor) else np.zeros(1)
    return None if number is None or number.size != 1 else np.full(operator.constants(0), number.item(), dtype)


def _expanded(operator: Operator, given: Sequence[Any], _: np.dtype[Any]) -> Numbers | None:
    return np.broadcast_to(given[0], broadcast_shapes((given[0].shape, operator.constants(1))))


def _counted(operator: Operator, _: Sequence[Any], dtype: np.dtype[Any]) -> Numbers | None:
    start, limit, step = (operator.constants(index, 1)[0] for index in range(3))
    return np.arange(start, limit, step, dtype)


def _product(operator: Operator, given: Sequence[Any], _: np.dtype[Any]) -> Numbers | None:
    axes = operator.integers("axes", 1)
    kept = bool(operator.number("keepdims", 0, 1, 1))
    return np.asarray(np.prod(given[0], axis=tuple(axes) if axes else None, keepdims=kept))


def _constant(operator: Operator, _: Sequence[Any], dtype: np.dtype[Any]) -> Numbers | None:
    (value,) = operator.attributes.values()
    return value.numbers if isinstance(value, Tensor) else np.array(value, dtype)


def _with_axes(operator: Operator, given: Sequence[Any], _: np.dtype[Any]) -> Numbers | None:
    axes = operator.integers("axes", 1) or []
    return np.asarray(np.expand_dims(given[0], tuple(axes)))


def _without_axes(operator: Operator, given: Sequence[Any], _: np.dtype[Any]) -> Numbers | None:
    axes = operator.integers("axes", 1)
    return np.asarray(np.squeeze(given[0], None if axes is None else tuple(axes)))


def _reshaped(operator: Operator, given: Sequence[Any], _: np.dtype[Any]) -> Numbers | None:
    sides = operator.constants(1)
    return None if 0 in sides else np.asarray(given[0]).reshape(sides)


def _transposed(operator: Operator, given: Sequence[Any], _: np.dtype[Any]) -> Numbers | None:
    (numbers,) = given
    axes = operator.each("perm", numbers.ndim, 0, least=0, most=numbers.ndim) if "perm" in operator.attributes else None
    return np.asarray(np.transpose(numbers, None if axes is None else each_once(axes, numbers.ndim)))


_COMPUTED = frozenset({"Add", "Sub", "Mul", "Div", "Neg", "Range", "ReduceProd"})
_OF_SHAPES = frozenset({"Shape", "Size"})
_OPERATORS: Mapping[str, Callable[[Operator, Sequence[Any], np.dtype[Any]], Numbers | None]] = {
    "Shape": lambda operator, _given, _dtype: sides_of(operator),
    "Size": lambda operator, _given, _dtype: np.array(_elements(operator.shape()), np.int64),
    "Constant": _constant,
    "ConstantOfShape": _filled,
    "Range": _counted,
    "Identity": _simply(lambda one: one),
    "Add": _simply(np.add),
    "Sub": _simply(np.subtract),
    "Mul": _simply(np.multiply),
    "Div": _divided,
    "Neg": _simply(np.negative),
    "Floor": _simply(np.floor),
    "Ceil": _simply(np.ceil),
    "Max": _simply(lambda *given: np.max(np.broadcast_arrays(*given), axis=0)),
    "Min": _simply(lambda *given: np.min(np.broadcast_arrays(*given), axis=0)),
    "Equal": _simply(np.equal),
    "Greater": _simply(np.greater),
    "Less": _simply(np.less),
    "Not": _simply(np.logical_not),
    "And": _simply(np.logical_and),
    "Or": _simply(np.logical_or),
    "Where": _simply(np.where),
    "Cast": _cast,
    "Concat": _concatenated,
    "Gather": _gathered,
    "Slice": _sliced,
    "Squeeze": _without_axes,
    "Unsqueeze": _with_axes,
    "Reshape": _reshaped,
    "Transpose": _transposed,
    "Expand": _expanded,
    "ReduceProd": _product,
}
