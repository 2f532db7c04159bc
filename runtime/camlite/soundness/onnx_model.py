"""What an ONNX model must be before onnxruntime may see it: whole, of operators that are known, and not too large.

onnxruntime checks much itself, but it follows the names of files that a tensor's data may be kept in, turns a loop as
often as a model says, and takes as much memory as an operator asks for. So the graph is walked here, operator by
operator, with the shape of each tensor for one image (`camlite.soundness.onnx_rules`); an operator without a rule is
refused, and what the model takes stays within `camlite.soundness.limits`.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from camlite.soundness import onnx_numbers
from camlite.soundness.limits import Account, Port, Proof, Shape, check_shape
from camlite.soundness.onnx_operator import DTYPES, MOST_KNOWN, Operator, Tensor, within
from camlite.soundness.onnx_rules import ATTRIBUTES, OPERATOR_SETS, RULES, Rule
from camlite.soundness.onnx_schema import SCHEMA
from camlite.soundness.protobuf_message import Message, Reader
from camlite.texts import printable

NO_RULE = "camlite has no rule for it"
"""How the error ends that says of an operator that nobody has told what it does."""

_DOMAINS = ("", "ai.onnx")
# AttributeProto.AttributeType: the field that holds it, and what it is where that field is not there.
_ATTRIBUTES: Mapping[int, tuple[str, Any]] = {
    1: ("f", 0.0), 2: ("i", 0), 3: ("s", ""), 4: ("t", None), 6: ("floats", ()), 7: ("ints", ()), 8: ("strings", ()),
}  # fmt: skip
_TYPED = {
    "l": ("int64_data", "int"),
    "i": ("int32_data", "int"),
    "?": ("int32_data", "int"),
    "f": ("float_data", "float"),
}
_OF_CONSTANT = {"value_int": "i8", "value_ints": "i8", "value_float": "f4", "value_floats": "f4"}


def verify(model: bytes) -> Proof:
    """Prove that an interpreter may see a ModelProto; the proof says what image it takes and what it gives.

    Raises:
        ValueError: it may not; says where and why.
    """
    return _Walk(model).proof()


def tensors(model: bytes) -> Mapping[str, Tensor]:
    """Shape and dtype of every tensor of a ModelProto by its name, and its numbers where these are known and few.

    Raises:
        ValueError: see `verify`.
    """
    walk = _Walk(model)
    walk.proof()
    return walk.tensors


class _Walk:
    """Goes through a graph in the order of its operators."""

    def __init__(self, model: bytes) -> None:
        self._content = model
        message = Reader(model, SCHEMA).message("Model")
        _check_operator_sets(message.get("opset_import", ()))
        self._graph: Message = message.get("graph", {})
        self._account = Account()
        self._tensors: dict[str, Tensor] = {}
        self._declared = {value.get("name", ""): value for value in self._graph.get("value_info", ())}

    @property
    def tensors(self) -> Mapping[str, Tensor]:
        """What is known of each tensor, after `proof`."""
        return self._tensors

    def proof(self) -> Proof:
        """Of the whole model."""
        for constant in self._graph.get("initializer", ()):
            self._add(constant.get("name", ""), self._constant(constant), fixed=True)
        given = [value for value in self._graph.get("input", ()) if value.get("name", "") not in self._tensors]
        if len(given) != 1:
            raise ValueError(f"{len(given)} inputs, expected one image")
        image = given[0].get("name", "")
        self._add(image, _image(given[0]))
        nodes = self._graph.get("node", [])
        for number in _in_order(nodes):
            node, name = nodes[number], nodes[number].get("op_type", "")
            try:
                self._run(name, node)
            except ValueError as error:
                raise ValueError(printable(f"operator {number} ({name[:40]}): {error}")) from None
        outputs = {value.get("name", ""): self._output(value) for value in self._graph.get("output", ())}
        return Proof(_port(self._tensors[image]), outputs, self._account.close([image], outputs))

    def _run(self, name: str, node: Message) -> None:
        if node.get("domain", "") not in _DOMAINS or node.get("overload") or name not in RULES:
            raise ValueError(NO_RULE)
        rule, made, given = RULES[name], node.get("output", []), node.get("input", [])
        within("inputs", len(given), *rule.inputs)
        if not made or any(one and one not in self._tensors for one in given):
            raise ValueError("takes a tensor that is not there yet, or gives none")
        attributes = self._attributes(node.get("attribute", ()), rule)
        operator = Operator([self._tensors[one] if one else None for one in given], len(made), attributes)
        shapes, types = rule.shapes(operator), _types(rule, operator)
        if len(shapes) < len(made) or len(types) < len(made):
            raise ValueError(f"{len(made)} outputs, expected {len(shapes)}")
        numbers = onnx_numbers.known(name, operator, tuple(shapes[0]), types[0])
        for key, shape, dtype in zip(made, shapes, types):  # noqa: B905
            if key:
                self._add(key, Tensor(tuple(shape), dtype, numbers))
        work, workspace = rule.work(operator, shapes[0]) if rule.work else (0, 0)
        self._account.run([one for one in given if one], [one for one in made if one], work, workspace)

    def _add(self, name: str, tensor: Tensor, *, fixed: bool = False) -> None:
        if not name or name in self._tensors:
            raise ValueError(f"the tensor {printable(name[:40])!r} is made twice, or has no name")
        if math.prod(tensor.shape) or not (fixed or tensor.numbers is not None):  # what is empty says: left out
            check_shape(tensor.shape)
        if name in self._declared and not _agree(_declared(self._declared[name]), tensor.shape):
            raise ValueError(f"a tensor has shape {tensor.shape}, and is said to have another")
        self._tensors[name] = tensor
        self._account.add(name, tensor.shape, tensor.dtype.itemsize, fixed=fixed)

    def _output(self, value: Message) -> Port:
        name = value.get("name", "")
        if name not in self._tensors:
            raise ValueError("an output of the graph is a tensor that nothing makes")
        tensor = self._tensors[name]
        if not _agree(_declared(value), tensor.shape):
            raise ValueError(f"an output has shape {tensor.shape}, and is said to have another")
        return _port(tensor)

    def _constant(self, message: Message) -> Tensor:
        """An initializer, or the value of an attribute; its data is inside."""
        if "external_data" in message or message.get("data_location", 0):
            raise ValueError("a tensor keeps its data in another file")
        dtype, shape = DTYPES.get(message.get("data_type", 0)), tuple(message.get("dims", ()))
        if dtype is None or len(shape) > 8 or min(shape, default=0) < 0:
            raise ValueError(f"a constant has type {message.get('data_type', 0)} and shape {str(shape)[:60]}")
        size, raw = math.prod(shape), message.get("raw_data")
        if raw is not None and raw[1] - raw[0] != size * dtype.itemsize:
            raise ValueError(f"a constant has shape {shape} and {raw[1] - raw[0]} bytes")
        typed = [message[name] for name in message if name.endswith("_data") and name != "raw_data"]
        if raw is None and size > sum(end - start for start, end in typed):  # no element takes less than a byte
            raise ValueError(f"a constant has shape {shape} and less data")
        if size > MOST_KNOWN:
            return Tensor(shape, dtype)
        if raw is not None:
            return Tensor(shape, dtype, np.frombuffer(self._content[raw[0] : raw[1]], dtype).reshape(shape))
        return Tensor(shape, dtype, self._typed(message, shape, dtype))

    def _typed(self, message: Message, shape: Shape, dtype: np.dtype[Any]) -> Any:
        """What a constant holds that is written number by number; None where camlite does not need to know."""
        if not math.prod(shape):
            return np.zeros(shape, dtype)
        reader = Reader(self._content, {})
        name, kind = _TYPED.get(dtype.char, ("", ""))
        numbers = reader.numbers(kind, *message[name]) if name in message else []
        return np.array(numbers).astype(dtype).reshape(shape) if len(numbers) == math.prod(shape) else None

    def _attributes(self, messages: Sequence[Message], rule: Rule) -> Mapping[str, Any]:
        found: dict[str, Any] = {}
        for message in messages:
            name, kind = message.get("name", ""), message.get("type", 0)
            if name not in rule.attributes.split() or name in found:
                raise ValueError(f"attribute {name[:40]!r}, expected one of {rule.attributes or 'none'}, each once")
            field, missing = _ATTRIBUTES.get(kind, ("", None))
            if field not in ATTRIBUTES.get(name, "i").split():
                raise ValueError(f"attribute {name!r} of type {kind}")
            if set(message) - {"name", "type", field}:
                raise ValueError(f"attribute {name!r} has several values")
            value = message.get(field, missing)
            if field == "t":
                found[name] = self._constant(value or {})
                self._account.add((name, id(message)), found[name].shape, found[name].dtype.itemsize, fixed=True)
            else:
                found[name] = tuple(value) if isinstance(value, list) else value
        return found


def _types(rule: Rule, operator: Operator) -> list[np.dtype[Any]]:
    """The types of the outputs."""
    types: list[np.dtype[Any]] = []
    for kind in rule.types.split():
        if kind == "...":
            types += types * operator.outputs
        elif kind == "to":
            to = operator.number("to", 1, 13)
            if to not in DTYPES:
                raise ValueError(f"to type {to}")
            types.append(DTYPES[to])
        elif kind == "value":
            types.append(_type_of_value(operator))
        elif kind.isdigit():
            index = int(kind)
            there = index < len(operator.inputs) and operator.inputs[index] is not None
            types.append(operator.value(index).dtype if there else np.dtype(np.uint8))
        else:
            types.append(np.dtype(kind))
    return types


def _type_of_value(operator: Operator) -> np.dtype[Any]:
    if not operator.attributes:
        return np.dtype(np.float32)
    if len(operator.attributes) != 1:
        raise ValueError("several values")
    ((name, value),) = operator.attributes.items()
    return value.dtype if isinstance(value, Tensor) else np.dtype(_OF_CONSTANT.get(name, "f4"))


def _check_operator_sets(messages: Sequence[Message]) -> None:
    versions = [one.get("version", 0) for one in messages if one.get("domain", "") in _DOMAINS]
    if len(versions) != 1 or versions[0] not in OPERATOR_SETS:
        received = ", ".join(map(str, versions)) or "none"
        raise ValueError(f"operator set {received[:60]}, expected {OPERATOR_SETS[0]} to {OPERATOR_SETS[-1]}")


def _in_order(nodes: Sequence[Message]) -> list[int]:
    """Each operator after those that it needs, as onnxruntime orders them: depth first, from those nobody needs."""
    makers = {name: number for number, node in enumerate(nodes) for name in node.get("output", ())}
    needed = [{makers[name] for name in node.get("input", ()) if name in makers} for node in nodes]
    ends = set(range(len(nodes))).difference(*needed)
    order, seen = list[int](), set[int]()
    waiting = [(number, False) for number in sorted(ends, reverse=True)]
    while waiting:
        number, ready = waiting.pop()
        if ready:
            order.append(number)
        elif number not in seen:
            seen.add(number)
            waiting.append((number, True))
            waiting += [(one, False) for one in sorted(needed[number], reverse=True) if one not in seen]
    if len(order) != len(nodes):
        raise ValueError("operators that need each other in a circle")
    return order


def _image(value: Message) -> Tensor:
    """What goes in: the batch is 1, the other sides are fixed."""
    dtype, shape = DTYPES.get(value.get("type", {}).get("tensor_type", {}).get("elem_type", 0)), _declared(value)
    if dtype is None or not shape:
        raise ValueError("the image is no tensor of numbers, or has no shape")
    return Tensor((shape[0] or 1, *shape[1:]), dtype)


def _declared(value: Message) -> Shape | None:
    """The shape that a tensor is said to have; sides that are free are 0. None where nothing is said."""
    shape = value.get("type", {}).get("tensor_type", {}).get("shape")
    if shape is None:
        return None
    return tuple(max(0, side.get("dim_value", 0)) for side in shape.get("dim", ()))


def _agree(declared: Shape | None, shape: Shape) -> bool:
    if declared is None:
        return True
    return len(declared) == len(shape) and all(one in (0, side) for one, side in zip(declared, shape, strict=True))


def _port(tensor: Tensor) -> Port:
    if tensor.shape[:1] != (1,):
        raise ValueError(f"an input or output has shape {tensor.shape}, expected a batch of 1")
    return Port(tensor.shape[1:], tensor.dtype.name)
