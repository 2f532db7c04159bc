"""Weights that the way back through a TFLite model shares with the forward pass, so that the file has them once.

On the way back a 1 x 1 convolution, like a layer of Dense, multiplies by its own matrix turned around. TFLite's
CONV_2D and FULLY_CONNECTED want the turned one written out; BATCH_MATMUL takes the same bytes as they are. XNNPACK
computes both by the same kernel, and bit for bit the same. Where the forward pass is in 8 bits, the matrix is
made of its integers when the model is loaded: MobileNetV2 with a guide then is 4 % larger than without, not 145 %.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from camlite_export.targets.tflite_editing import (
    BATCH_MATMUL,
    CONV_2D,
    DEQUANTIZE,
    FLOAT16,
    FLOAT32,
    FULLY_CONNECTED,
    GATHER,
    INT8,
    INT32,
    RESHAPE,
    TfliteGraph,
)

_RESHAPE_OPTIONS, _BATCH_MATMUL_OPTIONS = 17, 101  # of the schema's union
# Below, its bytes are not worth two operators.
_LARGE = 1024
# Of half a step of a weight, or of its last digit: what rounding it takes at the most.
_ROUNDED = 1.02


@dataclass(frozen=True)
class _Matrix:
    """The weights of an operator as a matrix, (outputs, all else).

    Attributes:
        tensor: where they are stored, a constant.
        values: float32, as they are computed with.
        error: how far they may be from what they were before they were rounded, of a shape to be added.
    """

    tensor: int
    values: NDArray[np.float32]
    error: NDArray[np.float32]

    def is_near(self, values: NDArray[np.float32], error: NDArray[np.float32]) -> bool:
        """Whether both may be the same but for rounding."""
        if self.values.shape != values.shape:
            return False
        return bool((np.abs(self.values - values) <= _ROUNDED * (self.error + error)).all())


_FORWARD = ("features", "scores")


def share(graph: TfliteGraph) -> None:
    """Let the way back, of evidence and guide, take the weights of the forward pass, wherever they are the same."""
    forward = graph.needed_for([graph.outputs[name] for name in _FORWARD])
    known = [matrix for operator in forward if (matrix := _weights(graph, operator)) is not None]
    ours, front, rest = {id(one) for one in forward}, list[Any](), list[Any]()
    views: dict[int, int] = {}
    for operator in graph.graph.operators:
        new = None if id(operator) in ours else _replaced(graph, operator, known, front, views)
        rest += [operator] if new is None else new
    graph.graph.operators = [*front, *rest]
    graph.drop_unused()


def _replaced(
    graph: TfliteGraph, operator: Any, known: list[_Matrix], front: list[Any], views: dict[int, int]
) -> list[Any] | None:
    """What stands in place of an operator of the guide; None where it stays."""
    if graph.kind(operator) == GATHER:
        return _row_of(graph, operator, known)
    matrix = _weights(graph, operator)
    if matrix is None or matrix.values.size < _LARGE or not _is_plain_product(graph, operator):
        return None
    turned, error = matrix.values.T, np.broadcast_to(matrix.error, matrix.values.shape).T
    for one in known:
        if graph.graph.tensors[one.tensor].buffer != graph.graph.tensors[matrix.tensor].buffer and one.is_near(
            turned, error
        ):
            if one.tensor not in views:
                views[one.tensor] = _as_matrix(graph, one, front)
            return list(_product(graph, operator, views[one.tensor], turned.shape))
    return None


def _weights(graph: TfliteGraph, operator: Any) -> _Matrix | None:
    """Of a convolution or a layer of Dense."""
    if graph.kind(operator) not in (CONV_2D, FULLY_CONNECTED):
        return None
    stored = _stored(graph, int(operator.inputs[1]))
    values = graph.constant(stored)
    return None if values is None else _matrix(graph, stored, values)


def _stored(graph: TfliteGraph, tensor: int) -> int:
    """The constant that a tensor is made of where it is one in fewer bits; else it itself."""
    producer = graph.producers().get(tensor)
    return int(producer.inputs[0]) if producer is not None and graph.kind(producer) == DEQUANTIZE else tensor


def _matrix(graph: TfliteGraph, stored: int, values: NDArray[Any]) -> _Matrix | None:
    flat = values.reshape(len(values), -1)
    kind = graph.graph.tensors[stored].type
    if kind == INT8:
        quantization = graph.graph.tensors[stored].quantization
        steps = np.asarray(quantization.scale, np.float32).reshape(-1, 1)
        if len(steps) not in (1, len(flat)) or np.any(quantization.zeroPoint) or quantization.quantizedDimension:
            return None
        return _Matrix(stored, flat * steps, steps / 2)
    real = np.asarray(flat, np.float32)
    return _Matrix(stored, real, np.abs(real) * np.float32(2**-11 if kind == FLOAT16 else 0))


def _is_plain_product(graph: TfliteGraph, operator: Any) -> bool:
    """Whether it is nothing but the product with its weights, of float32."""
    options, tensors = operator.builtinOptions, graph.graph.tensors
    if tensors[operator.inputs[0]].type != FLOAT32 or options.fusedActivationFunction:
        return False
    if len(operator.inputs) > 2 and operator.inputs[2] >= 0:
        bias = graph.constant(_stored(graph, int(operator.inputs[2])))
        if bias is None or bias.any():
            return False
    if graph.kind(operator) == FULLY_CONNECTED:
        return not options.weightsFormat
    sides = (*tensors[operator.inputs[1]].shape[1:3], options.strideH, options.strideW)
    return all(side == 1 for side in sides)


def _as_matrix(graph: TfliteGraph, matrix: _Matrix, front: list[Any]) -> int:
    """A tensor on the same bytes, in the shape of a matrix; in float32, made of them at the beginning."""
    from tensorflow.lite.python import schema_py_generated as schema

    stored, shape = graph.graph.tensors[matrix.tensor], matrix.values.shape
    quantization = None
    if stored.type == INT8:
        quantization = schema.QuantizationParametersT()
        quantization.scale, quantization.zeroPoint = stored.quantization.scale, stored.quantization.zeroPoint
    view = graph.add_tensor(stored.name + b"_matrix", shape, stored.type, stored.buffer, quantization)
    if stored.type == FLOAT32:
        return view
    real = graph.add_tensor(stored.name + b"_float32", shape, FLOAT32)
    front.append(graph.operator(DEQUANTIZE, 5 if stored.type == INT8 else 3, [view], real))
    return real


def _product(graph: TfliteGraph, operator: Any, matrix: int, shape: tuple[int, ...]) -> Iterator[Any]:
    """Of rows and a matrix: (rows, n) by (n, m)."""
    from tensorflow.lite.python import schema_py_generated as schema

    given, made = int(operator.inputs[0]), int(operator.outputs[0])
    wanted = [int(side) for side in graph.graph.tensors[made].shape]
    rows = int(np.prod(wanted)) // shape[1]
    name = graph.graph.tensors[made].name
    flat = graph.add_tensor(name + b"_in_rows", (rows, shape[0]), FLOAT32)
    product = graph.add_tensor(name + b"_by_rows", (rows, shape[1]), FLOAT32)
    yield _reshape(graph, given, [rows, shape[0]], flat)
    yield graph.operator(
        BATCH_MATMUL, 1, [flat, matrix], product, (_BATCH_MATMUL_OPTIONS, schema.BatchMatMulOptionsT())
    )
    yield _reshape(graph, product, wanted, made)


def _reshape(graph: TfliteGraph, given: int, shape: list[int], made: int) -> Any:
    from tensorflow.lite.python import schema_py_generated as schema

    options = schema.ReshapeOptionsT()
    options.newShape = np.array(shape, np.int32)
    name, buffer = graph.graph.tensors[made].name + b"_shape", graph.add_buffer(options.newShape)
    sides = graph.add_tensor(name, (len(shape),), INT32, buffer)
    return graph.operator(RESHAPE, 1, [given, sides], made, (_RESHAPE_OPTIONS, options))


def _row_of(graph: TfliteGraph, operator: Any, known: list[_Matrix]) -> list[Any] | None:
    """A row of weights that are integers: looked up as such, and then made float32."""
    stored = int(operator.inputs[0])
    values = graph.constant(stored)
    if values is None or graph.graph.tensors[stored].type != FLOAT32 or values.ndim != 2:
        return None
    exact = np.zeros((1, 1), np.float32)
    for one in known:
        integers = graph.graph.tensors[one.tensor]
        if integers.type == INT8 and one.error.size == 1 and one.is_near(values, exact):
            made = graph.graph.tensors[operator.outputs[0]]
            row = graph.add_tensor(made.name + b"_int8", made.shape, INT8, 0, integers.quantization)
            options = (operator.builtinOptionsType, operator.builtinOptions)
            return [
                graph.operator(GATHER, 2, [one.tensor, int(operator.inputs[1])], row, options),
                graph.operator(DEQUANTIZE, 2, [row], int(operator.outputs[0])),
            ]
    return None
