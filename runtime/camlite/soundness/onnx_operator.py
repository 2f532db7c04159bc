"""An operator of ONNX with its tensors, as the proof of a model looks at it."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from camlite.soundness.limits import Shape

LARGEST = 1 << 14  # of strides, dilations, windows and paddings: the largest side of an image
MOST_KNOWN = 64  # elements of a tensor whose numbers are kept: axes, paddings and sizes are fewer

# By the numbers of TensorProto.DataType. Strings, complex numbers, and numbers of less than 8 bits have no place here.
DTYPES: Mapping[int, np.dtype[Any]] = {
    number: np.dtype(name)
    for number, name in {
        1: "f4", 2: "u1", 3: "i1", 4: "u2", 5: "i2", 6: "i4", 7: "i8", 9: "?", 10: "f2", 11: "f8", 12: "u4", 13: "u8",
    }.items()
}  # fmt: skip


class Tensor(NamedTuple):
    """A tensor as an operator meets it.

    Attributes:
        shape: of one image: the batch is 1.
        dtype: of its elements.
        numbers: what it holds, where that is known beforehand and little; else None.
    """

    shape: Shape
    dtype: np.dtype[Any]
    numbers: NDArray[Any] | None = None


class Operator(NamedTuple):
    """An operator.

    Attributes:
        inputs: its tensors; None where one was left out.
        outputs: how many it has.
        attributes: by name: numbers, texts, tuples of them, or a `Tensor`.
    """

    inputs: Sequence[Tensor | None]
    outputs: int
    attributes: Mapping[str, Any]

    def value(self, index: int = 0) -> Tensor:
        """An input that must be there."""
        tensor = self.inputs[index] if index < len(self.inputs) else None
        if tensor is None:
            raise ValueError(f"input {index} was left out")
        return tensor

    def shape(self, index: int = 0) -> Shape:
        """Of an input that must be there."""
        return self.value(index).shape

    def has(self, index: int) -> bool:
        """Whether an input is there, and holds anything."""
        return index < len(self.inputs) and self.inputs[index] is not None and bool(math.prod(self.shape(index)))

    def number(self, name: str, least: int, most: int, default: int | None = None) -> int:
        """An integer among the attributes."""
        number = self.attributes.get(name, default)
        if not isinstance(number, int):
            raise ValueError(f"{name} {str(number)[:40]}, expected an integer")
        return within(name, number, least, most)

    def each(self, name: str, count: int, default: int, least: int = 1, most: int = LARGEST) -> list[int]:
        """So many integers among the attributes; the default where there is no such attribute."""
        numbers = self.attributes.get(name, (default,) * count)
        if not isinstance(numbers, tuple) or len(numbers) != count:
            raise ValueError(f"{name} {str(numbers)[:60]}, expected {count} integers")
        return [within(name, number, least, most) for number in numbers]

    def axis(self, default: int | None = None, rank: int | None = None) -> int:
        """The attribute `axis`, counted from the front."""
        rank = len(self.shape()) if rank is None else rank
        return self.number("axis", -rank, rank - 1, default) % rank

    def constants(self, index: int, count: int | None = None) -> list[int]:
        """The integers of an input that are known beforehand, so many of them."""
        tensor = self.value(index)
        if tensor.numbers is None or tensor.dtype.kind not in "iu" or len(tensor.shape) > 1:
            raise ValueError(f"input {index} is no list of integers that is fixed")
        numbers: list[int] = tensor.numbers.ravel().tolist()
        if count is not None and len(numbers) != count:
            raise ValueError(f"input {index} holds {len(numbers)} integers, expected {count}")
        return numbers

    def integers(self, name: str, index: int) -> list[int] | None:
        """What is an attribute in old sets of operators, and an input in new ones; None where it is neither."""
        if name in self.attributes:
            numbers = self.attributes[name]
            if not isinstance(numbers, tuple) or not all(isinstance(number, int) for number in numbers):
                raise ValueError(f"{name} {str(numbers)[:60]}, expected integers")
            return list(numbers)
        there = index < len(self.inputs) and self.inputs[index] is not None
        return self.constants(index) if there else None


def within(what: str, number: int, least: int, most: int) -> int:
    """The number, where it is one that a kernel expects."""
    if not least <= number <= most:
        raise ValueError(f"{what} {number}, expected {least} to {most}")
    return number


def each_once(axes: Sequence[int], rank: int) -> list[int]:
    """Axes counted from the front, each once."""
    counted = [within("axis", axis, -rank, rank - 1) % rank for axis in axes]
    if len(set(counted)) != len(counted):
        raise ValueError(f"axes {str(axes)[:60]}, expected each once")
    return counted
