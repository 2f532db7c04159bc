"""What an artifact computes: features, scores and, where the device is not to make it from class weights, evidence.

Of an affine head it replaces the head: class weights at every place (a 1 x 1 convolution where they are the same at
all of them), whose sums over the places and the bias are the logits. Of another head it is made of gradients,
HiResCAM (Draelos and Carin, 2020, "Use HiResCAM instead of Grad-CAM for faithful explanations"):

    evidence[k, y, x] = sum over c of features[y, x, c] * d logit[k] / d features[y, x, c]

written with ordinary forward operators, so that no interpreter needs to know about gradients.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from camlite.artifact.evidence_methods import EVIDENCE_METHODS, EvidenceMethod
from camlite.errors import ClassifierError
from camlite_export import workarounds
from camlite_export.cutting import active_bias
from camlite_export.cutting.halves import HasHead
from camlite_export.cutting.heads import AffineHead
from camlite_export.cutting.plain_operators import plain_operators

Forward = Callable[[Any], dict[str, Any]]


def forward(halves: HasHead, outputs_of: Forward) -> Forward:
    """The function that is exported.

    Args:
        halves: of the classifier.
        outputs_of: image -> features, scores, and what else the model gives.

    Returns:
        image (N, H, W, channels) -> features, scores and, where `HasHead.evidence_method` says that the model
        gives it, evidence (N, h, w, K), or (N, h, w, 1) of the top class only; and bias (N, K), see `bias_of`.
    """
    evidence = _IN_THE_GRAPH.get(halves.evidence_method)

    def compute(image: Any) -> dict[str, Any]:
        with plain_operators(), workarounds.convolutions_in_groups_as_they_are():
            outputs = outputs_of(image)
            if evidence:
                outputs = {**outputs, **evidence(halves, outputs["features"])}
            if halves.gives_bias:
                outputs = {**outputs, "bias": bias_of(halves, outputs["features"])}
            return outputs

    return compute


def is_in_the_graph(method: EvidenceMethod) -> bool:
    """Whether the model gives evidence; else the device makes it."""
    return method in _IN_THE_GRAPH


def evidence_of(halves: HasHead, features: Any) -> Any:
    """Evidence as the model gives it, (N, h, w, K), or (N, h, w, 1) of the top class; None where the device makes it.

    Raises:
        ClassifierError: the head has a step that cannot be differentiated.
    """
    if halves.evidence_method == "graph":
        return _maps(_affine(halves), features)
    evidence = _IN_THE_GRAPH.get(halves.evidence_method)
    return evidence(halves, features)["evidence"] if evidence else None


def bias_of(halves: HasHead, features: Any) -> Any:
    """What evidence by gradient leaves of each logit, (N, K), see `camlite_export.cutting.active_bias`.

    Of a class without evidence, where there is only that of the top class, it is the logit itself.
    """
    import tensorflow as tf

    logits = halves.head(features, training=False)
    bias = active_bias.of(features, logits)
    if not EVIDENCE_METHODS[halves.evidence_method].top_only:
        return bias
    top = tf.one_hot(tf.argmax(logits, axis=-1), halves.classes, dtype=logits.dtype)
    return top * bias + (1 - top) * logits


def _affine(halves: HasHead) -> AffineHead:
    if halves.affine is None:
        raise ValueError("the head is not affine: it has no class weights")
    return halves.affine


def _maps(head: AffineHead, features: Any) -> Any:
    import tensorflow as tf

    if head.weights.ndim == 2:
        return tf.nn.conv2d(features, head.weights[np.newaxis, np.newaxis], 1, "VALID")
    return tf.squeeze(features[..., tf.newaxis, :] @ head.weights, axis=-2)


def _with_class_weights(halves: HasHead, features: Any) -> dict[str, Any]:
    """Evidence of every class, and the scores that follow from it."""
    import tensorflow as tf

    head = _affine(halves)
    maps = _maps(head, features)
    height, width, classes = maps.shape[1:]
    by_class = tf.transpose(tf.reshape(maps, (-1, height * width, classes)), (0, 2, 1))
    # A product with ones: TFLite's sum overflows in int16x8, and its mean has the steps of the maps in int8.
    logits = tf.squeeze(by_class @ np.ones((height * width, 1), np.float32), axis=-1) + head.bias
    activate = {"softmax": tf.nn.softmax, "sigmoid": tf.nn.sigmoid, "linear": tf.identity}[halves.activation]
    return {"scores": activate(logits), "evidence": maps}


def _of_every_class(halves: HasHead, features: Any) -> dict[str, Any]:
    """All classes in one pass: the features once a class, each copy for the logit of its own class."""
    import tensorflow as tf

    classes = halves.classes
    height, width, channels = halves.feature_shape
    copies = tf.reshape(tf.repeat(features[:, tf.newaxis], classes, axis=1), (-1, height, width, channels))
    with tf.GradientTape(watch_accessed_variables=False) as tape:
        tape.watch(copies)
        logits = tf.reshape(halves.head(copies, training=False), (-1, classes, classes))
        own = tf.reduce_sum(logits * tf.eye(classes, dtype=logits.dtype))
    maps = tf.reduce_sum(copies * _gradient(tape, own, copies), axis=-1)
    return {"evidence": tf.transpose(tf.reshape(maps, (-1, classes, height, width)), (0, 2, 3, 1))}


def _of_the_top_class(halves: HasHead, features: Any) -> dict[str, Any]:
    import tensorflow as tf

    with tf.GradientTape(watch_accessed_variables=False) as tape:
        tape.watch(features)
        logits = halves.head(features, training=False)
        top = tf.one_hot(tf.argmax(logits, axis=-1), halves.classes, dtype=logits.dtype)
        own = tf.reduce_sum(logits * tf.stop_gradient(top))
    return {"evidence": tf.reduce_sum(features * _gradient(tape, own, features), axis=-1, keepdims=True)}


def _gradient(tape: Any, logit: Any, features: Any) -> Any:
    """
    Raises:
        ClassifierError: the head has a step that cannot be differentiated.
    """
    try:
        gradient = tape.gradient(logit, features)
    except LookupError as error:  # TensorFlow: "gradient registry has no entry for: ..."
        raise ClassifierError(f"the head cannot be differentiated: {' '.join(str(error).split())[:200]}") from error
    if gradient is None:
        raise ClassifierError(
            "the head cannot be differentiated: it rounds or compares on the way to the scores; cut at a later --layer"
        )
    return gradient


# What the graph adds to features and scores; a method that is not here is the device's.
_IN_THE_GRAPH: Mapping[EvidenceMethod, Callable[[HasHead, Any], dict[str, Any]]] = {
    "graph": _with_class_weights,
    "gradient": _of_every_class,
    "gradient_top": _of_the_top_class,
}
