"""What an ONNX model must be before onnxruntime may see it: a message that is whole, with all its data inside.

onnxruntime's own parser checks the rest, but it follows the names of files that a tensor's data may be kept in: a
hostile model could have it read any file of the device as weights.
"""

from __future__ import annotations

from collections.abc import Mapping

from camlite.artifact.protobuf import fields

# ModelProto -> GraphProto -> TensorProto, by the tags that lead there; attributes of nodes hold tensors and graphs.
_PATHS: Mapping[str, Mapping[int, str]] = {
    "model": {0x3A: "graph", 0xCA: "function"},
    "function": {0x3A: "node", 0x5A: "attribute"},
    "graph": {0x0A: "node", 0x2A: "tensor", 0x7A: "sparse"},
    "node": {0x2A: "attribute"},
    "attribute": {0x2A: "tensor", 0x32: "graph", 0x52: "tensor", 0x5A: "graph", 0xB2: "sparse", 0xBA: "sparse"},
    "sparse": {0x0A: "tensor", 0x12: "tensor"},
    "tensor": {},
}
_EXTERNAL = frozenset({0x6A, 0x70})  # TensorProto.external_data, TensorProto.data_location
_DEEPEST = 32


def verify(model: bytes) -> None:
    """Prove that a ModelProto is whole, and that its tensors carry their data themselves.

    Raises:
        ValueError: it is not; says where.
    """
    todo = [("model", 0, len(model), 0)]
    while todo:
        kind, start, end, depth = todo.pop()
        if depth > _DEEPEST:
            raise ValueError(f"more than {_DEEPEST} messages inside each other at byte {start}")
        for field in fields(model, start, end):
            if kind == "tensor" and field.tag in _EXTERNAL:
                raise ValueError(f"the tensor at byte {start} keeps its data in another file")
            inner = _PATHS[kind].get(field.tag)
            if inner:
                todo.append((inner, field.body, field.end, depth + 1))
