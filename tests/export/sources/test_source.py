"""`camlite_export.sources.source.Source`: what every kind of classifier answers, and that the original answers it."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any, cast

import keras
import numpy as np
import pytest
from keras import layers

import support.classifier_kinds as kinds
from camlite.errors import ClassifierError
from camlite.maps import cam
from camlite_export.cutting import cutter
from camlite_export.sources import fixed_batches
from camlite_export.sources.keras3 import Keras3Source
from camlite_export.sources.opening import open_source
from camlite_export.sources.source import Source, Step

IMAGES = np.random.default_rng(0).uniform(0, 1, (40, 16, 20, 3)).astype(np.float32)


def chain(ls: Any, last: str = "softmax") -> list[Any]:
    """Two convolutions, the last of which is met twice; the same in both Keras."""
    shared = ls.Conv2D(5, 3, padding="same", activation="relu", name="shared")
    return [
        *(ls.Conv2D(5, 3, activation="relu", name="first"), shared, ls.MaxPooling2D(2, name="halved"), shared),
        *(ls.GlobalAveragePooling2D(name="average"), ls.Dense(1 if last == "sigmoid" else 3, last, name="scores")),
    ]


def functional(k: Any, last: str = "softmax", front: tuple[Any, ...] = ()) -> Any:
    image = x = k.Input((16, 20, 3))
    for layer in (*front, *chain(k.layers, last)):
        x = layer(x)
    return with_weights(k.Model(image, x, name="small"))


def with_weights(model: Any) -> Any:
    """Of one framework as of the other."""
    random = np.random.default_rng(1)
    model.set_weights([random.normal(0, 0.3, weight.shape).astype(weight.dtype) for weight in model.get_weights()])
    return model


def nested(k: Any) -> Any:
    inner = k.Sequential([k.Input((16, 20, 3)), *chain(k.layers)[:4]], name="inner")
    return with_weights(k.Sequential([k.Input((16, 20, 3)), inner, *chain(k.layers)[4:]], name="small"))


def in_16_bits(k: Any) -> Any:
    before = k.mixed_precision.global_policy() if hasattr(k.mixed_precision, "global_policy") else None
    set_policy = getattr(k.mixed_precision, "set_global_policy", None) or k.config.set_dtype_policy
    set_policy("mixed_float16")
    try:
        return functional(k)
    finally:
        set_policy(before.name if before is not None else "float32")


def tf_keras() -> Any:
    import tf_keras

    return tf_keras


MODELS: dict[str, Callable[[Any], Any]] = {
    "functional": functional,
    "one sigmoid": lambda k: functional(k, "sigmoid"),
    "nested": nested,
    "in 16 bits": in_16_bits,
}
FRAMEWORKS = {"Keras 3": lambda: keras, "Keras 2": tf_keras}


@pytest.fixture(scope="module", params=[f"{name}, {kind}" for name in FRAMEWORKS for kind in MODELS])
def opened(request: pytest.FixtureRequest) -> tuple[Any, Source]:
    """A model as it was given, and the source that it is opened as."""
    name, kind = request.param.split(", ")
    model = MODELS[kind](FRAMEWORKS[name]())
    return model, open_source(model)


def last_map(source: Source) -> Step:
    return [step for step in source.steps if len(step.shape) == 4][-1]


def test_scores_are_those_of_the_model_itself_to_the_bit(opened: tuple[Any, Source]) -> None:
    model, source = opened
    expected = np.concatenate([np.asarray(model(IMAGES[s : s + 32]), np.float32) for s in (0, 32)])
    _, scores = source.answer(IMAGES, last_map(source))
    assert scores.dtype == np.float32
    assert scores.shape == (40, source.classes)
    np.testing.assert_array_equal(scores[:, -expected.shape[1] :], expected)


def test_features_are_those_that_the_scores_follow_from(opened: tuple[Any, Source]) -> None:
    """The last call of the layer that is met twice, by the head of the converted model."""
    _, source = opened
    step = last_map(source)
    features, scores = source.answer(IMAGES, step)
    assert (step.name, features.shape[1:]) == ("shared", step.shape[1:])
    logits = source.logits(features, step)
    tolerance = 1e-5 if source.dtype == "float32" else 2e-3
    np.testing.assert_allclose(cam.activate(logits, source.activation), scores, atol=tolerance)


def test_each_call_of_a_shared_layer_has_its_own_features(opened: tuple[Any, Source]) -> None:
    _, source = opened
    first, second = (step for step in source.steps if step.name == "shared")
    assert [source.answer(IMAGES[:2], step).features.shape[1:3] for step in (first, second)] == [(14, 18), (7, 9)]


def test_what_it_is_is_told(opened: tuple[Any, Source]) -> None:
    model, source = opened
    assert source.name == "small"
    assert source.image_shape == (16, 20, 3)
    assert source.parameters == model.count_params()
    assert source.dtype == ("float16" if "16" in str(model.layers[-1].compute_dtype) else "float32")
    assert (source.labels, source.pixels.preprocess) == (None, "unit")
    assert source.activation in ("softmax", "sigmoid")
    assert len(source.digest) == 64


def test_answering_leaves_the_model_as_it_was(opened: tuple[Any, Source]) -> None:
    model, source = opened
    before = model.to_json(), [set(vars(layer)) for layer in model.layers]
    source.answer(IMAGES[:2], last_map(source))
    assert (model.to_json(), [set(vars(layer)) for layer in model.layers]) == before


def test_both_frameworks_say_the_same() -> None:
    ours, theirs = open_source(functional(keras)), open_source(functional(tf_keras()))
    assert [(step.name, step.shape) for step in ours.steps] == [(step.name, step.shape) for step in theirs.steps]
    assert ours.digest == theirs.digest
    for one, other in zip(ours.answer(IMAGES, last_map(ours)), theirs.answer(IMAGES, last_map(theirs)), strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-5, atol=1e-6)


def test_16_bits_are_not_computed_in_32() -> None:
    """What is converted is in float32; what is compared with is not."""
    source = cast(Keras3Source, open_source(in_16_bits(keras)))
    features, _ = source.answer(IMAGES, last_map(source))
    assert len(np.unique(features)) == len(np.unique(features.astype(np.float16)))
    converted = np.asarray(keras.Model(source.journey.image, cast(Any, last_map(source)).output)(IMAGES))
    assert 0 < np.abs(features - converted).max() < 1e-2


def test_a_step_that_the_scores_do_not_follow_from_has_no_head() -> None:
    image = keras.Input((16, 20, 3))
    fine = layers.Conv2D(3, 3, padding="same", name="fine")(image)
    scores = layers.Dense(3)(layers.GlobalAveragePooling2D()(layers.Add()([fine, image])))
    source = open_source(kinds.lively(keras.Model(image, scores)))
    (step,) = (step for step in source.steps if step.name == "fine")
    with pytest.raises(ClassifierError, match="do not follow from layer 'fine' alone"):
        source.logits(source.answer(IMAGES, step).features, step)


def test_pixels_that_are_scaled_inside_are_taken_raw() -> None:
    assert open_source(functional(keras, front=(layers.Rescaling(1 / 255),))).pixels.preprocess == "raw"
    assert open_source(functional(keras)).pixels.preprocess == "unit"


def test_a_wrong_step_would_be_noticed(monkeypatch: pytest.MonkeyPatch) -> None:
    """The proof that features are those of the cut can fail: here those of the layer's first call are given."""
    source = cast(Keras3Source, open_source(functional(keras)))
    first = next(step for step in source._originals if step.name == "shared")
    others = tuple(first if step is last_map(source) else step for step in source._originals)
    monkeypatch.setattr(source, "_originals", others)
    with pytest.raises(ClassifierError, match="its features differ by"):
        cutter.cut(source)


def test_keras_on_another_backend_is_refused_in_one_line(monkeypatch: pytest.MonkeyPatch) -> None:
    """No other is installed here."""
    monkeypatch.setattr(keras.config, "backend", lambda: "jax")
    with pytest.raises(ClassifierError, match=r"^Keras runs on jax in this process.*set KERAS_BACKEND=tensorflow"):
        open_source(functional(keras))


def test_a_name_that_tensorflow_does_not_take_is_refused_in_one_line() -> None:
    """Keras on JAX or torch takes it."""
    image = keras.Input((8, 8, 3))
    x = keras.layers.GlobalAveragePooling2D()(keras.layers.Conv2D(4, 3, name="conv 1")(image))
    with pytest.raises(ClassifierError, match=r"TensorFlow takes no layer of the name 'conv 1', only letters"):
        Keras3Source(keras.Model(image, keras.layers.Dense(2)(x)))


def test_files_are_opened_by_what_they_hold(tmp_path: Path) -> None:
    """The same suffix, saved by either Keras."""
    for name, k in (("3", keras), ("2", tf_keras())):
        path = tmp_path / f"keras{name}.keras"
        functional(k).save(path)
        source = open_source(path)
        assert type(source).__name__ == f"Keras{name}Source"
        assert cutter.cut(source).feature_shape == (7, 9, 5)


@pytest.mark.parametrize("inputs", [lambda image: [image], lambda image: {"photo": image}, lambda image: image])
def test_a_model_is_asked_as_it_has_its_input(inputs: Any) -> None:
    """Keras warns of a bare image where the model was made with a list of one: lines that nobody can act on."""
    image = keras.Input((8, 8, 3), name="photo")
    features = keras.layers.Conv2D(2, 3)(image)
    model = keras.Model(inputs(image), keras.layers.Dense(2)(keras.layers.GlobalAveragePooling2D()(features)))
    source = Keras3Source(model)
    images = np.zeros((3, 8, 8, 3), np.float32)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert source.answer(images, next(one for one in source.steps if one.kind == "Conv2D")).scores.shape == (3, 2)
        assert fixed_batches.scores(model, images).shape == (3, 2)
