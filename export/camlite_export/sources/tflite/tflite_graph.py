"""The graph of a TFLite model, for whoever knows no TFLite: see `camlite_export.sources.graph`."""

from __future__ import annotations

import dataclasses
import functools
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from camlite.errors import ClassifierError
from camlite.soundness.tflite_rules import DTYPES, QUANTIZED, TYPES
from camlite.texts import printable
from camlite_export.sources import rows_of_places
from camlite_export.sources.graph import Graph, Key, Node, folded
from camlite_export.sources.tflite.flatbuffer import code_of, text
from camlite_export.sources.tflite.operators import LEARNED, MOVING, TWINS, Call

_MOST_OF_A_NAME = 80
_SPLITS = frozenset({"SPLIT", "SPLIT_V", "CONCATENATION"})
_WINDOWS = frozenset({"CONV_2D", "DEPTHWISE_CONV_2D"})
_CLAMPED = frozenset({"CONV_2D", "DEPTHWISE_CONV_2D", "FULLY_CONNECTED", "ADD"})


@functools.cache
def _names() -> Mapping[int, str]:
    from ai_edge_litert import schema_py_generated as schema

    return {number: name for name, number in vars(schema.BuiltinOperator).items() if isinstance(number, int)}


class _Names(Mapping[int, str]):
    """The schema's names of operators by their numbers, read when they are first asked for."""

    def __getitem__(self, number: int) -> str:
        return _names()[number]

    def __iter__(self) -> Iterator[int]:
        return iter(_names())

    def __len__(self) -> int:
        return len(_names())


NAMES: Mapping[int, str] = _Names()


def dtype_of(tensor: Any) -> str:
    """As numpy names it."""
    return DTYPES[TYPES[tensor.type]]


def shape_of(tensor: Any) -> tuple[int, ...]:
    """In the file, with a batch of 1."""
    return () if tensor.shape is None else tuple(int(side) for side in tensor.shape)


def constant_of(model: Any, tensor: Any) -> NDArray[Any] | None:
    """The numbers of a constant as they are stored; None of a tensor that is computed."""
    data = model.buffers[tensor.buffer].data
    if data is None or not len(data):
        return None
    return np.frombuffer(np.asarray(data, np.uint8).tobytes(), dtype_of(tensor)).reshape(shape_of(tensor))


def real_constant(model: Any, tensor: Any) -> NDArray[Any] | None:
    """The same in real numbers, float32, where it stands for such."""
    stored = constant_of(model, tensor)
    if stored is None:
        return None
    quantization = tensor.quantization
    scales = None if quantization is None else quantization.scale
    if scales is not None and len(scales) and stored.dtype.kind in "iu":
        scale = np.asarray(scales, np.float32)
        zero = np.zeros(len(scale)) if quantization.zeroPoint is None else np.asarray(quantization.zeroPoint)
        if len(scale) > 1:
            shape = [1] * stored.ndim
            shape[quantization.quantizedDimension] = -1
            scale, zero = scale.reshape(shape), zero.reshape(shape)
        return np.asarray((stored.astype(np.float64) - zero) * scale.astype(np.float64), np.float32)
    return stored.astype(np.float32) if stored.dtype == np.float16 else stored


def call_of(graph: Any, operator: Any) -> Call:
    """An operator for its twin."""
    tensors = graph.tensors
    inputs = [None if index < 0 else shape_of(tensors[index]) for index in map(int, operator.inputs)]
    outputs = [tensors[int(index)] for index in operator.outputs]
    return Call(operator.builtinOptions, inputs, [shape_of(one) for one in outputs], [dtype_of(one) for one in outputs])


def read(model: Any, where: str) -> Graph:
    """The graph of a model that was proven sound.

    Raises:
        ClassifierError: an operator has no twin.
    """
    (graph,) = model.subgraphs
    constants: dict[Key, NDArray[Any]] = {}
    for index, tensor in enumerate(graph.tensors):
        real = real_constant(model, tensor)
        if real is not None:
            constants[index] = real
    names = _unique(graph)
    nodes = [_node(model, graph, operator, names, constants, where) for operator in graph.operators]
    left, known = folded(nodes, constants)
    left = tuple(dataclasses.replace(node, parameters=_learned(node, known)) for node in left)
    shapes: dict[Key, tuple[int, ...]] = {index: shape_of(one) for index, one in enumerate(graph.tensors)}
    marked = tuple(rows_of_places.marked(left, shapes, known))
    return Graph(marked, known, shapes, int(graph.inputs[0]), int(graph.outputs[0]))


def _learned(node: Node, constants: Mapping[Key, NDArray[Any]]) -> int:
    """How many numbers of a kernel were learned; those in 16 bits are made real by an operator of constants."""
    if node.kind not in LEARNED:
        return 0
    given = [constants[key] for key in node.inputs if key is not None and key in constants]
    return sum(one.size for one in given if one.dtype == np.float32)


def _unique(graph: Any) -> list[str]:
    """A name for each tensor; converters join those of fused layers by semicolons, and the first says most."""
    names = [printable(text(one.name).partition(";")[0])[:_MOST_OF_A_NAME] for one in graph.tensors]
    counts = Counter(names)
    return [name if name and counts[name] == 1 else f"{name}#{index}" for index, name in enumerate(names)]


def _node(
    model: Any,
    graph: Any,
    operator: Any,
    names: Sequence[str],
    constants: Mapping[Key, NDArray[Any]],
    where: str,
) -> Node:
    kind = NAMES.get(code_of(model, operator), "")
    if kind not in TWINS:
        raise ClassifierError(f"{where}: camlite does not know TFLite's operator {kind}")
    inputs = tuple(None if index < 0 else int(index) for index in operator.inputs)
    outputs = tuple(map(int, operator.outputs))
    call, clamped = call_of(graph, operator), kind in _CLAMPED and _begins_at_zero(graph.tensors[outputs[0]])

    def run(given: Sequence[Any]) -> Sequence[Any]:
        import tensorflow as tf

        made = TWINS[kind](call, given)
        several = made if isinstance(made, list | tuple) else [made]
        return [tf.nn.relu(one) for one in several] if clamped else several

    return Node(
        name=names[outputs[0]],
        kind=kind,
        inputs=inputs,
        outputs=outputs,
        run=run,
        is_local=kind not in MOVING or (kind in _SPLITS and _is_of_channels(call, kind, inputs, constants)),
        window=_window(call) if kind in _WINDOWS else 0,
        stride=int(call.option("strideH", 1)),
        beta=float(call.option("beta", 1.0)) if kind == "SOFTMAX" else 1.0,
    )


def _window(call: Call) -> int:
    shape = call.inputs[1]
    return shape[1] if shape is not None and len(shape) == 4 else 0


def _begins_at_zero(tensor: Any) -> bool:
    """Whether the least number that a tensor can hold is 0: an activation that was fused into its range."""
    letter = TYPES[tensor.type]
    quantization = tensor.quantization
    if letter not in ("c", "u") or quantization is None or quantization.zeroPoint is None:
        return False
    return bool(len(quantization.zeroPoint) and int(quantization.zeroPoint[0]) == QUANTIZED[letter][0])


def _is_of_channels(call: Call, kind: str, inputs: Sequence[Key | None], constants: Mapping[Key, NDArray[Any]]) -> bool:
    """Whether maps are put together, or taken apart, along their channels."""
    if kind == "CONCATENATION":
        axis = int(call.option("axis"))
    else:
        place = inputs[0 if kind == "SPLIT" else 2]
        axis = int(np.ravel(constants[place])[0]) if place is not None and place in constants else 0
    return axis in (-1, 3)
