"""ONNX models of an operator or a few, and what onnxruntime makes of them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

FLOAT = 1


def model(
    nodes: Sequence[Any],
    shape: Sequence[int | str | None],
    outputs: Mapping[str, Sequence[int | str] | None],
    constants: Mapping[str, Any] | None = None,
    opset: int = 17,
    **fields: Any,
) -> bytes:
    """A model with the input ``image``, float32, and these outputs; None leaves type and shape open.

    Args:
        fields: of the graph or of the model, as ``value_info``, ``functions``.
    """
    from onnx import helper, numpy_helper

    stored = [
        value if hasattr(value, "dims") else numpy_helper.from_array(np.asarray(value), name)
        for name, value in (constants or {}).items()
    ]
    ends = [helper.make_tensor_value_info(name, FLOAT, sides) for name, sides in outputs.items()]
    for value in ends:
        if outputs[value.name] is None:
            value.ClearField("type")
    image = helper.make_tensor_value_info("image", FLOAT, shape)
    inside = {key: fields.pop(key) for key in ("value_info", "sparse_initializer") if key in fields}
    graph = helper.make_graph(list(nodes), "graph", [image], ends, stored, **inside)
    sets = [helper.make_opsetid("", opset), *fields.pop("opsets", ())]
    content: bytes = helper.make_model(graph, opset_imports=sets, ir_version=8, **fields).SerializeToString()
    return content


def node(name: str, inputs: str, outputs: str, **attributes: Any) -> Any:
    """An operator; its tensors are separated by spaces, and one that is left out is ``-``."""
    from onnx import helper

    given = ["" if one == "-" else one for one in inputs.split()]
    return helper.make_node(name, given, outputs.split(), **attributes)


def shapes(content: bytes) -> dict[str, tuple[int, ...]]:
    """The shapes of the outputs that onnxruntime gives for an image of zeros."""
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.log_severity_level = 4
    session = onnxruntime.InferenceSession(content, options, ["CPUExecutionProvider"])
    (image,) = session.get_inputs()
    given = np.zeros([side if isinstance(side, int) else 1 for side in image.shape], np.float32)
    names = [output.name for output in session.get_outputs()]
    return {
        name: tuple(value.shape) for name, value in zip(names, session.run(names, {image.name: given}), strict=True)
    }


def every_shape(content: bytes) -> dict[str, tuple[int, ...]]:
    """The shapes of all tensors of a model."""
    import onnx

    proto = onnx.load_from_string(content)
    known = {output.name for output in proto.graph.output}
    for made in proto.graph.node:
        proto.graph.output.extend(onnx.ValueInfoProto(name=name) for name in made.output if name and name not in known)
    return shapes(proto.SerializeToString())
