"""Cut a classifier at its last feature map: a two-output model, and the head that stands behind the cut."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any, cast

import numpy as np

from camlite.artifact.card import Activation
from camlite.artifact.evidence_methods import EvidenceMethod
from camlite.errors import ClassifierError
from camlite.maps import cam
from camlite_export.cutting import heads, last_activation, places
from camlite_export.cutting.heads import AffineHead
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


@dataclass(frozen=True)
class TwoOutputModel:
    """A classifier cut in two.

    Attributes:
        model: image (N, H, W, channels) -> {"features": (N, h, w, C), "scores": (N, K)}.
        head: features (N, h, w, C) -> logits (N, K).
        activation: logits -> scores.
        cut: the step whose output the features are.
        journey: every step from image to scores.
        affine: class weights and bias of the head; None where it is not affine.
        evidence_method: how evidence is made, a word of `camlite.artifact.evidence_methods`.
    """

    model: keras.Model
    head: keras.Model
    activation: Activation
    cut: Step
    journey: tuple[Step, ...]
    affine: AffineHead | None
    evidence_method: EvidenceMethod

    @property
    def evidence_methods(self) -> tuple[EvidenceMethod, ...]:
        """How its evidence could be made, the default first."""
        return heads.evidence_methods(self.affine, self.classes)

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


def cut(
    classifier: keras.Model,
    layer: int | str | None = None,
    size: Size | None = None,
    evidence_method: EvidenceMethod | None = None,
) -> TwoOutputModel:
    """Cut a classifier behind one layer.

    Args:
        classifier: a Sequential or functional model; models inside it are walked through as well. Left as it is.
        layer: index into ``classifier.layers`` (negative ones count from the end) or a layer's name; by
            default the last layer that gives a feature map and through which every path to the scores goes.
        size: height and width of the image, where the classifier's own are not fixed.
        evidence_method: how evidence is to be made, where the head allows it; else the default of such heads.

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
    _prove(classifier, model, head, activation, _ROUNDING if converted is classifier else _ROUNDING_16_BITS, step.name)
    affine = heads.derive(head)
    methods = heads.evidence_methods(affine, int(scores.shape[1]))
    method = evidence_method if evidence_method in methods else methods[0]
    return TwoOutputModel(model, head, activation, step, journey.steps, affine, method)


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


def _prove(
    classifier: keras.Model, model: keras.Model, head: keras.Model, activation: Activation, rounding: float, layer: str
) -> None:
    """The two halves must say what the whole says, whatever unusual model was walked through."""
    given = classifier.inputs[0]
    probe = np.random.default_rng(0).integers(0, 256, (2, *model.inputs[0].shape[1:])).astype(np.float32)
    if "float" in given.dtype:
        probe = probe / 128 - 1
    whole = classifier(probe[..., 0] if len(given.shape) == 3 else probe, training=False)
    expected = np.asarray(whole, np.float32)
    if not np.isfinite(expected).all():
        raise ClassifierError(f"{classifier.name}: gives scores that are not finite numbers; its weights are damaged")
    outputs = {name: np.asarray(value) for name, value in model(probe, training=False).items()}
    joined = cam.activate(np.asarray(head(outputs["features"], training=False)), activation)
    for received in (outputs["scores"], joined):
        difference = np.abs(received[:, -expected.shape[1] :] - expected).max()
        if not difference <= rounding * max(1, np.abs(expected).max()):
            raise ClassifierError(
                f"{classifier.name}: cut at layer {layer!r}, its scores differ by {difference:.2g} from "
                f"those of the whole; cut it at another --layer"
            )
