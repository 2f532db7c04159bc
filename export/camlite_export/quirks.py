"""Every workaround for somebody else's bug or gap, each with the version that ends it."""

from __future__ import annotations

import contextlib
import logging
import os
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any


def is_graph_of_layers(model: Any) -> bool:
    """Whether a Keras 3 model can be walked: a functional model, or a Sequential that is built.

    Keras 3.15 does not export its class Functional. Ends when Keras makes the walk public.
    """
    return getattr(model, "_functional", None) is not None or hasattr(model, "_run_through_graph")


def run_through_graph(model: Any, inputs: Any, visit: Callable[..., Any]) -> Any:
    """Call `visit(operation, *arguments, **options)` in place of each operation of a Keras 3 model.

    Keras 3.15 has no public way to walk a model's graph: `clone_model(call_function=...)` wants fresh inputs, so
    it cannot walk a model that stands inside another. Ends when Keras makes the walk public.
    """
    functional = getattr(model, "_functional", None) or model
    return functional._run_through_graph(inputs, operation_fn=lambda operation: operation, call_fn=visit)


def loadable_by_tflite_runtime(converter: Any) -> None:
    """Quantize the weights of Dense layers per tensor, not per channel.

    TF 2.21 otherwise writes FULLY_CONNECTED version 12, which tflite-runtime 2.14, the last one, refuses. Ends
    when tflite-runtime is no longer a backend.
    """
    converter._experimental_disable_per_channel_quantization_for_dense_layers = True


@contextlib.contextmanager
def silent_log(name: str) -> Iterator[None]:
    """Throw away what a library logs.

    tf2onnx 1.17 logs an operator that it does not know as an error, and goes on; `to_onnx` finds it and says so.
    Ends when tf2onnx raises an error.
    """
    logger = logging.getLogger(name)
    kept = logger.level
    logger.setLevel(logging.CRITICAL)
    try:
        yield
    finally:
        logger.setLevel(kept)


@contextlib.contextmanager
def silent_native_code() -> Iterator[None]:
    """Throw away what TensorFlow's C++ writes to standard error.

    TF 2.21 logs its import and each conversion there whatever the log level. Ends when TF_CPP_MIN_LOG_LEVEL
    silences it.
    """
    sys.stderr.flush()
    kept = os.dup(2)
    with Path(os.devnull).open("wb") as nowhere:
        os.dup2(nowhere.fileno(), 2)
        try:
            yield
        finally:
            sys.stderr.flush()
            os.dup2(kept, 2)
            os.close(kept)


def in_canonical_order(model: Any) -> None:
    """Order and name what is inside an ONNX model by the graph alone, so that two exports give the same bytes.

    tf2onnx 1.17 iterates over sets of names: which of two equal constants it keeps, how it numbers nodes and in
    what order they stand changes with every process. Ends when it iterates over lists.
    """
    graph = model.graph
    if any(attribute.HasField("g") for node in graph.node for attribute in node.attribute):
        return  # Control flow: the graphs inside refer to names of this one.
    for value in (*graph.input, *graph.output):
        first = value.type.tensor_type.shape.dim[0]
        if first.HasField("dim_param"):
            first.dim_param = "batch"
    ordered = type(graph)(name=graph.name, input=graph.input, output=graph.output, node=_towards_outputs(graph))
    names = {"": ""} | {value.name: value.name for value in (*graph.input, *graph.output)}
    for index, node in enumerate(ordered.node):
        node.name = f"{node.op_type}_{index}"
        names |= {name: f"{node.name}.in{k}" for k, name in enumerate(node.input) if name not in names}
        names |= {name: f"{node.name}.{k}" for k, name in enumerate(node.output) if name not in names}
        node.input[:] = [names[name] for name in node.input]
        node.output[:] = [names[name] for name in node.output]
    constants = {constant.name: constant for constant in graph.initializer}
    for name in names:
        if name in constants:
            constants[name].name = names[name]
            ordered.initializer.append(constants[name])
    graph.CopyFrom(ordered)


def _towards_outputs(graph: Any) -> list[Any]:
    """The nodes of an ONNX graph, each behind those whose outputs it takes: depth first from the graph's outputs."""
    producers = {name: node for node in graph.node for name in node.output}
    ordered, seen = [], set()
    waiting = [(producers[output.name], False) for output in reversed(graph.output)]
    while waiting:
        node, ready = waiting.pop()
        if ready:
            ordered.append(node)
        elif node.output[0] not in seen:
            seen.add(node.output[0])
            waiting.append((node, True))
            waiting += [(producers[name], False) for name in reversed(node.input) if name in producers]
    return ordered
