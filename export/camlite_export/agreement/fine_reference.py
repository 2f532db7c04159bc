"""The original's own fine evidence, which that of artifacts is held against: its guide by its framework's gradients."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from camlite.artifact.card import Window
from camlite.artifact.map_choice import Guide
from camlite.maps.redistribution import Redistribution
from camlite_export.cutting import guide as guides
from camlite_export.cutting.cut import Cut
from camlite_export.cutting.guide import GuideLayers
from camlite_export.sources.source import Floats


def layers_of(cut: Cut, guide: Guide) -> GuideLayers | None:
    """The layers of the original that a guide is made of; None where it has none of these names and this size."""
    steps = {step.name: step for step in cut.finer_steps}
    if any(name not in steps for name in guide.layers):
        return None
    layers = GuideLayers(guide.method, tuple(steps[name] for name in guide.layers), guide.smooth)
    return layers if layers.shape == (guide.height, guide.width) else None


def fine_evidence(
    cut: Cut, inputs: Floats, classes: NDArray[np.int64], evidence: Floats, window: Window, guide: Guide
) -> Floats:
    """Fine evidence, float32 (N, h', w'), of one class an image.

    Args:
        cut: of the original.
        inputs: float32 (N, H, W, channels).
        classes: (N,).
        evidence: of them, float32 (N, h, w), in logits.
        window: where that lies.
        guide: one whose layers the original has, see `layers_of`.

    Raises:
        ValueError: it has not.
    """
    layers = layers_of(cut, guide)
    if layers is None:
        raise ValueError(f"{cut.source.name} has no layers {', '.join(guide.layers)} for a guide")
    raw = cut.raw_guides(inputs, classes, layers.steps, [layers.method])[layers.method]
    made = np.asarray(guides.combined(raw, layers), np.float32)[..., 0]
    return Redistribution(cut.feature_shape[:2], window, guide)(evidence, made)
