"""Which operations of a file work on each place of a map by itself, where converters write the map as rows.

A dense layer of a map (1, h, w, C) is often a reshape to (h * w, C), a product of matrices, and a reshape back. Each of
these could put places elsewhere; together they do not, as each row stays what it is: one place.
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Collection, Iterable, Iterator, Mapping
from typing import Any

from camlite_export.sources.graph import Key, Node

_RESHAPES = frozenset({"RESHAPE", "Reshape", "Flatten", "Squeeze", "Unsqueeze", "SQUEEZE", "EXPAND_DIMS"})
_PRODUCTS = frozenset({"FULLY_CONNECTED", "BATCH_MATMUL", "Gemm", "MatMul"})

Shape = tuple[int, ...]


def marked(
    nodes: Iterable[Node],
    shapes: Mapping[Key, Shape],
    constants: Collection[Key],
    channels_first: Collection[Key] = (),
) -> Iterator[Node]:
    """The nodes, those local that keep rows of places.

    Args:
        nodes: in an order in which they can run.
        shapes: of all tensors, see `camlite_export.sources.graph.Graph`, as the others.
    """
    rows: dict[Key, Shape] = {}  # tensors that are rows of places -> height and width of the map that they are of

    def map_of(key: Key) -> Shape | None:
        shape = shapes[key]
        if len(shape) == 4:
            return None if key in channels_first else shape[1:3]
        return rows.get(key)

    for node in nodes:
        made = node.outputs[0]
        sides = _map_behind(node, shapes, constants, map_of)
        if sides is None or len(node.outputs) > 1:
            yield node
            continue
        if len(shapes[made]) != 4:
            rows[made] = sides
        yield dataclasses.replace(node, is_local=True)


def _map_behind(node: Node, shapes: Mapping[Key, Shape], constants: Collection[Key], map_of: Any) -> Shape | None:
    """Height and width of the map whose places an operation keeps, row by row; None where it may not."""
    computed = [key for key in node.inputs if key is not None and key not in constants]
    known = {map_of(key) for key in computed}
    if len(known) != 1 or None in known:
        return None
    (sides,) = known
    given, made = shapes[computed[0]], shapes[node.outputs[0]]
    if node.kind in _RESHAPES:
        kept = given[-1:] == made[-1:] and _are_places(made, sides)
        return sides if kept else None
    if node.kind in _PRODUCTS:
        kept = len(computed) == 1 and node.inputs[0] == computed[0] and _are_matrices(node, shapes)
        return sides if kept and _are_places(made, sides) else None
    if len(given) == 4 or not node.is_local:
        return None
    return sides if math.prod(made[:-1]) == math.prod(sides) else None


def _are_places(shape: Shape, sides: Shape) -> bool:
    """Whether a tensor has a row for each place, or the places themselves."""
    if len(shape) == 4:
        return shape[1:3] == sides
    return len(shape) > 1 and shape[:-2] in ((), (1,)) and shape[-2] == math.prod(sides)


def _are_matrices(node: Node, shapes: Mapping[Key, Shape]) -> bool:
    """Whether what is multiplied by are constants of two axes."""
    return all(len(shapes[key]) <= 2 for key in node.inputs[1:] if key is not None)
