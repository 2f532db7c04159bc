"""An artifact's model out of a `.tflite` file: the file itself, with more outputs, under camlite's names.

Operators, tensors and weights of the file stay as they are and where they are, so that it gives the same scores to the
bit. What is computed besides is appended: converted from a function of TensorFlow, and spliced in behind. A weight
that the file has already is not stored a second time.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from camlite.errors import ClassifierError
from camlite.soundness import tflite_model
from camlite_export import workarounds
from camlite_export.cutting.file_cut import Addition, FileCut
from camlite_export.sources.tflite import flatbuffer, reading
from camlite_export.sources.tflite.flatbuffer import code_of
from camlite_export.targets import tflite_ends, tflite_guide
from camlite_export.targets.proven_file import proven

_FLOAT32, _INT32 = 0, 2
_INT8, _INT16 = 9, 7
_CONCATENATION, _DEQUANTIZE, _FULLY_CONNECTED, _RESHAPE, _SUB, _BATCH_MATMUL = 2, 6, 9, 22, 41, 126
_MUL = 18
_LARGE = 4096  # bytes: below, two operators are not worth it


def convert(cut: FileCut) -> bytes:
    """The file's model with features, evidence and guide among its outputs; the same bytes each time.

    Raises:
        ClassifierError: TFLite has no operator for what is added, or no device would take it.
    """
    file = cut.source.file
    if not isinstance(file, reading.TfliteFile):
        raise TypeError(f"{cut.source.name} is no .tflite file")
    model = reading.shallow(file.objects)
    (graph,) = model.subgraphs
    image, scores = int(graph.inputs[0]), int(graph.outputs[0])
    outputs = {"features": cut.step.key, "scores": scores}
    splice = Splice(model)
    if len(graph.tensors[image].shape) == 3:
        image = splice.with_an_axis_for_grey(image)
    if cut.source.ends.is_pair:
        outputs["scores"] = splice.pair(scores)
    for addition in cut.additions:
        outputs[addition.name] = splice.behind(int(addition.source.key), _converted(cut, addition))
    tflite_ends.name_ends(model, image, {name: int(index) for name, index in sorted(outputs.items())})
    return proven(flatbuffer.write(model), tflite_model.verify, cut.source.name)


def _converted(cut: FileCut, addition: Addition) -> Any:
    """A function as a model of its own, as objects of the schema: one input, one output."""
    import tensorflow as tf

    _, *sides = addition.source.shape
    signature = [tf.TensorSpec((1, *sides), tf.float32, name="given")]
    function: Callable[[Any], Any] = addition.function
    traced = tf.function(function, input_signature=signature, autograph=False).get_concrete_function()
    converter = tf.lite.TFLiteConverter.from_concrete_functions([traced], traced)
    try:
        with workarounds.silent_native_code(), workarounds.new_objects_alone_collected():
            content: bytes = converter.convert()
    except Exception as error:  # as in `camlite_export.targets.tflite_target`
        raise ClassifierError(
            f"{cut.source.name}: TFLite cannot express its {addition.name}: {' '.join(str(error).split())[:300]}"
        ) from error
    if cut.source.precision != "float32":
        content = tflite_guide.with_small_weights(content)
    return flatbuffer.read(content)


class Splice:
    """Appends operators to a model, which is changed in place."""

    def __init__(self, model: Any) -> None:
        self._model = model
        (self._graph,) = model.subgraphs
        self._buffers = {
            _digest(buffer.data): index for index, buffer in reversed(list(enumerate(model.buffers))) if _holds(buffer)
        }
        empty = next((index for index, buffer in enumerate(model.buffers) if not _holds(buffer)), None)
        self._empty = self._new_buffer(None) if empty is None else empty

    def behind(self, key: int, other: Any) -> int:
        """Append another model of one input and one output behind a tensor; returns the tensor of its output."""
        (theirs,) = other.subgraphs
        known = {id(operator): self._own_matrix(theirs, operator, other) for operator in theirs.operators}
        unneeded = {int(operator.inputs[1]) for operator in theirs.operators if known[id(operator)]}
        places = {int(theirs.inputs[0]): self._in_float32(key)}
        for index, tensor in enumerate(theirs.tensors):
            if index not in places and index not in unneeded:
                tensor.buffer = self._buffer(other.buffers[tensor.buffer])
                tensor.name = b"camlite/" + (tensor.name or b"")
                places[index] = self._add_tensor(tensor)
        for operator in theirs.operators:
            own = known[id(operator)]
            if own is not None:
                self._product(places[int(operator.inputs[0])], *own, places[int(operator.outputs[0])])
                continue
            code = other.operatorCodes[operator.opcodeIndex]
            operator.opcodeIndex = self._code(code_of(other, operator), code.version)
            operator.inputs = _moved(operator.inputs, places)
            operator.outputs = _moved(operator.outputs, places)
            self._graph.operators.append(operator)
        return places[int(theirs.outputs[0])]

    def _own_matrix(self, theirs: Any, operator: Any, other: Any) -> tuple[int, float] | None:
        """A constant of the model that a dense layer multiplies by, turned and perhaps times a factor; None for others.

        A gradient takes the kernel of a dense layer the other way round, and converters fold a pooling's 1 / (h * w)
        into it.
        """
        inputs = [int(index) for index in operator.inputs]
        if code_of(other, operator) != _FULLY_CONNECTED or any(index >= 0 for index in inputs[2:]):
            return None
        weights = theirs.tensors[inputs[1]]
        data, users = (
            other.buffers[weights.buffer].data,
            sum(inputs[1] in map(int, one.inputs) for one in theirs.operators),
        )
        plain = not operator.builtinOptions.fusedActivationFunction and len(theirs.tensors[inputs[0]].shape) == 2
        if weights.type != _FLOAT32 or data is None or len(data) < _LARGE or users > 1 or not plain:
            return None
        wanted = np.frombuffer(bytes(data), np.float32).reshape(weights.shape).T
        for index, tensor in enumerate(self._graph.tensors):
            content = self._model.buffers[tensor.buffer].data
            if (
                tensor.type != _FLOAT32
                or content is None
                or tuple(map(int, () if tensor.shape is None else tensor.shape)) != wanted.shape
            ):
                continue
            there = np.frombuffer(bytes(content), np.float32).reshape(wanted.shape)
            place = np.unravel_index(np.abs(there).argmax(), there.shape)
            factor = np.float32(wanted[place] / there[place]) if there[place] else np.float32(0)
            if factor and np.allclose(there * factor, wanted, rtol=1e-6, atol=1e-6 * np.abs(wanted).max()):
                return index, float(factor)
        return None

    def _product(self, given: int, matrix: int, factor: float, output: int) -> None:
        made = output
        if factor != 1:
            made = self._computed(tuple(map(int, self._graph.tensors[output].shape)), b"camlite/product")
        self._operator(_BATCH_MATMUL, 1, [given, matrix], made, 101, self._options("BatchMatMulOptionsT"))
        if factor != 1:
            scale = self._constant(np.array([factor], np.float32), b"camlite/factor")
            self._operator(_MUL, 1, [made, scale], output, 21, self._options("MulOptionsT"))

    def pair(self, probability: int) -> int:
        """Append the two scores 1 - p and p of one probability p, in float32; p stays as it is, to the bit."""
        p = self._in_float32(probability)
        one = self._constant(np.ones((1, 1), np.float32), b"camlite/one")
        flat = self._computed((1, 1), b"camlite/p")
        shape = self._constant(np.array([1, 1], np.int32), b"camlite/shape", _INT32)
        self._operator(_RESHAPE, 1, [p, shape], flat, 17, self._options("ReshapeOptionsT", newShape=[1, 1]))
        rest = self._computed((1, 1), b"camlite/1-p")
        self._operator(_SUB, 1, [one, flat], rest, 28, self._options("SubOptionsT"))
        both = self._computed((1, 2), b"camlite/scores")
        self._operator(_CONCATENATION, 1, [rest, flat], both, 10, self._options("ConcatenationOptionsT", axis=1))
        return both

    def with_an_axis_for_grey(self, image: int) -> int:
        """Take images (1, H, W, 1) in place of (1, H, W), which become these in front of all operators."""
        tensor = self._graph.tensors[image]
        given = self._new_tensor((*map(int, tensor.shape), 1), b"camlite/image")
        added = self._graph.tensors[given]
        added.type, added.quantization = tensor.type, tensor.quantization
        shape = self._constant(np.array(tensor.shape, np.int32), b"camlite/shape", _INT32)
        options = self._options("ReshapeOptionsT", newShape=[int(side) for side in tensor.shape])
        self._operator(_RESHAPE, 1, [given, shape], image, 17, options)
        self._graph.operators.insert(0, self._graph.operators.pop())
        return given

    def _in_float32(self, key: int) -> int:
        """The tensor itself, or what DEQUANTIZE makes of it."""
        tensor = self._graph.tensors[key]
        if tensor.type == _FLOAT32:
            return key
        real = self._computed(tuple(map(int, tensor.shape)), b"camlite/real/" + (tensor.name or b""))
        version = {_INT8: 2, _INT16: 3}.get(tensor.type, 1)
        self._operator(_DEQUANTIZE, version, [key], real)
        return real

    def _operator(
        self, code: int, version: int, inputs: list[int], output: int, options_type: int = 0, options: Any = None
    ) -> None:
        from ai_edge_litert import schema_py_generated as schema

        operator = schema.OperatorT()
        operator.opcodeIndex = self._code(code, version)
        operator.inputs, operator.outputs = np.array(inputs, np.int32), np.array([output], np.int32)
        operator.builtinOptionsType, operator.builtinOptions = options_type, options
        self._graph.operators.append(operator)

    @staticmethod
    def _options(kind: str, **fields: Any) -> Any:
        from ai_edge_litert import schema_py_generated as schema

        options = getattr(schema, kind)()
        for name, value in fields.items():
            setattr(options, name, value)
        return options

    def _code(self, builtin: int, version: int) -> int:
        from ai_edge_litert import schema_py_generated as schema

        for index, code in enumerate(self._model.operatorCodes):
            if max(code.builtinCode, code.deprecatedBuiltinCode) == builtin and code.version == version:
                return index
        code = schema.OperatorCodeT()
        code.builtinCode, code.version = builtin, version
        code.deprecatedBuiltinCode = min(builtin, 127)
        self._model.operatorCodes.append(code)
        return len(self._model.operatorCodes) - 1

    def _constant(self, values: Any, name: bytes, kind: int = _FLOAT32) -> int:
        from ai_edge_litert import schema_py_generated as schema

        index = self._new_tensor(values.shape, name, kind)
        buffer = schema.BufferT()
        buffer.data = np.frombuffer(values.tobytes(), np.uint8)
        self._graph.tensors[index].buffer = self._buffer(buffer)
        return index

    def _computed(self, shape: tuple[int, ...], name: bytes) -> int:
        return self._new_tensor(shape, name)

    def _new_tensor(self, shape: tuple[int, ...], name: bytes, kind: int = _FLOAT32) -> int:
        from ai_edge_litert import schema_py_generated as schema

        tensor = schema.TensorT()
        tensor.shape, tensor.type, tensor.name = np.array(shape, np.int32), kind, name
        tensor.buffer = self._empty
        return self._add_tensor(tensor)

    def _add_tensor(self, tensor: Any) -> int:
        self._graph.tensors.append(tensor)
        return len(self._graph.tensors) - 1

    def _buffer(self, buffer: Any) -> int:
        """Where the model has the same bytes, or where it has them now."""
        if not _holds(buffer):
            return self._empty
        index = self._buffers.get(_digest(buffer.data))
        return self._new_buffer(buffer.data) if index is None else index

    def _new_buffer(self, data: Any) -> int:
        from ai_edge_litert import schema_py_generated as schema

        buffer = schema.BufferT()
        buffer.data = data
        self._model.buffers.append(buffer)
        index = len(self._model.buffers) - 1
        if data is not None:
            self._buffers[_digest(data)] = index
        return index


def _moved(indices: Any, places: Mapping[int, int]) -> Any:
    return np.array([places[index] if index >= 0 else -1 for index in map(int, indices)], np.int32)


def _holds(buffer: Any) -> bool:
    return buffer.data is not None and len(buffer.data) > 0


def _digest(data: Any) -> bytes:
    return hashlib.sha256(np.asarray(data, np.uint8).tobytes()).digest()
