"""Models of Keras 3, and what models of Keras 2 have in common with them once they are rebuilt."""

from __future__ import annotations

import re
from collections.abc import Sequence
from functools import cached_property
from typing import TYPE_CHECKING, Any, cast

import numpy as np

from camlite.artifact.card import Activation
from camlite.errors import ClassifierError
from camlite.texts import printable
from camlite_export import workarounds
from camlite_export.sources import fixed_batches, last_activation, operations
from camlite_export.sources.float32 import in_float32
from camlite_export.sources.journey import KerasStep, Size, shape_text, walk
from camlite_export.sources.layer_outputs import outputs_of
from camlite_export.sources.operations import Operation, Shortcut
from camlite_export.sources.source import Answer, Floats, KnownPixels, Step
from camlite_export.sources.weights_digest import digest

if TYPE_CHECKING:
    import keras

_BATCH = 32
# Keras on JAX or torch takes any name for a layer. TensorFlow, which converts it, takes these, see `tf.name_scope`.
_NAME = re.compile(r"[A-Za-z0-9_.\\/>-]*")
_WHITE = 255.0


class Keras3Source:
    """A model of Keras 3, see `camlite_export.sources.source.Source`.

    Besides the protocol it has what `camlite_export.cutting.two_output` makes a cut of.

    Attributes:
        model: as it was given.
        converted: the same in float32; the model itself where it computes so.
        journey: through the latter, with symbolic tensors.
        scores, logits: symbolic, (batch, K), before and after the activation is taken off.
        labels: None, as Keras keeps none.
    """

    labels: tuple[str, ...] | None = None

    def __init__(self, model: keras.Model, size: Size | None = None, default_size: Size | None = None) -> None:
        """Walk through a model.

        Args:
            model: a Sequential or functional model; models inside it are walked through as well. Left as it is.
            size: height and width of the image, where the classifier's own are not fixed.
            default_size: the same, where nobody says `size`; no matter where the classifier's own are fixed.

        Raises:
            ClassifierError: its inside cannot be seen, or it does not lead from one image to scores.
        """
        self.model, self.name = model, str(model.name)
        self.converted = in_float32(model)
        if size is None and workarounds.is_graph_of_layers(model) and None in model.inputs[0].shape[1:3]:
            size = default_size
        self.journey = walk(self.converted, size)
        # What is watched are layers of the original, which stand in the same places.
        self._originals = self.journey.steps if self.converted is model else walk(model, size).steps
        _check_names(self.name, self.journey.steps)
        self.scores, self.logits_of_image, self.activation = self._taken_off()

    def _taken_off(self) -> tuple[Any, Any, Activation]:
        return last_activation.take_off(self.name, self.journey.scores)

    @property
    def image_shape(self) -> tuple[int, int, int]:
        """See `camlite_export.sources.source.Source`, as all below."""
        return cast(tuple[int, int, int], tuple(self.journey.image.shape[1:]))

    @property
    def dtype(self) -> str:
        """Float32, or the 16 bits of its layers."""
        policies = {str(step.operation.compute_dtype) for step in self._originals if _has_dtype(step.operation)}
        return next((policy for policy in ("bfloat16", "float16") if policy in policies), "float32")

    @property
    def classes(self) -> int:
        """K."""
        return int(self.scores.shape[1])

    @property
    def parameters(self) -> int:
        """How many numbers it has learned."""
        return int(self.model.count_params())

    @cached_property
    def digest(self) -> str:
        """SHA-256 over all weights."""
        return digest(self.model)

    @cached_property
    def saturation(self) -> str | None:
        """See `camlite_export.sources.last_activation.saturation`."""
        return last_activation.saturation(self.logits_of_image)

    @property
    def steps(self) -> tuple[KerasStep, ...]:
        """Every layer and operation, those of the models inside included."""
        return self.journey.steps

    @cached_property
    def pixels(self) -> KnownPixels:
        """``raw`` where the classifier itself begins by scaling pixels, else ``unit``: by what it makes of white ones,
        in front of the first layer that has learned anything.
        """
        if self._scales_pixels():
            return KnownPixels("raw", "it scales them itself")
        return KnownPixels("unit", "it does not scale them itself")

    def _scales_pixels(self) -> bool:
        learned = next(i for i, step in enumerate(self.steps) if step.parameters > 0 and step.kind != "Normalization")
        if learned == 0:
            return False
        front = workarounds.functional_model(self.journey.image, self.steps[learned - 1].output)
        seen = np.asarray(front(np.full((1, *self.image_shape), _WHITE, np.float32), training=False), np.float32)
        return not np.isclose(seen.max(), _WHITE)

    def answer(self, images: Floats, step: Step) -> Answer:
        """Features and scores by the original."""
        import keras

        index = next(i for i, one in enumerate(self.steps) if one is step)
        original = self._originals[index]
        features, scores = [], []
        for batch, count in fixed_batches.split(images, fixed_batches.of(self._whole) or _BATCH):
            with outputs_of(self._layer(original.operation)) as outputs:
                scores.append(self._scores(batch)[:count])
            found = keras.tree.flatten(outputs[original.call])[original.tensor]
            if _is_other(found, original):
                self._refuse_other_size(batch, index)
            features.append(np.asarray(found, np.float32)[:count])
        return Answer(np.concatenate(features), np.concatenate(scores))

    def _refuse_other_size(self, batch: Floats, last: int) -> None:
        """Raise `ClassifierError` with the first layer that gives another size when it is used than it declares."""
        import keras

        for step in self._originals[: last + 1]:
            with outputs_of(self._layer(step.operation)) as outputs:
                self._scores(batch)
            found = keras.tree.flatten(outputs[step.call])[step.tensor]
            if _is_other(found, step):
                raise ClassifierError(
                    f"{self.name}: layer {step.name!r} ({step.kind}) declares {shape_text(step.shape)} and gives "
                    f"{shape_text((None, *found.shape[1:]))} when the classifier is used, so what is behind it is not "
                    f"what was trained; build the classifier again without it, or with keras.layers.CenterCrop or "
                    f"Resizing in its place, set the same weights, and save it"
                )

    def _layer(self, operation: Any) -> Any:
        """What does in the original what an operation does in `model`."""
        return operation

    @property
    def _whole(self) -> Any:
        """The original, in its own framework."""
        return self.model

    def _run(self, images: Floats) -> Any:
        """What the original gives for one batch, shaped as it wants them."""
        return self._whole(workarounds.in_structure(self._whole, images), training=False)

    def _scores(self, images: Floats) -> Floats:
        import keras

        taken = images[..., 0] if len(self.model.inputs[0].shape) == 3 else images
        try:
            (given,) = keras.tree.flatten(self._run(taken))
        except Exception as error:  # a layer of any kind, or TensorFlow, on these numbers or on this machine
            reason = printable(" ".join(str(error).split())[:200])
            raise ClassifierError(
                f"{self.name}: the classifier itself cannot answer an image here ({type(error).__name__}: {reason}); "
                f"try it in Keras first: model(images)"
            ) from error
        scores = np.asarray(given, np.float32)
        return np.concatenate([1 - scores, scores], axis=1) if scores.shape[1] == 1 else scores

    def logits(self, features: Floats, step: Step) -> Floats:
        """What stands behind a step, up to the last activation."""
        head = self.head(next(one for one in self.steps if one is step))
        if head is None:
            raise ClassifierError(f"{self.name}: the scores do not follow from layer {step.name!r} alone")
        batches = (features[start : start + _BATCH] for start in range(0, len(features), _BATCH))
        return np.concatenate([np.asarray(head(batch, training=False), np.float32) for batch in batches])

    def head(self, step: KerasStep) -> keras.Model | None:
        """The model from a step's output to the logits, or None where the logits need more than that."""

        try:
            return workarounds.functional_model(step.output, self.logits_of_image, name="head")
        except ValueError:  # Keras: "not connected to `inputs`"
            return None

    def past(self, step: KerasStep) -> Shortcut | None:
        """What goes past a step to the logits; None where all goes through it."""
        image, layer, logits = self.journey.image, step.output, self.logits_of_image
        return operations.shortcut(_operations(logits), id(image), id(layer), id(logits))


def _check_names(name: str, steps: Sequence[KerasStep]) -> None:
    """See that TensorFlow takes the names of all layers: it would say so later, and not in one line."""
    odd = next((step.name for step in steps if _NAME.fullmatch(step.name) is None), None)
    if odd is not None:
        raise ClassifierError(
            f"{name}: TensorFlow takes no layer of the name {odd!r}, only letters, digits and _ . - > / \\; build the "
            f"classifier again with another name for it, set the same weights, and save it"
        )


def _operations(scores: Any) -> list[Operation]:
    """What makes symbolic scores; tensors are known by their id."""
    found, waiting = {}, [scores]
    while waiting:
        tensor = waiting.pop()
        history = tensor._keras_history
        made = history.operation._inbound_nodes[history.node_index]
        if id(made) not in found:
            name, kind = history.operation.name, type(history.operation).__name__
            given, outputs = list(made.input_tensors), list(made.output_tensors)
            found[id(made)] = Operation(name, kind, [id(one) for one in given], [id(one) for one in outputs])
            waiting += given
    return list(found.values())


def _is_other(found: Any, step: Step) -> bool:
    """Whether a tensor has another size than its step declares."""
    declared = step.shape[1:]
    return len(found.shape) != len(step.shape) or any(
        side is not None and side != received for side, received in zip(declared, found.shape[1:], strict=True)
    )


def _has_dtype(operation: Any) -> bool:
    return isinstance(getattr(operation, "compute_dtype", None), str)
