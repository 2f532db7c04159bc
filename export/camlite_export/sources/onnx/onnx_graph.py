"""The graph of an ONNX model, for whoever knows no ONNX: see `camlite_export.sources.graph`."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from camlite.errors import ClassifierError
from camlite.soundness.onnx_operator import Tensor
from camlite.texts import printable
from camlite_export.sources import rows_of_places
from camlite_export.sources.graph import Graph, Key, Node
from camlite_export.sources.onnx import layouts
from camlite_export.sources.onnx.call import Call
from camlite_export.sources.onnx.operators import LEARNED, TWINS

_MOST_OF_A_NAME = 80


def read(model: Any, tensors: Mapping[str, Tensor], where: str) -> Graph:
    """The graph of a model that was proven sound.

    Args:
        model: an `onnx.ModelProto` of one image and one output.
        tensors: what the proof knows of each tensor.
        where: what errors name.
    """
    graph = model.graph
    opset = max(one.version for one in model.opset_import if one.domain in ("", "ai.onnx"))
    constants = _constants(graph, tensors)
    names = _unique(graph)
    first = layouts.channels_first(graph, tensors)
    nodes: list[Node] = []
    for proto in layouts.in_order(graph.node, {*constants, layouts.image_of(graph)}):
        outputs = [one for one in proto.output if one]
        if all(one in constants for one in outputs):  # the arithmetic of shapes
            continue
        node = _node(proto, tensors, names, constants, first, opset, where)
        if all(key is None or key in constants for key in node.inputs):
            given = [None if key is None else constants[key] for key in node.inputs]
            constants.update(zip(node.outputs, (np.asarray(one) for one in node.run(given)), strict=True))
        else:
            nodes.append(node)
    shapes: dict[Key, tuple[int, ...]] = {name: one.shape for name, one in tensors.items()}
    scores = graph.output[0].name
    marked = rows_of_places.marked(nodes, shapes, constants, first)
    return Graph(tuple(marked), constants, shapes, layouts.image_of(graph), scores, first)


def _constants(graph: Any, tensors: Mapping[str, Tensor]) -> dict[Key, NDArray[Any]]:
    """Initializers, and what follows from shapes; real numbers are float32."""
    from onnx import numpy_helper

    found: dict[Key, NDArray[Any]] = {
        name: _float32(np.asarray(one.numbers)) for name, one in tensors.items() if one.numbers is not None
    }
    for node in graph.node:
        if node.op_type == "Constant":
            (value,) = attributes_of(node).values()
            found[node.output[0]] = _float32(np.asarray(value, tensors[node.output[0]].dtype))
    return {**found, **{one.name: _float32(numpy_helper.to_array(one)) for one in graph.initializer}}


def _float32(values: NDArray[Any]) -> NDArray[Any]:
    return values.astype(np.float32) if values.dtype.kind == "f" else values


def _unique(graph: Any) -> dict[str, str]:
    """A name for what each node gives: the node's own where it has one, as ``/layer4/layer4.1/act2/Relu``."""
    counts: Counter[str] = Counter()
    named: dict[str, str] = {}
    for node in graph.node:
        wanted = printable(node.name or next(iter(node.output), "") or node.op_type)[:_MOST_OF_A_NAME]
        counts[wanted] += 1
        for output in node.output:
            named[output] = wanted if counts[wanted] == 1 else f"{wanted}#{counts[wanted]}"
    return named


def attributes_of(node: Any) -> dict[str, Any]:
    """By name: numbers, texts, tuples of them, or arrays."""
    from onnx import helper, numpy_helper

    found: dict[str, Any] = {}
    for attribute in node.attribute:
        value = helper.get_attribute_value(attribute)
        if hasattr(value, "dims"):
            value = numpy_helper.to_array(value)
        elif isinstance(value, bytes):
            value = value.decode("utf-8", "replace")
        elif not isinstance(value, int | float):
            value = tuple(value)
        found[attribute.name] = value
    return found


def _node(
    proto: Any,
    tensors: Mapping[str, Tensor],
    names: Mapping[str, str],
    constants: Mapping[Key, NDArray[Any]],
    first: frozenset[Key],
    opset: int,
    where: str,
) -> Node:
    kind = proto.op_type
    inputs = tuple(one or None for one in proto.input)
    outputs = tuple(proto.output if kind == "Split" else proto.output[:1])
    call = Call(
        attributes_of(proto),
        [tensors[one].shape if one else None for one in proto.input],
        [tensors[one].shape for one in outputs],
        [tensors[one].dtype.name for one in outputs],
        opset,
    )
    learned = [constants[one] for one in inputs if one is not None and one in constants] if kind in LEARNED else []
    twin, name = TWINS.get(kind), names[outputs[0]]

    def run(given: Sequence[Any]) -> Sequence[Any]:
        import tensorflow as tf

        try:
            made = None if twin is None else twin(call, given)
        except (ValueError, TypeError, KeyError, tf.errors.OpError) as error:
            told = printable(" ".join(str(error).split())[:200])
            raise ClassifierError(
                f"{where}: {name!r} ({kind}) is of a kind that camlite cannot follow: {told}"
            ) from error
        if made is None:
            raise ClassifierError(f"{where}: {name!r} is an operator {kind}, which camlite cannot follow")
        return made if isinstance(made, list | tuple) else [made]

    return Node(
        name=name,
        kind=kind,
        inputs=inputs,
        outputs=outputs,
        run=run,
        parameters=sum(one.size for one in learned if one.dtype.kind == "f"),
        is_local=layouts.is_local(kind, call, inputs, first),
        is_known=twin is not None,
    )
