"""`camlite_export.cutting.guide`: what is exported is made of Keras's own gradients, through every kind of layer."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from concurrent.futures import Executor
from functools import cache
from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest
import tensorflow as tf
from keras import layers

from camlite import artifact
from camlite.artifact import Container
from camlite.artifact.card import WHOLE
from camlite.artifact.map_choice import Guide
from camlite.artifact.precisions import Precision
from camlite.images.labelled_images import LabelledImages
from camlite.maps.redistribution import Redistribution
from camlite_export import exporting
from camlite_export.cutting import guide, two_output
from camlite_export.cutting.guide import GUIDE_METHODS, GuideLayers
from camlite_export.cutting.two_output import TwoOutputModel
from camlite_export.sources.pixel_conventions import preprocessing
from camlite_export.targets import TARGETS
from support import bare_artifacts, classifier_kinds
from support.fresh_process import BACKENDS, check, explain

# Relative to the guide's largest, 1: float32 gradients of a few layers, summed in another order. 3e-6 was measured.
ROUNDING = 2e-5

IMAGES = np.random.default_rng(0).integers(0, 256, (6, 32, 40, 3), np.uint8)
INPUTS = IMAGES.astype(np.float32) / 255


def mobile(x: Any) -> Any:
    """Depthwise convolutions with strides, residual sums, squeeze-and-excitation, swish and relu6, normalizations."""
    x = layers.Conv2D(8, 3, 2, "same", use_bias=False)(x)
    x = layers.ReLU(6.0)(layers.BatchNormalization()(x))
    for stride in (1, 2, 2):
        y = layers.Conv2D(16, 1, activation="silu")(x)
        y = layers.DepthwiseConv2D(3, stride, "same", use_bias=False)(y)
        y = layers.Activation("hard_silu")(layers.BatchNormalization()(y))
        squeezed = layers.Conv2D(4, 1, activation="relu")(layers.GlobalAveragePooling2D(keepdims=True)(y))
        y = layers.Multiply()([y, layers.Conv2D(16, 1, activation="sigmoid")(squeezed)])
        y = layers.Conv2D(8, 1)(y)
        x = layers.Add()([x, y]) if stride == 1 else y
    return layers.Conv2D(12, 1, activation="relu")(x)


def pooled(x: Any) -> Any:
    """Poolings that touch and that overlap, concatenation, padding, elu and leaky relu."""
    x = layers.MaxPooling2D(3, 2, "same")(layers.Conv2D(6, 3, activation="elu", padding="same")(x))
    branches = [
        layers.Conv2D(4, 1, activation="leaky_relu")(x),
        layers.AveragePooling2D(3, 1, "same")(x),
        layers.MaxPooling2D(3, 1, "same")(x),
    ]
    x = layers.Concatenate()(branches)
    x = layers.AveragePooling2D(2)(layers.Conv2D(8, 3, activation="gelu")(layers.ZeroPadding2D(1)(x)))
    return layers.MaxPooling2D(2)(layers.Conv2D(8, 3, activation="relu", padding="same")(x))


def dilated(x: Any) -> Any:
    """Convolutions in groups and dilated ones, separable ones, tanh."""
    x = layers.Conv2D(8, 3, 2, "same", activation="relu")(x)
    x = layers.Conv2D(8, 3, groups=2, padding="same", activation="tanh")(x)
    x = layers.Conv2D(8, 3, dilation_rate=2, padding="same", activation="relu")(x)
    return layers.SeparableConv2D(8, 3, 2, "same", activation="relu")(x)


def cells(x: Any) -> Any:
    """Cuts and padding, poolings, windows that leave something over, convolutions of one row; as in NASNet."""
    x = layers.ReLU()(layers.BatchNormalization()(layers.Conv2D(8, 3, 2)(x)))
    shifted = layers.Cropping2D(((1, 0), (1, 0)))(layers.ZeroPadding2D(((0, 1), (0, 1)))(x))
    x = layers.Concatenate()([layers.AveragePooling2D(1, 2)(x), layers.AveragePooling2D(1, 2)(shifted)])
    row = layers.Conv2D(6, (7, 1), padding="same", activation="relu")(layers.Conv2D(4, (1, 7), padding="same")(x))
    x = layers.Concatenate()([row, layers.MaxPooling2D(3, 1, "same")(x)])
    return layers.Concatenate()([layers.Conv2D(8, 3, 2, activation="relu")(x), layers.MaxPooling2D(3, 2)(x)])


def normalized(x: Any) -> Any:
    """Normalizations over channels, Dense layers on maps, large windows, as in ConvNeXt."""
    x = layers.LayerNormalization(epsilon=1e-6)(layers.Conv2D(12, 2, 2)(x))
    y = layers.LayerNormalization(epsilon=1e-6)(layers.DepthwiseConv2D(7, padding="same")(x))
    x = layers.Add()([x, layers.Dense(12)(layers.Dense(24, activation="gelu")(y))])
    return layers.Conv2D(12, 2, 2)(layers.LayerNormalization(epsilon=1e-6)(x))


BODIES: dict[str, Callable[[Any], Any]] = {"mobile": mobile, "pooled": pooled, "dilated": dilated}


@cache
def cut_of(body: str, classes: int = 6) -> TwoOutputModel:
    keras.utils.set_random_seed(0)
    image = keras.Input((32, 40, 3), name="image")
    features = layers.GlobalAveragePooling2D()(BODIES[body](image))
    model = keras.Model(image, layers.Dense(classes, activation="softmax")(features), name=body)
    return two_output.cut(classifier_kinds.lively(model))


def of_keras(cut: TwoOutputModel, chosen: GuideLayers, classes: np.ndarray) -> np.ndarray:
    raw = cut.raw_guides(INPUTS, classes, chosen.steps, [chosen.method])[chosen.method]
    return np.asarray(guide.combined(raw, chosen))


def traced(cut: TwoOutputModel) -> dict[str, np.ndarray]:
    found = tf.function(cut.function(), autograph=False)(tf.constant(INPUTS))
    return {name: np.asarray(value) for name, value in found.items()}


def exported(cut: TwoOutputModel, folder: Path, *wanted: tuple[Container, Precision]) -> list[Path]:
    found = exporting.export(
        cut,
        name="guided",
        labels=tuple("abcdefgh"[: cut.classes]),
        target=preprocessing(cut.image_shape),
        calibration=LabelledImages([str(i) for i in range(len(IMAGES))], None, lambda i: IMAGES[i]),
        wanted=list(wanted),
        folder=folder,
        maps="sharp",
    )
    assert not found.refused
    return [one.path for one in found.artifacts]


def guide_of(path: Path) -> Guide:
    found = artifact.read(path).arrays.guide
    assert found is not None
    return found


@pytest.mark.parametrize("smooth", [True, False])
@pytest.mark.parametrize("method", GUIDE_METHODS)
@pytest.mark.parametrize("body", ["mobile", "pooled"])
def test_the_guide_of_the_top_class_is_made_of_kerass_own_gradients(body: str, method: Any, smooth: bool) -> None:
    cut = cut_of(body)
    guided = cut.guided_by(GuideLayers(method, cut.finer_steps[-2:], smooth))

    found = traced(guided)

    expected = of_keras(guided, guided.guide_layers, found["scores"].argmax(axis=1))
    assert expected.shape == (len(IMAGES), *guided.guide_layers.shape, 1)
    assert expected.min() >= 0
    assert expected.std() > 0.01
    np.testing.assert_allclose(found["guide"], expected, atol=ROUNDING)
    for name, value in traced(cut).items():
        np.testing.assert_allclose(found[name], value, rtol=1e-5, atol=1e-6)


def test_a_layer_that_is_named_twice_counts_twice() -> None:
    cut = cut_of("mobile")
    finest, finer = cut.finer_steps[-2:]
    classes = traced(cut)["scores"].argmax(axis=1)
    once, alone = (of_keras(cut, GuideLayers("layercam", factors), classes) for factors in ((finest, finer), (finer,)))

    found = traced(cut.guided_by(GuideLayers("layercam", (finest, finer, finer))))["guide"]

    enlarged = tf.image.resize(alone, once.shape[1:3])
    np.testing.assert_allclose(found, once * enlarged, atol=ROUNDING)
    assert np.abs(found - once).max() > 0.1


def test_a_guide_is_found_by_the_name_that_it_gives_itself() -> None:
    steps = cut_of("mobile").finer_steps
    finest, finer = steps[-2:]

    for factors, smooth in (((finest,), True), ((finest, finer), False), ((finest, finest, finer, finer), True)):
        layers_ = GuideLayers("hirescam", factors, smooth)
        assert guide.of_name(str(layers_), steps) == layers_
    for name in ("", "layercam", "layercam ", f"gradcam {finer.name}", f"layercam {finer.name} * {finest.name}"):
        assert guide.of_name(name, steps) is None
    assert guide.of_name(f"layercam {' * '.join([finer.name] * 5)}", steps) is None


def test_behind_global_maxima_the_guide_is_the_same_in_the_file_and_where_it_is_measured() -> None:
    """Shared by all places that are nearly the largest, see `plain_windows.shared_by_nearly_largest`."""
    keras.utils.set_random_seed(0)
    image = keras.Input((32, 40, 3))
    scores = layers.Dense(3, activation="softmax")(layers.GlobalMaxPooling2D()(mobile(image)))
    cut = two_output.cut(classifier_kinds.lively(keras.Model(image, scores)))
    guided = cut.guided_by(GuideLayers("layercam", cut.finer_steps[-1:]))

    found = traced(guided)

    for k in range(3):
        expected = of_keras(guided, guided.guide_layers, np.full(len(IMAGES), k))
        assert expected.std() > 0.01
        np.testing.assert_allclose(found["guide"][..., k : k + 1], expected, atol=ROUNDING)


def test_where_classes_are_few_each_has_a_guide() -> None:
    cut = cut_of("pooled", guide.MOST_CLASSES)
    guided = cut.guided_by(GuideLayers("layercam", cut.finer_steps[-1:]))

    found = traced(guided)["guide"]

    assert found.shape[-1] == guide.MOST_CLASSES
    for k in range(guide.MOST_CLASSES):
        np.testing.assert_allclose(
            found[..., k : k + 1], of_keras(guided, guided.guide_layers, np.full(len(IMAGES), k)), atol=ROUNDING
        )


@pytest.mark.parametrize("body", ["mobile", "pooled", "dilated"])
def test_on_every_backend_fine_evidence_is_that_of_keras(
    body: str, tmp_path: Path, interpreters: Mapping[str, Executor]
) -> None:
    paths = exported(cut_of(body), tmp_path, ("tflite", "float32"), ("onnx", "float32"))

    for backend, container in BACKENDS.items():
        if backend in interpreters:
            (path,) = (path for path in paths if path.suffix == f".{container}")
            found = interpreters[backend].submit(check, path, backend).result()
            assert found.passed
            assert max(sample.evidence_error for sample in found.samples) < 1e-4
            assert max(sample.completeness for sample in found.samples) < 1e-5


def test_a_second_export_in_one_process_gives_the_same_bytes(tmp_path: Path) -> None:
    """Keras numbers what it makes, and names of tensors are made of that."""
    cut = cut_of("mobile")
    kind: tuple[Container, Precision] = ("tflite", "float32")
    (first,) = exported(cut, tmp_path / "first", kind)
    (second,) = exported(two_output.cut(cut.source), tmp_path / "second", kind)
    assert first.read_bytes() == second.read_bytes()


@pytest.mark.parametrize("container", ["tflite", "onnx"])
def test_in_eight_bits_the_guide_is_near(
    container: Container, tmp_path: Path, interpreters: Mapping[str, Executor]
) -> None:
    """All but the guide is in 8 bits in TFLite."""
    cut = cut_of("mobile")
    kinds: list[tuple[Container, Precision]] = [(container, "int8"), (container, "float32")]
    eight, full = exported(cut, tmp_path, *kinds)
    backend = "ai-edge-litert" if container == "tflite" else "onnxruntime"

    def heatmaps(path: Path) -> np.ndarray:
        seen = interpreters[backend].submit(explain, path, backend, list(IMAGES)).result()
        assert seen[0].heatmap.std() > 0
        return np.stack([one.heatmap.ravel() for one in seen])

    assert guide_of(eight) == guide_of(full)
    found = [np.corrcoef(*pair)[0, 1] for pair in zip(heatmaps(eight), heatmaps(full), strict=True)]
    assert np.median(found) > 0.95


def test_the_sixteen_bit_activations_of_tflite_have_plain_maps(tmp_path: Path) -> None:
    without, with_guide = exported(cut_of("dilated"), tmp_path, ("tflite", "int16x8"), ("tflite", "dynamic"))

    assert artifact.read(without).arrays.maps is None
    assert guide_of(with_guide).height > artifact.read(with_guide).card.head.height


def test_finer_steps_are_the_last_of_each_size_through_which_all_goes() -> None:
    steps = cut_of("pooled").finer_steps

    assert [step.shape[1:3] for step in steps] == [(32, 40), (16, 20), (8, 10)]
    assert [step.kind for step in steps] == ["Conv2D", "Conv2D", "Conv2D"]
    assert not any("Pad" in step.kind for step in cut_of("mobile").finer_steps)


def wide(x: Any) -> Any:
    """Weights enough to see in the size of a file."""
    x = layers.Conv2D(16, 3, 2, "same", activation="relu")(x)
    x = layers.MaxPooling2D(2)(layers.BatchNormalization()(layers.Conv2D(320, 1)(x)))
    return layers.Conv2D(320, 1, activation="relu6")(layers.ReLU()(x))


BODIES |= {"wide": wide, "cells": cells, "normalized": normalized}


@pytest.mark.parametrize("container", ["tflite", "onnx"])
@pytest.mark.parametrize("body", ["cells", "normalized"])
def test_guides_of_layers_of_other_networks_are_those_of_keras(
    body: str, container: Container, tmp_path: Path, interpreters: Mapping[str, Executor]
) -> None:
    cut = cut_of(body)
    guided = cut.guided_by(GuideLayers("layercam", cut.finer_steps[-2:], smooth=False))
    target = preprocessing(cut.image_shape)
    content = TARGETS[container].convert(guided, "float32", None)
    path = bare_artifacts.write(guided, target, container, content, tmp_path / f"network.{container}")

    for backend in (backend for backend in interpreters if BACKENDS[backend] == container):
        seen = interpreters[backend].submit(explain, path, backend, list(IMAGES)).result()
        classes = np.array([one.classes[0] for one in seen])
        evidence = guided.evidence(guided.answer(INPUTS).features, classes)
        guides = of_keras(guided, guided.guide_layers, classes)[..., 0]
        expected = Redistribution(guided.feature_shape[:2], WHOLE, bare_artifacts.guide_of(guided))(evidence, guides)
        found = np.stack([one.fine for one in seen])
        np.testing.assert_allclose(found, expected, atol=1e-4 * np.abs(expected).max())


@pytest.mark.parametrize(("container", "precision"), [("tflite", "float32"), ("tflite", "int8"), ("onnx", "float32")])
def test_the_weights_of_the_forward_pass_serve_the_way_back(container: Container, precision: Precision) -> None:
    cut = cut_of("wide")
    guided = cut.guided_by(GuideLayers("layercam", cut.finer_steps[:1]))

    without, with_guide = (TARGETS[container].convert(one, precision, INPUTS) for one in (cut, guided))

    weights = 320 * 320 * (1 if precision == "int8" else 4)
    assert len(without) > weights
    assert len(with_guide) - len(without) < weights / 4
