"""What shape an operator of ONNX gives that slides a window over a map (N, C, sides), and how much work it is.

As `camlite.soundness.onnx_shapes`.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np

from camlite.soundness.limits import Shape
from camlite.soundness.onnx_operator import LARGEST, Operator, within

_LARGEST_SCALE = 1 << 14


def convolution(operator: Operator, weights: int = 1) -> list[Shape]:
    """Input (N, C, ...), weights (filters, C / group, ...)."""
    (batch, channels, *sides), (filters, depth, *window) = _map(operator.shape()), _map(operator.shape(weights))
    groups = operator.number("group", 1, channels, 1)
    if len(window) != len(sides) or depth * groups != channels or filters % groups:
        raise ValueError(f"weights {operator.shape(weights)} for {operator.shape()} in {groups} groups")
    _check_kernel(operator, window)
    return [(batch, filters, *_slid(operator, sides, window))]


def quantized_convolution(operator: Operator) -> list[Shape]:
    """As `convolution`, of inputs that each have scale and zero point beside them."""
    return convolution(operator, weights=3)


def transposed_convolution(operator: Operator) -> list[Shape]:
    """Input (N, C, ...), weights (C, filters / group, ...): what a convolution would make of the output."""
    (batch, channels, *sides), (depth, filters, *window) = _map(operator.shape()), _map(operator.shape(1))
    groups = operator.number("group", 1, channels, 1)
    if operator.attributes.get("auto_pad", "NOTSET") != "NOTSET":
        raise ValueError("a padding that depends on the interpreter's version, expected pads")
    if len(window) != len(sides) or depth != channels or channels % groups:
        raise ValueError(f"weights {operator.shape(1)} for {operator.shape()} in {groups} groups")
    _check_kernel(operator, window)
    rank = len(sides)
    strides, dilations = operator.each("strides", rank, 1), operator.each("dilations", rank, 1)
    pads, more = operator.each("pads", 2 * rank, 0, least=0), operator.each("output_padding", rank, 0, least=0)
    result = [
        strides[k] * (sides[k] - 1) + more[k] + (window[k] - 1) * dilations[k] + 1 - pads[k] - pads[k + rank]
        for k in range(rank)
    ]
    return [(batch, filters * groups, *(within("output", side, 1, LARGEST) for side in result))]


def pooling(operator: Operator) -> list[Shape]:
    """Input (N, C, ...)."""
    batch, channels, *sides = _map(operator.shape())
    window = operator.each("kernel_shape", len(sides), 0)
    return [(batch, channels, *_slid(operator, sides, window))] * operator.outputs


def global_pooling(operator: Operator) -> list[Shape]:
    """Input (N, C, ...)."""
    batch, channels, *sides = _map(operator.shape())
    return [(batch, channels, *(1 for _ in sides))]


def resized(operator: Operator) -> list[Shape]:
    """To sizes, or by scales: the last two inputs, or an attribute of the oldest."""
    shape = operator.shape()
    axes = operator.attributes.get("axes", tuple(range(len(shape))))
    if operator.attributes.get("keep_aspect_ratio_policy", "stretch") != "stretch" or len(set(axes)) != len(axes):
        raise ValueError("keeps the aspect ratio, or names an axis twice")
    result = list(shape)
    if operator.has(3):
        for axis, size in zip(axes, operator.constants(3, len(axes)), strict=True):
            result[axis] = within("size", size, 1, LARGEST)
        return [tuple(result)]
    for axis, scale in zip(axes, _scales(operator, len(axes)), strict=True):
        if not 0 < scale <= _LARGEST_SCALE:
            raise ValueError(f"scale {scale}, expected 0 to {_LARGEST_SCALE}")
        result[axis] = int(np.float32(scale) * np.float32(shape[axis]))
    return [tuple(result)]


def _scales(operator: Operator, count: int) -> Any:
    if "scales" in operator.attributes:
        return operator.attributes["scales"]
    scales = operator.value(2 if len(operator.inputs) > 2 else 1)
    if scales.numbers is None or scales.shape != (count,) or scales.dtype.kind != "f":
        raise ValueError("scales that are not fixed")
    return scales.numbers.tolist()


def blocks(operator: Operator) -> list[Shape]:
    """Blocks of places become channels."""
    batch, channels, height, width = _map(operator.shape(), 4)
    size = operator.number("blocksize", 1, LARGEST)
    if height % size or width % size:
        raise ValueError(f"blocks of {size} in {operator.shape()}")
    return [(batch, channels * size * size, height // size, width // size)]


def unblocked(operator: Operator) -> list[Shape]:
    """Channels become blocks of places."""
    batch, channels, height, width = _map(operator.shape(), 4)
    size = operator.number("blocksize", 1, LARGEST)
    if channels % (size * size):
        raise ValueError(f"blocks of {size} in {operator.shape()}")
    return [(batch, channels // (size * size), height * size, width * size)]


def _check_kernel(operator: Operator, window: Sequence[int]) -> None:
    if operator.attributes.get("kernel_shape", tuple(window)) != tuple(window):
        raise ValueError(f"a kernel {str(operator.attributes['kernel_shape'])[:60]} for weights of {tuple(window)}")


def _slid(operator: Operator, sides: Sequence[int], window: Sequence[int]) -> list[int]:
    """How often a window fits, moved by strides."""
    rank, mode = len(sides), operator.attributes.get("auto_pad", "NOTSET")
    if mode not in ("NOTSET", "VALID", "SAME_UPPER", "SAME_LOWER"):
        raise ValueError(f"auto_pad {str(mode)[:20]}")
    strides, dilations = operator.each("strides", rank, 1), operator.each("dilations", rank, 1)
    pads = operator.each("pads", 2 * rank, 0, least=0) if mode == "NOTSET" else [0] * 2 * rank
    result = []
    for k, side in enumerate(sides):
        reach = (within("window", window[k], 1, LARGEST) - 1) * dilations[k] + 1
        room = side + pads[k] + pads[k + rank] - reach
        count = room // strides[k] + 1
        if mode.startswith("SAME"):
            count = -(-side // strides[k])
        elif operator.number("ceil_mode", 0, 1, 0) and room % strides[k]:
            count += count * strides[k] < side + pads[k]  # no window begins in the padding behind
        result.append(within("output", count, 1, LARGEST))
    return result


def _map(shape: Shape, rank: int | None = None) -> Shape:
    if not 3 <= len(shape) <= 5 or (rank and len(shape) != rank):
        raise ValueError(f"a shape {shape}, expected {rank or '3 to 5'} axes")
    return shape


def work_of_convolution(operator: Operator, made: Shape, weights: int = 1) -> tuple[int, int]:
    """Multiplications; and bytes of the patches that the input may be unrolled into."""
    window = math.prod(operator.shape(weights)[1:])
    return math.prod(made) * window, 4 * math.prod(made[2:]) * window


def work_of_quantized_convolution(operator: Operator, made: Shape) -> tuple[int, int]:
    """As `work_of_convolution`."""
    return work_of_convolution(operator, made, weights=3)


def work_of_transposed_convolution(operator: Operator, _: Shape) -> tuple[int, int]:
    """As `work_of_convolution`, from where the input is."""
    window = math.prod(operator.shape(1)[1:])
    return math.prod(operator.shape()) * window, 4 * math.prod(operator.shape()[2:]) * window


def work_of_pooling(operator: Operator, made: Shape) -> tuple[int, int]:
    """The elements of all windows."""
    return math.prod(made) * math.prod(operator.attributes["kernel_shape"]), 0


def work_of_resizing(_: Operator, made: Shape) -> tuple[int, int]:
    """16 neighbours where it is cubic."""
    return 16 * math.prod(made), 0


def work_of_product(operator: Operator, made: Shape) -> tuple[int, int]:
    """Multiplications of `matrix_product` and `general_product`."""
    return math.prod(made) * operator.shape()[0 if operator.attributes.get("transA") else -1], 0
