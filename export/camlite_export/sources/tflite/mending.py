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
    axes = list(_axes_of_one_dimension(graph))
    lines = (
        f"mended: {len(axes)} tensors, as {axes[0]!r}, name an axis of quantization that they have not; it is their "
        f"only one"
        for _ in axes[:1]
    )
    fixed = shapes.fix(model)
    return bool(axes) or fixed, tuple(lines)


def _axes_of_one_dimension(graph: Any) -> Iterator[str]:
    """A bias has one axis; some converters gave it that of the weights."""
    for tensor in graph.tensors:
        quantization, shape = tensor.quantization, tensor.shape
        if quantization is None or quantization.scale is None or shape is None or len(shape) != 1:
            continue
        if quantization.quantizedDimension and len(quantization.scale) in (1, int(shape[0])):
            quantization.quantizedDimension = 0
            yield text(tensor.name)[:60]
