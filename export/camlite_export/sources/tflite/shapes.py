"""The shapes that a `.tflite` file leaves to whoever runs it, computed for one image.

TensorFlow's converter writes for a batch of any size: a side that it does not know is 1 in the file, and becomes what
it is when an interpreter opens the file. Such sides depend on others that operators compute: SHAPE, products and parts
of shapes, and what is reshaped to these. Here all of it is followed in the order in which it runs, by the rules that
prove a model sound (`camlite.soundness.tflite_rules`): operators of shapes only become constants, and tensors get the
shapes that they have.
"""

from __future__ import annotations

import functools
import math
import re
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from camlite.soundness import tflite_rules
from camlite.soundness.limits import Shape
from camlite.soundness.tflite_operator import Operator, Tensor
from camlite.soundness.tflite_rules import Rule
from camlite.soundness.tflite_schema import OPTIONS
from camlite_export.sources.tflite import operators, tflite_graph
from camlite_export.sources.tflite.flatbuffer import code_of

_OF_SHAPES = frozenset(
    {"CAST", "CONCATENATION", "EXPAND_DIMS", "GATHER", "MAXIMUM", "MINIMUM", "MUL", "PACK", "REDUCE_PROD", "RESHAPE"}
    | {"ADD", "SLICE", "SQUEEZE", "STRIDED_SLICE", "SUB"}
)
_INTEGERS = {2: np.int32, 4: np.int64}
_FEW = 1 << 12  # numbers; constants of more are none that a rule reads
# What a rule calls an option otherwise than the schema's objects do, beside the way in which they are written.
_OTHER_NAMES: Mapping[str, str] = {"activation": "fusedActivationFunction"}


def fix(model: Any) -> bool:
    """Follow all shapes of a model, and write them down in place; returns whether anything was changed.

    What cannot be followed stays as it is in the file.
    """
    (graph,) = model.subgraphs
    computed = any(tflite_graph.NAMES.get(code_of(model, one)) == "SHAPE" for one in graph.operators)
    if not computed and not any(_is_open(tensor) for tensor in graph.tensors):
        return False
    return _Shapes(model).write()


def _is_open(tensor: Any) -> bool:
    """Whether a side of it depends on how many images there are, or on what is computed."""
    return tensor.shapeSignature is not None and any(int(side) < 0 for side in tensor.shapeSignature)


class _Shapes:
    def __init__(self, model: Any) -> None:
        (self._graph,) = model.subgraphs
        self._model = model
        self._shapes: dict[int, Shape] = {}
        self._known: dict[int, NDArray[Any]] = {}

    def write(self) -> bool:
        left = [operator for operator in self._graph.operators if not self._follow(operator)]
        if set(map(int, self._graph.outputs)) & self._known.keys():
            return False
        changed = len(left) < len(self._graph.operators)
        self._graph.operators = left
        taken = {int(index) for operator in left for index in operator.inputs}
        for index in sorted(taken & self._known.keys()):
            _make_constant(self._model, self._graph.tensors[index], self._known[index])
        for index, shape in self._shapes.items():
            tensor = self._graph.tensors[index]
            if shape != tflite_graph.shape_of(tensor):
                tensor.shape, tensor.shapeSignature = np.array(shape, np.int32), None
                changed = True
        return changed

    def _follow(self, operator: Any) -> bool:
        """Learn what an operator gives; True where these are the numbers of a shape, known without an image."""
        rule = tflite_rules.RULES.get(code_of(self._model, operator))
        if rule is not None:
            for index, shape in zip(operator.outputs, self._shapes_of(rule, operator), strict=False):
                if _is_open(self._graph.tensors[int(index)]):
                    self._shapes[int(index)] = shape
        numbers = self._numbers(operator)
        if numbers is None:
            return False
        self._known[int(operator.outputs[0])] = numbers
        return True

    def _shape(self, index: int) -> Shape:
        return self._shapes.get(index, tflite_graph.shape_of(self._graph.tensors[index]))

    def _constant(self, index: int) -> NDArray[Any] | None:
        known = self._known.get(index)
        return tflite_graph.constant_of(self._model, self._graph.tensors[index]) if known is None else known

    def _shapes_of(self, rule: Rule, operator: Any) -> Sequence[Shape]:
        """By the operator's rule; none where it has no answer: whoever proves the model says why."""
        options = {name: getattr(operator.builtinOptions, field, 0) for name, field in _fields(rule.options)}
        made = [self._tensor(int(index)) for index in operator.outputs]
        given = [None if index < 0 else self._tensor(int(index)) for index in operator.inputs]
        try:
            if rule.name == "RESHAPE":
                return [self._reshaped(operator)]
            return rule.shapes(Operator(given, made, options))
        except (ValueError, TypeError, IndexError):
            return []

    def _reshaped(self, operator: Any) -> Shape:
        wanted = self._constant(int(operator.inputs[1])) if len(operator.inputs) > 1 else None
        if wanted is None:
            wanted = getattr(operator.builtinOptions, "newShape", None)
        if wanted is None:
            raise ValueError("a shape that is not known")
        sides = [int(side) for side in np.ravel(wanted)]
        size, rest = math.prod(self._shape(int(operator.inputs[0]))), math.prod(side for side in sides if side != -1)
        if sides.count(-1) > 1 or not rest or size % rest or (-1 not in sides and size != rest):
            raise ValueError(f"{size} numbers to {sides}")
        return tuple(size // rest if side == -1 else side for side in sides)

    def _tensor(self, index: int) -> Tensor:
        numbers = self._constant(index)
        data = None if numbers is None else memoryview(numbers.tobytes() if numbers.size < _FEW else b"\0")
        return Tensor(self._shape(index), self._graph.tensors[index].type, data, ())

    def _numbers(self, operator: Any) -> NDArray[Any] | None:
        """What an operator gives that takes shapes only; None of any other."""
        if len(operator.outputs) != 1:
            return None
        made = self._graph.tensors[int(operator.outputs[0])]
        kind = tflite_graph.NAMES.get(code_of(self._model, operator))
        if made.type not in _INTEGERS:
            return None
        inputs = [int(index) for index in operator.inputs]
        if kind == "SHAPE":
            return np.array(self._shape(inputs[0]), _INTEGERS[made.type])
        if kind not in _OF_SHAPES or not any(index in self._known for index in inputs):
            return None
        given = [self._constant(index) for index in inputs]
        if any(one is None for one in given):
            return None
        call = tflite_graph.call_of(self._graph, operator)
        call = call._replace(inputs=[one.shape for one in given if one is not None])
        call = call._replace(outputs=[self._shape(int(operator.outputs[0]))])
        return np.asarray(operators.TWINS[kind](call, given), _INTEGERS[made.type])


@functools.cache
def _fields(options: str) -> Sequence[tuple[str, str]]:
    """What a rule calls an option, and what the schema's objects call it."""
    names = [field.partition(" ")[0] for field in OPTIONS[options]]
    return [(name, _OTHER_NAMES.get(name) or re.sub("_(.)", lambda one: one[1].upper(), name)) for name in names]


def _make_constant(model: Any, tensor: Any, values: NDArray[Any]) -> None:
    from ai_edge_litert import schema_py_generated as schema

    buffer = schema.BufferT()
    buffer.data = np.frombuffer(values.tobytes(), np.uint8)
    model.buffers.append(buffer)
    tensor.buffer = len(model.buffers) - 1
    tensor.shape = np.array(values.shape, np.int32)
    tensor.shapeSignature = None
