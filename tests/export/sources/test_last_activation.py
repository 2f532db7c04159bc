"""`camlite_export.sources.last_activation`: what makes scores of logits is known by what it does, whatever it is."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import keras
import numpy as np
import pytest
import tensorflow as tf
from keras import layers, ops

from camlite.errors import ClassifierError
from camlite.maps import cam
from camlite_export.sources import last_activation

FEATURES = 5
PROBES = np.random.default_rng(0).normal(0, 3, (6, FEATURES)).astype(np.float32)


def powers(logits: Any) -> Any:
    raised = ops.exp(logits)
    return raised / ops.sum(raised, axis=-1, keepdims=True)


def shifted(logits: Any) -> Any:
    return powers(logits - ops.max(logits, axis=-1, keepdims=True))


def through_places(logits: Any) -> Any:
    return layers.Flatten()(layers.Softmax()(layers.Reshape((1, 1, -1))(logits)))


SOFTMAX: dict[str, Callable[[Any], Any]] = {
    "a layer": lambda z: layers.Softmax()(z),
    "an Activation": lambda z: layers.Activation("softmax")(z),
    "an Activation of a function of one's own": lambda z: layers.Activation(powers)(z),
    "an operation": lambda z: ops.softmax(z),
    "an operation over the axis by its number": lambda z: ops.softmax(z, axis=1),
    "a Lambda": lambda z: layers.Lambda(lambda x: tf.nn.softmax(x))(z),
    "a Dense": lambda z: layers.Dense(3, activation="softmax")(z),
    "a Dense with a function of one's own": lambda z: layers.Dense(3, activation=powers)(z),
    "a 1 x 1 convolution": lambda z: layers.Flatten()(
        layers.Conv2D(3, 1, activation="softmax")(layers.Reshape((1, 1, 3))(z))
    ),
    "written out": powers,
    "written out, made safe": shifted,
    "followed by what does nothing": lambda z: layers.Dropout(0.5)(layers.Identity()(ops.softmax(z))),
    "a Dense, then a cast": lambda z: ops.cast(layers.Dense(3, activation="softmax")(z), "float32"),
    "clipped": lambda z: ops.clip(ops.softmax(z), 1e-7, 1.0),
    "between two reshapes": through_places,
    "in a model": lambda z: keras.Sequential([layers.Dense(3), layers.Softmax()])(z),
}

SIGMOID: dict[str, Callable[[Any], Any]] = {
    "a layer": lambda z: layers.Activation("sigmoid")(z),
    "an operation": lambda z: ops.sigmoid(z),
    "written out": lambda z: 1 / (1 + ops.exp(-z)),
    "a Lambda": lambda z: layers.Lambda(lambda x: tf.math.sigmoid(x))(z),
    "half of tanh, and a half": lambda z: 0.5 * ops.tanh(0.5 * z) + 0.5,
}

NEITHER: dict[str, Callable[[Any], Any]] = {
    "nothing": lambda z: z,
    "relu": lambda z: ops.relu(z),
    "softmax of the wrong axis": lambda z: layers.Flatten()(layers.Softmax(axis=1)(layers.Reshape((1, 1, 3))(z))),
    "hard sigmoid": lambda z: ops.hard_sigmoid(z),
    "the logarithm of softmax": lambda z: ops.log_softmax(z),
    "softmax, smoothed": lambda z: 0.9 * ops.softmax(z) + 0.1 / 3,
    "softmax, less what came before": lambda z: ops.softmax(z) - z,
    "a layer that ends with something else": lambda z: layers.LSTM(3, activation="sigmoid")(layers.Reshape((1, 3))(z)),
}


def model(units: int, last: Callable[[Any], Any]) -> keras.Model:
    keras.utils.set_random_seed(0)
    features = keras.Input((FEATURES,))
    made = keras.Model(features, last(layers.Dense(units)(features)), name="small")
    made.set_weights([np.random.default_rng(1).normal(0, 1, weight.shape) for weight in made.get_weights()])
    return made


def taken_off(of: keras.Model) -> tuple[Any, Any, str]:
    """Scores and logits of the probes, and the activation; through models inside as `journey` lays them open."""
    from camlite_export import workarounds

    features = keras.Input((FEATURES,))

    def visit(operation: Any, *arguments: Any, **options: Any) -> Any:
        if workarounds.is_graph_of_layers(operation):
            return workarounds.run_through_graph(operation, arguments[0], visit)
        return operation(*arguments, **options)

    end = workarounds.run_through_graph(of, features, visit)
    scores, logits, activation = last_activation.take_off("small", end)
    assert logits.shape == scores.shape
    found = (np.asarray(keras.Model(features, one)(PROBES)) for one in (scores, logits))
    return *found, activation


@pytest.mark.parametrize("how", SOFTMAX)
def test_softmax_is_known_by_what_it_does(how: str) -> None:
    classifier = model(3, SOFTMAX[how])
    scores, logits, activation = taken_off(classifier)
    assert activation == "softmax"
    np.testing.assert_allclose(scores, classifier(PROBES), atol=1e-6)
    np.testing.assert_allclose(cam.activate(logits, "softmax"), scores, atol=1e-6)


@pytest.mark.parametrize("how", SIGMOID)
def test_sigmoid_is_known_by_what_it_does(how: str) -> None:
    scores, logits, activation = taken_off(model(3, SIGMOID[how]))
    assert activation == "sigmoid"
    np.testing.assert_allclose(cam.activate(logits, "sigmoid"), scores, atol=1e-6)


@pytest.mark.filterwarnings("ignore:.*softmax over axis:UserWarning")
@pytest.mark.parametrize("how", NEITHER)
def test_what_does_something_else_stays(how: str) -> None:
    scores, logits, activation = taken_off(model(3, NEITHER[how]))
    assert activation == "linear"
    np.testing.assert_array_equal(logits, scores)


def test_logits_are_taken_where_they_follow_from_the_features_linearly() -> None:
    """Softmax of z - max(z) is softmax of z: only the latter has class weights."""
    _, logits, _ = taken_off(model(3, shifted))
    _, plain, _ = taken_off(model(3, powers))
    np.testing.assert_allclose(logits, plain, atol=1e-5)


@pytest.mark.parametrize("how", SIGMOID)
def test_one_unit_through_sigmoid_is_two_classes(how: str) -> None:
    classifier = model(1, SIGMOID[how])
    scores, logits, activation = taken_off(classifier)
    assert (scores.shape[1], activation) == (2, "sigmoid")
    np.testing.assert_allclose(scores[:, 1:], classifier(PROBES), atol=1e-6)
    np.testing.assert_allclose(cam.activate(logits, "sigmoid"), scores, atol=1e-6)


@pytest.mark.parametrize("order", [1, -1])
def test_one_unit_beside_its_opposite_is_two_classes(order: int) -> None:
    def both(z: Any) -> Any:
        p = ops.sigmoid(z)
        return layers.Concatenate()([1 - p, p][::order])

    classifier = model(1, both)
    scores, logits, activation = taken_off(classifier)
    assert activation == "sigmoid"
    np.testing.assert_allclose(scores, classifier(PROBES), atol=1e-6)
    np.testing.assert_allclose(cam.activate(logits, "sigmoid"), scores, atol=1e-6)


@pytest.mark.parametrize("how", ["nothing", "relu", "hard sigmoid"])
def test_one_unit_without_a_sigmoid_names_no_class(how: str) -> None:
    with pytest.raises(ClassifierError, match="names no class"):
        taken_off(model(1, NEITHER[how]))


@pytest.mark.parametrize(
    ("way", "order"), [("take", [2, 0, 1]), ("take", [1, 0, 2]), ("in front", [2, 0, 1]), ("slice", [2, 1, 0])]
)
@pytest.mark.parametrize("kind", ["softmax", "sigmoid"])
def test_scores_in_another_order_are_those_of_logits_in_that_order(order: list[int], kind: str, way: str) -> None:
    activate = getattr(ops, kind)

    def last(z: Any) -> Any:
        moved = (lambda x: x[:, ::-1]) if way == "slice" else lambda x: ops.take(x, order, axis=-1)
        return activate(moved(z)) if way == "in front" else moved(activate(z))

    classifier = model(3, last)
    scores, logits, activation = taken_off(classifier)
    assert activation == kind
    np.testing.assert_allclose(scores, classifier(PROBES), atol=1e-6)
    np.testing.assert_allclose(cam.activate(logits, kind), scores, atol=1e-6)


def test_one_minus_a_sigmoid_is_the_sigmoid_of_the_opposite() -> None:
    for units in (1, 4):
        classifier = model(units, lambda z: 1 - ops.sigmoid(z))
        scores, logits, activation = taken_off(classifier)
        assert activation == "sigmoid"
        np.testing.assert_allclose(scores[:, -units:], classifier(PROBES), atol=1e-6)
        np.testing.assert_allclose(cam.activate(logits, "sigmoid"), scores, atol=1e-6)


def _groups_and_their_classes(z: Any) -> Any:
    """The probability of a group times that of the class in it."""
    groups, classes = layers.Dense(2, activation="softmax")(z), layers.Dense(3, activation="softmax")(z)
    return ops.concatenate([groups[:, :1] * classes, groups[:, 1:] * classes], axis=-1)


SATURATED: dict[str, tuple[Callable[[Any], Any], str | None]] = {
    "softmax twice": (lambda z: ops.softmax(ops.softmax(z)), "softmax"),
    "softmax in percent": (lambda z: ops.softmax(z) * 100.0, "softmax"),
    "softmax smoothed": (lambda z: ops.softmax(z) * 0.97 + 0.01, "softmax"),
    "softmax clipped": (lambda z: ops.clip(ops.softmax(z), 1e-3, 0.999), "softmax"),
    "a layer's softmax, halved": (lambda z: layers.Dense(3, activation="softmax")(z) / 2, "softmax"),
    "sigmoid over its sum": (lambda z: ops.sigmoid(z) / ops.sum(ops.sigmoid(z), -1, keepdims=True), "sigmoid"),
    "softmax of groups and of classes": (_groups_and_their_classes, "softmax"),
    "log_softmax": (ops.log_softmax, "log_softmax"),
    "a layer's log_softmax": (lambda z: layers.Dense(3, activation="log_softmax")(z), "log_softmax"),
    "softmax": (ops.softmax, None),
    "softmax in another order": (lambda z: ops.flip(ops.softmax(z), -1), None),
    "nothing": (lambda z: z, None),
    "relu": (ops.relu, None),
    "a layer on a softmax": (lambda z: layers.Dense(3)(ops.softmax(z)), None),
}


@pytest.mark.parametrize("how", SATURATED)
def test_what_is_made_of_probabilities_and_stays_so_is_named(how: str) -> None:
    last, expected = SATURATED[how]
    _, logits, _ = last_activation.take_off("classifier", model(3, last).outputs[0])
    assert last_activation.saturation(logits) == expected
    if expected:
        assert f"{expected}" in last_activation.saturation_text(expected)
        assert "evidence vanishes where" in last_activation.saturation_text(expected)
