"""How evidence is made: one word on the card, and what each word implies.

Whatever depends on the word asks this table: nobody compares words, or concludes from arrays that are missing.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal, NamedTuple

EvidenceMethod = Literal["device", "graph", "gradient", "gradient_top"]


class EvidenceTraits(NamedTuple):
    """What a method implies.

    Attributes:
        text: what it does, for people.
        has_weights: class weights are among the arrays, and the device multiplies them with the features. Where they
            are not, the model itself gives evidence, as its output ``evidence``.
        affine: it is of heads that are affine; else of those that are not.
        adds_up: the bias is among the arrays, and added to the sum of the evidence it gives the logits. Where it is
            not, the model may give a bias that does, its output ``bias``, where the head is linear in pieces.
        top_only: the output ``evidence`` is (h, w, 1), of the class with the highest score; else (h, w, K).
    """

    text: str
    has_weights: bool
    affine: bool
    adds_up: bool
    top_only: bool

    def output_classes(self, classes: int) -> int | None:
        """How many maps the output ``evidence`` has where there are K classes; None where there is no such output."""
        if self.has_weights:
            return None
        return 1 if self.top_only else classes


EVIDENCE_METHODS: Mapping[EvidenceMethod, EvidenceTraits] = {
    # Zhou et al., 2016, "Learning Deep Features for Discriminative Localization".
    "device": EvidenceTraits(
        "features times class weights, on the device",
        has_weights=True,
        affine=True,
        adds_up=True,
        top_only=False,
    ),
    "graph": EvidenceTraits(
        "features times class weights, in the model, of all classes",
        has_weights=False,
        affine=True,
        adds_up=True,
        top_only=False,
    ),
    # Draelos and Carin, 2020, "Use HiResCAM instead of Grad-CAM for faithful explanations".
    "gradient": EvidenceTraits(
        "features times gradients, in the model, of all classes",
        has_weights=False,
        affine=False,
        adds_up=False,
        top_only=False,
    ),
    "gradient_top": EvidenceTraits(
        "features times gradients, in the model, of the top class only",
        has_weights=False,
        affine=False,
        adds_up=False,
        top_only=True,
    ),
}
