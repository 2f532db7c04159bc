"""What a TFLite model must be before an interpreter may see it: what camlite writes, with nothing out of bounds.

A seal tells damage, not intent: anybody can make one that fits. The TFLite interpreters follow a model's offsets
and indices unchecked, and a broken one ends their process; so do options, shapes and scales that a kernel does not
expect (`camlite.soundness.tflite_rules`). So both are proven here, and what no exported classifier needs (several
graphs, custom operators, sparse tensors, variables, data outside of the flatbuffer) is refused.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from typing import Any

from camlite.soundness import tflite_rules
from camlite.soundness.flatbuffer import Reader, Table
from camlite.soundness.limits import Account, Port, Proof, check_shape
from camlite.soundness.tflite_operator import Operator, Tensor
from camlite.soundness.tflite_rules import Rule
from camlite.soundness.tflite_schema import OPTIONS, SCHEMA

_LEAST_SCALE, _LARGEST_SCALE = 1e-30, 1e30  # a float32 that kernels can multiply and divide by


def verify(model: bytes) -> Proof:
    """Prove that a TFLite model is of the structure that an interpreter takes for granted, and not too large.

    Raises:
        ValueError: it is not; says where.
    """
    reader = Reader(model, {**SCHEMA, **OPTIONS}, unread=("Options",))  # their kind is a number beside them
    root = reader.root("Model")
    codes, graphs, buffers = (root.get(name, ()) for name in ("operator_codes", "subgraphs", "buffers"))
    if len(graphs) != 1:
        raise ValueError(f"the model has {len(graphs)} graphs, expected 1")
    (graph,) = graphs
    account = Account()
    tensors = [_tensor(tensor, buffers) for tensor in graph.get("tensors", ())]
    for index, tensor in enumerate(tensors):
        account.add(
            index, tensor.shape, tflite_rules.WIDTHS[tflite_rules.TYPES[tensor.type]], fixed=tensor.data is not None
        )
    known = _given(graph, tensors)
    for number, operator in enumerate(graph.get("operators", ())):
        rule = _rule(operator, codes)
        taken = _check_operator(operator, f"operator {number} ({rule.name})", rule, reader, tensors, known)
        account.run([one for one in operator.get("inputs", ()) if one >= 0], operator["outputs"], *taken)
    if not known.issuperset(graph.get("outputs", ())):
        raise ValueError("an output of the graph is a tensor that nothing makes")
    for metadata in root.get("metadata", ()):
        _check_indices([metadata.get("buffer", 0)], len(buffers), "metadata")
    (image,), outputs = _signature(root.get("signature_defs", ()), graph, tensors)
    return Proof(image, outputs, account.close(graph.get("inputs", ()), graph.get("outputs", ())))


def _given(graph: Table, tensors: Sequence[Tensor]) -> set[int]:
    """The tensors that are there before the first operator: inputs and constants."""
    inputs = graph.get("inputs", ())
    _check_indices(inputs, len(tensors), "inputs of the graph")
    constants = {index for index, tensor in enumerate(tensors) if tensor.data is not None}
    if constants & set(inputs):
        raise ValueError("an input of the graph is a constant")
    return constants | set(inputs)


def _signature(
    signatures: Sequence[Table], graph: Table, tensors: Sequence[Tensor]
) -> tuple[Sequence[Port], dict[str, Port]]:
    """What goes in and comes out, by the names of the signature; by those of the tensors where there is none."""
    if len(signatures) > 1 or len(graph.get("inputs", ())) != 1:
        raise ValueError(f"{len(signatures)} signatures and {len(graph.get('inputs', ()))} inputs, expected one image")
    named = {
        name: {graph["tensors"][index]["name"]: index for index in graph.get(name, ())}
        for name in ("inputs", "outputs")
    }
    for signature in signatures:
        _check_indices([signature.get("subgraph_index", 0)], 1, "signature")
        _check_present(signature, "signature_key", "signature")
        for name in ("inputs", "outputs"):
            entries = signature.get(name, ())
            for entry in entries:
                _check_present(entry, "name", "signature")
                _check_indices([entry.get("tensor_index", 0)], len(tensors), "signature")
            named[name] = {entry["name"]: entry.get("tensor_index", 0) for entry in entries}
            if len(named[name]) != len(entries) or not {*named[name].values()} <= {*graph.get(name, ())}:
                raise ValueError(f"signature: names {name} that the graph has not, or one twice")
    inputs, outputs = ({key: _port(tensors[index]) for key, index in ports.items()} for ports in named.values())
    if len(inputs) != 1:
        raise ValueError(f"signature: {len(inputs)} inputs, expected one image")
    return list(inputs.values()), outputs


def _port(tensor: Tensor) -> Port:
    if tensor.shape[:1] != (1,):
        raise ValueError(f"signature: shape {tensor.shape}, expected a batch of 1")
    return Port(tensor.shape[1:], tflite_rules.DTYPES[tflite_rules.TYPES[tensor.type]])


def _rule(operator: Table, codes: Sequence[Table]) -> Rule:
    index = operator.get("opcode_index", 0)
    _check_indices([index], len(codes), "operator code")
    code = max(codes[index].get("builtin_code", 0), codes[index].get("deprecated_builtin_code", 0))
    if code not in tflite_rules.RULES:
        raise ValueError(f"TFLite's operator {code}, which camlite does not write")
    return tflite_rules.RULES[code]


def _check_operator(
    operator: Table, where: str, rule: Rule, reader: Reader, tensors: list[Tensor], known: set[int]
) -> tuple[int, int]:
    """Prove that an operator fits its rule, and that its inputs are known before it runs; its outputs are, after.

    Returns its work, and the bytes that it needs besides.
    """
    inputs, outputs = operator.get("inputs", ()), operator.get("outputs", ())
    _check_indices(inputs, len(tensors), f"{where}: inputs", least=-1)  # -1: an input left out
    _check_indices(outputs, len(tensors), f"{where}: outputs")
    if not known.issuperset(index for index in inputs if index >= 0):
        raise ValueError(f"{where}: takes a tensor that is not there yet")
    if not outputs or len(set(outputs)) != len(outputs) or not known.isdisjoint(outputs):
        raise ValueError(f"{where}: outputs {str(outputs)[:60]}, expected tensors that are not there yet")
    if operator.get("intermediates") or any(operator.get("mutating_variable_inputs", ())):
        raise ValueError(f"{where}: keeps a state")
    given = [tensors[index] if index >= 0 else None for index in inputs]
    try:
        options = _options(operator, rule, reader)
        taken = tflite_rules.verify(rule, Operator(given, [tensors[index] for index in outputs], options))
    except ValueError as error:
        raise ValueError(f"{where}: {error}") from None
    known.update(outputs)
    if rule.options == "ArgExtreme" and given[0] is not None:  # it counts along one of the axes
        tensors[outputs[0]] = tensors[outputs[0]]._replace(below=max(given[0].shape))
    if rule.name == "FULLY_CONNECTED":
        tensors[inputs[1]] = tflite_rules.as_weights_of_dense(*map(tensors.__getitem__, inputs[:2]))
    return taken


def _options(operator: Table, rule: Rule, reader: Reader) -> Table:
    kind = operator.get("builtin_options_type", 0)
    if kind not in (0, rule.options_type):
        raise ValueError(f"options of type {kind}, expected {rule.options_type}")
    if not kind or "builtin_options" not in operator:
        return {}
    return reader.table(operator["builtin_options"]["place"], rule.options)


def _tensor(table: Table, buffers: Sequence[Table]) -> Tensor:
    """A tensor as operators meet it, where it is sound by itself."""
    index = table.get("buffer", 0)
    _check_indices([index], len(buffers), "tensor's buffer")
    _check_present(table, "name", "tensor")
    shape = check_shape(table.get("shape", ()))
    letter = tflite_rules.TYPES.get(table.get("type", 0))
    if letter is None or table.get("is_variable"):
        raise ValueError(f"a tensor has type {table.get('type', 0)}, or is a variable")
    data = buffers[index].get("data")
    if data is not None and len(data) not in (0, math.prod(shape) * tflite_rules.WIDTHS[letter]):
        raise ValueError(f"a tensor has shape {shape} and {len(data)} bytes")
    scales = _scales(table.get("quantization", {}), shape, letter)
    return Tensor(shape, table.get("type", 0), data if data else None, scales)


def _scales(quantization: Any, shape: Sequence[int], letter: str) -> tuple[float, ...]:
    scales, zero_points = quantization.get("scale", ()), quantization.get("zero_point", ())
    if not all(_LEAST_SCALE <= scale <= _LARGEST_SCALE for scale in scales) or len(zero_points) != len(scales):
        raise ValueError("a tensor has a scale that is no scale, or no zero point for each")
    allowed = tflite_rules.QUANTIZED.get(letter)
    if letter == "u" and not scales:
        allowed = None  # plain integers, as pixels are: which operators may meet them, the rules say
    if allowed is not None and (not scales or min(zero_points) not in allowed or max(zero_points) not in allowed):
        raise ValueError(f"a tensor has zero points {str(zero_points)[:60]}, expected within {allowed}")
    if len(scales) > 1:
        axis = quantization.get("quantized_dimension", 0)
        _check_indices([axis], len(shape), "quantized axis")
        if shape[axis] != len(scales):
            raise ValueError(f"a tensor has {len(scales)} scales for {shape[axis]} channels")
    return tuple(scales)


def _check_indices(indices: Iterable[int], count: int, what: str, least: int = 0) -> None:
    for index in indices:
        if not least <= index < count:
            raise ValueError(f"{what}: index {index}, expected {least} to {count - 1}")


def _check_present(table: Table, field: str, what: str) -> None:
    if field not in table:
        raise ValueError(f"{what} without {field}")
