"""The ends of a TFLite graph under camlite's names, in one signature, which interpreters find them by."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

_SIGNATURE = b"serving_default"


def name_ends(model: Any, image: int, outputs: Mapping[str, int]) -> None:
    """Make these tensors the ends of the only graph, in place of those that it had.

    Args:
        model: objects of the schema, see `camlite_export.sources.tflite.flatbuffer`; changed in place.
        image: the input's tensor.
        outputs: name -> tensor, in the order that the graph is to give them in.
    """
    from ai_edge_litert import schema_py_generated as schema

    (graph,) = model.subgraphs
    signature = schema.SignatureDefT()
    signature.signatureKey, signature.subgraphIndex = _SIGNATURE, 0
    signature.inputs = [_named("image", image)]
    signature.outputs = [_named(name, index) for name, index in sorted(outputs.items())]
    graph.inputs = np.array([image], np.int32)
    graph.outputs = np.array(list(outputs.values()), np.int32)
    model.signatureDefs = [signature]


def _named(name: str, index: int) -> Any:
    from ai_edge_litert import schema_py_generated as schema

    entry = schema.TensorMapT()
    entry.name, entry.tensorIndex = name.encode(), index
    return entry
