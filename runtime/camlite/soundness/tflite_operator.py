"""An operator of TFLite with its tensors, as the proof of a model's structure looks at it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np

from camlite.soundness.limits import Shape

LARGEST = 1 << 14  # of strides, dilations, windows and sizes: the largest side of an image

_INT32, _INT64 = 2, 4


class Tensor(NamedTuple):
    """A tensor as an operator meets it; `data` is None where it is computed.

    Its integers are known to be 0 or more, and less than `below`, where that is not 0.
    `per_unit`: a layer of Dense has taken it for its weights before, and an interpreter may since have a scale for each
    unit where the file has one.
    """

    shape: Shape
    type: int
    data: memoryview | None
    scales: tuple[float, ...]
    below: int = 0
    per_unit: bool = False


class Operator(NamedTuple):
    """An operator with its tensors; an input that was left out is None. Options that are absent are 0."""

    inputs: Sequence[Tensor | None]
    outputs: Sequence[Tensor]
    options: Any

    def value(self, index: int) -> Tensor:
        """An input that must be there."""
        tensor = self.inputs[index]
        if tensor is None:
            raise ValueError(f"input {index} was left out")
        return tensor

    def shape(self, index: int = 0) -> Shape:
        """Of an input that must be there."""
        return self.value(index).shape

    def option(self, name: str, least: int, most: int, default: int = 0) -> int:
        """A number among the options."""
        return within(name, self.options.get(name, default), least, most)

    def constants(self, index: int, count: int | None = None) -> list[int]:
        """The integers that a constant input holds, so many of them."""
        tensor = self.value(index)
        if tensor.data is None or tensor.type not in (_INT32, _INT64) or len(tensor.shape) > 2:
            raise ValueError(f"input {index} is no list of integers that is fixed")
        numbers: list[int] = np.frombuffer(tensor.data, "<i4" if tensor.type == _INT32 else "<i8").tolist()
        if count is not None and len(numbers) != count:
            raise ValueError(f"input {index} holds {len(numbers)} integers, expected {count}")
        return numbers

    def axes(self, index: int) -> list[int]:
        """Axes of the first input that another input names, each once, counted from the front."""
        rank = len(self.shape(0))
        axes = [within("axis", axis, -rank, rank - 1) % rank for axis in self.constants(index)]
        if len(set(axes)) != len(axes):
            raise ValueError(f"axes {axes}, expected each once")
        return axes

    def check_bias(self, count: int, index: int = 2) -> None:
        """An input that may be left out, or holds one number an output channel."""
        bias = self.inputs[index] if len(self.inputs) > index else None
        if bias is not None and bias.shape != (count,):
            raise ValueError(f"a bias {bias.shape} for {count}")


def within(what: str, number: int, least: int, most: int) -> int:
    """The number, where it is one that a kernel expects."""
    if not least <= number <= most:
        raise ValueError(f"{what.replace('_', ' ')} {number}, expected {least} to {most}")
    return number
