"""Weights that the way back through an ONNX model shares with the forward pass, so that the file has them once.

On the way back a convolution is one by its own kernel, turned around and with inputs for outputs. ConvTranspose takes
the kernel as it is. A product with a matrix is one with the same turned around. The weights of one class are a column
of the matrix of which the forward pass takes all.
"""

from __future__ import annotations

import copy
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    import onnx

# Below, its bytes are not worth another kind of operator.
_LARGE = 1024


_FORWARD, _GUIDE = ("features", "scores"), "guide"


def not_needed_for(graph: onnx.GraphProto, outputs: Sequence[str]) -> set[str]:
    """First outputs of the nodes that none of these outputs of the graph depends on."""
    producers = {name: node for node in graph.node for name in node.output}
    needed, waiting = set[str](), list(outputs)
    while waiting:
        node = producers.get(waiting.pop())
        if node is not None and node.output[0] not in needed:
            needed.add(node.output[0])
            waiting += node.input
    return {node.output[0] for node in graph.node} - needed


def share(model: onnx.ModelProto) -> None:
    """Let the way back, of evidence and guide, take the weights of the forward pass, wherever they are the same.

    Args:
        model: float32. Depthwise convolutions stay: a ConvTranspose of groups is slow, and their kernels are small. So
            do the matrices of evidence, which are in 8 bits where the model is.
    """
    from onnx import numpy_helper

    graph = model.graph
    constants = {one.name: numpy_helper.to_array(one) for one in graph.initializer}
    back = not_needed_for(graph, _FORWARD)  # for evidence and guide
    guide = not_needed_for(graph, [one.name for one in graph.output if one.name != _GUIDE])
    known = {
        (kind, constants[node.input[1]].tobytes()): node.input[1]
        for node in graph.node
        if (kind := _kind(node)) and node.output[0] not in back and node.input[1] in constants
    }
    nodes: list[Any] = []
    for node in graph.node:
        if node.output[0] in guide and node.op_type == "MatMul":
            nodes += _share_matrix(node, constants, known)
        nodes.append(node)
        if node.output[0] in back and node.op_type == "Conv":
            _share_kernel(node, constants, known)
        elif node.output[0] in back and node.op_type == "Gather":
            nodes += _share_column(node, constants, known)
    nodes = [copy.deepcopy(node) for node in nodes]  # they go with the list that is emptied
    del graph.node[:]
    graph.node.extend(nodes)
    taken = {name for node in graph.node for name in node.input}
    left = [one for one in graph.initializer if one.name in taken]
    del graph.initializer[:]
    graph.initializer.extend(left)


def _kind(node: onnx.NodeProto) -> str | None:
    """Conv, or MatMul, which Gemm is as well; None of other nodes."""
    if node.op_type == "Gemm" and not _attributes(node).get("transB"):
        return "MatMul"
    return node.op_type if node.op_type in ("Conv", "MatMul") else None


def _share_kernel(node: onnx.NodeProto, constants: Mapping[str, NDArray[Any]], known: Mapping[Any, str]) -> None:
    kernel = constants.get(node.input[1])
    if kernel is None or kernel.size < _LARGE or len(node.input) > 2 or not _is_plain(node):
        return
    turned = _turned(kernel)
    found = known.get(("Conv", np.ascontiguousarray(turned).tobytes()))
    if found is not None and constants[found].shape == turned.shape:
        _become_transposed(node, found, kernel.shape[2:])


def _share_matrix(
    node: onnx.NodeProto, constants: Mapping[str, NDArray[Any]], known: Mapping[Any, str]
) -> list[onnx.NodeProto]:
    """Take a matrix the other way round; returns what turns it, which interpreters do once, as they load the model."""
    from onnx import helper

    matrix = constants.get(node.input[1])
    if matrix is None or matrix.ndim != 2 or matrix.size < _LARGE:
        return []
    found = known.get(("MatMul", np.ascontiguousarray(matrix.T).tobytes()))
    if found is None or constants[found].shape != matrix.T.shape:
        return []
    turned = f"{node.output[0]}.turned"
    node.input[1] = turned
    return [helper.make_node("Transpose", [found], [turned], turned, perm=[1, 0])]


def _share_column(
    node: onnx.NodeProto, constants: Mapping[str, NDArray[Any]], known: Mapping[Any, str]
) -> list[onnx.NodeProto]:
    """Look up columns where there were rows of a matrix; returns what turns them into rows."""
    from onnx import helper

    matrix = constants.get(node.input[0])
    if matrix is None or matrix.ndim != 2 or matrix.size < _LARGE or _attributes(node).get("axis", 0) != 0:
        return []
    found = known.get(("MatMul", np.ascontiguousarray(matrix.T).tobytes()))
    if found is None or constants[found].shape != matrix.T.shape:
        return []
    rows, columns = node.output[0], f"{node.output[0]}.columns"
    node.input[0], node.output[0] = found, columns
    del node.attribute[:]
    node.attribute.append(helper.make_attribute("axis", 1))
    return [helper.make_node("Transpose", [columns], [rows], f"{node.name}.rows", perm=[1, 0])]


def _turned(kernel: NDArray[Any]) -> NDArray[Any]:
    return kernel[..., ::-1, ::-1].swapaxes(0, 1)


def _attributes(node: onnx.NodeProto) -> Mapping[str, Any]:
    from onnx import helper

    return {one.name: helper.get_attribute_value(one) for one in node.attribute}


def _is_plain(node: onnx.NodeProto) -> bool:
    found = _attributes(node)
    strides = found.get("strides", [1, 1])
    return found.get("group", 1) == 1 and list(strides) == [1, 1] and found.get("auto_pad", b"NOTSET") == b"NOTSET"


def _become_transposed(node: onnx.NodeProto, kernel: str, sides: Sequence[int]) -> None:
    from onnx import helper

    found = _attributes(node)
    rates = found.get("dilations", [1, 1])
    reach = [(side - 1) * rate for side, rate in zip(sides, rates, strict=True)]
    pads = [far - pad for far, pad in zip([*reach, *reach], found.get("pads", [0, 0, 0, 0]), strict=True)]
    node.op_type, node.input[1] = "ConvTranspose", kernel
    node.name = node.name.replace("Conv_", "ConvTranspose_")
    del node.attribute[:]
    new = {"kernel_shape": list(sides), "dilations": list(rates), "pads": pads, "strides": [1, 1], "group": 1}
    node.attribute.extend(helper.make_attribute(name, value) for name, value in new.items())
