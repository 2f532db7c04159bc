"""An output more of an ONNX graph: a tensor that it has already, as an artifact gives it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from camlite.soundness.onnx_operator import Tensor
from camlite_export.sources.onnx import layouts

_FLOAT = 1


def in_float32(graph: Any, tensors: Mapping[str, Tensor], key: str) -> str:
    """Append what makes float32 of a tensor in 16 bits, which changes no number; returns the name of what has them."""
    if tensors[key].dtype.name != "float16":
        return key
    return _appended(graph, "Cast", key, "float32", to=_FLOAT)


def append(graph: Any, tensors: Mapping[str, Tensor], key: str, turned: bool) -> str:
    """Append what an output needs; returns its name, the tensor's own where it needs nothing.

    Args:
        graph: an `onnx.GraphProto`, which is changed; its outputs are not.
        tensors: what is known of each tensor.
        key: of the tensor.
        turned: whether a map (N, H, W, C) is to be (N, C, H, W).
    """
    name = in_float32(graph, tensors, key)
    return _appended(graph, "Transpose", name, "channels_first", perm=layouts.TO_FIRST) if turned else name


def _appended(graph: Any, kind: str, given: str, called: str, **attributes: Any) -> str:
    from onnx import helper

    name = f"camlite/{called}/{given}"
    if not any(name in node.output for node in graph.node):
        graph.node.append(helper.make_node(kind, [given], [name], name=name, **attributes))
    return name
