"""An artifact's model out of an `.onnx` file: the file itself, with more outputs, under camlite's names.

Operators, tensors and weights of the file stay as they are, so that it gives the same scores to the bit. What is
computed besides is appended: converted from a function of TensorFlow, and spliced in behind. A weight that the file has
already is not stored a second time.
"""

from __future__ import annotations

import copy
import hashlib
from collections.abc import Mapping
from typing import Any

import numpy as np

from camlite.errors import ClassifierError
from camlite.soundness import onnx_model
from camlite_export import workarounds
from camlite_export.cutting.file_cut import Addition, FileCut
from camlite_export.sources.onnx import layouts, more_outputs, reading
from camlite_export.targets.proven_file import proven

_LATEST = 18
"""The latest set of operators that tf2onnx writes; later ones read it as it is."""
_FLOAT = 1
_TURNS = {2: (1, 0), 4: (1, 0, 2, 3)}  # from inputs to outputs and back, of a product and of a convolution
_SMALL = 64  # numbers that are stored again rather than turned


def convert(cut: FileCut) -> bytes:
    """The file's model with features, evidence and guide among its outputs; the same bytes each time.

    Raises:
        ClassifierError: ONNX has no operator for what is added, or no device would take it.
    """
    file = cut.source.file
    if not isinstance(file, reading.OnnxFile):
        raise TypeError(f"{cut.source.name} is no .onnx file")
    model = copy.deepcopy(file.proto)
    splice = Splice(model, file)
    features = more_outputs.append(model.graph, file.tensors, str(cut.step.key), cut.step.is_turned)
    outputs = {"features": features, "scores": splice.scores(cut.source.ends.is_pair)}
    for addition in cut.additions:
        real = more_outputs.in_float32(model.graph, file.tensors, str(addition.source.key))
        given = splice.channels_last(real, addition.source.key in cut.source.graph.channels_first)
        outputs[addition.name] = splice.behind(given, _converted(cut, addition, splice.opset), addition.name)
    splice.name_ends(outputs)
    newer = ", or convert it to operators of set 17 first (onnx.version_converter)" if splice.opset < 13 else ""
    written = model.SerializeToString(deterministic=True)
    return proven(written, onnx_model.verify, cut.source.name, newer)


def _converted(cut: FileCut, addition: Addition, opset: int) -> Any:
    """A function as a model of its own: one input, one output."""
    import tensorflow as tf
    import tf2onnx

    _, *sides = addition.source.shape
    signature = [tf.TensorSpec((1, *sides), tf.float32, name="given")]
    function = tf.function(addition.function, input_signature=signature, autograph=False)
    try:
        with workarounds.silent_native_code(), workarounds.silent_log("tf2onnx"), workarounds.copies_collected():
            model, _ = tf2onnx.convert.from_function(function, signature, opset=opset)
    except Exception as error:  # of the converter, whatever it meets
        raise ClassifierError(
            f"{cut.source.name}: ONNX cannot express its {addition.name}: {' '.join(str(error).split())[:300]}"
        ) from error
    workarounds.constants_for_captured_tensors(model, function.get_concrete_function())
    workarounds.in_canonical_order(model)
    return model


class Splice:
    """Appends operators to a model, which is changed in place."""

    def __init__(self, model: Any, file: reading.OnnxFile) -> None:
        self._model, self._graph, self._file = model, model.graph, file
        own = max(one.version for one in model.opset_import if one.domain in ("", "ai.onnx"))
        self.opset = min(own, _LATEST)
        self._stored = {_digest(values): name for name, values in _values(model.graph)}
        self._turned = {
            _digest(values.transpose(_TURNS[values.ndim])): name
            for name, values in _values(model.graph)
            if values.ndim in _TURNS and values.size > _SMALL
        }

    def scores(self, is_pair: bool) -> str:
        """Scores (1, K): those of the file where it gives them so; of one probability p, 1 - p and p."""
        shape = self._file.tensors[str(self._graph.output[0].name)].shape
        name = more_outputs.in_float32(self._graph, self._file.tensors, str(self._graph.output[0].name))
        if not is_pair:
            return name if len(shape) == 2 else self._node("Flatten", [name], "scores_in_a_row", axis=1)
        flat = name if len(shape) == 2 else self._node("Flatten", [name], "probability", axis=1)
        one = self._constant(np.ones((1, 1), np.float32), "one")
        rest = self._node("Sub", [one, flat], "rest")
        return self._node("Concat", [rest, flat], "pair", axis=1)

    def channels_last(self, name: str, is_first: bool) -> str:
        """A map (1, h, w, C) of one that the file has."""
        return self._node("Transpose", [name], f"last_{len(self._graph.node)}", perm=(0, 2, 3, 1)) if is_first else name

    def behind(self, given: str, other: Any, name: str) -> str:
        """Append another model of one input and one output behind a tensor; returns the tensor of its output."""
        places = {layouts.image_of(other.graph): given, "": ""}
        for constant, values in _values(other.graph):
            places[constant] = self._constant(values, f"{name}/{constant}")
        for node in other.graph.node:
            own = self._graph.node.add()
            own.CopyFrom(node)
            own.name = f"camlite/{name}/{node.name}"
            for names in (own.input, own.output):
                names[:] = [places.setdefault(one, f"camlite/{name}/{one}") for one in names]
        return places[other.graph.output[0].name]

    def name_ends(self, outputs: Mapping[str, str]) -> None:
        """Give image and outputs camlite's names, in the whole graph; others of these names make room."""
        from onnx import helper

        image = next(one for one in self._graph.input if one.name == layouts.image_of(self._graph))
        taken: dict[str, str] = {}
        renamed = {image.name: "image"}
        for name, key in sorted(outputs.items()):
            if key in taken or key == image.name:  # one tensor for two outputs
                outputs = {**outputs, name: self._node("Identity", [key], name)}
            taken[outputs[name]] = name
        renamed.update({key: name for name, key in outputs.items()})
        wanted = set(renamed.values())
        for one in self._names():
            if one in wanted and one not in renamed:
                renamed[one] = f"camlite/of_the_file/{one}"
        self._rename(renamed)
        del self._graph.output[:]
        self._graph.output.extend(helper.make_tensor_value_info(name, _FLOAT, None) for name in sorted(outputs))

    def _names(self) -> set[str]:
        found = {one for node in self._graph.node for one in (*node.input, *node.output)}
        return found | {one.name for one in (*self._graph.initializer, *self._graph.input)}

    def _rename(self, renamed: Mapping[str, str]) -> None:
        for node in self._graph.node:
            for names in (node.input, node.output):
                names[:] = [renamed.get(one, one) for one in names]
        for values in (self._graph.initializer, self._graph.input, self._graph.output, self._graph.value_info):
            for value in values:
                value.name = renamed.get(value.name, value.name)
        del self._graph.quantization_annotation[:]

    def _node(self, kind: str, inputs: list[str], name: str, **attributes: Any) -> str:
        from onnx import helper

        output = f"camlite/{name}"
        self._graph.node.append(helper.make_node(kind, inputs, [output], name=output, **attributes))
        return output

    def _constant(self, values: Any, name: str) -> str:
        """Where the model has these numbers, or what makes them of such: interpreters do that once, as they load it."""
        from onnx import numpy_helper

        digest = _digest(values)
        if digest not in self._stored and digest in self._turned:
            self._stored[digest] = self._node("Transpose", [self._turned[digest]], name, perm=_TURNS[values.ndim])
        elif digest not in self._stored:
            self._graph.initializer.append(numpy_helper.from_array(values, f"camlite/{name}"))
            self._stored[digest] = f"camlite/{name}"
        return self._stored[digest]


def _values(graph: Any) -> list[tuple[str, Any]]:
    """Names and numbers of all constants."""
    from onnx import numpy_helper

    return [(one.name, numpy_helper.to_array(one)) for one in graph.initializer]


def _digest(values: Any) -> bytes:
    """Of the numbers of a constant, with shape and type."""
    return hashlib.sha256(f"{values.dtype} {values.shape}".encode() + values.tobytes()).digest()
