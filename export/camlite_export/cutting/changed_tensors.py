"""Run a Keras model with its tensors changed on the way, where converters round them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from camlite_export import workarounds
from camlite_export.cutting.cut import ChangeTensor

if TYPE_CHECKING:
    import keras

_MERGING = frozenset({"Add", "Multiply", "Concatenate", "SeparableConv2D", "DepthwiseConv2D"})


def run(model: keras.Model, inputs: Any, change: ChangeTensor) -> Any:
    """What a functional model gives for inputs, with what each layer is given changed.

    Normalizations and activations are left alone: converters fuse them into others.
    """

    def visit(operation: Any, *arguments: Any, **options: Any) -> Any:
        import keras

        if hasattr(operation, "kernel") or type(operation).__name__ in _MERGING:
            arguments = keras.tree.map_structure(lambda tensor: change(np.asarray(tensor)), arguments)
        return operation(*arguments, **options)

    return workarounds.run_through_graph(model, inputs, visit)
