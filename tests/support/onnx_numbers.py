"""ONNX models in which one to three things of the graph are others, and which are whole messages all the same.

As model_numbers.py for TFLite: flipped bits seldom leave a message that can be parsed. These do: an attribute, a
dimension, a type, a constant, an operator, or what it is given.
"""

from __future__ import annotations

import random
from collections.abc import Callable

import onnx

_NUMBERS = (0, -1, 1, 2, 3, 7, 255, 256, 1 << 14, 1 << 16, 1 << 31, 1 << 40, (1 << 31) - 1, -(1 << 31), -(1 << 63))
_FLOATS = (0.0, -1.0, 1e30, -1e30, float("nan"), float("inf"))
_TYPES = (1, 2, 3, 4, 5, 6, 7, 9, 10, 11, 16, 17, 21, 22)  # of TensorProto.DataType
# fmt: off
_OPERATORS = (
    "Compress", "ConvTranspose", "DynamicQuantizeLinear", "Einsum", "Expand", "Gather", "GatherND",
    "If", "LSTM", "Loop", "MatMulInteger", "NonMaxSuppression", "OneHot", "Pad", "QLinearConv",
    "Reshape", "Resize", "RoiAlign", "Scan", "ScatterND", "Slice", "SpaceToDepth", "Tile", "TopK",
)
# fmt: on


def changed(model: bytes, chance: random.Random) -> bytes:
    """Another model."""
    proto = onnx.load_from_string(model)
    for _ in range(chance.choice([1, 1, 1, 2, 3])):
        chance.choice(_CHANGES)(proto.graph, chance)
    other: bytes = proto.SerializeToString()
    return other


def _attribute(graph: onnx.GraphProto, chance: random.Random) -> None:
    node, attribute = chance.choice([(node, one) for node in graph.node for one in node.attribute])
    if attribute.type == onnx.AttributeProto.INTS and attribute.ints:
        _one_of(attribute.ints, chance)
    elif attribute.type == onnx.AttributeProto.INT:
        attribute.i = chance.choice(_NUMBERS)
    elif attribute.type == onnx.AttributeProto.FLOAT:
        attribute.f = chance.choice(_FLOATS)
    else:
        node.attribute.remove(attribute)


def _one_of(numbers: list[int], chance: random.Random) -> None:
    """One number less, one more, or another one."""
    place, fate = chance.randrange(len(numbers)), chance.random()
    if fate < 0.2:
        del numbers[place]
    elif fate < 0.4:
        numbers.append(chance.choice(_NUMBERS))
    else:
        numbers[place] = chance.choice(_NUMBERS)


def _dimension(graph: onnx.GraphProto, chance: random.Random) -> None:
    tensor = chance.choice(graph.initializer)
    if tensor.dims and chance.random() < 0.7:
        _one_of(tensor.dims, chance)
    else:
        dims = [*tensor.dims]
        chance.shuffle(dims)
        tensor.ClearField("dims")
        tensor.dims.extend(dims)


def _type(graph: onnx.GraphProto, chance: random.Random) -> None:
    chance.choice(graph.initializer).data_type = chance.choice(_TYPES)


def _constant(graph: onnx.GraphProto, chance: random.Random) -> None:
    tensor = chance.choice([one for one in graph.initializer if one.raw_data])
    data = bytearray(tensor.raw_data)
    number = (chance.choice(_NUMBERS) % (1 << 64)).to_bytes(8, "little")
    place = chance.randrange(0, len(data), 4)
    data[place : place + 8] = number[: len(data) - place]
    tensor.raw_data = bytes(data)


def _input(graph: onnx.GraphProto, chance: random.Random) -> None:
    node = chance.choice([node for node in graph.node if node.input])
    name = chance.choice(["", *(name for one in graph.node for name in (*one.input, *one.output))])
    place, fate = chance.randrange(len(node.input)), chance.random()
    if fate < 0.5:
        node.input[place] = name
    elif fate < 0.75:
        del node.input[place]
    else:
        node.input.append(name)


def _operator(graph: onnx.GraphProto, chance: random.Random) -> None:
    chance.choice(graph.node).op_type = chance.choice([*_OPERATORS, *(node.op_type for node in graph.node)])


def _edge(graph: onnx.GraphProto, chance: random.Random) -> None:
    """What goes into the model, or comes out."""
    tensor = chance.choice([*graph.input, *graph.output]).type.tensor_type
    if tensor.shape.dim and chance.random() < 0.7:
        chance.choice(tensor.shape.dim).dim_value = chance.choice(_NUMBERS)
    else:
        tensor.elem_type = chance.choice(_TYPES)


_CHANGES: tuple[Callable[[onnx.GraphProto, random.Random], None], ...] = (
    _attribute,
    _attribute,
    _dimension,
    _type,
    _constant,
    _input,
    _operator,
    _edge,
)
