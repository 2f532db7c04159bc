"""The guide of a fine map: where, within the neighbourhood of each cell, earlier features speak for a class.

Made of the gradient of the class's logit at earlier layers, as in

    LayerCAM  sum over c of relu(gradient) * relu(features)     Jiang et al., 2021, "LayerCAM: Exploring Hierarchical
                                                                Class Activation Maps for Localization"
    HiResCAM  relu(sum over c of gradient * features)           Draelos and Carin, 2020, "Use HiResCAM instead of
                                                                Grad-CAM for faithful explanations"; its positive part

Those of several layers are multiplied at the size of the finest, each scaled to its largest; one that is named twice
counts twice. What is made of a guide is in `camlite.maps.redistribution`.
"""

from __future__ import annotations

import itertools
import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, cast, get_args

import numpy as np
from numpy.typing import NDArray

from camlite.artifact.map_choice import GuideMethod
from camlite.errors import ClassifierError
from camlite.texts import printable
from camlite_export import workarounds
from camlite_export.cutting.plain_operators import plain_operators, shared_by_all_largest
from camlite_export.cutting.plain_windows import shared_by_nearly_largest
from camlite_export.sources.journey import KerasStep
from camlite_export.sources.source import Floats, Source, Step

GUIDE_METHODS: tuple[GuideMethod, ...] = get_args(GuideMethod)

# Each class costs a backward pass: of more classes, the guide is that of the top class.
MOST_CLASSES = 4

# So that a guide of zeros stays one; a float16 still, and far below the guide of any image that says something.
_LEAST = 1e-6

_BATCH = 16

# A map is finer where it has half as many cells again to a side. At most so many such sizes are looked at: a backward
# pass through more of a network costs more than its forward pass.
_FINER = 1.5
_MOST_SIZES = 3

MOST_FACTORS = 4
_TIMES, _SMOOTHED = " * ", ", smoothed"


@dataclass(frozen=True)
class GuideLayers:
    """What a guide is made of.

    Attributes:
        method: how.
        factors: steps whose outputs are the earlier features, each (N, h', w', C'), in the order in which the image
            meets them; the scores follow from each of them alone. One may be there several times: the more often, the
            nearer the map keeps to where it sees the most.
        smooth: whether each is smoothed by (1 2 1) / 4 along both axes, which takes out the checkerboard that strides
            and poolings leave in a gradient.
    """

    method: GuideMethod
    factors: tuple[Step, ...]
    smooth: bool = True

    @property
    def steps(self) -> tuple[Step, ...]:
        """Each of the factors once."""
        return tuple({step.name: step for step in self.factors}.values())

    @property
    def shape(self) -> tuple[int, int]:
        """Height and width of the guide: those of its first layer, which is the finest."""
        return cast(tuple[int, int], self.factors[0].shape[1:3])

    @property
    def names(self) -> tuple[str, ...]:
        """Of the factors."""
        return tuple(step.name for step in self.factors)

    def __str__(self) -> str:
        return f"{self.method} {_TIMES.join(self.names)}{_SMOOTHED if self.smooth else ''}"


def of_name(name: str, steps: Sequence[Step]) -> GuideLayers | None:
    """What `GuideLayers` of some steps are called so; None where none are, or of more than 4 factors.

    Args:
        steps: that may be factors, in the order in which the image meets them.
    """
    method, _, product = name.removesuffix(_SMOOTHED).partition(" ")
    places = {step.name: place for place, step in enumerate(steps)}
    found = [places.get(one, -1) for one in product.split(_TIMES)]
    if method not in GUIDE_METHODS or found[0] < 0 or found != sorted(found) or len(found) > MOST_FACTORS:
        return None
    return GuideLayers(method, tuple(steps[place] for place in found), name.endswith(_SMOOTHED))


def check_name(name: str) -> None:
    """See that a name may be one of `GuideLayers`, whatever the classifier.

    Raises:
        ClassifierError: it begins with no method.
    """
    if name.split(" ")[0] not in GUIDE_METHODS or " " not in name.strip():
        raise ClassifierError(
            f"guide {printable(name[:60])!r}: expected a method and a layer, as '{GUIDE_METHODS[0]} conv_32'; "
            f"`camlite inspect ARTIFACT` lists those that were measured (methods: {', '.join(GUIDE_METHODS)})"
        )


def finer_steps(source: Source, last: Step, can_begin: Callable[[Any], bool]) -> tuple[Any, ...]:
    """Where a guide can be made: of each finer size the last step from which alone the scores follow.

    In the order in which the image meets them; none where there is no finer one.

    Args:
        source: the classifier.
        last: its step that gives the features.
        can_begin: whether the logits follow from one of its steps alone.
    """
    found: list[Step] = []
    size = last.shape
    for step in reversed(list(source.steps)[: list(source.steps).index(last)]):
        if len(found) < _MOST_SIZES and is_finer(step, size) and can_begin(step):
            found.append(step)
            size = step.shape
    return tuple(reversed(found))


def is_finer(step: Step, size: Sequence[int | None]) -> bool:
    """Whether it is a feature map of more cells; not one that only moves those in front of it."""
    if len(step.shape) != 4 or None in step.shape[1:] or step.shape[3] in (1, 3):
        return False
    sides = zip(step.shape[1:3], size[1:3], strict=True)
    return all(cast(int, one) >= _FINER * cast(int, other) for one, other in sides) and not _MOVES.search(step.kind)


_MOVES = re.compile("Pad|Crop|Pool", re.IGNORECASE)


Part = Callable[..., Any]
"""A part of a classifier: a tensor of TensorFlow -> another one; called with ``training=False``, as Keras's models."""


def parts_of_keras(image: Any, steps: Sequence[KerasStep], features: Any) -> list[Part]:
    """See `Guided`; image and features are symbolic."""
    ends = [image, *(step.output for step in steps), features]
    return [workarounds.functional_model(*pair) for pair in itertools.pairwise(ends)]


class Guided:
    """A classifier in as many parts as its guide needs: image -> first step -> ... -> features -> logits, scores."""

    def __init__(self, parts: Sequence[Part], head: Part, scores: Part | None = None) -> None:
        """
        Args:
            parts: image -> first step -> ... -> features; gradients are taken at the outputs of all but the last.
            head: features -> logits.
            scores: features -> scores; None where nobody asks for them.
        """
        self._parts, self._head, self._scores = parts, head, scores

    def outputs(self, image: Any, layers: GuideLayers) -> dict[str, Any]:
        """Features, scores, and the guide (N, h', w', 1) of the top class, or (N, h', w', K) of few; traced."""
        import tensorflow as tf

        with tf.GradientTape(persistent=True, watch_accessed_variables=False) as tape:
            earlier, features = self._forward(tape, image)
            logits = self._head(features, training=False)
            chosen = list(_each_class(logits)) if logits.shape[1] <= MOST_CLASSES else [_top_class(logits)]
        make = _METHODS[layers.method]
        # Signs: in files of integers, too, guides stay float32.
        with plain_operators(signs=True), shared_by_nearly_largest():
            gradients = [_gradients(tape, logits, earlier, own) for own in chosen]
        guides = [combined([make(*pair) for pair in zip(each, earlier, strict=True)], layers) for each in gradients]
        guide = guides[0] if len(guides) == 1 else tf.concat(guides, axis=-1)
        scores = {} if self._scores is None else {"scores": self._scores(features, training=False)}
        return {"features": features, "guide": guide, **scores}

    def raw(
        self, inputs: Floats, classes: NDArray[np.int64], methods: Sequence[GuideMethod]
    ) -> dict[GuideMethod, list[Floats]]:
        """What each method says at each step, before it is `combined`: (N, h', w', 1) for each step.

        By the framework's own gradients of the logit of one class an image, of inputs (N, H, W, channels) and classes
        (N,), in batches; but for max pooling's, see `shared_by_all_largest`.
        """
        batches = (slice(start, start + _BATCH) for start in range(0, len(inputs), _BATCH))
        found = [self._batch(inputs[batch], classes[batch], methods) for batch in batches]
        return {
            method: [np.concatenate(parts) for parts in zip(*(one[method] for one in found), strict=True)]
            for method in methods
        }

    def _batch(
        self, inputs: Floats, classes: NDArray[np.int64], methods: Sequence[GuideMethod]
    ) -> dict[GuideMethod, list[Floats]]:
        import tensorflow as tf

        with tf.GradientTape(watch_accessed_variables=False) as tape:
            earlier, features = self._forward(tape, tf.constant(inputs))
            own = tf.reduce_sum(tf.gather(self._head(features, training=False), classes, batch_dims=1))
        with shared_by_all_largest(), shared_by_nearly_largest():
            pairs = list(zip(_gradients(tape, own, earlier), earlier, strict=True))
        return {method: [np.asarray(_METHODS[method](*pair), np.float32) for pair in pairs] for method in methods}

    def _forward(self, tape: Any, image: Any) -> tuple[list[Any], Any]:
        earlier, values = [], self._parts[0](image, training=False)
        for part in self._parts[1:]:
            tape.watch(values)
            earlier.append(values)
            values = part(values, training=False)
        return earlier, values


def _gradients(tape: Any, logits: Any, earlier: Sequence[Any], own: Any = None) -> Sequence[Any]:
    """Of the sum of logits, each times its number in `own` where that is given.

    Raises:
        ClassifierError: on the way back lies a step that cannot be differentiated.
    """
    try:
        found = tape.gradient(logits, earlier, own)
    except LookupError as error:  # TensorFlow: "gradient registry has no entry for: ..."
        raise ClassifierError(f"it cannot be differentiated: {' '.join(str(error).split())[:200]}") from error
    if any(one is None for one in found):
        raise ClassifierError("it cannot be differentiated: it rounds or compares on the way to the scores")
    return cast(Sequence[Any], found)


def combined(raw: Sequence[Any], layers: GuideLayers) -> Any:
    """The guide, a tensor (N, h', w', 1) in 0..1, of what each step says, (N, h', w', 1) and at least 0."""
    import tensorflow as tf

    product = None
    for guide, step in zip(raw, layers.steps, strict=True):
        if layers.smooth:
            kernel = tf.constant(_SMOOTHING)[..., tf.newaxis, tf.newaxis]
            guide = tf.nn.conv2d(guide, kernel, 1, "SAME")
        guide = guide / tf.maximum(tf.reduce_max(guide, axis=(1, 2), keepdims=True), _LEAST)
        if tuple(guide.shape[1:3]) != layers.shape:
            guide = _resized(guide, layers.shape)
        for _ in range(layers.names.count(step.name)):
            product = guide if product is None else product * guide
    return product


def _resized(guide: Any, shape: tuple[int, int]) -> Any:
    """Bilinear, (N, h, w, 1) to another height and width; by products where sizes are no multiples.

    tf2onnx 1.17 resizes by factors, whose products with sizes come out one too small: 10 times 1.9 gives 18.
    """
    import tensorflow as tf

    height, width = (int(side) for side in guide.shape[1:3])
    if not (shape[0] % height or shape[1] % width):
        return tf.image.resize(guide, shape)
    rows = tf.reshape(guide, (-1, height, width)) @ _bilinear(width, shape[1])
    columns = tf.transpose(rows, (0, 2, 1)) @ _bilinear(height, shape[0])
    return tf.transpose(columns, (0, 2, 1))[..., tf.newaxis]


def _bilinear(size: int, wanted: int) -> NDArray[np.float32]:
    """What numbers along an axis are multiplied by: float32 (size, wanted)."""
    places = np.clip((np.arange(wanted) + 0.5) * size / wanted - 0.5, 0, size - 1)
    return np.asarray(np.maximum(0, 1 - np.abs(places - np.arange(size)[:, np.newaxis])), np.float32)


_SMOOTHING = np.outer((1, 2, 1), (1, 2, 1)).astype(np.float32) / 16


def _each_class(logits: Any) -> Iterator[Any]:
    """What makes the gradient of the logits that of the logit of one class, for each."""
    import tensorflow as tf

    for k in range(logits.shape[1]):
        yield tf.one_hot(tf.fill(tf.shape(logits)[:1], k), logits.shape[1], dtype=logits.dtype)


def _top_class(logits: Any) -> Any:
    """The same for the class with the highest score."""
    import tensorflow as tf

    return tf.one_hot(tf.argmax(logits, axis=-1), logits.shape[1], dtype=logits.dtype)


def _layercam(gradient: Any, features: Any) -> Any:
    import tensorflow as tf

    return tf.reduce_sum(tf.nn.relu(gradient) * tf.nn.relu(features), axis=-1, keepdims=True)


def _hirescam(gradient: Any, features: Any) -> Any:
    import tensorflow as tf

    return tf.nn.relu(tf.reduce_sum(gradient * features, axis=-1, keepdims=True))


_METHODS: dict[GuideMethod, Callable[[Any, Any], Any]] = {"layercam": _layercam, "hirescam": _hirescam}
