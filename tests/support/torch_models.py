"""Networks of timm, torchvision, transformers and Ultralytics as ONNX files, with torch's own evidence beside them.

``python -m support.torch_models FOLDER [NAME ...]`` in an environment of its own, with torch, timm, torchvision,
transformers, ultralytics, onnx and onnxscript; camlite's has none of these. Weights are random. For each network of
`NETWORKS`, FOLDER gets

- ``NAME.script.onnx``, by the exporter that traces TorchScript, and ``NAME.dynamo.onnx``, by the new one, perhaps with
  its weights in ``NAME.dynamo.onnx.data``;
- ``NAME.npz``: ``images`` uint8 (N, H, W, 3), ``logits`` (N, K), ``features`` (N, h, w, C), and ``evidence`` (N, h, w)
  of the top class: features times torch's gradient of its logit, summed over channels.
"""

from __future__ import annotations

import functools
import sys
import warnings
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

MEAN, STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)
IMAGES = 4


class Network(NamedTuple):
    """A network.

    Attributes:
        library: that has it.
        name: in there.
        side: of its images.
        module: whose input, or output, is the last feature map.
        at: which of the two.
        adds_up: whether evidence adds up to the logits: the head behind it is affine, or linear in pieces.
        classes: K.
        options: of the constructor.
        layers: where to cut its files, by exporter, as they are refused at their last feature map.
    """

    library: str
    name: str
    side: int
    module: str
    at: str = "input"
    adds_up: bool = True
    classes: int = 10
    options: Mapping[str, Any] = {}
    layers: Mapping[str, str] = {}


_FOUR_STAGES = {"hidden_sizes": [16, 24, 32, 48], "depths": [1, 1, 2, 1]}

NETWORKS: Mapping[str, Network] = {
    "small_residual": Network("small", "residual", 40, "pool", classes=5),
    "small_normalized": Network("small", "normalized", 40, "pool", adds_up=False, classes=5),
    "timm_test_resnet": Network("timm", "test_resnet", 160, "global_pool"),
    "timm_test_convnext": Network("timm", "test_convnext", 160, "head.global_pool", adds_up=False),
    "timm_test_efficientnet": Network("timm", "test_efficientnet", 160, "global_pool"),
    "timm_mobilenetv3_small_050": Network("timm", "mobilenetv3_small_050", 96, "global_pool", adds_up=False),
    "timm_lcnet_050": Network("timm", "lcnet_050", 96, "global_pool", adds_up=False),
    "timm_repvgg_a0": Network("timm", "repvgg_a0", 96, "head.global_pool"),
    "timm_ghostnet_050": Network("timm", "ghostnet_050", 96, "global_pool"),
    "timm_tinynet_e": Network("timm", "tinynet_e", 106, "global_pool"),
    "timm_dla46_c": Network("timm", "dla46_c", 96, "global_pool"),
    "timm_regnetx_002": Network("timm", "regnetx_002", 96, "head.global_pool"),
    "timm_hardcorenas_a": Network("timm", "hardcorenas_a", 96, "global_pool", adds_up=False),
    "timm_resnet10t": Network("timm", "resnet10t", 96, "global_pool"),
    "torchvision_resnet18": Network("torchvision", "resnet18", 96, "avgpool"),
    "torchvision_mobilenet_v2": Network("torchvision", "mobilenet_v2", 96, "features", "output"),
    "torchvision_mobilenet_v3_small": Network("torchvision", "mobilenet_v3_small", 96, "avgpool", adds_up=False),
    "torchvision_shufflenet_v2_x0_5": Network("torchvision", "shufflenet_v2_x0_5", 96, "conv5", "output"),
    "torchvision_squeezenet1_1": Network("torchvision", "squeezenet1_1", 96, "classifier.3"),
    "torchvision_mnasnet0_5": Network("torchvision", "mnasnet0_5", 96, "layers", "output"),
    "torchvision_densenet121": Network("torchvision", "densenet121", 96, "features", "output_relu"),
    "torchvision_efficientnet_b0": Network("torchvision", "efficientnet_b0", 96, "avgpool"),
    "torchvision_googlenet": Network(
        "torchvision", "googlenet", 96, "avgpool", options={"aux_logits": False, "init_weights": True}
    ),
    "torchvision_regnet_y_400mf": Network("torchvision", "regnet_y_400mf", 96, "avgpool"),
    "torchvision_resnet50_1000": Network("torchvision", "resnet50", 96, "avgpool", classes=1000),
    "torchvision_vgg11": Network("torchvision", "vgg11", 32, "avgpool"),
    "transformers_resnet": Network(
        "transformers",
        "ResNet",
        96,
        "model.resnet.pooler",
        options={"hidden_sizes": [32, 64, 64, 128], "depths": [1, 1, 1, 1], "embedding_size": 16},
    ),
    "transformers_mobilenet_v1": Network(
        "transformers", "MobileNetV1", 96, "model.mobilenet_v1.pooler", options={"depth_multiplier": 0.25}
    ),
    "transformers_mobilenet_v2": Network(
        "transformers", "MobileNetV2", 96, "model.mobilenet_v2.pooler", options={"depth_multiplier": 0.35}
    ),
    "transformers_efficientnet": Network(
        "transformers",
        "EfficientNet",
        96,
        "model.efficientnet.pooler",
        options={"width_coefficient": 0.5, "depth_coefficient": 0.5, "hidden_dim": 640},
    ),
    "transformers_regnet": Network(
        "transformers",
        "RegNet",
        96,
        "model.regnet.pooler",
        options={"hidden_sizes": [16, 32, 48, 64], "depths": [1, 1, 2, 1], "embedding_size": 16, "groups_width": 16},
    ),
    "transformers_convnext": Network(
        "transformers", "ConvNext", 96, "model.convnext.encoder.stages.3", "output", adds_up=False, options=_FOUR_STAGES
    ),
    "transformers_convnextv2": Network(
        "transformers",
        "ConvNextV2",
        96,
        "model.convnextv2.encoder.stages.3",
        "output",
        adds_up=False,
        options=_FOUR_STAGES,
    ),
    "transformers_poolformer": Network("transformers", "PoolFormer", 96, "model.norm", "output", options=_FOUR_STAGES),
    "transformers_focalnet": Network(
        "transformers",
        "FocalNet",
        96,
        "model.focalnet.encoder.stages.2.downsample.projection",
        adds_up=False,
        options={"image_size": 96, "embed_dim": 16, "depths": [1, 1, 2, 1]},
        layers={"script": "/model/focalnet/encoder/stages.2/Reshape", "dynamo": "node_view_13"},
    ),
    "ultralytics_yolov8n_cls": Network("ultralytics", "yolov8n-cls", 96, "model.model.9.conv", "output", classes=1000),
}


def _small() -> Mapping[str, Any]:
    """Two networks of our own, small enough to be kept beside the tests: one as ResNets are, one as ConvNeXts are."""
    import torch
    from torch import nn

    def block(given: int, channels: int, stride: int) -> Any:
        return nn.Sequential(
            nn.Conv2d(given, channels, 3, stride, 1, bias=False), nn.BatchNorm2d(channels), nn.ReLU(),
            nn.Conv2d(channels, channels, 3, 1, 1, groups=4, bias=False), nn.BatchNorm2d(channels),
        )  # fmt: skip

    class Residual(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.stem = nn.Sequential(nn.Conv2d(3, 8, 7, 2, 3), nn.ReLU(), nn.MaxPool2d(3, 2, 1))
            self.first, self.second = block(8, 8, 1), block(8, 16, 2)
            self.beside = nn.AvgPool2d(2, ceil_mode=True, count_include_pad=False)
            self.last, self.pool, self.fc = nn.ReLU(), nn.AdaptiveAvgPool2d(1), nn.Linear(16, 5)

        def forward(self, x: Any) -> Any:
            x = self.stem(x)
            x = torch.relu(x + self.first(x))
            x = self.second(x) + torch.cat([self.beside(x)] * 2, dim=1)
            return self.fc(self.pool(self.last(x)).flatten(1))

    class Normalized(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.stem, self.deep = nn.Conv2d(3, 12, 4, 4), nn.Conv2d(12, 12, 5, padding=2, groups=12)
            self.norm, self.up, self.down = nn.LayerNorm(12), nn.Linear(12, 24), nn.Linear(24, 12)
            self.reduced, self.pool = nn.Conv2d(12, 16, 2, 2), nn.AdaptiveAvgPool2d(1)
            self.after, self.hidden, self.fc = nn.LayerNorm(16), nn.Linear(16, 16), nn.Linear(16, 5)

        def forward(self, x: Any) -> Any:
            x = self.stem(x)
            one = self.norm(self.deep(x).permute(0, 2, 3, 1))
            x = x + self.down(nn.functional.gelu(self.up(one))).permute(0, 3, 1, 2)
            x = nn.functional.silu(self.reduced(x))
            return self.fc(nn.functional.hardswish(self.hidden(self.after(self.pool(x).flatten(1)))))

    return {"residual": Residual, "normalized": Normalized}


@functools.cache
def _torchvision() -> Any:
    """torchvision; its native operators are not needed, and are not there beside a torch for CPUs only."""
    import torch

    operators = torch.library.Library("torchvision", "FRAGMENT")
    for name in ("nms", "qnms"):
        operators.define(f"{name}(Tensor dets, Tensor scores, float iou_threshold) -> Tensor")
    import torchvision

    vars(torchvision)["kept"] = operators
    return torchvision


def _logits_of(model: Any) -> Any:
    """A module that gives logits only, of one that gives them among other things."""
    from torch import nn

    class Logits(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.model = model

        def forward(self, x: Any) -> Any:
            found = self.model(x)
            return found[1] if isinstance(found, tuple) else found.logits  # of Ultralytics: probabilities, and these

    return Logits()


def built(network: Network) -> Any:
    """The network, its normalizations lively, ready to answer."""
    import torch

    torch.manual_seed(0)
    if network.library == "small":
        model = _small()[network.name]()
    elif network.library == "timm":
        _torchvision()  # timm imports it, too
        import timm

        model = timm.create_model(network.name, num_classes=network.classes, **network.options)
    elif network.library == "transformers":
        import transformers

        _torchvision()
        config = getattr(transformers, f"{network.name}Config")(num_labels=network.classes, **network.options)
        model = _logits_of(getattr(transformers, f"{network.name}ForImageClassification")(config))
    elif network.library == "ultralytics":
        _torchvision()
        import ultralytics

        whole = ultralytics.YOLO(f"{network.name}.yaml").model  # built from its description, nothing is fetched
        model = _logits_of(whole)
    else:
        model = getattr(_torchvision().models, network.name)(num_classes=network.classes, **network.options)
    chance = torch.Generator().manual_seed(1)
    for module in model.modules():
        if isinstance(module, torch.nn.BatchNorm2d):
            module.running_mean.normal_(0, 0.1, generator=chance)
            module.running_var.uniform_(0.5, 1.5, generator=chance)
            if module.affine:
                module.weight.data.uniform_(0.8, 1.2, generator=chance)
                module.bias.data.normal_(0, 0.1, generator=chance)
    model.eval()
    return model


def evidence(model: Any, network: Network) -> dict[str, np.ndarray]:
    """What torch says of some images, by its own gradients."""
    import torch

    images = np.random.default_rng(0).integers(0, 256, (IMAGES, network.side, network.side, 3)).astype(np.uint8)
    pixels = (images.astype(np.float32) / 255 - np.float32(MEAN)) / np.float32(STD)
    seen: list[Any] = []

    def keep(one: Any) -> None:
        one.retain_grad()
        seen.append(one)

    module = model.get_submodule(network.module)
    if network.at == "input":
        module.register_forward_pre_hook(lambda _, given: keep(given[0]))
    else:

        def take(_: Any, __: Any, output: Any) -> Any:
            found = torch.relu(output) if network.at == "output_relu" else output
            keep(found)
            return found

        module.register_forward_hook(take)
    logits = model(torch.from_numpy(np.ascontiguousarray(pixels.transpose(0, 3, 1, 2))))
    logits.max(dim=1).values.sum().backward()
    (features,) = seen
    maps = (features * features.grad).sum(dim=1)
    return {
        "images": images,
        "logits": logits.detach().numpy(),
        "features": features.detach().permute(0, 2, 3, 1).contiguous().numpy(),
        "evidence": maps.detach().numpy(),
    }


def _forget_places(path: Path) -> None:
    """Without the lines of source code that the exporters write beside each operator."""
    import onnx

    model = onnx.load(path, load_external_data=False)
    for values in (model.graph.node, model.graph.value_info, [model.graph], model.graph.initializer):
        for value in values:
            value.doc_string = ""
            del value.metadata_props[:]
    path.write_bytes(model.SerializeToString(deterministic=True))


def main(folder: Path, names: list[str]) -> None:
    import torch

    torch.set_num_threads(1)
    folder.mkdir(parents=True, exist_ok=True)
    for name in names or NETWORKS:
        network = NETWORKS[name]
        if (folder / f"{name}.npz").exists():
            continue
        image = torch.zeros(1, 3, network.side, network.side)
        for exporter, dynamo in (("script", False), ("dynamo", True)):
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                path = folder / f"{name}.{exporter}.onnx"
                torch.onnx.export(built(network), (image,), str(path), dynamo=dynamo, verbose=False)
            _forget_places(path)
        np.savez(folder / f"{name}.npz", **evidence(built(network), network))
        print(name, flush=True)


if __name__ == "__main__":
    main(Path(sys.argv[1]), sys.argv[2:])
