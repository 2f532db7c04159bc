"""How much a sound model may ask of a device: operators, memory and work.

Every tensor of a sound model has a shape that is known before an interpreter sees the model, so what the model takes
is counted beforehand. An element counts as 4 bytes at the least: interpreters make float32 of float16 and of weights of
8 bits. `Account` adds up

- **constants**: the weights in the file, and what operators make of constants only, which interpreters keep as well;
- **tensors**: those that are needed at the same time, and the patches that a convolution is unrolled into;
- **work**: multiplications, and 8 for each element that an operator reads or writes.

The limits are generous: MobileNetV2 has 14 MB of constants, 10 MB of tensors at a time and 6e8 of work, DenseNet121
32 MB, 20 MB and 4e9. The largest networks of keras.applications must fit; by their published counts those are VGG19
(575 MB of weights), EfficientNetB7 at 600 x 600 (three tensors of 69 MB at a time), ConvNeXtXLarge (1.4 GB, 6.1e10).

`most_memory` says what opening and running a model takes at the most. Interpreters keep a copy of the constants, and
another one in the order in which their kernels read them; while they open an ONNX file they hold a third. Their memory
for tensors grows in powers of two, or has gaps. In 153 measurements of sound models, none took more than 0.59 of it
(docs/reliability.md).
"""

from __future__ import annotations

import math
from collections.abc import Hashable, Iterable, Mapping, Sequence
from typing import NamedTuple

Shape = tuple[int, ...]

MOST_OPERATORS = 1 << 14
MOST_AXES = 8
MOST_CONSTANTS = 3 << 29  # bytes, 1.6 GB
MOST_TENSORS = 1 << 28  # bytes at a time, 268 MB
MOST_WORK = 1 << 37  # 1.4e11: eight minutes where a slow kernel computes 0.3e9 a second
MOST_MADE_TIMES, MOST_MADE_BESIDE = 12, 1 << 26
"""Constants that operators make: so often what is in the file, and 67 MB. A file of 200 bytes could ask for more.

A weight of 8 bits is made real by three operators, which is twelve bytes for one.
"""

_WORK_PER_ELEMENT = 8
_LEAST_WIDTH = 4
_BASE = 1 << 26  # of an interpreter, whatever the model


class Cost(NamedTuple):
    """What a model takes.

    Attributes:
        constants: bytes of weights and of what is made of constants only, 4 an element or more.
        tensors: bytes of the tensors that are needed at the same time, at the most.
        work: multiplications and additions of one run.
    """

    constants: int
    tensors: int
    work: int


class Port(NamedTuple):
    """An input or output: its shape without the batch axis, and its dtype as numpy names it (``float32``)."""

    shape: Shape
    dtype: str


class Proof(NamedTuple):
    """What is known of a sound model: its image, its outputs by name, and what it takes."""

    image: Port
    outputs: Mapping[str, Port]
    cost: Cost


class _Step(NamedTuple):
    given: Sequence[Hashable]
    made: Sequence[Hashable]
    workspace: int


class Account:
    """Adds up what a model takes, tensor by tensor and operator by operator, in the order in which they run.

    Raises:
        ValueError: (all methods) it is more than the limits.
    """

    def __init__(self) -> None:
        self._sizes: dict[Hashable, int] = {}
        self._fixed: set[Hashable] = set()
        self._steps: list[_Step] = []
        self._stored = self._made = self._work = 0

    def add(self, key: Hashable, shape: Shape, width: int, *, fixed: bool = False) -> None:
        """A tensor of so many bytes an element; `fixed`: a constant, which is kept for good."""
        self._sizes[key] = size = max(width, _LEAST_WIDTH) * math.prod(shape)
        if fixed:
            self._fixed.add(key)
            self._stored += size
        else:
            _within("a tensor", size, MOST_TENSORS)

    def run(self, given: Sequence[Hashable], made: Sequence[Hashable], work: int = 0, workspace: int = 0) -> None:
        """An operator; its tensors were added. What it makes of constants only is a constant, too."""
        elements = sum(self._sizes[key] for key in (*given, *made)) // _LEAST_WIDTH
        self._work += _WORK_PER_ELEMENT * elements + work
        if self._work > MOST_WORK:
            raise ValueError(f"work of {self._work:.1e} multiplications, expected at most {MOST_WORK:.1e}")
        if self._fixed.issuperset(given):
            self._fixed.update(made)
            self._made += sum(self._sizes[key] for key in made)
        self._steps.append(_Step(given, made, workspace))
        if len(self._steps) > MOST_OPERATORS:
            raise ValueError(f"more than {MOST_OPERATORS} operators")

    def close(self, inputs: Iterable[Hashable], outputs: Iterable[Hashable]) -> Cost:
        """What it comes to, for the tensors that go in and come out."""
        _within("constants", self._stored + self._made, MOST_CONSTANTS)
        _within("constants made by operators", self._made, MOST_MADE_TIMES * self._stored + MOST_MADE_BESIDE)
        inputs, kept = list(inputs), self._fixed.union(inputs, outputs)
        freed: list[list[Hashable]] = []
        needed_later = set(kept)
        for step in reversed(self._steps):
            freed.append([key for key in {*step.given, *step.made} if key not in needed_later])
            needed_later.update(step.given)
        live = most = sum(self._sizes[key] for key in inputs)
        for step, ended in zip(self._steps, reversed(freed), strict=True):
            live += sum(self._sizes[key] for key in step.made if key not in self._fixed)
            most = max(most, live + step.workspace)
            live -= sum(self._sizes[key] for key in ended)
        return Cost(self._stored + self._made, _within("tensors at a time", most, MOST_TENSORS), self._work)


def most_memory(file_size: int, cost: Cost) -> int:
    """Bytes that opening a model of so many bytes and running it takes at the most, on every backend."""
    return _BASE + file_size + 3 * cost.constants + 2 * cost.tensors


def check_shape(shape: Shape, what: str = "a tensor") -> Shape:
    """The shape, where it has few axes and none is empty."""
    if len(shape) > MOST_AXES or min(shape, default=1) < 1:
        raise ValueError(f"{what} has shape {str(shape)[:60]}")
    return shape


def _within(what: str, size: int, most: int) -> int:
    if size > most:
        raise ValueError(f"{what} of {size >> 20} MB, expected at most {most >> 20}")
    return size
