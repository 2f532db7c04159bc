"""Who takes part, and by what is judged: the one table of the league."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple

MEASURES = ("insertion", "deletion", "drop", "sparsity", "pointing", "inside")
"""Six, chosen before the first run; without masks the last two are left out."""

ENVIRONMENTS: Mapping[str, Sequence[Sequence[str]]] = {
    "torch": (["torch==2.13.0"], ["torchvision==0.28.0"], ["torchcam==0.5.0"], ["grad-cam==1.5.7"]),
    "openvino": (["openvino-xai==1.1.0"], ["openvino==2024.4.0"]),
    # Xplique asks for TensorFlow with CUDA, some GB of it; on a processor the other build is the same.
    "xplique": (
        ["tensorflow-cpu==2.20.0", "deprecated", "einops", "matplotlib", "opencv-python-headless"],
        ["scikit-learn<=1.7.2", "scipy<=1.15.3", "scikit-image<=0.25.2", "cloudpickle", "decorator", "dm-tree"],
        ["--no-deps", "tf-keras==2.20.1", "tensorflow-probability==0.25.0", "xplique==2.0.2"],
    ),
}
"""What each needs, in the order in which it is installed."""


class Contender(NamedTuple):
    """One row.

    Attributes:
        name: in files.
        library: and its version.
        title: what it is, and at which layers: ``last`` is the features, ``finer`` the next finer map, ``finest`` the
            one before that.
        environment: which it runs in, see `ENVIRONMENTS`; None for camlite's own.
        share: of the pictures that it is given, where it is slow.
    """

    name: str
    library: str
    title: str
    environment: str | None
    share: float = 1.0

    @property
    def full(self) -> bool:
        """Whether it has all pictures, and so is compared."""
        return self.share == 1


_TORCHCAM, _GRADCAM, _OPENVINO, _XPLIQUE = (
    "torch-cam 0.5.0",
    "pytorch-grad-cam 1.5.7",
    "openvino-xai 1.1.0",
    "Xplique 2.0.2",
)

CAMLITE = (
    Contender("camlite.plain.float32", "camlite", "plain, float32", None),
    Contender("camlite.plain.int8", "camlite", "plain, int8", None),
    Contender("camlite.one.float32", "camlite", "fine, guide at finer, float32", None),
    Contender("camlite.one.int8", "camlite", "fine, guide at finer, int8", None),
    Contender("camlite.two.float32", "camlite", "fine, guides at finest and finer, float32", None),
    Contender("camlite.two.int8", "camlite", "fine, guides at finest and finer, int8", None),
    Contender("camlite.three.float32", "camlite", "fine, guides at finest and twice at finer, float32", None),
    Contender("camlite.three.int8", "camlite", "fine, guides at finest and twice at finer, int8", None),
    Contender("camlite.sharp.float32", "camlite", "fine, as `--maps sharp` chooses, float32", None),
    Contender("camlite.sharp.int8", "camlite", "fine, as `--maps sharp` chooses, int8", None),
)

RIVALS = (
    Contender("torchcam.gradcampp", _TORCHCAM, "Grad-CAM++, last", "torch"),
    Contender("torchcam.layercam", _TORCHCAM, "LayerCAM, last", "torch"),
    Contender("torchcam.layercam.finer", _TORCHCAM, "LayerCAM, finer", "torch"),
    Contender("torchcam.layercam.fused", _TORCHCAM, "LayerCAM, three fused", "torch"),
    Contender("torchcam.refinecam", _TORCHCAM, "RefineCAM, three", "torch"),
    Contender("torchcam.refinecam.layercam", _TORCHCAM, "RefineCAM of LayerCAM, three", "torch"),
    Contender("torchcam.finercam", _TORCHCAM, "FinerCAM, last", "torch"),
    Contender("torchcam.scorecam", _TORCHCAM, "Score-CAM, last", "torch", 0.1),
    Contender("gradcam.gradcam", _GRADCAM, "Grad-CAM, last", "torch"),
    Contender("gradcam.hirescam.finer", _GRADCAM, "HiResCAM, finer", "torch"),
    Contender("gradcam.layercam.fused", _GRADCAM, "LayerCAM, mean of three", "torch"),
    Contender("gradcam.finercam", _GRADCAM, "FinerCAM, last", "torch"),
    Contender("gradcam.refinecam", _GRADCAM, "RefineCAM, three", "torch"),
    Contender("openvino.reciprocam", _OPENVINO, "Recipro-CAM, its own choice", "openvino"),
    Contender("openvino.activationmap", _OPENVINO, "activation map, its own choice", "openvino"),
    Contender("xplique.gradcam", _XPLIQUE, "Grad-CAM, last", "xplique"),
    Contender("xplique.gradcampp", _XPLIQUE, "Grad-CAM++, last", "xplique"),
    Contender("xplique.gradcampp.finer", _XPLIQUE, "Grad-CAM++, finer", "xplique"),
)

CONTROLS = (
    Contender("control.random", "", "a random map", None),
    Contender("control.centre", "", "the middle of the picture", None),
)

ALL = (*CAMLITE, *RIVALS, *CONTROLS)
