"""What a C program must know of a TFLite model: its input and outputs, its operators, and the memory that it needs."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np

from camlite.backends.interpreter import Tensor
from camlite.soundness import tflite_rules
from camlite.soundness.flatbuffer import Reader, Table
from camlite.soundness.tflite_schema import SCHEMA

# Of the operators that a sound model may have: those that TensorFlow Lite Micro has no kernel for, and two that it
# names in another way.
_MISSING = frozenset({"GELU", "ONE_HOT", "POW", "SELECT", "SIGN", "TILE"})
_RENAMED = {"BATCH_MATMUL": "AddBatchMatMul", "CUMSUM": "AddCumSum"}
_ALIGNMENT = 16  # of each tensor in an arena


class ModelTensors(NamedTuple):
    """A model as a C program meets it.

    Attributes:
        input: of one image.
        outputs: features and scores, by name.
        places: which output of the interpreter each of them is.
        operators: names of the operators, as TensorFlow Lite's schema has them, each once, sorted.
        tensors: bytes of the tensors that are needed at the same time, at the most.
    """

    input: Tensor
    outputs: Mapping[str, Tensor]
    places: Mapping[str, int]
    operators: tuple[str, ...]
    tensors: int


def read(model: bytes) -> ModelTensors:
    """Read a model that was proven sound (`camlite.backends.verify`)."""
    root = Reader(model, SCHEMA, unread=("Options",)).root("Model")
    (graph,) = root["subgraphs"]
    tensors = graph["tensors"]
    named = _named(root, graph)
    ((input_name, input_index),) = named["inputs"].items()
    outputs = {name: _tensor(name, tensors[index]) for name, index in named["outputs"].items()}
    places = {name: graph["outputs"].index(index) for name, index in named["outputs"].items()}
    codes = root["operator_codes"]
    used = {
        max(code.get("builtin_code", 0), code.get("deprecated_builtin_code", 0))
        for code in (codes[one.get("opcode_index", 0)] for one in graph.get("operators", ()))
    }
    names = tuple(sorted(tflite_rules.RULES[code].name for code in used))
    return ModelTensors(_tensor(input_name, tensors[input_index]), outputs, places, names, _peak(root, graph))


def resolver_call(operator: str) -> str | None:
    """How TensorFlow Lite Micro's resolver adds an operator, as ``AddConv2D``; None where it has no kernel for it.

    >>> resolver_call("DEPTHWISE_CONV_2D"), resolver_call("ONE_HOT")
    ('AddDepthwiseConv2D', None)
    """
    if operator in _MISSING:
        return None
    words = ("2D" if word == "2D" else word.capitalize() for word in operator.split("_"))
    return _RENAMED.get(operator, f"Add{''.join(words)}")


def _named(root: Table, graph: Table) -> dict[str, dict[str, int]]:
    """Tensor indices by the names of the signature; by those of the tensors where there is none."""
    ends = ("inputs", "outputs")
    for signature in root.get("signature_defs", ()):
        return {end: {one["name"]: one.get("tensor_index", 0) for one in signature[end]} for end in ends}
    return {end: {graph["tensors"][index]["name"]: index for index in graph[end]} for end in ends}


def _tensor(name: str, table: Table) -> Tensor:
    quantization: Any = table.get("quantization", {})
    scale, zero_point = (quantization.get(one, (0,)) for one in ("scale", "zero_point"))
    dtype = np.dtype(tflite_rules.DTYPES[tflite_rules.TYPES[table.get("type", 0)]])
    return Tensor(name, tuple(table["shape"][1:]), dtype, float(scale[0]), int(zero_point[0]))


def _peak(root: Table, graph: Table) -> int:
    """Bytes of the tensors that live at the same time, where each is freed after its last use."""
    sizes = {index: _size(table) for index, table in enumerate(graph["tensors"]) if not _is_constant(root, table)}
    operators: Sequence[Table] = graph.get("operators", ())
    last = {index: len(operators) for index in graph["outputs"]}
    for number, operator in enumerate(operators):
        for index in (*operator.get("inputs", ()), *operator["outputs"]):
            last[index] = max(last.get(index, 0), number)
    live = set(graph["inputs"])
    most = 0
    for number, operator in enumerate(operators):
        live |= {index for index in operator["outputs"] if index in sizes}
        most = max(most, sum(sizes[index] for index in live))
        live = {index for index in live if last.get(index, 0) > number}
    return most


def _is_constant(root: Table, table: Table) -> bool:
    return bool(root["buffers"][table.get("buffer", 0)].get("data"))


def _size(table: Table) -> int:
    width = tflite_rules.WIDTHS[tflite_rules.TYPES[table.get("type", 0)]]
    return -(-math.prod(table.get("shape", ())) * width // _ALIGNMENT) * _ALIGNMENT
