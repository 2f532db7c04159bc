"""Run a Keras model with its tensors changed on the way, where converters round them."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from camlite_export import workarounds
from camlite_export.sources.source import Floats

if TYPE_CHECKING:
    import keras

ChangeTensor = Callable[[Floats], Floats]
"""Gives a tensor changed, of the same shape."""

_MERGING = frozenset({"Add", "Multiply", "Concatenate", "SeparableConv2D", "DepthwiseConv2D"})


def run(model: keras.Model, inputs: Any, change: ChangeTensor, everywhere: bool = False) -> Any:
    """What a functional model gives for inputs, with what each layer is given changed.

    Normalizations and activations are left alone: converters fuse them into others.

    Args:
        everywhere: they are not, as where every operation rounds.
    """
    import keras

    def changed(tensor: Any) -> Any:
        is_float = "float" in str(getattr(tensor, "dtype", ""))
        return change(np.asarray(tensor, np.float32)) if is_float else tensor

    def visit(operation: Any, *arguments: Any, **options: Any) -> Any:
        if everywhere or hasattr(operation, "kernel") or type(operation).__name__ in _MERGING:
            arguments = keras.tree.map_structure(changed, arguments)
        return operation(*arguments, **options)

    return workarounds.run_through_graph(model, inputs, visit)


@contextlib.contextmanager
def kernels(models: Sequence[Any], change: ChangeTensor | None) -> Iterator[None]:
    """While it lasts, the kernels of models are changed; afterwards they are as they were."""
    found = {id(kernel): kernel for model in models for layer in _layers(model) for kernel in _kernels(layer)}
    kept = {key: np.array(kernel) for key, kernel in found.items()}
    try:
        for key, kernel in found.items():
            kernel.assign(change(kept[key]) if change else kept[key])
        yield
    finally:
        for key, kernel in found.items():
            kernel.assign(kept[key])


def _layers(model: Any) -> Iterator[Any]:
    for layer in getattr(model, "layers", ()):
        yield layer
        yield from _layers(layer)


def _kernels(layer: Any) -> Iterator[Any]:
    for name in ("kernel", "depthwise_kernel", "pointwise_kernel"):
        kernel = getattr(layer, name, None)
        if kernel is not None:
            yield kernel
