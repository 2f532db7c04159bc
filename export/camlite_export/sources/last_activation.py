"""What turns logits into scores: found at the classifier's end by what it does, and taken off.

A softmax may be a layer, an argument of one, an operation, a function of TensorFlow, a Lambda, or written out as
exp(z) / sum(exp(z)). So nothing here goes by names: whatever makes the scores of K numbers is tried on random ones.
"""

from __future__ import annotations

import math
import warnings
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Literal, NamedTuple

import numpy as np
from numpy.typing import NDArray

from camlite.artifact.card import Activation
from camlite.errors import ClassifierError
from camlite_export import workarounds

if TYPE_CHECKING:
    import keras

Kind = Literal["softmax", "sigmoid", "sigmoid, reversed", "two classes", "two classes, reversed", "log_softmax"]
_Run = Callable[[Any], Any]

# Steps back from the scores; exp(z - max(z)) / sum(...) between two reshapes has eight.
_MOST_STEPS = 24

# Softmax written out differs by 2e-7, one clipped at 1e-7 by that; hard_sigmoid differs by 0.02 and more.
_TOLERANCE = 1e-6

# float32 has exp(z) up to z = 88. Small numbers and large ones: what bends somewhere else bends between them.
_MAGNITUDES = np.repeat(np.array([0.1, 1, 4, 16], np.float32), 4)

_PROBABILITIES = ("softmax", "sigmoid", "sigmoid, reversed", "log_softmax")


class SaturationWarning(UserWarning):
    """A classifier's scores are made of probabilities, whose evidence vanishes where they are near 0 or 1."""


class Effect(NamedTuple):
    """What a function of numbers does.

    Attributes:
        kind: which function it is.
        order: of the numbers, where it gives them in another order than it takes them; else None.
    """

    kind: Kind
    order: tuple[int, ...] | None = None


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
    from keras import ops

    logits, effect = _found(scores)
    if effect is None and scores.shape[1] == 1:
        raise ClassifierError(
            f"{name}: one output (linear) names no class; for two classes give it a sigmoid: "
            f"keras.Sequential([model, keras.layers.Activation('sigmoid')])"
        )
    if effect is None:
        return scores, scores, "linear"
    logits = _flat(logits)
    if effect.order is not None:
        logits = ops.take(logits, np.array(effect.order, np.int32), axis=-1)
    if effect.kind == "softmax":
        return scores, logits, "softmax"
    if effect.kind == "sigmoid, reversed":  # 1 - sigmoid(z) is sigmoid(-z)
        logits = -logits
    if effect.kind == "two classes" or scores.shape[1] == 1:
        pair = ops.concatenate([-logits, logits], axis=-1)
    elif effect.kind == "two classes, reversed":
        pair = ops.concatenate([logits, -logits], axis=-1)
    else:
        return scores, logits, "sigmoid"
    if scores.shape[1] == 1:
        scores = ops.concatenate([1 - scores, scores], axis=-1)
    return scores, pair, "sigmoid"


def _found(scores: Any) -> tuple[Any, Effect | None]:
    """The logits, and what is done with them; (scores, None) where it is nothing that is known."""
    upstream = list(_upstream(scores))
    # The earliest that will do: softmax(z) is softmax(z - max(z)), too, but only z follows from the features linearly.
    for tensor in reversed(upstream[1:]):
        behind = _between(tensor, scores)
        effect = behind and _effect(behind, tuple(tensor.shape[1:]), scores.shape[1])
        if effect and effect.kind != "log_softmax":
            return tensor, effect
    for tensor in upstream:
        behind = (lambda values: values) if tensor is scores else _between(tensor, scores)
        layer, before = _made_by(tensor)[0], _inputs(tensor)
        if behind is None or len(before) != 1 or not _ends_with_activation(layer):
            continue
        effect = _effect(_composed(layer.activation, behind), tuple(tensor.shape[1:]), scores.shape[1])
        known = effect is not None and effect.kind != "log_softmax"
        linear = _without_activation(layer, before[0]) if known else None
        if linear is not None and effect is not None:
            return linear, effect
    return scores, None


def saturation_text(function: str) -> str:
    """What it means that logits are made of a function's probabilities, and what to do."""
    return (
        f"its scores are made of the probabilities of a {function}, and what stands behind it cannot be taken off: "
        f"evidence vanishes where a probability is near 0 or 1; save the classifier so that it ends with the {function}"
        if function != "log_softmax"
        else "its scores are logarithms of probabilities, 0 or less: evidence vanishes where a class is near certain; "
        "save the classifier so that it ends with softmax in place of log_softmax"
    )


def saturation(logits: Any) -> str | None:
    """Which function has made the logits of K classes probabilities, so that their evidence vanishes; None where none.

    Logits (batch, K) as `take_off` gives them: they are made of probabilities where something stands behind a softmax
    or sigmoid that cannot be taken off, such as another softmax, a factor, or a clip.
    """
    if logits.shape[1] == 1:
        return None
    for tensor in _walk(logits, _is_short):
        if tensor is not logits and any(_has_weights(one) for one in _operations_between(tensor, logits)):
            continue
        for before in _inputs(tensor):
            behind = _between(before, tensor)
            effect = behind and _effect(behind, tuple(before.shape[1:]), tensor.shape[-1])
            if effect and effect.kind in _PROBABILITIES:
                return effect.kind.split(",")[0]
        layer = _made_by(tensor)[0]
        if _ends_with_activation(layer):
            effect = _effect(layer.activation, tuple(tensor.shape[1:]), tensor.shape[-1])
            if effect and effect.kind in _PROBABILITIES:
                return effect.kind
    return None


def _operations_between(tensor: Any, logits: Any) -> list[Any]:
    between = _between(tensor, logits)
    return list(getattr(between, "layers", ()))


def _has_weights(layer: Any) -> bool:
    return bool(getattr(layer, "weights", ()))


def _upstream(scores: Any) -> Iterator[Any]:
    """What the scores are made of, itself first: tensors of K numbers for an image, or of one."""
    return _walk(scores, lambda sides, classes: math.prod(sides) in (1, classes))


def _is_short(sides: Sequence[int], classes: int) -> bool:
    """Whether a tensor is a list of at most K numbers, as are the probabilities of groups and of classes in them."""
    return math.prod(sides) == max(sides, default=1) <= classes


def _walk(scores: Any, is_wanted: Callable[[Sequence[int], int], bool]) -> Iterator[Any]:
    seen: set[int] = set()
    waiting = [scores]
    while waiting and len(seen) < _MOST_STEPS:
        tensor = waiting.pop(0)
        sides = tensor.shape[1:]
        if id(tensor) in seen or None in sides or not is_wanted(sides, scores.shape[1]):
            continue
        seen.add(id(tensor))
        yield tensor
        waiting += _inputs(tensor)


def _made_by(tensor: Any) -> tuple[Any, Any]:
    """The operation that gave a symbolic tensor, and which call of it."""
    history = tensor._keras_history
    return history.operation, history.operation._inbound_nodes[history.node_index]


def _inputs(tensor: Any) -> list[Any]:
    return list(_made_by(tensor)[1].input_tensors)


def _between(tensor: Any, scores: Any) -> _Run | None:
    """What makes scores of a tensor; None where they need more than that."""

    if "float" not in str(tensor.dtype):
        return None
    try:
        return workarounds.functional_model(tensor, scores)  # type: ignore[no-any-return]
    except ValueError:  # Keras: "not connected to `inputs`"
        return None


def _composed(first: _Run, then: _Run) -> _Run:
    return lambda values: then(first(values))


def _effect(run: _Run, sides: tuple[int, ...], classes: int) -> Effect | None:
    """What a function of numbers (batch, *sides) does: which of these it is, if it is one."""
    import keras

    numbers = math.prod(sides)
    probes = np.random.default_rng(0).normal(size=(len(_MAGNITUDES), numbers)).astype(np.float32)
    probes *= _MAGNITUDES[:, np.newaxis]
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            received = np.asarray(run(keras.ops.convert_to_tensor(probes.reshape(-1, *sides))), np.float32)
    except Exception:  # a function of a stranger's, run on numbers that it was not made for
        return None
    received = received.reshape(len(probes), -1)
    for kind, expected in _expected(probes, classes).items():
        if received.shape != expected.shape:
            continue
        if _same(received, expected):
            return Effect(kind)
        order = _order(received, expected)
        if order is not None and "two classes" not in kind:
            return Effect(kind, order)
    return None


def _same(received: NDArray[np.float32], expected: NDArray[np.float64]) -> bool:
    # Only logarithms are larger than 1, and rounded in proportion.
    return bool((np.abs(received - expected) <= _TOLERANCE * np.maximum(1, np.abs(expected))).all())


def _order(received: NDArray[np.float32], expected: NDArray[np.float64]) -> tuple[int, ...] | None:
    """The order that makes what is expected what was received; None where there is none."""
    for row in range(4):  # small numbers, which no function has made equal; two may still be within rounding in one row
        order = np.empty(expected.shape[1], np.int64)
        order[received[row].argsort()] = expected[row].argsort()
        if _same(received, expected[:, order]):
            return tuple(order.tolist())
    return None


def _expected(logits: NDArray[np.float32], classes: int) -> Mapping[Kind, NDArray[np.float64]]:
    exact = logits.astype(np.float64)
    sigmoid = 1 / (1 + np.exp(-exact))
    if exact.shape[1] == 1:
        pair = np.concatenate([1 - sigmoid, sigmoid], axis=1)
        one: dict[Kind, NDArray[np.float64]] = {"sigmoid": sigmoid, "sigmoid, reversed": 1 - sigmoid}
        return one if classes == 1 else {"two classes": pair, "two classes, reversed": pair[:, ::-1]}
    less = exact - exact.max(axis=1, keepdims=True)
    total = np.exp(less).sum(axis=1, keepdims=True)
    return {
        "softmax": np.exp(less) / total,
        "sigmoid": sigmoid,
        "sigmoid, reversed": 1 - sigmoid,
        "log_softmax": less - np.log(total),
    }


def _ends_with_activation(layer: Any) -> bool:
    import keras

    return isinstance(layer, keras.Layer) and callable(getattr(layer, "activation", None))


def _without_activation(layer: keras.Layer, before: Any) -> Any:
    """What a layer gives for the same input when its activation is left out.

    None where its activation is not what it does last, as in a recurrent layer.
    """
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # Keras warns of writing down a lambda, which is not kept
        config = {**layer.get_config(), "activation": "linear"}
    linear = type(layer).from_config(config)
    logits = linear(before)
    linear.set_weights(layer.get_weights())
    probe = np.random.default_rng(0).normal(size=(2, *before.shape[1:])).astype(np.float32)
    whole, parts = (np.asarray(one, np.float32) for one in (layer(probe), layer.activation(linear(probe))))
    return logits if np.allclose(whole, parts, atol=_TOLERANCE) else None


def _flat(logits: Any) -> Any:
    """Logits (batch, K) in float32."""
    from keras import ops

    if len(logits.shape) != 2:
        logits = ops.reshape(logits, (-1, math.prod(logits.shape[1:])))
    return logits if str(logits.dtype) == "float32" else ops.cast(logits, "float32")
