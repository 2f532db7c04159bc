"""The same network in torch: modules that carry the names of the Keras layers, NCHW, logits out."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from plain_network import Layer
from torch import nn


class TorchNetwork(nn.Module):
    """Layers that take the outputs of layers before them, by name."""

    def __init__(self, layers: Sequence[Layer]) -> None:
        super().__init__()
        self._inputs = {layer.name: layer.inputs for layer in layers}
        self.layers = nn.ModuleDict({layer.name: _MAKERS[layer.kind](layer) for layer in layers})

    def forward(self, image: torch.Tensor) -> torch.Tensor:
        """(N, channels, H, W) -> logits (N, K)."""
        values: dict[str, torch.Tensor] = {}
        found = image
        for name, module in self.layers.items():
            values[name] = found = module(*([values[one] for one in self._inputs[name]] or [image]))
        return found


class _Add(nn.Module):
    def forward(self, first: torch.Tensor, second: torch.Tensor) -> torch.Tensor:
        return first + second


class _Same(nn.Module):
    """Padding as TensorFlow has it: where it is uneven, the more is behind."""

    def __init__(self, kernel: int, stride: int) -> None:
        super().__init__()
        self._kernel, self._stride = kernel, stride

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        missing = [max((-(-side // self._stride) - 1) * self._stride + self._kernel - side, 0) for side in x.shape[2:]]
        above, left = (one // 2 for one in missing)
        return nn.functional.pad(x, (left, missing[1] - left, above, missing[0] - above))


def _convolution(layer: Layer) -> nn.Module:
    kernel = torch.from_numpy(layer.arrays[0])  # height, width, in, out; depthwise: height, width, channels, 1
    depthwise = layer.kind == "DepthwiseConv2D"
    stored = kernel.permute(2, 3, 0, 1) if depthwise else kernel.permute(3, 2, 0, 1)
    channels, size, (stride, _) = stored.shape[0], kernel.shape[0], layer.settings["strides"]
    bias = layer.settings["use_bias"]
    groups = channels if depthwise else 1
    conv = nn.Conv2d(kernel.shape[2], channels, size, stride, groups=groups, bias=bias)
    conv.weight.data = stored.contiguous()
    if bias:
        conv.bias.data = torch.from_numpy(layer.arrays[1])
    modules: list[nn.Module] = [conv]
    if layer.settings["padding"] == "same":
        if stride == 1 and size % 2:
            conv.padding = (size // 2, size // 2)
        else:
            modules.insert(0, _Same(size, stride))
    if layer.settings["activation"] == "relu":
        modules.append(nn.ReLU())
    elif layer.settings["activation"] != "linear":
        raise ValueError(f"{layer.name}: activation {layer.settings['activation']!r} is not known here")
    return modules[0] if len(modules) == 1 else nn.Sequential(*modules)


def _norm(layer: Layer) -> nn.Module:
    arrays = iter(torch.from_numpy(one) for one in layer.arrays)
    channels = len(layer.arrays[0])
    norm = nn.BatchNorm2d(channels, eps=layer.settings["epsilon"])
    norm.weight.data = next(arrays) if layer.settings["scale"] else torch.ones(channels)
    norm.bias.data = next(arrays) if layer.settings["center"] else torch.zeros(channels)
    norm.running_mean, norm.running_var = next(arrays), next(arrays)
    return norm


def _dense(layer: Layer) -> nn.Module:
    dense = nn.Linear(*layer.arrays[0].shape, bias=layer.settings["use_bias"])
    dense.weight.data = torch.from_numpy(layer.arrays[0].T.copy())
    if layer.settings["use_bias"]:
        dense.bias.data = torch.from_numpy(layer.arrays[1])
    return dense


def _activation(layer: Layer) -> nn.Module:
    if layer.settings["activation"] != "relu":
        raise ValueError(f"{layer.name}: activation {layer.settings['activation']!r} is not known here")
    return nn.ReLU()


_MAKERS = {
    "InputLayer": lambda _: nn.Identity(),
    "Conv2D": _convolution,
    "DepthwiseConv2D": _convolution,
    "BatchNormalization": _norm,
    "ReLU": lambda layer: nn.ReLU() if layer.settings["max_value"] is None else nn.ReLU6(),
    "MaxPooling2D": lambda layer: nn.MaxPool2d(layer.settings["pool_size"][0], layer.settings["strides"][0]),
    "Activation": _activation,
    "Add": lambda _: _Add(),
    "GlobalAveragePooling2D": lambda _: nn.Sequential(nn.AdaptiveAvgPool2d(1), nn.Flatten()),
    "Dropout": lambda _: nn.Identity(),
    "Dense": _dense,
}
