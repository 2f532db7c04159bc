"""torch-cam and pytorch-grad-cam on the reference classifier's architecture: times one of their maps takes, over the
plain forward pass. Runs in an environment of its own; prints JSON."""

from __future__ import annotations

import json
import sys
import types

import numpy as np
import torch
from racing import against
from torch import nn

# pytorch-grad-cam imports torchvision, and uses none of the operators that this module of it registers: they are built
# for CUDA's torch on PyPI, and registering them fails beside a torch for the CPU.
sys.modules["torchvision._meta_registrations"] = types.ModuleType("torchvision._meta_registrations")


def main() -> None:
    """Race each library against the forward pass of the same model."""
    from pytorch_grad_cam import GradCAM
    from torchcam.methods import CAM

    torch.set_num_threads(1)
    image = torch.from_numpy(np.random.default_rng(0).random((1, 1, 28, 28), np.float32))
    plain, hooked, wrapped = (_build().eval() for _ in range(3))
    extractor = CAM(hooked, target_layer=hooked.features, fc_layer="scores")
    gradients = GradCAM(model=wrapped, target_layers=[wrapped.features])

    def classify() -> int:
        with torch.inference_mode():
            return int(plain(image).argmax())

    def torchcam() -> object:
        with torch.inference_mode():
            scores = hooked(image)
            (small,) = extractor(int(scores.argmax()), scores)
            return nn.functional.interpolate(small[None], (28, 28), mode="bilinear")

    contenders = {"torch-cam": torchcam, "pytorch-grad-cam": lambda: gradients(image, None)}
    print(json.dumps({name: against(classify, contender) for name, contender in contenders.items()}))


def _build() -> nn.Module:
    model = nn.Sequential()
    channels = 1
    for filters in (16, 32, 64):
        model.append(nn.Sequential(nn.Conv2d(channels, filters, 3, padding=1), nn.ReLU(), nn.MaxPool2d(2)))
        channels = filters
    whole = nn.Sequential()
    whole.add_module("body", model)
    whole.add_module("features", nn.Sequential(nn.Conv2d(channels, 128, 3, padding=1), nn.ReLU()))
    whole.add_module("average", nn.AdaptiveAvgPool2d(1))
    whole.add_module("flatten", nn.Flatten())
    whole.add_module("scores", nn.Linear(128, 10))
    return whole


if __name__ == "__main__":
    main()
