"""Files that no interpreter loads, or that cannot be proven, by a fault that changes nothing of what they compute.

Each mend is told in a line. Weights, operators and their order stay as they are, and so do the scores.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from camlite_export.sources.tflite import shapes
from camlite_export.sources.tflite.flatbuffer import text


def mend(model: Any) -> tuple[bool, tuple[str, ...]]:
    """Mend a model in place; returns whether anything was done, and what people are to know of it, a line each.

    Shapes that were left open, as TensorFlow's converter does for a batch of any size, are fixed for one image: that is
    no fault, and not told.
    """
    (graph,) = model.subgraphs
    lines = []
    named = _give_names(graph)
    if named:
        lines.append(f"mended: {named} tensors have no name, or one that is no text; they are called by their numbers")
    axes = list(_axes_of_one_dimension(graph))
    if axes:
        lines.append(
            f"mended: {len(axes)} tensors, as {axes[0]!r}, name an axis of quantization that they have not; it is "
            f"their only one"
        )
    fixed = shapes.fix(model)
    return bool(lines) or fixed, tuple(lines)


def _give_names(graph: Any) -> int:
    """To how many tensors: files for microcontrollers have their strings stripped, and not all are written as UTF-8."""
    taken = {tensor.name for tensor in graph.tensors}
    found = 0
    for index, tensor in enumerate(graph.tensors):
        if tensor.name is not None and _is_text(tensor.name):
            continue
        found += 1
        tensor.name = f"tensor {index}".encode()
        while tensor.name in taken:
            tensor.name += b"'"
        taken.add(tensor.name)
    return found


def _is_text(name: bytes) -> bool:
    try:
        name.decode()
    except UnicodeDecodeError:
        return False
    return True


def _axes_of_one_dimension(graph: Any) -> Iterator[str]:
    """A bias has one axis; some converters gave it that of the weights."""
    for tensor in graph.tensors:
        quantization, shape = tensor.quantization, tensor.shape
        if quantization is None or quantization.scale is None or shape is None or len(shape) != 1:
            continue
        if quantization.quantizedDimension and len(quantization.scale) in (1, int(shape[0])):
            quantization.quantizedDimension = 0
            yield text(tensor.name)[:60]
