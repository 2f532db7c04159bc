"""An integer TFLite model whose guide is computed in float32, inside the same file.

Eight bits ruin a gradient: of the 200 prototypes of the reference classifier, LayerCAM at 14 x 14 cells, quantized like
all else, had a correlation of 0.05 with the original's at the 5th percentile; in float32 behind the quantized features,
0.96. So everything that only the guide depends on stays float32. Its weights are made of the integers of the forward
pass where they are the same (`camlite_export.targets.tflite_kernels`); large ones that are not are stored as float16.
"""

from __future__ import annotations

import contextlib
import functools
from collections.abc import Sequence
from typing import Any

import numpy as np

from camlite_export import workarounds
from camlite_export.targets import tflite_kernels
from camlite_export.targets.tflite_editing import DEQUANTIZE, FLOAT16, FLOAT32, QUANTIZE, TfliteGraph

_GUIDE = "guide"
# Below, two bytes a weight are not worth an operator.
_LARGE = 4096


def left_in_float32(outputs: Sequence[str]) -> contextlib.AbstractContextManager[None]:
    """While it lasts, the converter quantizes all but the guide.

    Args:
        outputs: names, in the order in which the converter gives them.
    """
    return workarounds.tensors_left_in_float32(functools.partial(_only_for_the_guide, outputs))


def finished(model: bytes, quantized: bool) -> bytes:
    """What the converter gives of a model with a guide, with no weights twice.

    Args:
        quantized: whether all but the guide was: it then is given out in float32, its weights stored as float16.
    """
    graph = TfliteGraph(model)
    if quantized:
        _give_out_floating_guide(graph)
    tflite_kernels.share(graph)
    if quantized:
        _store_small_weights(graph)
    return graph.to_bytes()


def with_small_weights(model: bytes) -> bytes:
    """A model with its large float32 weights stored as float16."""
    graph = TfliteGraph(model)
    _store_small_weights(graph)
    return graph.to_bytes()


def _only_for_the_guide(outputs: Sequence[str], model: bytes) -> list[str]:
    """Names of the tensors that only the guide depends on."""
    graph = TfliteGraph(model)
    given = zip(outputs, graph.graph.outputs, strict=True)
    needed = {id(one) for one in graph.needed_for([int(at) for name, at in given if name != _GUIDE])}
    return [
        graph.graph.tensors[tensor].name.decode()
        for operator in graph.graph.operators
        if id(operator) not in needed
        for tensor in operator.outputs
    ]


def _give_out_floating_guide(graph: TfliteGraph) -> None:
    """What the guide is before it is quantized."""
    given, operators = graph.outputs[_GUIDE], graph.graph.operators
    last = graph.producers()[given]
    if graph.kind(last) == QUANTIZE:
        operators.remove(last)
        before = graph.outputs[_GUIDE] = int(last.inputs[0])
        graph.graph.tensors[before].name = _GUIDE.encode()
        graph.graph.outputs = np.array(
            [before if tensor == given else tensor for tensor in graph.graph.outputs], np.int32
        )
        for named in graph.model.signatureDefs[0].outputs:
            if named.tensorIndex == given:
                named.tensorIndex = before


def _store_small_weights(graph: TfliteGraph) -> None:
    """Large float32 constants as float16, and an operator that makes them float32 when the model is loaded."""
    written = graph.producers()
    smaller: dict[int, int] = {}  # buffer -> that of the same in float16, as equal constants share one
    new: list[Any] = []
    for index, tensor in enumerate(list(graph.graph.tensors)):
        content = graph.constant(index)
        if tensor.type != FLOAT32 or index in written or content is None or content.nbytes < _LARGE:
            continue
        if tensor.buffer not in smaller:  # the old one may be that of integers, too, which have the same bytes
            smaller[tensor.buffer] = graph.add_buffer(content.astype(np.float16))
        small = graph.add_tensor(tensor.name + b"_float16", tensor.shape, FLOAT16, smaller[tensor.buffer])
        new.append(graph.operator(DEQUANTIZE, 3, [small], index))
    for operator in new:
        graph.graph.tensors[operator.outputs[0]].buffer = 0
    graph.graph.operators = [*new, *graph.graph.operators]
    graph.drop_unused()
