"""A classifier in two halves: what stands in front of its features, and what stands behind."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol, cast

from camlite.artifact.card import Activation
from camlite.artifact.evidence_methods import EvidenceMethod
from camlite_export.cutting.heads import AffineHead

if TYPE_CHECKING:
    import keras


class HasHead(Protocol):
    """Of what evidence is made, whatever framework the classifier is of."""

    @property
    def head(self) -> Callable[..., Any]:
        """Features (N, h, w, C), a tensor of TensorFlow -> logits (N, K); called with ``training=False``."""
        ...

    @property
    def affine(self) -> AffineHead | None:
        """Class weights and bias of the head; None where it is not affine."""
        ...

    @property
    def activation(self) -> Activation:
        """Logits -> scores."""
        ...

    @property
    def classes(self) -> int:
        """K."""
        ...

    @property
    def feature_shape(self) -> tuple[int, int, int]:
        """h, w and C of the features."""
        ...

    @property
    def evidence_method(self) -> EvidenceMethod:
        """How evidence is made."""
        ...

    @property
    def gives_bias(self) -> bool:
        """Whether what is exported gives the bias of the active pieces, see `camlite_export.cutting.active_bias`."""
        ...


@dataclass(frozen=True)
class Halves:
    """A Keras classifier: of what features, scores and evidence are made.

    Attributes:
        model: image (N, H, W, channels) -> {"features": (N, h, w, C), "scores": (N, K)}.
        head: features (N, h, w, C) -> logits (N, K).
        activation: logits -> scores.
        affine: class weights and bias of the head; None where it is not affine.
        evidence_method: how evidence is made, a word of `camlite.artifact.evidence_methods`.
    """

    model: keras.Model
    head: keras.Model
    activation: Activation
    affine: AffineHead | None
    evidence_method: EvidenceMethod

    @property
    def image_shape(self) -> tuple[int, int, int]:
        """Height, width and channels of the input."""
        return cast(tuple[int, int, int], tuple(self.model.inputs[0].shape[1:]))

    @property
    def feature_shape(self) -> tuple[int, int, int]:
        """h, w and C of the features."""
        return cast(tuple[int, int, int], tuple(self.model.output["features"].shape[1:]))

    @property
    def classes(self) -> int:
        """K."""
        return int(self.model.output["scores"].shape[1])
