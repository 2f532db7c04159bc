"""torch-cam and pytorch-grad-cam. Runs in an environment of their own.

python rival_torch.py FOLDER NAME...
"""

from __future__ import annotations

import sys
import types
from collections.abc import Callable
from pathlib import Path

import numpy as np
import plain_network
import torch
import turns
from torch_network import TorchNetwork

# pytorch-grad-cam imports torchvision, and uses none of the operators that this module of it registers: they are built
# for CUDA's torch on PyPI, and registering them fails beside a torch for the CPU.
sys.modules["torchvision._meta_registrations"] = types.ModuleType("torchvision._meta_registrations")

Explain = Callable[[torch.Tensor, int], object]


def torch_cam(method: str, base: str | None = None) -> Callable[[TorchNetwork, list[str]], Explain]:
    """A class of torchcam.methods, at layers; its maps of several layers are fused as it does."""
    from torchcam import methods

    def made(network: TorchNetwork, layers: list[str]) -> Explain:
        given = {"base_method": getattr(methods, base)} if base else {}
        shape = tuple(network.image_shape)
        extractor = getattr(methods, method)(network, [f"layers.{one}" for one in layers], input_shape=shape, **given)

        def explain(image: torch.Tensor, k: int) -> object:
            scores = network(image)
            maps = extractor(k, scores)
            return (maps[0] if len(maps) == 1 else extractor.fuse_cams(maps)).detach()[0].numpy()

        return explain

    return made


def grad_cam(method: str) -> Callable[[TorchNetwork, list[str]], Explain]:
    """A class of pytorch_grad_cam, at layers; it enlarges its maps itself, and takes the mean over layers."""
    import pytorch_grad_cam
    from pytorch_grad_cam.utils.model_targets import ClassifierOutputTarget

    def made(network: TorchNetwork, layers: list[str]) -> Explain:
        cam = getattr(pytorch_grad_cam, method)(network, [network.layers[one] for one in layers])

        def explain(image: torch.Tensor, k: int) -> object:
            if method == "FinerCAM":
                return cam.forward(image, None, target_idx=k)[0]
            return cam(image, [ClassifierOutputTarget(k)])[0]

        return explain

    return made


# By the names in `league.CONTENDERS`: what makes it, and at which of `turns.Task.layers`.
_CONTENDERS = {
    "torchcam.gradcampp": (torch_cam("GradCAMpp"), [0]),
    "torchcam.layercam": (torch_cam("LayerCAM"), [0]),
    "torchcam.layercam.finer": (torch_cam("LayerCAM"), [1]),
    "torchcam.layercam.fused": (torch_cam("LayerCAM"), [2, 1, 0]),
    "torchcam.refinecam": (torch_cam("RefineCAM"), [2, 1, 0]),
    "torchcam.refinecam.layercam": (torch_cam("RefineCAM", "LayerCAM"), [2, 1, 0]),
    "torchcam.finercam": (torch_cam("FinerCAM"), [0]),
    "torchcam.scorecam": (torch_cam("ScoreCAM"), [0]),
    "gradcam.gradcam": (grad_cam("GradCAM"), [0]),
    "gradcam.hirescam.finer": (grad_cam("HiResCAM"), [1]),
    "gradcam.layercam.fused": (grad_cam("LayerCAM"), [2, 1, 0]),
    "gradcam.finercam": (grad_cam("FinerCAM"), [0]),
    "gradcam.refinecam": (grad_cam("RefineCAM"), [2, 1, 0]),
}


def explain(folder: Path, name: str, count: int) -> tuple[np.ndarray, np.ndarray, range, float]:
    """Maps and seconds of one contender on the first pictures, which of them, and how its scores differ at most."""
    task = turns.read_task(folder)
    plain, hooked = (TorchNetwork(plain_network.read(folder / "network.npz")).eval() for _ in range(2))
    hooked.image_shape = (task.inputs.shape[3], *task.inputs.shape[1:3])
    make, layers = _CONTENDERS[name]
    method = make(hooked, [task.layers[one] for one in layers])
    images = np.ascontiguousarray(task.inputs.transpose(0, 3, 1, 2))
    with torch.inference_mode():
        worst = turns.check_scores(task, turns.softmax(plain(torch.from_numpy(images[:20])).numpy()))

    def tensor(image: np.ndarray) -> torch.Tensor:
        return torch.from_numpy(np.ascontiguousarray(image.transpose(2, 0, 1)))[None]

    def bare(image: np.ndarray) -> int:
        with torch.inference_mode():
            return int(plain(tensor(image)).argmax())

    indices = range(0, len(images), max(1, len(images) // count))[:count]
    maps, seconds = turns.run(task, bare, lambda image, k: method(tensor(image), k), indices)
    return maps, seconds, indices, worst


def main() -> None:
    """Each contender that is named as NAME=COUNT, COUNT pictures each."""
    torch.set_num_threads(1)
    folder = Path(sys.argv[1])
    for one in sys.argv[2:]:
        name, _, count = one.partition("=")
        maps, seconds, indices, worst = explain(folder, name, int(count))
        turns.save(folder, name, maps, seconds, indices, worst)
        print(name, flush=True)


if __name__ == "__main__":
    main()
