"""`camlite_export.sources.known_families`: known by how their layers are built, whatever those are called."""

from __future__ import annotations

import os
from pathlib import Path

import keras
import pytest
from keras import layers

from camlite_export.sources.journey import walk
from camlite_export.sources.known_families import Family, family_of
from camlite_export.sources.opening import open_source

SHAPE = (75, 75, 3)  # the least that all of them take
SMALL = {
    "MobileNet": "signed",
    "MobileNetV2": "signed",
    "ResNet50": "caffe",
    "ResNet50V2": "signed",
    "VGG16": "caffe",
    "Xception": "signed",
    "MobileNetV3Large": "signed",
    "EfficientNetV2B0": "signed",
}
LARGE = {
    "VGG19": "caffe",
    "ResNet101": "caffe",
    "InceptionV3": "signed",
    "InceptionResNetV2": "signed",
    "DenseNet121": "imagenet",
    "NASNetMobile": "signed",
    "MobileNetV3Small": "signed",
    "EfficientNetV2S": "signed",
}
UNKNOWN = ("EfficientNetB0", "ConvNeXtTiny")


def family(model: keras.Model) -> Family | None:
    return family_of(walk(model).steps, model.input_shape[1:])


def backbone(name: str) -> keras.Model:
    """Nested in a classifier, without its own scaling, and with other names."""
    options = {"include_preprocessing": False} if name.startswith(("MobileNetV3", "EfficientNetV2")) else {}
    model = getattr(keras.applications, name)(weights=None, include_top=False, input_shape=SHAPE, **options)
    copy = keras.models.clone_model(model, clone_function=_renamed())
    return keras.Sequential([keras.Input(SHAPE), copy, layers.GlobalAveragePooling2D(), layers.Dense(3)])


def _renamed():
    count = iter(range(10_000))
    return lambda layer: type(layer).from_config({**layer.get_config(), "name": f"layer_{next(count)}"})


@pytest.mark.parametrize("name", SMALL)
def test_backbones_are_known_by_their_structure(name: str) -> None:
    found = family(backbone(name))
    assert found is not None
    assert (found.convention, found.fit) == (SMALL[name], None)


@pytest.mark.applications
@pytest.mark.parametrize("name", [*LARGE, *UNKNOWN])
def test_large_backbones_too(name: str) -> None:
    found = family(backbone(name))
    assert (found and found.convention) == LARGE.get(name)


def test_other_networks_are_of_no_family() -> None:
    chain = [
        layer for width in (8, 16, 32) for layer in (layers.Conv2D(width, 3, padding="same"), layers.MaxPooling2D())
    ]
    small = [keras.Input((32, 32, 3)), *chain, layers.GlobalAveragePooling2D(), layers.Dense(2)]
    assert family(keras.Sequential(small)) is None


def test_blocks_like_vgg_of_other_widths_are_not_vgg() -> None:
    blocks = [
        layer
        for width, convolutions in ((16, 2), (32, 2), (64, 3), (64, 3))
        for layer in (*(layers.Conv2D(width, 3, padding="same") for _ in range(convolutions)), layers.MaxPooling2D())
    ]
    assert family(keras.Sequential([keras.Input((32, 32, 3)), *blocks, layers.Flatten(), layers.Dense(2)])) is None


def test_teachable_machine_is_known_and_crops() -> None:
    if "TEACHABLE_MACHINE_DIR" not in os.environ:
        pytest.skip("TEACHABLE_MACHINE_DIR: no Teachable Machine model here")
    source = open_source(Path(os.environ["TEACHABLE_MACHINE_DIR"]) / "keras_model.h5")
    assert family_of(source.steps, source.image_shape) == Family("Teachable Machine", "signed", "crop")
