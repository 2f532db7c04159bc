"""`camlite_export.cutting.places`: a map only says where if the places of the features are places of the image."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest
from keras import layers

import support.classifier_kinds as kinds
from camlite.errors import ClassifierError
from camlite_export.cutting import file_cut, places, two_output
from camlite_export.sources.opening import open_source
from support import tflite_files


def classifier(*behind: Any, front: tuple[Any, ...] = ()) -> keras.Model:
    first = layers.Conv2D(6, 3, padding="same", activation="relu", name="first")
    last = (layers.Flatten(), layers.Dense(3, activation="softmax"))
    return kinds.lively(keras.Sequential([keras.Input((16, 20, 3)), *front, first, *behind, *last]))


MOVED: dict[str, tuple[Any, ...]] = {
    "channels in front": (layers.Permute((3, 1, 2), name="moved"),),
    "the image on its side": (layers.Permute((2, 1, 3), name="moved"),),
    "rows cut and stacked": (layers.Reshape((80, 4, 6), name="moved"),),
    "all places in one row": (layers.Reshape((1, 320, 6), name="moved"),),
    "a convolution behind": (layers.Permute((3, 1, 2)), layers.Conv2D(4, 3, padding="same", name="moved")),
    "a map made of a vector": (
        *(layers.GlobalAveragePooling2D(), layers.Dense(96), layers.Reshape((4, 4, 6))),
        layers.Conv2D(4, 3, name="moved"),
    ),
}


@pytest.mark.parametrize("name", MOVED)
def test_where_places_were_moved_it_is_cut_in_front(name: str) -> None:
    model = classifier(*MOVED[name])
    assert two_output.cut(model).layer == "first"
    with pytest.raises(ClassifierError, match="are not those of the image"):
        two_output.cut(model, "moved")


def test_maps_with_the_same_in_front_are_asked_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Of a CoAtNet, whose attention moves places, nine maps were asked 21 times, two seconds each."""
    same = [layers.Conv2D(4, 3, padding="same") for _ in range(4)]
    model = classifier(layers.Permute((2, 1, 3)), *same)
    (tmp_path / "model.tflite").write_bytes(tflite_files.converted(model))
    asked = []

    def counted(*arguments: Any, ask: Any = places.follow_halves) -> bool:
        asked.append(arguments)
        return bool(ask(*arguments))

    monkeypatch.setattr(places, "follow_halves", counted)
    two_output.cut(model)
    assert len(asked) == 1
    file_cut.cut(open_source(tmp_path / "model.tflite"))
    assert len(asked) == 2


KEPT: dict[str, tuple[Any, ...]] = {
    "there and back": (layers.Permute((3, 1, 2)), layers.Permute((2, 3, 1), name="kept")),
    "a shuffle of channels": (
        *(layers.Reshape((16, 20, 2, 3)), layers.Permute((1, 2, 4, 3))),
        layers.Reshape((16, 20, 6), name="kept"),
    ),
    "rows as tokens, and back": (layers.Reshape((320, 6)), layers.Dense(5), layers.Reshape((16, 20, 5), name="kept")),
}


@pytest.mark.parametrize("name", KEPT)
def test_layers_that_leave_places_where_they_are_do_no_harm(name: str) -> None:
    assert two_output.cut(classifier(*KEPT[name])).layer == "kept"


def own_share(model: keras.Model, axis: int) -> float:
    return places.own_share(lambda images: np.asarray(model(images)), model.inputs[0].shape[1:], axis)


def test_how_far_halves_follow_their_halves() -> None:
    image = keras.Input((16, 16, 3))
    convolved = layers.Conv2D(4, 3, padding="same")(image)
    turned = keras.Model(image, layers.Permute((3, 1, 2))(convolved))
    for axis in (1, 2):
        assert own_share(keras.Model(image, convolved), axis) > 0.8
        assert abs(own_share(turned, axis)) < places.LEAST_SHARE / 2


def test_features_that_no_pixel_moves_say_nothing_against_their_places() -> None:
    model = keras.Sequential([keras.Input((16, 20, 3)), layers.Conv2D(4, 3, kernel_initializer="zeros")])

    assert own_share(model, 1) == 1.0


def _split_attention(x: Any) -> Any:
    """As ResNeSt and SKNet have it: which share of each channel comes from which branch."""
    shares = layers.Reshape((1, 2, 6))(layers.GlobalAveragePooling2D(keepdims=True)(x))
    shares = layers.Softmax(axis=2)(layers.Permute((1, 2, 3))(shares))
    return layers.Multiply(name="gated")([x, layers.Reshape((1, 1, 12))(shares)])


def _global_context(x: Any) -> Any:
    """As GCNet has it: one vector of all places, by a softmax over them, which is added to each."""
    shares = layers.Softmax(axis=1)(layers.Reshape((320, 1))(layers.Conv2D(1, 1)(x)))
    context = layers.Reshape((12, 1, 1))(layers.Dot(axes=1)([layers.Reshape((320, 12))(x), shares]))
    return layers.Add(name="gated")([x, layers.Conv2D(12, 1)(layers.Permute((2, 3, 1))(context))])


@pytest.mark.parametrize("block", [_split_attention, _global_context])
def test_what_comes_through_one_place_moves_no_places_whatever_was_done_to_it(block: Any, tmp_path: Path) -> None:
    image = keras.Input((16, 20, 3))
    gated = block(layers.Conv2D(12, 3, padding="same", activation="relu", name="first")(image))
    scores = layers.Dense(3, activation="softmax")(layers.GlobalAveragePooling2D()(gated))
    model = kinds.lively(keras.Model(image, scores))
    (path := tmp_path / "classifier.tflite").write_bytes(tflite_files.converted(model))

    assert two_output.cut(model).layer == "gated"
    of_the_file = file_cut.cut(open_source(path))
    assert of_the_file.step.kind == {_split_attention: "MUL", _global_context: "ADD"}[block]
    assert of_the_file.affine is not None
