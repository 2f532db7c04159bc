"""A Keras classifier as a list of plain layers and their arrays, which any framework can be given: numpy only.

Written by `write` where Keras is, read by `read` where it is not. So all rivals have the same weights.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

_SETTINGS = {
    "Conv2D": ("strides", "padding", "use_bias"),
    "DepthwiseConv2D": ("strides", "padding", "use_bias"),
    "BatchNormalization": ("epsilon", "scale", "center"),
    "ReLU": ("max_value",),
    "MaxPooling2D": ("pool_size", "strides", "padding"),
    "Activation": ("activation",),
    "Dense": ("use_bias",),
    "Add": (),
    "GlobalAveragePooling2D": (),
    "InputLayer": (),
    "Flatten": (),
    "Dropout": (),
    "Softmax": (),
}


class Layer(NamedTuple):
    """One of them.

    Attributes:
        kind: Keras's class.
        name: its name.
        inputs: names of the layers whose outputs it takes.
        settings: of its kind, as Keras has them.
        arrays: its weights, as Keras orders them.
    """

    kind: str
    name: str
    inputs: tuple[str, ...]
    settings: dict[str, Any]
    arrays: tuple[np.ndarray, ...]


def write(model: Any, path: Path) -> None:
    """Write a Keras 3 model; its last activation is left out, as maps are made of logits."""
    import keras

    layers, arrays = [], {}
    known = {layer.name for layer in model.layers}  # a Sequential does not count its input among them
    for layer in model.layers:
        kind, settings = type(layer).__name__, layer.get_config()
        if settings.get("activation") not in (None, "linear") and layer is not model.layers[-1] and kind == "Dense":
            raise ValueError(f"{layer.name}: an activation within a Dense layer is not told")
        inputs = [] if kind == "InputLayer" else keras.tree.flatten(layer.input)
        names = [name for name in (tensor._keras_history.operation.name for tensor in inputs) if name in known]
        kept = {name: settings[name] for name in _SETTINGS[kind]}
        if kind in ("Conv2D", "DepthwiseConv2D"):
            kept["activation"] = settings["activation"]
        layers.append([kind, layer.name, names, kept, len(layer.weights)])
        arrays |= {f"{layer.name}/{i}": np.asarray(one) for i, one in enumerate(layer.weights)}
    np.savez(path, layers=np.array(json.dumps(layers)), **arrays)


def read(path: Path) -> list[Layer]:
    """The layers, in an order in which they can be run; the last one gives logits."""
    with np.load(path) as stored:
        return [
            Layer(kind, name, tuple(inputs), settings, tuple(stored[f"{name}/{i}"] for i in range(count)))
            for kind, name, inputs, settings, count in json.loads(str(stored["layers"]))
        ]
