"""What shape an operator of ONNX gives.

Each function takes an `Operator` and answers with the shapes of its outputs, by the definition of the operator, or
raises ValueError where it has none, or none that is known beforehand.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence

import numpy as np

from camlite.soundness.limits import Shape
from camlite.soundness.onnx_operator import LARGEST, Operator, Tensor, each_once, within

_LARGEST_SIZE = 1 << 31


def same(operator: Operator) -> list[Shape]:
    """Element by element, of the first input."""
    return [operator.shape()] * operator.outputs


def broadcast(operator: Operator) -> list[Shape]:
    """Element by element, of tensors whose sides are the same or 1."""
    return [broadcast_shapes(operator.shape(index) for index in range(len(operator.inputs)))]


def spread(operator: Operator) -> list[Shape]:
    """As `broadcast`, into the shape of the first input."""
    if broadcast_shapes((operator.shape(0), operator.shape(1))) != operator.shape(0):
        raise ValueError(f"{operator.shape(1)} for {operator.shape(0)}")
    return [operator.shape(0)]


def normalized(operator: Operator) -> list[Shape]:
    """Without what only training asks for."""
    operator.number("training_mode", 0, 0, default=0)
    return same(operator)


def dropped(operator: Operator) -> list[Shape]:
    """Dropout, where nothing is dropped."""
    training = operator.value(2).numbers if operator.has(2) else None
    if operator.has(2) and (training is None or training.any()):
        raise ValueError("drops at random")
    return same(operator)


def matrix_product(operator: Operator, other: int = 1) -> list[Shape]:
    """Of the last two axes; the others are broadcast. An axis that a vector lacks is added, and goes again."""
    one, two = operator.shape(0), operator.shape(other)
    left, right = one if len(one) > 1 else (1, *one), two if len(two) > 1 else (*two, 1)
    if not one or not two or left[-1] != right[-2]:
        raise ValueError(f"a product of {one} and {two}")
    batch = broadcast_shapes((left[:-2], right[:-2]))
    return [(*batch, *left[-2:-1][: len(one) - 1], *right[-1:][: len(two) - 1])]


def quantized_product(operator: Operator) -> list[Shape]:
    """As `matrix_product`, of inputs that each have scale and zero point beside them."""
    return matrix_product(operator, other=3)


def general_product(operator: Operator) -> list[Shape]:
    """Two matrices, each as it is or turned, and a third that is added."""
    one, two = operator.shape(0), operator.shape(1)
    if len(one) != 2 or len(two) != 2:
        raise ValueError(f"a product of {one} and {two}")
    rows, inner = one[::-1] if operator.number("transA", 0, 1, 0) else one
    inner_too, columns = two[::-1] if operator.number("transB", 0, 1, 0) else two
    if inner != inner_too:
        raise ValueError(f"a product of {one} and {two}")
    if operator.has(2) and broadcast_shapes(((rows, columns), operator.shape(2))) != (rows, columns):
        raise ValueError(f"a bias {operator.shape(2)} for {(rows, columns)}")
    return [(rows, columns)]


def reduction(operator: Operator) -> list[Shape]:
    """Over the axes that an attribute or the second input names; over all where nobody names any."""
    shape, axes = operator.shape(), operator.integers("axes", 1)
    if not axes and operator.number("noop_with_empty_axes", 0, 1, 0):
        return [shape]
    gone = each_once(axes or range(len(shape)), len(shape))
    kept = operator.number("keepdims", 0, 1, 1)
    return [tuple(1 if k in gone else side for k, side in enumerate(shape) if kept or k not in gone)]


def index_of_extreme(operator: Operator) -> list[Shape]:
    """Along one axis."""
    shape, axis = operator.shape(), operator.axis(0)
    kept = (1,) if operator.number("keepdims", 0, 1, 1) else ()
    return [(*shape[:axis], *kept, *shape[axis + 1 :])]


def largest(operator: Operator) -> list[Shape]:
    """So many along one axis, and where they are."""
    (count,) = operator.constants(1, 1)
    shape, axis = operator.shape(), operator.axis(-1)
    return [(*shape[:axis], within("k", count, 1, shape[axis]), *shape[axis + 1 :])] * operator.outputs


def reshaped(operator: Operator) -> list[Shape]:
    """Into the sides that the second input gives: 0 is the side that was there, -1 what is left."""
    shape, wanted = operator.shape(), operator.constants(1)
    if not operator.number("allowzero", 0, 1, 0):
        wanted = [shape[k] if side == 0 and k < len(shape) else side for k, side in enumerate(wanted)]
    known = math.prod(side for side in wanted if side != -1)
    if min(wanted, default=1) < -1 or wanted.count(-1) > 1 or known < 1 or math.prod(shape) % known:
        raise ValueError(f"{shape} to {tuple(wanted)}")
    result = tuple(math.prod(shape) // known if side == -1 else side for side in wanted)
    if math.prod(result) != math.prod(shape):
        raise ValueError(f"{shape} to {tuple(wanted)}")
    return [result]


def flattened(operator: Operator) -> list[Shape]:
    """Two axes: those in front of `axis`, and the others."""
    shape = operator.shape()
    axis = operator.number("axis", -len(shape), len(shape), 1)
    return [(math.prod(shape[:axis]), math.prod(shape[axis:]))]


def squeezed(operator: Operator) -> list[Shape]:
    """Without axes of side 1: those that are named, or all."""
    shape, axes = operator.shape(), operator.integers("axes", 1)
    if axes is None:
        return [tuple(side for side in shape if side != 1)]
    gone = each_once(axes, len(shape))
    if any(shape[axis] != 1 for axis in gone):
        raise ValueError(f"axes {gone} of {shape} are not 1")
    return [tuple(side for k, side in enumerate(shape) if k not in gone)]


def unsqueezed(operator: Operator) -> list[Shape]:
    """With more axes of side 1; they are counted in the result."""
    axes, sides = operator.integers("axes", 1), list(operator.shape())
    for axis in sorted(each_once(axes or (), len(sides) + len(axes or ()))):
        sides.insert(axis, 1)
    return [tuple(sides)]


def transposed(operator: Operator) -> list[Shape]:
    """In another order of the axes; by default the other way round."""
    shape = operator.shape()
    axes = operator.attributes.get("perm", tuple(range(len(shape)))[::-1])
    if len(each_once(axes, len(shape))) != len(shape):
        raise ValueError(f"axes {axes}, expected all")
    return [tuple(shape[axis] for axis in axes)]


def concatenated(operator: Operator) -> list[Shape]:
    """Along one axis; the other sides are the same."""
    shapes, axis = [operator.shape(index) for index in range(len(operator.inputs))], operator.axis()
    if len({(len(shape), shape[:axis], shape[axis + 1 :]) for shape in shapes}) != 1:
        raise ValueError(f"parts {shapes}"[:100])
    return [(*shapes[0][:axis], sum(shape[axis] for shape in shapes), *shapes[0][axis + 1 :])]


def split(operator: Operator) -> list[Shape]:
    """Along one axis, into parts of the sizes that are given, or of one size; then the last may be smaller."""
    shape, axis, sizes = operator.shape(), operator.axis(0), operator.integers("split", 1)
    if sizes is None:
        operator.number("num_outputs", operator.outputs, operator.outputs, operator.outputs)
        size = -(-shape[axis] // operator.outputs)
        sizes = [size] * (operator.outputs - 1) + [shape[axis] - size * (operator.outputs - 1)]
    if len(sizes) != operator.outputs or min(sizes) < 1 or sum(sizes) != shape[axis]:
        raise ValueError(f"parts {sizes} of {shape[axis]}"[:100])
    return [(*shape[:axis], size, *shape[axis + 1 :]) for size in sizes]


def sliced(operator: Operator) -> list[Shape]:
    """From starts to ends, along axes, in steps."""
    sides = list(operator.shape())
    starts, ends = operator.integers("starts", 1), operator.integers("ends", 2)
    axes, steps = operator.integers("axes", 3), operator.integers("steps", 4)
    if starts is None or ends is None:
        raise ValueError("starts or ends were left out")
    axes = list(range(len(starts))) if axes is None else axes
    steps = [1] * len(starts) if steps is None else steps
    for start, end, axis, step in zip(starts, ends, each_once(axes, len(sides)), steps, strict=True):
        if not step:
            raise ValueError("a step of 0")
        sides[axis] = len(range(*slice(start, end, step).indices(sides[axis])))
    return [tuple(sides)]


def gathered(operator: Operator) -> list[Shape]:
    """The places of one axis that the second input names."""
    shape, axis = operator.shape(), operator.axis(0)
    return [shape[:axis] + operator.shape(1) + shape[axis + 1 :]]


def gathered_elements(operator: Operator) -> list[Shape]:
    """An element for each index."""
    operator.axis(0)
    return [operator.shape(1)]


def gathered_parts(operator: Operator) -> list[Shape]:
    """The part that each row of indices leads to."""
    shape, indices = operator.shape(), operator.shape(1)
    operator.number("batch_dims", 0, 0, 0)
    if not indices or indices[-1] > len(shape):
        raise ValueError(f"indices {indices} into {shape}")
    return [indices[:-1] + shape[indices[-1] :]]


def padded(operator: Operator) -> list[Shape]:
    """By so many in front of each axis, and then by so many behind each; fewer than none cuts off."""
    sides, paddings = list(operator.shape()), operator.integers("pads", 1)
    axes = operator.constants(3) if operator.has(3) else list(range(len(sides)))
    if paddings is None or len(paddings) != 2 * len(axes):
        raise ValueError(f"paddings {str(paddings)[:60]}, expected {2 * len(axes)}")
    for k, axis in enumerate(each_once(axes, len(sides))):
        for padding in (paddings[k], paddings[k + len(axes)]):
            sides[axis] += within("padding", padding, -LARGEST, LARGEST)
    return [tuple(sides)]


def tiled(operator: Operator) -> list[Shape]:
    """So many times along each axis."""
    times = operator.constants(1, len(operator.shape()))
    return [tuple(side * within("times", one, 1, _LARGEST_SIZE) for side, one in zip(operator.shape(), times))]  # noqa: B905


def expanded(operator: Operator) -> list[Shape]:
    """Broadcast with the shape that the second input gives."""
    wanted = tuple(within("side", side, 1, _LARGEST_SIZE) for side in operator.constants(1))
    return [broadcast_shapes((operator.shape(), wanted))]


def one_hot(operator: Operator) -> list[Shape]:
    """Indices, how many classes, and what stands for no and yes."""
    shape = operator.shape()
    depth = operator.value(1).numbers
    if depth is None or depth.size != 1 or operator.shape(2) != (2,):
        raise ValueError("a number of classes that is not fixed, or more than two values")
    place = operator.axis(-1, len(shape) + 1)
    return [(*shape[:place], within("classes", int(depth.item()), 1, _LARGEST_SIZE), *shape[place:])]


def shape_of(operator: Operator) -> list[Shape]:
    """One side for each axis, from one to another."""
    return [(len(operator.shape()[_part(operator)]),)]


def _part(operator: Operator) -> slice:
    return slice(*(operator.number(name, -LARGEST, LARGEST, k) for k, name in ((0, "start"), (LARGEST, "end"))))


def sides_of(operator: Operator) -> np.ndarray[tuple[int, ...], np.dtype[np.int64]]:
    """What `shape_of` holds."""
    return np.array(operator.shape()[_part(operator)], np.int64)


def one_number(_: Operator) -> list[Shape]:
    """A scalar."""
    return [()]


def filled(operator: Operator) -> list[Shape]:
    """The shape that the input gives; the attribute is one number."""
    value = operator.attributes.get("value")
    if value is not None and (not isinstance(value, Tensor) or math.prod(value.shape) != 1):
        raise ValueError("a value that is not one number")
    return [tuple(within("side", side, 0, _LARGEST_SIZE) for side in operator.constants(0))]


def counted(operator: Operator) -> list[Shape]:
    """From start to limit in steps."""
    start, limit, step = (operator.constants(index, 1)[0] for index in range(3))
    if not step:
        raise ValueError("a step of 0")
    return [(max(0, -(-(limit - start) // step)),)]


def constant(operator: Operator) -> list[Shape]:
    """That of the attribute."""
    (value,) = operator.attributes.values()
    return [value.shape if isinstance(value, Tensor) else (len(value),) if isinstance(value, tuple) else ()]


def quantized(operator: Operator) -> list[Shape]:
    """As the input, with scale and zero point of one number each."""
    return [operator.shape(), (), ()]


def broadcast_shapes(shapes: Iterable[Sequence[int]]) -> Shape:
    """Sides that are the same, or 1."""
    result: list[int] = []
    for shape in shapes:
        result = [1] * (len(shape) - len(result)) + result
        for k, side in enumerate(reversed(shape), 1):
            if side != 1 and result[-k] not in (1, side):
                raise ValueError(f"{tuple(shape)} does not go with {tuple(result)}")
            result[-k] = max(side, result[-k]) if side else 0
    return tuple(result)
