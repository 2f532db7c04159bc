"""Cut a classifier at its last feature map: a two-output model, and the head that stands behind the cut."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, cast

from camlite.card import Activation
from camlite.errors import ClassifierError
from camlite_export import quirks

if TYPE_CHECKING:
    import keras

_ACTIVATIONS: tuple[Activation, ...] = ("softmax", "sigmoid", "linear")


@dataclass(frozen=True)
class Step:
    """One layer on the image's way through the classifier.

    Attributes:
        name, kind: of the layer, as ``conv_128`` and ``Conv2D``.
        shape: of its output, the batch axis as None.
        parameters: how many numbers it has learned.
        output: its symbolic output.
    """

    name: str
    kind: str
    shape: tuple[int | None, ...]
    parameters: int
    output: Any


@dataclass(frozen=True)
class TwoOutputModel:
    """A classifier cut in two.

    Attributes:
        model: image (N, H, W, channels) -> {"features": (N, h, w, C), "scores": (N, K)}.
        head: features (N, h, w, C) -> logits (N, K).
        activation: logits -> scores.
        layer: name of the layer that gives the features.
        journey: every layer from image to scores.
    """

    model: keras.Model
    head: keras.Model
    activation: Activation
    layer: str
    journey: tuple[Step, ...]

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


def cut(classifier: keras.Model, layer: int | str | None = None) -> TwoOutputModel:
    """Cut a classifier behind one layer.

    Args:
        classifier: a Sequential or functional model; models inside it are walked through as well.
        layer: index into ``classifier.layers`` (negative ones count from the end) or a layer's name; by
            default the last layer that gives a feature map and through which every path to the scores goes.

    Raises:
        ClassifierError: the classifier has no feature map, the layer is unknown, or the scores do not
            follow from its output alone.
    """
    import keras

    image, scores, journey, outputs = _walk(classifier)
    _check_ends(classifier, image, scores)
    logits, activation = _logits(scores)
    if layer is None:
        step, head = _last_feature_map(classifier, journey, logits)
    else:
        step = _named_step(classifier, layer, journey, outputs)
        if not _is_feature_map(step):
            raise ClassifierError(
                f"{classifier.name}: layer {step.name!r} gives {_shape_text(step.shape)}, which is no feature map; "
                f"expected (batch, height, width, channels) with more than one place; "
                f"`camlite inspect` lists the layers"
            )
        behind = _head(step, logits)
        if behind is None:
            raise ClassifierError(
                f"{classifier.name}: the scores do not follow from layer {step.name!r} alone; choose a later layer"
            )
        head = behind
    model = keras.Model(image, {"features": step.output, "scores": scores}, name=classifier.name)
    return TwoOutputModel(model, head, activation, step.name, tuple(journey))


def _walk(classifier: keras.Model) -> tuple[Any, Any, list[Step], dict[int, Step]]:
    """Send a symbolic image through the classifier, and through the models inside it, layer by layer."""
    import keras

    if not quirks.is_graph_of_layers(classifier):
        raise ClassifierError(
            f"{classifier.name}: a {type(classifier).__name__} is neither a Sequential nor a functional model, "
            f"or was never built, so its inside cannot be seen; rebuild it with the functional API"
        )
    if len(classifier.inputs) != 1:
        raise ClassifierError(f"{classifier.name}: {len(classifier.inputs)} inputs, expected one image")
    journey: list[Step] = []
    outputs: dict[int, Step] = {}

    def visit(operation: Any, *arguments: Any, **options: Any) -> Any:
        if isinstance(operation, keras.Model):
            result = quirks.run_through_graph(operation, arguments[0], visit)
            outputs[id(operation)] = journey[-1]
            return result
        result = operation(*arguments, **options)
        for tensor in keras.tree.flatten(result):
            parameters = operation.count_params() if isinstance(operation, keras.Layer) else 0
            kind = type(operation).__name__
            journey.append(Step(operation.name, kind, tuple(tensor.shape), parameters, tensor))
        outputs[id(operation)] = journey[-1]
        return result

    original = classifier.inputs[0]
    image = keras.Input(original.shape[1:], dtype=original.dtype, name="image")
    scores = quirks.run_through_graph(classifier, image, visit)
    return image, scores, journey, outputs


def _check_ends(classifier: keras.Model, image: Any, scores: Any) -> None:
    if len(image.shape) != 4 or image.shape[3] not in (1, 3) or None in image.shape[1:]:
        raise ClassifierError(
            f"{classifier.name}: the input is {_shape_text(image.shape)}, "
            f"expected an image (batch, height, width, channels) of fixed size with 1 or 3 channels"
        )
    if not hasattr(scores, "shape") or len(scores.shape) != 2 or scores.shape[1] is None:
        received = _shape_text(scores.shape) if hasattr(scores, "shape") else f"{len(scores)} tensors"
        raise ClassifierError(f"{classifier.name}: the output is {received}, expected scores (batch, classes)")


def _logits(scores: Any) -> tuple[Any, Activation]:
    """The tensor before the classifier's last activation, and that activation."""
    import keras

    operation = scores._keras_history.operation
    before = operation._inbound_nodes[scores._keras_history.node_index].input_tensors[0]
    if isinstance(operation, keras.layers.Softmax):
        return before, "softmax"
    activation = getattr(getattr(operation, "activation", None), "__name__", "linear")
    if activation not in _ACTIVATIONS or activation == "linear":
        return scores, "linear"
    if isinstance(operation, keras.layers.Activation):
        return before, activation
    linear = type(operation).from_config({**operation.get_config(), "activation": "linear"})
    logits = linear(before)
    linear.set_weights(operation.get_weights())
    return logits, activation


def _is_feature_map(step: Step) -> bool:
    shape = step.shape
    return len(shape) == 4 and None not in shape[1:] and cast(int, shape[1]) * cast(int, shape[2]) > 1


def _last_feature_map(classifier: keras.Model, journey: list[Step], logits: Any) -> tuple[Step, keras.Model]:
    for step, head in _cuts(journey, logits):
        return step, head
    raise ClassifierError(
        f"{classifier.name}: no feature map: no layer gives (batch, height, width, channels) with more than one "
        f"place from which alone the scores follow; camlite explains convolutional image classifiers"
    )


def _cuts(journey: list[Step], logits: Any) -> Iterator[tuple[Step, keras.Model]]:
    for step in reversed(journey):
        head = _head(step, logits) if _is_feature_map(step) else None
        if head is not None:
            yield step, head


def _head(step: Step, logits: Any) -> keras.Model | None:
    """The model from a step's output to the logits, or None where the logits need more than that."""
    import keras

    try:
        return keras.Model(step.output, logits, name="head")
    except ValueError:  # Keras: "not connected to `inputs`"
        return None


def _named_step(classifier: keras.Model, layer: int | str, journey: list[Step], outputs: dict[int, Step]) -> Step:
    if isinstance(layer, int):
        count = len(classifier.layers)
        if not -count <= layer < count:
            raise ClassifierError(
                f"{classifier.name}: layer {layer} is unknown; expected {-count} to {count - 1}, "
                f"`camlite inspect` lists the layers"
            )
        step = outputs.get(id(classifier.layers[layer]))
        if step is None:
            raise ClassifierError(f"{classifier.name}: layer {layer} is the input; choose a layer behind it")
        return step
    for model_layer in classifier.layers:
        if model_layer.name == layer and id(model_layer) in outputs:
            return outputs[id(model_layer)]
    for step in reversed(journey):
        if step.name == layer:
            return step
    raise ClassifierError(f"{classifier.name}: no layer is named {layer!r}; `camlite inspect` lists the layers")


def _shape_text(shape: Any) -> str:
    return "(" + ", ".join("batch" if side is None and i == 0 else str(side) for i, side in enumerate(shape)) + ")"
