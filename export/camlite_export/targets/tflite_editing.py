"""The graph of a TFLite flatbuffer, opened for changes: what the converter offers no other way to say."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

# Of TFLite's schema, where numbers never change.
FLOAT32, FLOAT16, INT32, UINT8, INT8 = 0, 1, 2, 3, 9
CONV_2D, DEQUANTIZE, FULLY_CONNECTED, RESHAPE, GATHER, QUANTIZE, BATCH_MATMUL = 3, 6, 9, 22, 36, 114, 126
_DTYPES = {FLOAT32: np.float32, FLOAT16: np.float16, INT32: np.int32, INT8: np.int8}


class TfliteGraph:
    """The only graph of a model.

    Attributes:
        model: all of it, as objects of TFLite's schema.
        graph: its operators and tensors; operators name tensors by their numbers.
        outputs: name -> tensor, of the signature, where there is one.
    """

    def __init__(self, model: bytes) -> None:
        from tensorflow.lite.tools import flatbuffer_utils

        self.model = flatbuffer_utils.read_model_from_bytearray(bytearray(model))
        (self.graph,) = self.model.subgraphs
        named = [one for signature in self.model.signatureDefs or () for one in signature.outputs]
        self.outputs: dict[str, int] = {one.name.decode(): int(one.tensorIndex) for one in named}

    def to_bytes(self) -> bytes:
        """The flatbuffer."""
        from tensorflow.lite.tools import flatbuffer_utils

        return bytes(flatbuffer_utils.convert_object_to_bytearray(self.model))

    def kind(self, operator: Any) -> int:
        """Which operator it is, a number of the schema."""
        return int(self.model.operatorCodes[operator.opcodeIndex].builtinCode)

    def producers(self) -> dict[int, Any]:
        """Tensor -> the operator that computes it."""
        return {int(tensor): operator for operator in self.graph.operators for tensor in operator.outputs}

    def constant(self, tensor: int) -> NDArray[Any] | None:
        """What a tensor holds, in its shape; None where it is computed, or of a type that nobody here asks for."""
        found = self.graph.tensors[tensor]
        content = self.model.buffers[found.buffer].data
        if content is None or len(content) == 0 or found.type not in _DTYPES:
            return None
        return np.frombuffer(bytes(content), _DTYPES[found.type]).reshape(found.shape)

    def needed_for(self, tensors: Sequence[int]) -> list[Any]:
        """The operators that some tensors depend on, in their order."""
        producers, needed, waiting = self.producers(), set[int](), [int(tensor) for tensor in tensors]
        while waiting:
            operator = producers.get(waiting.pop())
            if operator is not None and id(operator) not in needed:
                needed.add(id(operator))
                waiting += [int(tensor) for tensor in operator.inputs]
        return [operator for operator in self.graph.operators if id(operator) in needed]

    def add_tensor(
        self, name: bytes, shape: Sequence[int], kind: int, buffer: int = 0, quantization: Any = None
    ) -> int:
        """A new tensor, on a buffer that is there or without one, where it is computed; its number."""
        from tensorflow.lite.python import schema_py_generated as schema

        new = schema.TensorT()
        new.name, new.shape, new.type, new.buffer = name, np.array(shape, np.int32), kind, buffer
        new.hasRank, new.quantization = True, quantization or schema.QuantizationParametersT()
        self.graph.tensors.append(new)
        return len(self.graph.tensors) - 1

    def add_buffer(self, values: NDArray[Any]) -> int:
        """New bytes; their number."""
        from tensorflow.lite.python import schema_py_generated as schema

        buffer = schema.BufferT()
        buffer.data = np.frombuffer(values.tobytes(), np.uint8)
        self.model.buffers.append(buffer)
        return len(self.model.buffers) - 1

    def operator(
        self, kind: int, version: int, inputs: Sequence[int], output: int, options: tuple[int, Any] = (0, None)
    ) -> Any:
        """A new operator, which is in the graph where its caller puts it.

        Args:
            version: of the operator, the least that does it.
            options: the number of their type in the schema, and they.
        """
        from tensorflow.lite.python import schema_py_generated as schema

        new = schema.OperatorT()
        new.opcodeIndex = self._code(kind, version)
        new.inputs, new.outputs = np.array(inputs, np.int32), np.array([output], np.int32)
        new.builtinOptionsType, new.builtinOptions = options
        return new

    def _code(self, kind: int, version: int) -> int:
        from tensorflow.lite.python import schema_py_generated as schema

        for index, code in enumerate(self.model.operatorCodes):
            if code.builtinCode == kind:
                code.version = max(code.version, version)
                return index
        code = schema.OperatorCodeT()
        code.builtinCode = code.deprecatedBuiltinCode = kind
        code.version = version
        self.model.operatorCodes.append(code)
        return len(self.model.operatorCodes) - 1

    def drop_unused(self) -> None:
        """Operators that nothing depends on, and what no tensor of an operator holds."""
        self.graph.operators = self.needed_for([int(tensor) for tensor in self.graph.outputs])
        taken = {int(tensor) for operator in self.graph.operators for tensor in operator.inputs if tensor >= 0}
        kept = {self.graph.tensors[tensor].buffer for tensor in taken.union(map(int, self.graph.outputs))}
        kept |= {metadata.buffer for metadata in self.model.metadata or ()}
        for index, buffer in enumerate(self.model.buffers):
            if index not in kept:
                buffer.data = None
