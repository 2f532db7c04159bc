"""An integer TFLite model whose guide is computed in float32, inside the same file.

Eight bits ruin a gradient: of the 200 prototypes of the reference classifier, LayerCAM at 14 x 14 cells, quantized like
all else, had a correlation of 0.05 with the original's at the 5th percentile; in float32 behind the quantized features,
0.96. So everything that only the guide depends on stays float32, its large weights stored as float16.
"""

from __future__ import annotations

import contextlib
from typing import Any

import numpy as np

from camlite_export import workarounds

_GUIDE = "guide"
_DEQUANTIZE, _QUANTIZE, _FLOAT32, _FLOAT16 = 6, 114, 0, 1  # of TFLite's schema, where they never change
# Below, two bytes a weight are not worth an operator.
_LARGE = 4096


def left_in_float32() -> contextlib.AbstractContextManager[None]:
    """While it lasts, the converter quantizes all but the guide."""
    return workarounds.tensors_left_in_float32(_only_for_the_guide)


def finished(model: bytes) -> bytes:
    """What the converter then gives, with the guide given out in float32 and its weights stored as float16."""
    read = _read(model)
    _give_out_floating_guide(read)
    _store_small_weights(read)
    return _write(read)


def with_small_weights(model: bytes) -> bytes:
    """A model with its large float32 weights stored as float16."""
    read = _read(model)
    _store_small_weights(read)
    return _write(read)


def _only_for_the_guide(model: bytes) -> list[str]:
    """Names of the tensors that only the guide depends on."""
    graph, outputs = _graph(_read(model))
    producers = {tensor: operator for operator in graph.operators for tensor in operator.outputs}
    needed: set[int] = set()
    waiting = [tensor for name, tensor in outputs.items() if name != _GUIDE]
    while waiting:
        operator = producers.get(waiting.pop())
        if operator is not None and id(operator) not in needed:
            needed.add(id(operator))
            waiting += list(operator.inputs)
    return [
        graph.tensors[tensor].name.decode()
        for operator in graph.operators
        if id(operator) not in needed
        for tensor in operator.outputs
    ]


def _give_out_floating_guide(read: Any) -> None:
    """What the guide is before it is quantized."""
    graph, outputs = _graph(read)
    given = outputs[_GUIDE]
    codes = read.operatorCodes
    (last,) = (operator for operator in graph.operators if given in operator.outputs)
    if codes[last.opcodeIndex].builtinCode == _QUANTIZE:
        graph.operators.remove(last)
        graph.outputs = np.array([last.inputs[0] if tensor == given else tensor for tensor in graph.outputs], np.int32)
        for named in read.signatureDefs[0].outputs:
            if named.tensorIndex == given:
                named.tensorIndex = int(last.inputs[0])


def _store_small_weights(read: Any) -> None:
    """Large float32 constants as float16, and an operator that makes them float32 when the model is loaded."""
    from tensorflow.lite.python import schema_py_generated as schema

    (graph,) = read.subgraphs
    written = {tensor for operator in graph.operators for tensor in operator.outputs}
    smaller: dict[int, int] = {}  # buffer -> tensor, as equal constants share their buffer
    new: list[Any] = []
    for index, tensor in enumerate(list(graph.tensors)):
        buffer, content = tensor.buffer, read.buffers[tensor.buffer].data
        if tensor.type != _FLOAT32 or index in written or (buffer not in smaller and _is_small(content)):
            continue
        if buffer not in smaller:
            numbers = np.frombuffer(bytes(content), np.float32).astype(np.float16)
            read.buffers[buffer].data = np.frombuffer(numbers.tobytes(), np.uint8)
            small = schema.TensorT()
            small.shape, small.type, small.buffer = tensor.shape, _FLOAT16, buffer
            small.name, small.hasRank = tensor.name + b"_float16", tensor.hasRank
            small.quantization = schema.QuantizationParametersT()
            smaller[buffer] = len(graph.tensors)
            graph.tensors.append(small)
        tensor.buffer = 0
        operator = schema.OperatorT()
        operator.opcodeIndex = _code(read, _DEQUANTIZE)
        operator.inputs, operator.outputs = np.array([smaller[buffer]], np.int32), np.array([index], np.int32)
        new.append(operator)
    graph.operators = [*new, *graph.operators]


def _is_small(content: Any) -> bool:
    return content is None or len(content) < _LARGE


def _code(model: Any, builtin: int) -> int:
    """Index of an operator's code in a model, where it is added if it is missing."""
    from tensorflow.lite.python import schema_py_generated as schema

    for index, code in enumerate(model.operatorCodes):
        if code.builtinCode == builtin:
            return index
    code = schema.OperatorCodeT()
    code.builtinCode = code.deprecatedBuiltinCode = builtin
    code.version = 2
    model.operatorCodes.append(code)
    return len(model.operatorCodes) - 1


def _graph(model: Any) -> tuple[Any, dict[str, int]]:
    """The only graph of a model, and its outputs: name -> tensor."""
    (graph,), (signature,) = model.subgraphs, model.signatureDefs
    return graph, {named.name.decode(): named.tensorIndex for named in signature.outputs}


def _read(model: bytes) -> Any:
    from tensorflow.lite.tools import flatbuffer_utils

    return flatbuffer_utils.read_model_from_bytearray(bytearray(model))


def _write(model: Any) -> bytes:
    from tensorflow.lite.tools import flatbuffer_utils

    return bytes(flatbuffer_utils.convert_object_to_bytearray(model))
