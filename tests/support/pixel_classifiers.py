"""Small classifiers, trained here on pixels of every convention, and the pictures they were trained on.

The pictures are patches of photographs with one of four shapes drawn on them. Everything is seeded.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
from numpy.typing import NDArray

from camlite.images.labelled_images import LabelledImages
from camlite.images.preprocessing import prepare
from camlite_export.sources.pixel_conventions import preprocessing
from support import photographs

if TYPE_CHECKING:
    import keras

Kind = Literal["plain", "normalized", "normalized behind relu"]

SHAPES = ("cross", "disk", "ring", "stripes")
SIDE = 24
_RADIUS = 8
_PHOTOGRAPHS = ("coffee", "china", "chelsea", "rocket")
_TRAINING = 800
# Normalizations soon remember what they are given; without them it takes longer to be right.
_EPOCHS = {"plain": 18, "normalized": 8, "normalized behind relu": 8}


@cache
def pictures(count: int, seed: int, channels: int = 3) -> tuple[NDArray[np.uint8], NDArray[np.int64]]:
    """Uint8 (count, 24, 24, channels), and the shape on each (count,)."""
    random = np.random.default_rng(seed)
    photos = [np.asarray(photographs.photograph(name).resize((160, 120))) for name in _PHOTOGRAPHS]
    classes = np.arange(count) % len(SHAPES)
    images = np.stack([_picture(photos[random.integers(len(photos))], int(k), random) for k in classes])
    if channels == 1:
        images = np.rint(images @ np.array([0.299, 0.587, 0.114])).astype(np.uint8)[..., np.newaxis]
    return images, classes


def _picture(photo: NDArray[np.uint8], shape: int, random: np.random.Generator) -> NDArray[np.uint8]:
    top, left = random.integers(photo.shape[0] - SIDE), random.integers(photo.shape[1] - SIDE)
    picture = photo[top : top + SIDE, left : left + SIDE].copy()
    y, x = np.indices((SIDE, SIDE)) - random.integers(_RADIUS, SIDE - _RADIUS, 2).reshape(2, 1, 1)
    inside = np.hypot(y, x) <= _RADIUS
    drawn = (
        inside & ((np.abs(y) < 2) | (np.abs(x) < 2)),
        np.hypot(y, x) <= _RADIUS - 2,
        inside & (np.hypot(y, x) > _RADIUS - 3),
        inside & (y % 4 < 2),
    )[shape]
    around = picture.mean(axis=(0, 1))
    picture[drawn] = np.where(around > 127, random.integers(0, 70, 3), random.integers(185, 256, 3))
    return picture


def as_given(images: Sequence[NDArray[np.uint8]], classes: NDArray[np.int64] | None = None) -> LabelledImages:
    """Pictures as a user gives them."""
    return LabelledImages([str(i) for i in range(len(images))], classes, lambda i: images[i])


def network(kind: Kind, channels: int = 3, name: str = "shapes") -> keras.Model:
    """Three convolutions and global average pooling, with or without BatchNormalization."""
    import keras
    from keras import layers

    chain: list[Any] = [keras.Input((SIDE, SIDE, channels))]
    for number, filters in enumerate((12, 24, 32)):
        strides = 1 if number else 2  # four times as fast
        chain.append(layers.Conv2D(filters, 3, strides, "same", use_bias=kind != "normalized"))
        normalization = [] if kind == "plain" else [layers.BatchNormalization(momentum=0.9)]
        relu = [layers.ReLU()]
        chain += relu + normalization if kind == "normalized behind relu" else normalization + relu
        chain += [layers.MaxPooling2D()] if number == 1 else []
    chain += [layers.GlobalAveragePooling2D(), layers.Dense(len(SHAPES), activation="softmax")]
    return keras.Sequential(chain, name=name)


@cache
def trained(kind: Kind, convention: str, channels: int = 3) -> keras.Model:
    """Such a network, trained on pixels of this convention, once a session."""
    import keras

    keras.utils.set_random_seed(1)
    model = network(kind, channels)
    images, classes = pictures(_TRAINING, 0, channels)
    target = preprocessing(images.shape[1:], convention)
    inputs = np.stack([prepare(image, target) for image in images])
    model.compile(keras.optimizers.Adam(5e-3), "sparse_categorical_crossentropy", jit_compile=False)
    model.fit(inputs, classes, batch_size=50, epochs=_EPOCHS[kind], verbose=0)
    return model


def behind(front: Sequence[Any], model: keras.Model) -> keras.Model:
    """A model with layers in front, itself a layer of the whole."""
    import keras

    return keras.Sequential([keras.Input(model.input_shape[1:]), *front, model], name="with_a_front")


def trained_on_bgr(convention: str, kind: Kind = "normalized") -> keras.Model:
    """A network that was trained on the same pixels with their channels the other way round."""
    model = trained(kind, convention)
    turned = network(kind)
    first, *rest = model.get_weights()
    turned.set_weights([first[:, :, ::-1], *rest])
    return turned


def scaled_before(model: keras.Model, by: float) -> keras.Model:
    """A network that gives for pixels that are so many times smaller what `model` gives; the first layer is linear."""
    import keras

    first, *rest = model.get_weights()
    scaled = keras.models.clone_model(model)
    scaled.set_weights([first * by, *rest])
    return scaled
