"""Cut a classifier at its last feature map: a two-output model, and the head that stands behind the cut."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

import numpy as np
from numpy.typing import NDArray

from camlite.artifact.card import Activation, Method
from camlite.errors import ClassifierError
from camlite.maps import cam
from camlite_export.cutting import (
    changed_tensors,
    convolutions,
    evidence,
    forward,
    heads,
    last_activation,
    places,
    saved_model,
)
from camlite_export.cutting.cut import ChangeTensor, Floats, Halves
from camlite_export.cutting.heads import AffineHead, EvidenceBy
from camlite_export.sources.float32 import in_float32
from camlite_export.sources.journey import Journey, Size, Step, shape_text, walk

if TYPE_CHECKING:
    import keras

# Scores of the two-output model come from the classifier's own layers, run one by one: the same kernels, which may
# be fused otherwise. 2e-7 was the most in keras.applications; a layer that is met twice gives 1e-2 and more.
_ROUNDING = 1e-5
# Where the classifier computes in 16 bits, and its halves do not: 4e-4 was the most in small classifiers.
_ROUNDING_16_BITS = 2e-2

_WHITE = 255.0

BATCH = 32
"""So many images go through Keras at once."""


@dataclass(frozen=True)
class TwoOutputModel:
    """A Keras classifier cut in two, see `camlite_export.cutting.cut.TraceableCut`.

    Attributes:
        model: image (N, H, W, channels) -> {"features": (N, h, w, C), "scores": (N, K)}.
        head: features (N, h, w, C) -> logits (N, K).
        activation: logits -> scores.
        cut: the step whose output the features are.
        journey: every step from image to scores.
        evidence_by: what makes the evidence of an affine head, see `camlite_export.cutting.heads.EvidenceBy`.
    """

    model: keras.Model
    head: keras.Model
    activation: Activation
    cut: Step
    journey: tuple[Step, ...]
    evidence_by: EvidenceBy = "device"

    @cached_property
    def affine(self) -> AffineHead | None:
        """Class weights and bias of the head; None where it is not affine, and evidence comes from its gradient."""
        return heads.derive(self.head)

    @property
    def method(self) -> Method:
        """How evidence is made, see `camlite.artifact.card.Head`."""
        return "cam" if self.affine else "hirescam"

    @property
    def gives_evidence(self) -> bool:
        """Whether what is exported computes evidence itself, as a third output."""
        return self.affine is None or self.evidence_by == "graph"

    @property
    def layer(self) -> str:
        """Name of the layer that gives the features."""
        return self.cut.name

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

    @cached_property
    def default_preprocessing(self) -> str:
        """``raw`` where the classifier itself begins by scaling pixels, else ``unit``: by what it makes of white ones,
        in front of the first layer that has learned anything.
        """
        import keras

        learned = next(i for i, step in enumerate(self.journey) if step.parameters > 0 and step.kind != "Normalization")
        if learned == 0:
            return "unit"
        front = keras.Model(self.model.inputs[0], self.journey[learned - 1].output)
        seen = np.asarray(front(np.full((1, *self.image_shape), _WHITE, np.float32), training=False), np.float32)
        return "unit" if np.isclose(seen.max(), _WHITE) else "raw"

    def answer(self, inputs: Floats) -> Halves:
        """See `camlite_export.cutting.cut.Cut`."""
        batches = [self.model(inputs[start : start + BATCH], training=False) for start in range(0, len(inputs), BATCH)]
        return Halves(*(_joined(batch[name] for batch in batches) for name in ("features", "scores")))

    def evidence(self, features: Floats, classes: NDArray[np.int64]) -> Floats:
        """See `camlite_export.cutting.cut.Cut`."""
        if self.affine:
            return evidence.by_class_weights(self.affine, features, classes)
        return evidence.by_gradient(self.head, features, classes)

    def answer_changed(self, inputs: Floats, change: ChangeTensor) -> Halves:
        """See `camlite_export.cutting.cut.Cut`."""
        features = np.asarray(changed_tensors.run(self.model, inputs, change)["features"], np.float32)
        return Halves(features, np.asarray(changed_tensors.run(self.head, features, change), np.float32))

    def function(self) -> Callable[[Any], Mapping[str, Any]]:
        """See `camlite_export.cutting.cut.TraceableCut`."""
        return forward.forward(self)

    def saved_model(self) -> AbstractContextManager[Path]:
        """See `camlite_export.cutting.cut.TraceableCut`."""
        return saved_model.saved_model(self)

    def normalized_convolutions(self, inputs: Floats) -> Sequence[convolutions.NormalizedConvolution]:
        """See `camlite_export.cutting.cut.TraceableCut`."""
        return cast(list[convolutions.NormalizedConvolution], self._observed(convolutions.normalized, inputs))

    def biased_convolutions(self, inputs: Floats) -> Sequence[convolutions.BiasedConvolution]:
        """See `camlite_export.cutting.cut.TraceableCut`."""
        return cast(list[convolutions.BiasedConvolution], self._observed(convolutions.biased, inputs))

    def _observed(self, observe: Callable[[Any, Floats], Any], inputs: Floats) -> Any:
        """What was seen for this very array; most precisions ask for the same, and it takes as long as an answer."""
        seen, found = self._observations.get(observe.__name__, (None, None))
        if seen is not inputs:
            found = observe(self.model, inputs)
            self._observations[observe.__name__] = inputs, found
        return found

    @cached_property
    def _observations(self) -> dict[str, tuple[Floats, Any]]:
        return {}


def _joined(batches: Iterable[Any]) -> Floats:
    return np.concatenate([np.asarray(batch, np.float32) for batch in batches])


def cut(
    classifier: keras.Model,
    layer: int | str | None = None,
    size: Size | None = None,
    evidence_by: EvidenceBy = "device",
) -> TwoOutputModel:
    """Cut a classifier behind one layer.

    Args:
        classifier: a Sequential or functional model; models inside it are walked through as well. Left as it is.
        layer: index into ``classifier.layers`` (negative ones count from the end) or a layer's name; by
            default the last layer that gives a feature map and through which every path to the scores goes.
        size: height and width of the image, where the classifier's own are not fixed.
        evidence_by: see `TwoOutputModel`.

    Raises:
        ClassifierError: the classifier has no feature map, the layer is unknown, or the scores do not
            follow from its output alone.
    """
    import keras

    converted = in_float32(classifier)
    journey = walk(converted, size)
    scores, logits, activation = last_activation.take_off(classifier.name, journey.scores)
    if layer is None:
        step, head = _last_feature_map(classifier.name, journey, logits)
    else:
        step = _named_step(converted, layer, journey)
        head = _head_behind(classifier.name, step, logits)
        before = journey.steps[: journey.steps.index(step) + 1]
        if not places.are_kept(journey.image, before):
            raise ClassifierError(
                f"{classifier.name}: the places of layer {step.name!r}, {shape_text(step.shape)}, are not those of the "
                f"image: its axes were moved on the way; cut at an earlier --layer"
            )
    model = keras.Model(journey.image, {"features": step.output, "scores": scores}, name=classifier.name)
    two_output = TwoOutputModel(model, head, activation, step, journey.steps, evidence_by)
    _prove(classifier, two_output, _ROUNDING if converted is classifier else _ROUNDING_16_BITS)
    return two_output


def _last_feature_map(name: str, journey: Journey, logits: Any) -> tuple[Step, keras.Model]:
    for index, step in reversed(list(enumerate(journey.steps))):
        before = journey.steps[: index + 1]
        head = _head(step, logits) if _is_feature_map(step) else None
        if head is None or not places.are_kept(journey.image, before):
            continue
        if not any(map(_is_learned, before)):
            break  # no more than the image scaled, normalized or augmented
        mixing = next((one for one in head.layers if "Attention" in type(one).__name__), None)
        if mixing is not None:
            raise ClassifierError(
                f"{name}: no feature map: behind the last one, of layer {step.name!r}, stands attention "
                f"({mixing.name!r}), which mixes its places; "
                f"--layer {step.name} explains it by its gradient all the same"
            )
        return step, head
    raise ClassifierError(
        f"{name}: no feature map: no learned layer gives (batch, height, width, channels) with more than one "
        f"place from which alone the scores follow; camlite explains convolutional image classifiers"
    )


def _is_feature_map(step: Step) -> bool:
    shape = step.shape
    return len(shape) == 4 and None not in shape[1:] and cast(int, shape[1]) * cast(int, shape[2]) > 1


def _is_learned(step: Step) -> bool:
    return step.parameters > 0 and "Normalization" not in step.kind


def _head_behind(name: str, step: Step, logits: Any) -> keras.Model:
    if not _is_feature_map(step):
        raise ClassifierError(
            f"{name}: layer {step.name!r} gives {shape_text(step.shape)}, which is no feature map; "
            f"expected (batch, height, width, channels) with more than one place; "
            f"`camlite inspect` lists the layers"
        )
    head = _head(step, logits)
    if head is None:
        raise ClassifierError(f"{name}: the scores do not follow from layer {step.name!r} alone; choose a later layer")
    return head


def _head(step: Step, logits: Any) -> keras.Model | None:
    """The model from a step's output to the logits, or None where the logits need more than that."""
    import keras

    try:
        return keras.Model(step.output, logits, name="head")
    except ValueError:  # Keras: "not connected to `inputs`"
        return None


def _named_step(classifier: keras.Model, layer: int | str, journey: Journey) -> Step:
    name, layers, ends = classifier.name, classifier.layers, journey.ends
    if isinstance(layer, int):
        if not -len(layers) <= layer < len(layers):
            raise ClassifierError(
                f"{name}: layer {layer} is unknown; expected {-len(layers)} to {len(layers) - 1}, "
                f"`camlite inspect` lists the layers"
            )
        if id(layers[layer]) not in ends:
            raise ClassifierError(f"{name}: layer {layer} is the input; choose a layer behind it")
        return ends[id(layers[layer])]
    for step in _steps_named(layer, layers, journey):
        return step
    raise ClassifierError(f"{name}: no layer is named {layer!r}; `camlite inspect` lists the layers")


def _steps_named(name: str, layers: Sequence[keras.Layer], journey: Journey) -> Iterator[Step]:
    """The classifier's own layers, then those of the models inside it, the last first."""
    yield from (journey.ends[id(one)] for one in layers if one.name == name and id(one) in journey.ends)
    yield from (step for step in reversed(journey.steps) if step.name == name)


def _prove(classifier: keras.Model, two_output: TwoOutputModel, rounding: float) -> None:
    """The two halves must say what the whole says, whatever unusual model was walked through."""
    given = classifier.inputs[0]
    probe = np.random.default_rng(0).integers(0, 256, (2, *two_output.image_shape)).astype(np.float32)
    if "float" in given.dtype:
        probe = probe / 128 - 1
    whole = classifier(probe[..., 0] if len(given.shape) == 3 else probe, training=False)
    expected = np.asarray(whole, np.float32)
    if not np.isfinite(expected).all():
        raise ClassifierError(f"{classifier.name}: gives scores that are not finite numbers; its weights are damaged")
    outputs = {name: np.asarray(value) for name, value in two_output.model(probe, training=False).items()}
    joined = cam.activate(np.asarray(two_output.head(outputs["features"], training=False)), two_output.activation)
    for received in (outputs["scores"], joined):
        difference = np.abs(received[:, -expected.shape[1] :] - expected).max()
        if not difference <= rounding * max(1, np.abs(expected).max()):
            raise ClassifierError(
                f"{classifier.name}: cut at layer {two_output.layer!r}, its scores differ by {difference:.2g} from "
                f"those of the whole; cut it at another --layer"
            )
