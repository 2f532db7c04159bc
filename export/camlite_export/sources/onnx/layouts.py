"""Which tensors of an ONNX graph have their channels in front of their places, and which operators leave places alone.

Windows slide over the last axes: what they give is (N, C, H, W). From there layouts follow from operator to operator;
an exporter turns maps to (N, H, W, C) and back where something is done to channels only.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

from camlite.soundness.onnx_operator import Tensor
from camlite_export.sources.graph import Key
from camlite_export.sources.onnx.call import Call

TO_LAST, TO_FIRST = (0, 2, 3, 1), (0, 3, 1, 2)
_CHANNELS = (1, 3)
# Whose kernels and windows lie over the last two axes, or whose channels are the second one.
_FIRST = frozenset({"AveragePool", "Conv", "ConvInteger", "ConvTranspose", "GlobalAveragePool", "GlobalMaxPool"}) | {
    *("LRN", "MaxPool", "QLinearConv", "Resize", "Upsample", "BatchNormalization", "InstanceNormalization"),
    *("GroupNormalization", "DepthToSpace", "SpaceToDepth"),
}
# What may put places elsewhere, or mix those that are no neighbours.
_MOVING = frozenset(
    {"Concat", "CumSum", "DepthToSpace", "Einsum", "Expand", "Flatten", "Gather", "GatherElements", "GatherND", "Gemm"}
    | {"MatMul", "MatMulInteger", "QLinearMatMul", "Reshape", "ScatterElements", "ScatterND", "Slice", "SpaceToDepth"}
    | {"Split", "Squeeze", "Tile", "TopK", "Transpose", "Unsqueeze"}
)
_WITH_AN_AXIS = frozenset({"Concat", "Gather", "Split"})


def image_of(graph: Any) -> str:
    """Name of the only input that is no initializer."""
    constants = {one.name for one in graph.initializer}
    (name,) = [one.name for one in graph.input if one.name not in constants]
    return str(name)


def in_order(nodes: Iterable[Any], known: set[Any]) -> Iterator[Any]:
    """Each node behind those that it needs; nearly all files have them so."""
    waiting = list(nodes)
    while waiting:
        later = []
        for node in waiting:
            if all(not one or one in known for one in node.input):
                known.update(node.output)
                yield node
            else:
                later.append(node)
        if len(later) == len(waiting):
            return
        waiting = later


def channels_first(graph: Any, tensors: Mapping[str, Tensor]) -> frozenset[Key]:
    """The tensors of four axes and more whose last two are those of the image."""
    image = image_of(graph)
    _, *sides = tensors[image].shape
    is_first = sides[0] in _CHANNELS and (sides[-1] not in _CHANNELS or _goes_into_windows(graph, image))
    found: set[Key] = {image} if is_first else set()
    known = {image, *(one.name for one in graph.initializer)}
    rows: set[Key] = set()
    for node in in_order(graph.node, known):
        if _keeps_rows(node, rows, found, tensors):
            rows.update(one for one in node.output if len(tensors[one].shape) < 4)
        elif _is_first(node, found, tensors):
            found.update(one for one in node.output if one and len(tensors[one].shape) >= 4)
    return frozenset(found)


def _goes_into_windows(graph: Any, image: str) -> bool:
    """Of an image 3 x H x 3: whether it is convolved before its axes are turned."""
    behind = {image}
    for node in graph.node:
        if behind.intersection(node.input):
            if node.op_type in _FIRST:
                return True
            if node.op_type == "Transpose":
                return False
            behind.update(node.output)
    return True


def _is_first(node: Any, first: set[Key], tensors: Mapping[str, Tensor]) -> bool:
    if node.op_type in _FIRST:
        return True
    given = [one for one in node.input if one and len(tensors[one].shape) >= 4 and tensors[one].numbers is None]
    if not given:
        return True  # of fewer axes: as windows want it
    if node.op_type == "Transpose":
        perm = next((tuple(one.ints) for one in node.attribute if one.name == "perm"), ())
        return perm != TO_LAST if given[0] in first else perm == TO_FIRST
    return any(one in first for one in given)


def _keeps_rows(node: Any, rows: set[Key], first: set[Key], tensors: Mapping[str, Tensor]) -> bool:
    """Whether a map (N, H, W, C) is written as rows of channels, one a place; or such rows are changed, or put back.

    Args:
        rows: the tensors that are such.
    """
    given = [one for one in node.input if one and tensors[one].numbers is None]
    source = next((one for one in given if one in rows), given[0] if given else "")
    if not source or not node.output or (source not in rows and node.op_type not in _RESHAPES):
        return False
    before, after = tensors[source].shape, tensors[node.output[0]].shape
    if node.op_type in _RESHAPES:
        is_map = len(before) == 4 and source not in first
        return (is_map or source in rows) and before[-1:] == after[-1:] and len(before) != len(after)
    return before[:-1] == after[:-1]


_RESHAPES = frozenset({"Flatten", "Reshape", "Squeeze", "Unsqueeze"})


def is_local(kind: str, call: Call, given: Sequence[Key | None], first: frozenset[Key]) -> bool:
    """Whether an operator leaves each place where it is, or mixes it with its neighbours only.

    Args:
        kind: of the operator; call: what it is told.
        given: its inputs, constants among them.
        first: see `channels_first`.
    """
    if kind not in _MOVING:
        return True
    shape, made = call.shape(), call.outputs[0]
    if len(shape) < 4 or len(made) < 4:
        return False
    is_first = given[0] in first or any(one in first for one in given)
    if kind == "Transpose":
        perm = tuple(call.option("perm", ()))
        if is_first:
            return perm == TO_LAST or perm[-2:] == (len(shape) - 2, len(shape) - 1)
        return perm == TO_FIRST
    if kind in _WITH_AN_AXIS:
        axis = call.axis(0)
        return 0 < axis < len(shape) - 2 if is_first else axis == len(shape) - 1
    if is_first:  # channels are arranged in another way, and planes stay as they are
        return kind in _ARRANGING and shape[-2:] == made[-2:]
    return kind in _PRODUCTS and len(call.shape(_PRODUCTS[kind])) == 2  # of each place's channels


_ARRANGING = frozenset({"Expand", "Reshape", "Slice", "Squeeze", "Unsqueeze"})
_PRODUCTS = {"MatMul": 1, "MatMulInteger": 1, "QLinearMatMul": 3}
