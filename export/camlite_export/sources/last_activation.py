"""What turns logits into scores: found at the classifier's end, and taken off."""

from __future__ import annotations

import math
from typing import Any

from camlite.artifact.card import Activation
from camlite.errors import ClassifierError

# Layers and operations that only give the scores another shape, or do nothing outside training.
_PASSIVE = frozenset({"Flatten", "Reshape", "Squeeze", "Dropout", "Identity"})


def take_off(name: str, scores: Any) -> tuple[Any, Any, Activation]:
    """Symbolic scores (batch, K) -> (scores, logits, activation), the last not yet applied to the logits.

    One sigmoid unit p for two classes becomes the two scores 1 - p and p, and its logit z the logits -z and z:
    sigmoid(-z) is 1 - sigmoid(z), so that nothing behind needs to know.

    An activation that is neither softmax nor sigmoid counts as a part of the head: what it gives are the logits.

    Args:
        name: of the classifier, for messages.

    Raises:
        ClassifierError: one unit without a sigmoid, which names no class.
    """
    logits, activation = _split(scores)
    if scores.shape[1] > 1:
        return scores, logits, activation
    if activation != "sigmoid":
        raise ClassifierError(
            f"{name}: one output ({activation}) names no class; for two classes give it a sigmoid: "
            f"keras.Sequential([model, keras.layers.Activation('sigmoid')])"
        )
    from keras import ops

    return ops.concatenate([1 - scores, scores], axis=-1), ops.concatenate([-logits, logits], axis=-1), "sigmoid"


def _split(scores: Any) -> tuple[Any, Activation]:
    import keras

    behind = []
    last = scores
    operation, before = _made_by(last)
    while _is_passive(operation, before):
        behind.append(operation)
        last = before
        operation, before = _made_by(last)
    activation = _activation(operation, last)
    if activation == "linear":
        return scores, "linear"
    if isinstance(operation, keras.Layer) and not isinstance(
        operation, (keras.layers.Softmax, keras.layers.Activation)
    ):
        logits = _without_activation(operation, before)
    else:
        logits = before
    for reshaping in reversed(behind):
        logits = reshaping(logits)
    return logits, activation


def _made_by(tensor: Any) -> tuple[Any, Any]:
    """The operation that gave a symbolic tensor, and what it was given."""
    history = tensor._keras_history
    inputs = history.operation._inbound_nodes[history.node_index].input_tensors
    return history.operation, inputs[0] if inputs else None


def _is_passive(operation: Any, before: Any) -> bool:
    """Whether the K scores of an image stand in the last axis on both sides of an operation."""
    kind = type(operation).__name__
    idle = kind == "Activation" and operation.activation.__name__ == "linear"
    return (idle or kind in _PASSIVE) and None not in before.shape[1:] and math.prod(before.shape[1:-1]) == 1


def _activation(operation: Any, output: Any) -> Activation:
    """The activation that an operation ends with; linear where it is none that turns logits into scores."""
    kind = type(operation).__name__
    if kind == "Softmax":
        return "softmax" if operation.axis in (-1, len(output.shape) - 1) else "linear"
    if kind == "Sigmoid":
        return "sigmoid"
    activations: dict[str, Activation] = {"softmax": "softmax", "sigmoid": "sigmoid"}
    return activations.get(getattr(getattr(operation, "activation", None), "__name__", "linear"), "linear")


def _without_activation(layer: Any, before: Any) -> Any:
    """What a layer gives for the same input when its activation is left out."""
    linear = type(layer).from_config({**layer.get_config(), "activation": "linear"})
    logits = linear(before)
    linear.set_weights(layer.get_weights())
    return logits
