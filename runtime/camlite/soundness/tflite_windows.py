"""What shape an operator of TFLite gives that slides a window over a map, and what it must be given.

As `camlite.soundness.tflite_shapes`; images and feature maps are (N, H, W, C).
"""

from __future__ import annotations

import math
from collections.abc import Sequence

from camlite.soundness.limits import Shape
from camlite.soundness.tflite_operator import LARGEST, Operator, within

_SAME, _VALID = 0, 1


def convolution(operator: Operator) -> list[Shape]:
    """Input (N, H, W, C), filter (K, h, w, C / groups)."""
    batch, height, width, channels = _four(operator.shape(0))
    filters, *window, depth = _four(operator.shape(1))
    if channels % depth or filters % (channels // depth):
        raise ValueError(f"a filter {operator.shape(1)} for {channels} channels")
    operator.check_bias(filters)
    return [(batch, *_slid(operator, (height, width), window, dilated=True), filters)]


def depthwise_convolution(operator: Operator) -> list[Shape]:
    """Input (N, H, W, C), filter (1, h, w, C * multiplier)."""
    batch, height, width, channels = _four(operator.shape(0))
    one, *window, filters = _four(operator.shape(1))
    if one != 1 or filters != channels * operator.option("depth_multiplier", 1, LARGEST):
        raise ValueError(f"a filter {operator.shape(1)} for {channels} channels")
    operator.check_bias(filters)
    return [(batch, *_slid(operator, (height, width), window, dilated=True), filters)]


def transposed_convolution(operator: Operator) -> list[Shape]:
    """The shape of the output, filter (K, h, w, C), input (N, H, W, C): what a convolution would make of the output."""
    batch, *sides, filters = operator.constants(0, 4)
    received = _four(operator.shape(2))
    kernels, *window, channels = _four(operator.shape(1))
    if batch != received[0] or filters != kernels or channels != received[3]:
        raise ValueError(f"a filter {operator.shape(1)} for {received}")
    if len(operator.inputs) > 3:
        operator.check_bias(filters, index=3)
    for side in sides:
        within("output", side, 1, LARGEST)
    if _slid(operator, sides, window, dilated=False) != received[1:3]:
        raise ValueError(f"an output of {sides} does not come from {received}")
    return [(batch, *sides, filters)]


def pooling(operator: Operator) -> list[Shape]:
    """Input (N, H, W, C)."""
    batch, height, width, channels = _four(operator.shape(0))
    window = [operator.option(f"filter_{side}", 1, LARGEST) for side in ("height", "width")]
    return [(batch, *_slid(operator, (height, width), window, dilated=False), channels)]


def resized(operator: Operator) -> list[Shape]:
    """Input (N, H, W, C) to another height and width."""
    batch, _, _, channels = _four(operator.shape())
    height, width = (within("size", side, 1, LARGEST) for side in operator.constants(1, 2))
    if operator.option("align_corners", 0, 1) and operator.option("half_pixel_centers", 0, 1):
        raise ValueError("corners and centres cannot both be aligned")
    return [(batch, height, width, channels)]


def blocks(operator: Operator) -> list[Shape]:
    """Blocks of places become channels."""
    batch, height, width, channels = _four(operator.shape())
    size = operator.option("block_size", 1, LARGEST)
    if height % size or width % size:
        raise ValueError(f"blocks of {size} in {operator.shape()}")
    return [(batch, height // size, width // size, channels * size * size)]


def unblocked(operator: Operator) -> list[Shape]:
    """Channels become blocks of places."""
    batch, height, width, channels = _four(operator.shape())
    size = operator.option("block_size", 1, LARGEST)
    if channels % (size * size):
        raise ValueError(f"blocks of {size} in {operator.shape()}")
    return [(batch, height * size, width * size, channels // (size * size))]


def _slid(operator: Operator, sides: Sequence[int], window: Sequence[int], dilated: bool) -> Shape:
    """How often a window fits, moved by strides."""
    padding = operator.option("padding", _SAME, _VALID)
    result = []
    for letter, side, width in zip("hw", sides, window, strict=True):
        stride = operator.option(f"stride_{letter}", 1, LARGEST)
        dilation = operator.option(f"dilation_{letter}_factor", 1, LARGEST, default=1) if dilated else 1
        reach = (within("window", width, 1, LARGEST) - 1) * dilation + 1 if padding == _VALID else 1
        result.append(within("output", (side - reach) // stride + 1, 1, LARGEST))
    return tuple(result)


def _four(shape: Shape) -> Shape:
    if len(shape) != 4:
        raise ValueError(f"a shape {shape}, expected four axes")
    return shape


def work_of_convolution(operator: Operator) -> tuple[int, int]:
    """Multiplications; and bytes of the patches that the input may be unrolled into."""
    made, window = operator.outputs[0].shape, math.prod(operator.shape(1)[1:])
    return math.prod(made) * window, 4 * math.prod(made[:3]) * window


def work_of_depthwise_convolution(operator: Operator) -> tuple[int, int]:
    """As `work_of_convolution`; nothing is unrolled."""
    return math.prod(operator.outputs[0].shape) * math.prod(operator.shape(1)[1:3]), 0


def work_of_transposed_convolution(operator: Operator) -> tuple[int, int]:
    """As `work_of_convolution`, from where the input is."""
    window, received = math.prod(operator.shape(1)[:3]), operator.shape(2)
    return math.prod(received) * window, 4 * math.prod(received[:3]) * window


def work_of_pooling(operator: Operator) -> tuple[int, int]:
    """The elements of all windows."""
    window = operator.options.get("filter_height", 0) * operator.options.get("filter_width", 0)
    return math.prod(operator.outputs[0].shape) * window, 0
