"""The proof that what is cut and converted says what the original says: the original itself, as it was given."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

import numpy as np

from camlite.errors import ClassifierError
from camlite.maps import cam
from camlite_export.sources import same_answers
from camlite_export.sources.journey import KerasStep
from camlite_export.sources.keras3 import Keras3Source
from camlite_export.sources.source import Floats

if TYPE_CHECKING:
    import keras

# Scores of the two-output model come from the classifier's own layers, run one by one: the same kernels, which may
# be fused otherwise. 2e-7 was the most in keras.applications, 1.2e-5 in a Teachable Machine model on pictures of few
# colours; a layer that is met twice gives 1e-2 and more.
_ROUNDING = 1e-4
# Where the classifier computes in 16 bits, and its halves do not: 4e-4 was the most in small classifiers.
_ROUNDING_16_BITS = 2e-2


def probes(source: Keras3Source) -> Floats:
    """Images over the whole range that pixels may have become, where nobody has said yet what they are."""
    found = same_answers.probes(source.image_shape)
    return found if "float" in source.model.inputs[0].dtype else np.rint(found[-1:])  # integers are pixels 0..255


def prove(source: Keras3Source, step: KerasStep, model: keras.Model, head: keras.Model, inputs: Floats) -> None:
    """Both halves must say what the original says, whatever unusual model was walked through.

    Args:
        source: the original, and `step` its step whose output is cut.
        model: image -> features and scores; head: features -> logits.
        inputs: float32 (N, H, W, channels).

    Raises:
        ClassifierError: they do not; or no image gives numbers that are all finite.
    """
    inputs, answer = same_answers.answered(lambda images: source.answer(images, step), inputs)
    expected = {"features": answer.features, "scores": answer.scores}
    if not same_answers.finite(expected):
        raise ClassifierError(
            f"{source.name}: gives scores that are not finite numbers; its weights are damaged, or it divides by 0 or "
            f"takes its logarithm"
        )
    received = {name: np.asarray(value, np.float32) for name, value in model(inputs, training=False).items()}
    logits = np.asarray(head(received["features"], training=False))
    with np.errstate(invalid="ignore"):  # an image whose numbers are not finite does not count
        joined = np.asarray(cam.activate(logits, source.activation), np.float32)

    def noise() -> Mapping[str, Floats]:
        return same_answers.moved_by_rounding(model, inputs, source.dtype)

    rounding = _ROUNDING if source.dtype == "float32" else _ROUNDING_16_BITS
    for outputs in (received, {**received, "scores": joined}):
        worst = same_answers.worst_difference(expected, outputs, rounding, noise)
        if worst is not None:
            raise ClassifierError(
                f"{source.name}: cut at layer {step.name!r}, its {worst[0]} differ by {worst[1]:.2g} from "
                f"those of the whole; cut it at another --layer"
            )
