"""Files that no interpreter loads, or that cannot be proven, by a fault that changes nothing of what they compute.

Each mend is told in a line. Weights, operators and their order stay as they are, and so do the scores.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np

from camlite_export.sources.tflite.flatbuffer import code_of, text

_SHAPE, _STRIDED_SLICE, _SLICE, _GATHER, _PACK, _CONCATENATION, _CAST, _MUL, _REDUCE_PROD = (
    *(77, 45, 65, 36, 83, 2, 53, 18, 81),
)
_OF_SHAPES = frozenset({_STRIDED_SLICE, _SLICE, _GATHER, _PACK, _CONCATENATION, _CAST, _MUL, _REDUCE_PROD})
_INTEGERS = {2: np.int32, 4: np.int64}


def mend(model: Any) -> tuple[bool, tuple[str, ...]]:
    """Mend a model in place; returns whether anything was done, and what people are to know of it, a line each.

    Operators that compute shapes, as TensorFlow's converter leaves them for a batch of any size, become constants: that
    is no fault, and not told.
    """
    (graph,) = model.subgraphs
    axes = list(_axes_of_one_dimension(graph))
    lines = (
        f"mended: {len(axes)} tensors, as {axes[0]!r}, name an axis of quantization that they have not; it is their "
        f"only one"
        for _ in axes[:1]
    )
    folded = _fold_shapes(model, graph)
    return bool(axes or folded), tuple(lines)


def _axes_of_one_dimension(graph: Any) -> Iterator[str]:
    """A bias has one axis; some converters gave it that of the weights."""
    for tensor in graph.tensors:
        quantization, shape = tensor.quantization, tensor.shape
        if quantization is None or quantization.scale is None or shape is None or len(shape) != 1:
            continue
        if quantization.quantizedDimension and len(quantization.scale) in (1, int(shape[0])):
            quantization.quantizedDimension = 0
            yield text(tensor.name)[:60]


def _fold_shapes(model: Any, graph: Any) -> int:
    """Put constants in place of what is computed of shapes only: a batch that may vary is 1 here, as the file says."""
    known: dict[int, Any] = {}
    left = []
    folded = 0
    for operator in graph.operators:
        code = code_of(model, operator)
        found = _of_shapes(model, graph, operator, code, known)
        if found is None:
            left.append(operator)
            continue
        folded += 1
        known[int(operator.outputs[0])] = found
    if not folded or set(map(int, graph.outputs)) & known.keys():
        return 0
    graph.operators = left
    taken = {int(index) for operator in left for index in operator.inputs}
    for index in sorted(taken & known.keys()):
        _make_constant(model, graph.tensors[index], known[index])
    return folded


def _of_shapes(model: Any, graph: Any, operator: Any, code: int, known: dict[int, Any]) -> Any:
    """What an operator gives that takes shapes only; None of any other."""
    from camlite_export.sources.tflite import operators, tflite_graph

    inputs = [int(index) for index in operator.inputs]
    if len(operator.outputs) != 1 or graph.tensors[int(operator.outputs[0])].type not in _INTEGERS:
        return None
    if code == _SHAPE:
        given: list[Any] = [None]
    elif code in _OF_SHAPES and any(index in known for index in inputs):
        given = [known.get(index, tflite_graph.constant_of(model, graph.tensors[index])) for index in inputs]
        if any(one is None for one in given):
            return None
    else:
        return None
    name = tflite_graph.NAMES.get(code, "")
    if name not in operators.TWINS:
        return None
    made = operators.TWINS[name](tflite_graph.call_of(graph, operator), given)
    return np.asarray(made, _INTEGERS[graph.tensors[int(operator.outputs[0])].type])


def _make_constant(model: Any, tensor: Any, values: Any) -> None:
    from ai_edge_litert import schema_py_generated as schema

    buffer = schema.BufferT()
    buffer.data = np.frombuffer(values.tobytes(), np.uint8)
    model.buffers.append(buffer)
    tensor.buffer = len(model.buffers) - 1
    tensor.shape = np.array(values.shape, np.int32)
    tensor.shapeSignature = None
