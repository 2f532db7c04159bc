"""Where a graph has its logits, and what makes scores of them: by structure, as far back as nothing is computed."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

from camlite.artifact.card import Activation
from camlite_export.sources.graph import Graph, Key, Node
from camlite_export.sources.operations import PASSING

_SOFTMAX = frozenset({"SOFTMAX", "Softmax"})
_SIGMOID = frozenset({"LOGISTIC", "Sigmoid"})
_LOG_SOFTMAX, _LOG = frozenset({"LOG_SOFTMAX", "LogSoftmax"}), frozenset({"LOG", "Log"})


@dataclass(frozen=True, eq=False)
class Ends:
    """What stands at the end of a graph.

    Attributes:
        logits: the tensor.
        activation: what makes scores of them.
        beta: that a softmax multiplies them with.
        is_pair: whether one sigmoid p stands for the two scores 1 - p and p; its logit z is then -z and z.
    """

    logits: Key
    activation: Activation
    beta: float = 1.0
    is_pair: bool = False

    def finished(self, values: Any) -> Any:
        """Logits (N, K) of what the graph gives at `logits`, a tensor of TensorFlow with any axes behind the batch."""
        import tensorflow as tf

        flat = tf.reshape(values, (-1, values.shape[1:].num_elements()))
        flat = flat if self.beta == 1 else flat * self.beta
        return tf.concat([-flat, flat], axis=-1) if self.is_pair else flat


def find(graph: Graph) -> Ends:
    """Look back from the scores."""
    key = graph.scores
    is_pair = math.prod(graph.shapes[key]) == 1
    while (node := graph.makers.get(key)) is not None:
        if node.kind in _SOFTMAX and not is_pair:
            return Ends(_before(node), "softmax", node.beta)
        if node.kind in _SIGMOID:
            return Ends(_before(node), "sigmoid", is_pair=is_pair)
        if node.kind not in PASSING:
            break
        key = _before(node)
    return Ends(graph.scores, "linear")


def saturation(graph: Graph, logits: Key) -> str | None:
    """Which function has made the logits probabilities, so that their evidence vanishes; None where none has.

    As `camlite_export.sources.last_activation.saturation` says of Keras: back as far as nothing is learned and nothing
    else comes in.
    """
    key, is_logarithm = logits, False
    while (node := graph.makers.get(key)) is not None and not node.parameters:
        computed = {one for one in node.inputs if one is not None and one not in graph.constants}
        if node.kind in _LOG_SOFTMAX:
            return "log_softmax"
        if node.kind in _SOFTMAX:
            return "log_softmax" if is_logarithm else "softmax"
        if node.kind in _SIGMOID:
            return "sigmoid"
        if len(computed) != 1:
            return None
        is_logarithm = is_logarithm or node.kind in _LOG
        (key,) = computed
    return None


def _before(node: Node) -> Key:
    key = node.inputs[0]
    if key is None:
        raise ValueError(f"{node.name}: no input")
    return key
