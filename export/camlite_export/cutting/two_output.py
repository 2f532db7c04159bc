"""Cut a classifier at its last feature map: a two-output model, and the head that stands behind the cut."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any, cast

import numpy as np
from numpy.typing import NDArray

from camlite.artifact.evidence_methods import EvidenceMethod
from camlite.artifact.map_choice import GuideMethod
from camlite.errors import ClassifierError
from camlite_export import workarounds
from camlite_export.cutting import (
    convolutions,
    evidence,
    forward,
    guide,
    heads,
    places,
    proof,
    vanishing,
)
from camlite_export.cutting.guide import GuideLayers
from camlite_export.cutting.halves import Halves
from camlite_export.sources import changed_tensors, operations, same_answers
from camlite_export.sources.changed_tensors import ChangeTensor
from camlite_export.sources.journey import Journey, KerasStep, Size, shape_text
from camlite_export.sources.keras3 import Keras3Source
from camlite_export.sources.source import Answer, Floats

if TYPE_CHECKING:
    import keras


@dataclass(frozen=True)
class TwoOutputModel(Halves):
    """A Keras classifier cut in two, see `camlite_export.cutting.cut.TraceableCut`.

    Attributes:
        source: the original.
        step: of the original, whose output the features are.
        guide_layers: what a guide is made of; None where the model has none.
        gives_bias: whether the model gives the bias of the active pieces.
    """

    source: Keras3Source
    step: KerasStep
    guide_layers: GuideLayers | None = None
    gives_bias: bool = False

    def guided_by(self, layers: GuideLayers | None) -> TwoOutputModel:
        """See `camlite_export.cutting.cut.TraceableCut`."""
        return self if layers == self.guide_layers else self._with(guide_layers=layers)

    def without_bias(self) -> TwoOutputModel:
        """See `camlite_export.cutting.cut.Cut`."""
        return self._with(gives_bias=False) if self.gives_bias else self

    def _with(self, **changed: Any) -> TwoOutputModel:
        """One with other outputs of the same model: what was seen of that is still true, and took long to see."""
        other = dataclasses.replace(self, **changed)
        other.__dict__["_observations"] = self._observations
        return other

    @cached_property
    def finer_steps(self) -> tuple[KerasStep, ...]:
        """See `camlite_export.cutting.cut.Cut`."""
        return guide.finer_steps(self.source, self.step, lambda step: self.source.head(step) is not None)

    def raw_guides(
        self, inputs: Floats, classes: NDArray[np.int64], steps: Sequence[KerasStep], methods: Sequence[GuideMethod]
    ) -> dict[GuideMethod, list[Floats]]:
        """See `camlite_export.cutting.cut.Cut`."""
        return self._guided(tuple(steps)).raw(inputs, classes, methods)

    def _guided(self, steps: tuple[KerasStep, ...]) -> guide.Guided:
        if steps not in self._made:
            parts = guide.parts_of_keras(self.source.journey.image, steps, self.step.output)
            scores = workarounds.functional_model(self.step.output, self.source.scores)
            self._made[steps] = guide.Guided(parts, self.head, scores)
        return self._made[steps]

    @cached_property
    def _made(self) -> dict[tuple[KerasStep, ...], guide.Guided]:
        return {}

    @property
    def evidence_methods(self) -> tuple[EvidenceMethod, ...]:
        """How its evidence could be made, the default first."""
        return heads.evidence_methods(self.affine, self.classes)

    @property
    def layer(self) -> str:
        """Name of the layer that gives the features."""
        return self.step.name

    @property
    def default_preprocessing(self) -> str:
        """What the classifier tells of its pixels, see `camlite_export.sources.source.Source`."""
        return self.source.pixels.preprocess

    def answer(self, inputs: Floats) -> Answer:
        """See `camlite_export.cutting.cut.Cut`."""
        return self.source.answer(inputs, self.step)

    def prove(self, inputs: Floats) -> None:
        """See `camlite_export.cutting.cut.Cut`."""
        proof.prove(self.source, self.step, self.model, self.head, inputs)

    def evidence(self, features: Floats, classes: NDArray[np.int64]) -> Floats:
        """See `camlite_export.cutting.cut.Cut`."""
        return evidence.REFERENCES[self.evidence_method](self, features, classes)

    def answer_changed(
        self, inputs: Floats, change: ChangeTensor, change_kernel: ChangeTensor | None = None
    ) -> tuple[Floats, Floats]:
        """See `camlite_export.cutting.cut.Cut`."""
        with changed_tensors.kernels([self.model, self.head] if change_kernel else [], change_kernel):
            features = np.asarray(changed_tensors.run(self.model, inputs, change)["features"], np.float32)
            return features, np.asarray(changed_tensors.run(self.head, features, change), np.float32)

    def function(self) -> Callable[[Any], Mapping[str, Any]]:
        """See `camlite_export.cutting.cut.TraceableCut`."""
        return forward.forward(self, self._outputs)

    def _outputs(self, image: Any) -> dict[str, Any]:
        if self.guide_layers is not None:
            return self._guided(cast(tuple[KerasStep, ...], self.guide_layers.steps)).outputs(image, self.guide_layers)
        outputs: dict[str, Any] = self.model(image, training=False)
        return outputs

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

    def once(self, name: str, make: Callable[[], bytes]) -> bytes:
        """See `camlite_export.cutting.cut.TraceableCut`."""
        if name not in self._made_before:
            self._made_before[name] = make()
        return self._made_before[name]

    @cached_property
    def _made_before(self) -> dict[str, bytes]:
        return {}

    @cached_property
    def _observations(self) -> dict[str, tuple[Floats, Any]]:
        return {}


def cut(
    classifier: keras.Model | Keras3Source,
    layer: int | str | None = None,
    size: Size | None = None,
    evidence_method: EvidenceMethod | None = None,
) -> TwoOutputModel:
    """Cut a classifier behind one layer.

    Args:
        classifier: of Keras 3, or of Keras 2 and rebuilt. Left as it is.
        layer: index into ``classifier.layers`` (negative ones count from the end) or a layer's name; by
            default the last layer that gives a feature map and through which every path to the scores goes.
        size: height and width of the image, for a model object whose own are not fixed.
        evidence_method: how evidence is to be made, where the head allows it; else the default of such heads.

    Raises:
        ClassifierError: the classifier has no feature map, the layer is unknown, or the scores do not
            follow from its output alone.
    """
    source = classifier if isinstance(classifier, Keras3Source) else Keras3Source(classifier, size)
    if layer is None:
        step, head = _last_feature_map(source)
    else:
        step = _named_step(source, layer)
        head = _head_behind(source, step)
        if not places.are_kept(source, source.steps[: source.steps.index(step) + 1]):
            raise ClassifierError(
                f"{source.name}: the places of layer {step.name!r}, {shape_text(step.shape)}, are not those of the "
                f"image: its axes were moved on the way; cut at an earlier --layer"
            )
    outputs = {"features": step.output, "scores": source.scores}
    model = workarounds.functional_model(source.journey.image, outputs, name=source.name)
    probes = proof.probes(source)
    proof.prove(source, step, model, head, probes)
    affine = heads.derive(head)
    methods = heads.evidence_methods(affine, source.classes)
    method = evidence_method if evidence_method in methods else methods[0]
    gives_bias = heads.gives_bias(affine, head, tuple(head.inputs[0].shape[1:]))
    found = TwoOutputModel(model, head, source.activation, affine, method, source, step, gives_bias=gives_bias)
    if affine is None:
        _, answer = same_answers.answered(found.answer, probes)
        vanishing.refuse(found, answer.features, source.name, found.layer)
    return found


def _last_feature_map(source: Keras3Source) -> tuple[KerasStep, keras.Model]:
    moved = None
    kept_at: dict[int, bool] = {}
    for index, step in reversed(list(enumerate(source.steps))):
        before = source.steps[: index + 1]
        head = source.head(step) if _is_feature_map(step) else None
        if head is None:
            continue
        if not places.are_kept(source, before, kept_at):
            moved = moved or (places.last_mover(before) if any(map(_is_learned, before)) else None)
            continue
        if not any(map(_is_learned, before)):
            break  # no more than the image scaled, normalized or augmented
        mixing = next((one for one in head.layers if "Attention" in type(one).__name__), None)
        if mixing is not None:
            raise ClassifierError(
                f"{source.name}: no feature map: behind the last one, of layer {step.name!r}, stands attention "
                f"({mixing.name!r}), which mixes its places; "
                f"--layer {step.name} explains it by its gradient all the same"
            )
        return step, head
    if moved is not None:
        raise ClassifierError(
            f"{source.name}: its cells are not where they are in the image, which is flipped, turned, rolled, repeated "
            f"or folded inside, or its axes are moved, by {moved.name!r} ({moved.kind}) or in front of it, so that "
            f"heat would lie in the wrong place; take that step out of the classifier, do it to the pictures "
            f"beforehand, and save the classifier again"
        )
    _refuse_shortcut(source)
    raise ClassifierError(
        f"{source.name}: no feature map: no learned layer gives (batch, height, width, channels) with more than one "
        f"place from which alone the scores follow; camlite explains convolutional image classifiers"
    )


def _refuse_shortcut(source: Keras3Source) -> None:
    """Name what goes past the last learned map, where something does."""
    for index, step in reversed(list(enumerate(source.steps))):
        if not _is_feature_map(step) or not any(map(_is_learned, source.steps[: index + 1])):
            continue
        if (past := source.past(step)) is not None:
            raise ClassifierError(
                f"{source.name}: no feature map from which alone the scores follow: behind the last one, of layer "
                f"{step.name!r}, {operations.shortcut_text(past)}; give a classifier without that shortcut"
            )


def _is_feature_map(step: KerasStep) -> bool:
    shape = step.shape
    return len(shape) == 4 and None not in shape[1:] and cast(int, shape[1]) * cast(int, shape[2]) > 1


def _is_learned(step: KerasStep) -> bool:
    return step.parameters > 0 and "Normalization" not in step.kind


def _head_behind(source: Keras3Source, step: KerasStep) -> keras.Model:
    if not _is_feature_map(step):
        raise ClassifierError(
            f"{source.name}: layer {step.name!r} gives {shape_text(step.shape)}, which is no feature map; "
            f"expected (batch, height, width, channels) with more than one place; "
            f"`camlite inspect` lists the layers"
        )
    head = source.head(step)
    if head is None:
        raise ClassifierError(f"{source.name}: {operations.not_alone_text(step.name, source.past(step))}")
    return head


def _named_step(source: Keras3Source, layer: int | str) -> KerasStep:
    name, layers, ends = source.name, source.converted.layers, source.journey.ends
    if isinstance(layer, int):
        if not -len(layers) <= layer < len(layers):
            raise ClassifierError(
                f"{name}: layer {layer} is unknown; expected {-len(layers)} to {len(layers) - 1}, "
                f"`camlite inspect` lists the layers"
            )
        if id(layers[layer]) not in ends:
            raise ClassifierError(f"{name}: layer {layer} is the input; choose a later layer")
        return ends[id(layers[layer])]
    for step in _steps_named(layer, layers, source.journey):
        return step
    raise ClassifierError(f"{name}: no layer is named {layer!r}; `camlite inspect` lists the layers")


def _steps_named(name: str, layers: Sequence[keras.Layer], journey: Journey) -> Iterator[KerasStep]:
    """The classifier's own layers, then those of the models inside it, the last first."""
    yield from (journey.ends[id(one)] for one in layers if one.name == name and id(one) in journey.ends)
    yield from (step for step in reversed(journey.steps) if step.name == name)
