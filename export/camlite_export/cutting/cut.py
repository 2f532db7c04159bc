"""What everybody behind the cut knows of a classifier: card, golden samples, targets, parity.

`Cut` is asked for answers; it may stand for a classifier of any framework. `TraceableCut` is, besides, a function of
TensorFlow whose weights can be adjusted: what targets convert. Nobody needs to know what is behind either of them.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from camlite.artifact.card import Activation
from camlite.artifact.evidence_methods import EvidenceMethod
from camlite.artifact.map_choice import GuideMethod
from camlite_export.cutting.guide import GuideLayers
from camlite_export.cutting.heads import AffineHead
from camlite_export.sources.changed_tensors import ChangeTensor
from camlite_export.sources.source import Answer, Floats, Source, Step

ChangeKernel = Callable[[Floats, tuple[int, ...]], Floats]
"""Gives a kernel changed, of the same shape; knows the axes of its output channels."""


class Cut(Protocol):
    """A classifier cut in two at its last feature map.

    All arrays are numpy's, and features are (height, width, channels), whatever the framework has inside.
    """

    @property
    def source(self) -> Source:
        """The original."""
        ...

    @property
    def step(self) -> Step:
        """The step of the original whose output is the feature map."""
        ...

    @property
    def layer(self) -> str:
        """Name of the layer that gives the features, as `camlite inspect` lists it."""
        ...

    @property
    def image_shape(self) -> tuple[int, int, int]:
        """Height, width and channels (1 or 3) of the input."""
        ...

    @property
    def feature_shape(self) -> tuple[int, int, int]:
        """h, w and C of the features; h * w is more than 1."""
        ...

    @property
    def classes(self) -> int:
        """K, at least 2."""
        ...

    @property
    def activation(self) -> Activation:
        """What turns logits into scores."""
        ...

    @property
    def affine(self) -> AffineHead | None:
        """Class weights and bias of the head; None where it is not affine, and evidence comes from its gradient."""
        ...

    @property
    def evidence_method(self) -> EvidenceMethod:
        """How what is exported makes evidence, a word of `camlite.artifact.evidence_methods`."""
        ...

    @property
    def evidence_methods(self) -> tuple[EvidenceMethod, ...]:
        """How its evidence could be made, the default first."""
        ...

    def answer(self, inputs: Floats) -> Answer:
        """Features and scores of inputs, float32 (N, H, W, channels), by the original: what artifacts are held against.

        Any N, see `camlite_export.sources.source.Source.answer`.
        """
        ...

    def prove(self, inputs: Floats) -> None:
        """See that what is converted says what the original says of inputs, float32 (N, H, W, channels).

        Raises:
            ClassifierError: it says something else, by more than rounding explains; or the original gives numbers for
                none of them that are finite.
        """
        ...

    def evidence(self, features: Floats, classes: NDArray[np.int64]) -> Floats:
        """Evidence of one class an image in logits, float32 (N, h, w), of features (N, h, w, C) and classes (N,).

        Features times class weights, or times the framework's own gradient where the head is not affine.
        """
        ...

    @property
    def guide_layers(self) -> GuideLayers | None:
        """What a guide is made of; None where what is exported has none."""
        ...

    @property
    def finer_steps(self) -> Sequence[Any]:
        """Steps of finer feature maps in front of the cut, at which a guide can be made; in the image's order."""
        ...

    def raw_guides(
        self, inputs: Floats, classes: NDArray[np.int64], steps: Sequence[Any], methods: Sequence[GuideMethod]
    ) -> Mapping[GuideMethod, Sequence[Floats]]:
        """What guides are made of, of one class an image: (N, h', w', 1) for each method and step.

        Args:
            inputs: float32 (N, H, W, channels).
            classes: (N,).
            steps: of `finer_steps`.
            methods: of `camlite_export.cutting.guide.GUIDE_METHODS`.
        """
        ...

    def answer_changed(
        self, inputs: Floats, change: ChangeTensor, change_kernel: ChangeTensor | None = None
    ) -> tuple[Floats, Floats]:
        """Features and logits in float32, with what each layer that has weights or merges is given changed on the way.

        With `change_kernel` the kernels are changed as well; afterwards they are as they were.

        Says how steady the classifier itself is, see `camlite_export.agreement.rounding_noise`.
        """
        ...

    def guided_by(self, layers: GuideLayers | None) -> Cut:
        """The same with a guide made of these layers, or without one."""
        ...

    @property
    def head(self) -> Callable[..., Any]:
        """Features (N, h, w, C), a tensor of TensorFlow -> logits (N, K); called with ``training=False``."""
        ...

    @property
    def gives_bias(self) -> bool:
        """Whether what is exported gives the bias of the active pieces, with which evidence by gradient adds up."""
        ...

    def without_bias(self) -> Cut:
        """The same without it."""
        ...


class TraceableCut(Cut, Protocol):
    """A cut that targets can convert."""

    def function(self) -> Callable[[Any], Mapping[str, Any]]:
        """A function of TensorFlow: image (N, H, W, channels) -> ``features``, ``scores`` and, where
        `evidence_method` says that the model gives it, ``evidence`` (N, h, w, K), or (N, h, w, 1) of the top class;
        and where there are `guide_layers`, ``guide`` (N, h', w', K) in 0..1, or (N, h', w', 1) of the top class;
        and where it `gives_bias`, ``bias`` (N, K).

        Made of operators that TFLite and ONNX have.
        """
        ...

    def guided_by(self, layers: GuideLayers | None) -> TraceableCut:
        """The same with a guide made of these layers, or without one."""
        ...

    def without_bias(self) -> TraceableCut:
        """The same without the bias of the active pieces."""
        ...

    def once(self, name: str, make: Callable[[], bytes]) -> bytes:
        """What `make` gives, made when this name is first asked for; of the weights as they are in the original."""
        ...

    def normalized_convolutions(self, inputs: Floats) -> Sequence[NormalizedConvolution]:
        """The convolutions with a normalization right behind them, as representative inputs have shown them.

        Those of the same array are looked at once.
        """
        ...

    def biased_convolutions(self, inputs: Floats) -> Sequence[BiasedConvolution]:
        """The convolutions with a bias of their own, likewise."""
        ...


class NormalizedConvolution(Protocol):
    """A convolution whose normalization a converter folds into its weights before it rounds them."""

    @property
    def bias(self) -> Floats:
        """What the normalization adds in the end, float32 (channels,)."""
        ...

    def set_bias(self, values: Floats) -> None:
        """Change it, where the next conversion finds it."""
        ...

    def mean_shift(self, change: ChangeKernel) -> Floats:
        """How far changing the folded kernel shifts the mean of the output over images and places, (channels,)."""
        ...


class BiasedConvolution(Protocol):
    """A convolution whose weights a converter rounds as they are."""

    @property
    def kernel(self) -> Floats:
        """Its weights, float32 (height, width, inputs, channels)."""
        ...

    def set_kernel(self, values: Floats) -> None:
        """Change them, where the next conversion finds them."""
        ...

    @property
    def moments(self) -> NDArray[np.float64]:
        """Second moments of what the kernel is laid on, (n, n) where n is height * width * inputs."""
        ...

    @property
    def rounded(self) -> dict[int, Floats]:
        """A place to keep kernels that were rounded before, by the number of steps."""
        ...
