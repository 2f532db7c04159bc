"""What shape an operator of TFLite gives, and what it must be given: kernels divide by strides, and believe axes.

Each function takes an `Operator` whose tensors all have fixed shapes, as those of an exported classifier do, and
whose axes, paddings and sizes are constants. It answers with the shapes of the outputs, by the definition of the
operator as TFLite's kernels have it, or raises ValueError where a kernel could not.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence

from camlite.soundness.limits import Shape
from camlite.soundness.tflite_operator import LARGEST, Operator, within


def same(operator: Operator) -> list[Shape]:
    """Element by element, of one tensor."""
    return [operator.shape()]


def broadcast(operator: Operator) -> list[Shape]:
    """Element by element, of tensors whose sides are the same or 1."""
    return [_broadcast(operator.shape(index) for index in range(len(operator.inputs)))]


def added(operator: Operator) -> list[Shape]:
    """Element by element, of tensors of one shape."""
    if any(operator.shape(index) != operator.shape() for index in range(len(operator.inputs))):
        raise ValueError("parts of several shapes")
    return same(operator)


def prelu(operator: Operator) -> list[Shape]:
    """As `broadcast`, into the shape of the first input."""
    if _broadcast((operator.shape(0), operator.shape(1))) != operator.shape(0):
        raise ValueError(f"slopes {operator.shape(1)} for {operator.shape(0)}")
    return [operator.shape(0)]


def fully_connected(operator: Operator) -> list[Shape]:
    """Input (..., C) or as many numbers, weights (K, C)."""
    shape, weights = operator.shape(0), operator.shape(1)
    if len(weights) != 2 or not weights[1] or math.prod(shape) % weights[1]:
        raise ValueError(f"weights {weights} for {shape}")
    units, depth = weights
    operator.option("weights_format", 0, 0)
    operator.check_bias(units)
    if operator.option("keep_num_dims", 0, 1):
        if not shape or shape[-1] != depth:
            raise ValueError(f"weights {weights} for {shape}")
        return [(*shape[:-1], units)]
    return [(math.prod(shape) // depth, units)]


def matrix_product(operator: Operator) -> list[Shape]:
    """Of the last two axes, one of which may be turned; the others are broadcast."""
    one, other = operator.shape(0), operator.shape(1)
    if len(one) < 2 or len(other) < 2:
        raise ValueError(f"a product of {one} and {other}")
    rows, inner = one[-2:] if not operator.option("adj_x", 0, 1) else one[:-3:-1]
    inner_too, columns = other[-2:] if not operator.option("adj_y", 0, 1) else other[:-3:-1]
    if inner != inner_too:
        raise ValueError(f"a product of {one} and {other}")
    return [(*_broadcast((one[:-2], other[:-2])), rows, columns)]


def reduction(operator: Operator) -> list[Shape]:
    """Over the axes that the second input names."""
    axes, shape = operator.axes(1), operator.shape(0)
    kept = bool(operator.option("keep_dims", 0, 1))
    return [tuple(1 if k in axes else side for k, side in enumerate(shape) if kept or k not in axes)]


def index_of_extreme(operator: Operator) -> list[Shape]:
    """Along the one axis that the second input names."""
    (axis,), shape = operator.axes(1), operator.shape(0)
    return [shape[:axis] + shape[axis + 1 :]]


def cumulative(operator: Operator) -> list[Shape]:
    """Along the one axis that the second input names."""
    (_,) = operator.axes(1)
    return same(operator)


def reshaped(operator: Operator) -> list[Shape]:
    """Into what the second input, or an option, says; or what the operator is for: as many numbers, whatever shape."""
    wanted = operator.outputs[0].shape
    if len(operator.inputs) > 1:
        _check_named(operator.constants(1), wanted)
    elif operator.options:
        _check_named(operator.options["new_shape"], wanted)
    return _as_many(operator)


def squeezed(operator: Operator) -> list[Shape]:
    """Without axes of side 1: those that an option names, or all."""
    shape = operator.shape()
    axes = {within("axis", axis, -len(shape), len(shape) - 1) % len(shape) for axis in operator.options.get("dims", ())}
    if any(shape[axis] != 1 for axis in axes):
        raise ValueError(f"axes {sorted(axes)} of {shape} are not 1")
    return [tuple(side for k, side in enumerate(shape) if (k not in axes if axes else side != 1))]


def expanded(operator: Operator) -> list[Shape]:
    """One more axis."""
    shape = operator.shape()
    (axis,) = operator.constants(1, 1)
    place = within("axis", axis, -len(shape) - 1, len(shape)) % (len(shape) + 1)
    return [(*shape[:place], 1, *shape[place:])]


def transposed(operator: Operator) -> list[Shape]:
    """In the order of axes that the second input gives."""
    axes = operator.axes(1)
    if len(axes) != len(operator.shape()):
        raise ValueError(f"axes {axes}, expected all")
    return [tuple(operator.shape()[axis] for axis in axes)]


def reversed_along(operator: Operator) -> list[Shape]:
    """Along the axes that the second input names."""
    operator.axes(1)
    return same(operator)


def concatenated(operator: Operator) -> list[Shape]:
    """Along one axis; the other sides are the same."""
    shapes = [operator.shape(index) for index in range(len(operator.inputs))]
    rank = len(shapes[0])
    axis = operator.option("axis", -rank, rank - 1) % rank
    if len({(len(shape), shape[:axis], shape[axis + 1 :]) for shape in shapes}) != 1:
        raise ValueError(f"parts {shapes}"[:100])
    return [(*shapes[0][:axis], sum(shape[axis] for shape in shapes), *shapes[0][axis + 1 :])]


def packed(operator: Operator) -> list[Shape]:
    """Along a new axis."""
    shapes = {operator.shape(index) for index in range(len(operator.inputs))}
    count = operator.option("values_count", len(operator.inputs), len(operator.inputs))
    if len(shapes) != 1:
        raise ValueError(f"parts {sorted(shapes)}"[:100])
    (shape,) = shapes
    axis = operator.option("axis", -len(shape) - 1, len(shape)) % (len(shape) + 1)
    return [(*shape[:axis], count, *shape[axis:])]


def unpacked(operator: Operator) -> list[Shape]:
    """Along one axis, which goes."""
    shape = operator.shape()
    axis = operator.option("axis", -len(shape), len(shape) - 1) % len(shape)
    return [shape[:axis] + shape[axis + 1 :]] * operator.option("num", shape[axis], shape[axis])


def split(operator: Operator) -> list[Shape]:
    """An axis, and what is split along it into parts of one size."""
    shape, count = operator.shape(1), operator.option("num_splits", 1, LARGEST)
    (axis,) = operator.constants(0, 1)
    place = within("axis", axis, -len(shape), len(shape) - 1) % len(shape)
    if shape[place] % count:
        raise ValueError(f"{count} parts of {shape}")
    return [(*shape[:place], shape[place] // count, *shape[place + 1 :])] * count


def split_by_sizes(operator: Operator) -> list[Shape]:
    """What is split, the sizes of the parts, of which one may be -1, and the axis."""
    shape, sizes = operator.shape(), operator.constants(1)
    (axis,) = operator.constants(2, 1)
    place = within("axis", axis, -len(shape), len(shape) - 1) % len(shape)
    operator.option("num_splits", len(sizes), len(sizes))
    left = shape[place] - sum(size for size in sizes if size != -1)
    parts = [left if size == -1 else size for size in sizes]
    if sizes.count(-1) > 1 or min(parts) < 1 or sum(parts) != shape[place]:
        raise ValueError(f"parts {sizes} of {shape[place]}"[:100])
    return [(*shape[:place], part, *shape[place + 1 :]) for part in parts]


def padded(operator: Operator) -> list[Shape]:
    """By so many in front and behind, a pair an axis; reflected, fewer than there are."""
    shape = operator.shape()
    paddings = operator.constants(1, 2 * len(shape))
    for padding in paddings:
        within("padding", padding, 0, LARGEST)
    return [tuple(side + sum(paddings[2 * k : 2 * k + 2]) for k, side in enumerate(shape))]


def mirrored(operator: Operator) -> list[Shape]:
    """As `padded`, with what is inside."""
    shape = operator.shape()
    paddings = operator.constants(1, 2 * len(shape))
    symmetric = operator.option("mode", 0, 1)
    for k, padding in enumerate(paddings):
        within("padding", padding, 0, shape[k // 2] - 1 + symmetric)
    return [tuple(side + sum(paddings[2 * k : 2 * k + 2]) for k, side in enumerate(shape))]


def strided_slice(operator: Operator) -> list[Shape]:
    """``input[begin:end:stride, ...]``, where masks stand for what is left out."""
    shape = operator.shape()
    begins, ends, strides = (operator.constants(index, len(shape)) for index in (1, 2, 3))
    masks = [operator.option(f"{name}_mask", 0, (1 << len(shape)) - 1) for name in ("begin", "end", "shrink_axis")]
    for name in ("ellipsis_mask", "new_axis_mask", "offset"):
        operator.option(name, 0, 0)
    result: list[int] = []
    for k, side in enumerate(shape):
        no_begin, no_end, shrunk = (mask >> k & 1 for mask in masks)
        if shrunk:
            within("index", begins[k], -side, side - 1)
            continue
        if not strides[k]:
            raise ValueError("a stride of 0")
        part = slice(None if no_begin else begins[k], None if no_end else ends[k], strides[k])
        result.append(len(range(*part.indices(side))))
    return [tuple(result)]


def sliced(operator: Operator) -> list[Shape]:
    """Begin and size, one an axis; -1 is all that is left."""
    shape = operator.shape()
    result = []
    for begin, size, side in zip(operator.constants(1), operator.constants(2), shape, strict=True):
        within("begin", begin, 0, side)
        result.append(within("size", side - begin if size == -1 else size, 0, side - begin))
    return [tuple(result)]


def gathered(operator: Operator) -> list[Shape]:
    """The places of one axis that the second input names."""
    shape = operator.shape()
    operator.option("batch_dims", 0, 0)
    axis = operator.option("axis", -len(shape), len(shape) - 1) % len(shape)
    if operator.value(1).below:
        within("places below", operator.value(1).below, 1, shape[axis])
    else:
        for place in operator.constants(1):
            within("place", place, 0, shape[axis] - 1)
    return [shape[:axis] + operator.shape(1) + shape[axis + 1 :]]


def tiled(operator: Operator) -> list[Shape]:
    """So many times along each axis."""
    shape = operator.shape()
    times = [within("times", one, 1, LARGEST) for one in operator.constants(1, len(shape))]
    return [tuple(side * one for side, one in zip(shape, times, strict=True))]


def broadcast_to(operator: Operator) -> list[Shape]:
    """To the shape that the second input gives."""
    wanted = tuple(within("side", side, 1, 1 << 28) for side in operator.constants(1))
    if _broadcast((operator.shape(), wanted)) != wanted:
        raise ValueError(f"{operator.shape()} to {wanted}")
    return [wanted]


def one_hot(operator: Operator) -> list[Shape]:
    """Indices, how many classes, and what stands for yes and no."""
    shape = operator.shape()
    (depth,) = operator.constants(1, 1)
    if operator.shape(2) not in ((), (1,)) or operator.shape(3) not in ((), (1,)):
        raise ValueError("more than one value for yes or no")
    axis = operator.option("axis", -1, len(shape))
    place = len(shape) if axis == -1 else axis
    return [(*shape[:place], within("classes", depth, 1, 1 << 24), *shape[place:])]


def work_of_fully_connected(operator: Operator) -> tuple[int, int]:
    """Multiplications."""
    return math.prod(operator.outputs[0].shape) * operator.shape(1)[1], 0


def work_of_product(operator: Operator) -> tuple[int, int]:
    """Multiplications; and both inputs turned."""
    inner = operator.shape(0)[-2 if operator.options.get("adj_x") else -1]
    turned = 4 * (math.prod(operator.shape(0)) + math.prod(operator.shape(1)))
    return math.prod(operator.outputs[0].shape) * inner, turned


def _check_named(named: Sequence[int], wanted: Shape) -> None:
    """A shape that may have one -1, for what is left."""
    if len(named) != len(wanted) or any(one not in (side, -1) for one, side in zip(named, wanted, strict=True)):
        raise ValueError(f"to {tuple(named)}, and the output is {wanted}")
    if list(named).count(-1) > 1:
        raise ValueError(f"to {tuple(named)}")


def _as_many(operator: Operator) -> list[Shape]:
    wanted = operator.outputs[0].shape
    if math.prod(wanted) != math.prod(operator.shape()):
        raise ValueError(f"{operator.shape()} to {wanted}")
    return [wanted]


def _broadcast(shapes: Iterable[Shape]) -> Shape:
    result: list[int] = []
    for shape in shapes:
        result = [1] * (len(shape) - len(result)) + result
        for k, side in enumerate(reversed(shape), 1):
            if side != 1 and result[-k] not in (1, side):
                raise ValueError(f"{shape} does not go with {tuple(result)}")
            result[-k] = max(side, result[-k])
    return tuple(result)
