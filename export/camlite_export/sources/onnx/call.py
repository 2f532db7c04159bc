"""What the float twin of an ONNX operator knows of it."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np

Shape = tuple[int, ...]


class Call(NamedTuple):
    """An operator of the file.

    Attributes:
        attributes: by name: numbers, texts, tuples of them, or arrays.
        inputs: shapes in the file; None for one that was left out.
        outputs: likewise.
        dtypes: of the outputs, as numpy names them.
        opset: version of the operators.
    """

    attributes: Mapping[str, Any]
    inputs: Sequence[Shape | None]
    outputs: Sequence[Shape]
    dtypes: Sequence[str]
    opset: int

    def option(self, name: str, default: Any = None) -> Any:
        """One of the attributes."""
        return self.attributes.get(name, default)

    def shape(self, index: int = 0) -> Shape:
        """Of an input that must be there."""
        shape = self.inputs[index]
        if shape is None:
            raise ValueError(f"input {index} was left out")
        return shape

    def axis(self, default: int) -> int:
        """The attribute `axis`, counted from the front."""
        return int(self.option("axis", default)) % max(1, len(self.shape()))

    def numbers(self, name: str, index: int, given: Sequence[Any]) -> list[int] | None:
        """What is an attribute in old sets of operators, and a constant input in new ones; None where it is neither."""
        if name in self.attributes:
            return [int(one) for one in self.attributes[name]]
        if len(given) <= index or given[index] is None:
            return None
        return [int(one) for one in np.ravel(np.asarray(given[index]))]


Twin = Callable[[Call, Sequence[Any]], Any]
"""Tensors of TensorFlow or arrays of constants (None: left out), in the file's layout, with any batch -> output."""


def has_batch(call: Call) -> bool:
    """Whether the first axis of the first input and of the output is the batch, 1 in the file."""
    return bool(call.outputs[0][:1] == (1,) and call.shape()[:1] == (1,))


def with_any_batch(call: Call, index: int = 0) -> list[int]:
    """The shape of an output, its batch left open."""
    shape = list(call.outputs[index])
    return [-1, *shape[1:]] if has_batch(call) else shape
