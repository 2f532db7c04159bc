"""`camlite_export.targets.quantize_onnx`: integers inside, nothing rounded where results leave the graph."""

from __future__ import annotations

from typing import Any

import keras
import numpy as np
import onnx
import onnxruntime
import pytest
from keras import layers
from onnx import numpy_helper

from camlite.artifact.evidence_methods import EvidenceMethod
from camlite_export.cutting import two_output
from camlite_export.targets import onnx_target
from support import classifier_kinds

IMAGES = np.random.default_rng(0).uniform(0, 1, (12, 16, 12, 3)).astype(np.float32)


def quantized(last: Any, evidence_method: EvidenceMethod = "device") -> onnx.ModelProto:
    """Of a network whose last feature map `last` makes of a hidden one."""
    image = keras.Input((16, 12, 3))
    hidden = layers.Conv2D(8, 3, strides=2, padding="same", activation="relu")(image)
    pooled = layers.GlobalAveragePooling2D()(last(hidden))
    model = classifier_kinds.lively(keras.Model(image, layers.Dense(5, activation="softmax")(pooled), name="small"))
    cut = two_output.cut(model, evidence_method=evidence_method)
    return onnx.load_from_string(onnx_target.convert(cut, "int8", IMAGES))


@pytest.fixture(scope="module")
def plain() -> onnx.ModelProto:
    return quantized(layers.Conv2D(24, 3, padding="same", activation="relu", name="last"))


def constants(model: onnx.ModelProto) -> dict[str, np.ndarray]:
    return {one.name: numpy_helper.to_array(one) for one in model.graph.initializer}


def run(model: onnx.ModelProto) -> dict[str, np.ndarray]:
    session = onnxruntime.InferenceSession(model.SerializeToString(), providers=["CPUExecutionProvider"])
    names = [output.name for output in model.graph.output]
    return dict(zip(names, session.run(names, {"image": IMAGES}), strict=True))


def ahead(model: onnx.ModelProto, name: str, end: str) -> set[str]:
    """Kinds of the nodes that a tensor is made of, as far as those of one kind."""
    wanted, kinds = {name}, set()
    for node in reversed(model.graph.node):
        if wanted.intersection(node.output):
            kinds.add(node.op_type)
            wanted.update(() if node.op_type == end else node.input)
    return kinds


def test_the_largest_weight_of_each_channel_is_127_steps_from_zero(plain: onnx.ModelProto) -> None:
    weights = {name: one for name, one in constants(plain).items() if one.dtype == np.uint8 and one.ndim > 1}
    assert sorted(one.ndim for one in weights.values()) == [2, 4, 4]  # two convolutions and the head
    for name, stored in weights.items():
        axis = 0 if stored.ndim == 4 else stored.shape.index(5)
        steps = np.abs(np.moveaxis(stored, axis, 0).reshape(stored.shape[axis], -1).astype(int) - 128)
        assert steps.max(axis=1).tolist() == [127] * len(steps), name
    zeros = {
        int(one) for name, one in constants(plain).items() if one.dtype == np.uint8 and one.ndim == 1 for one in one
    }
    assert zeros == {128}


def test_the_features_are_those_sums_that_the_last_convolution_makes_and_are_rounded_no_more(
    plain: onnx.ModelProto,
) -> None:
    assert ahead(plain, "features", "ConvInteger") == {"ConvInteger", "DequantizeLinear", "Add", "Relu", "Transpose"}
    features = run(plain)["features"]
    assert features.shape == (12, 8, 6, 24)
    assert len(np.unique(features)) > 256  # what 8 bits can tell apart
    assert features.min() == 0


def test_the_logits_are_not_rounded(plain: onnx.ModelProto) -> None:
    (softmax,) = (node for node in plain.graph.node if node.op_type == "Softmax")
    (made,) = (node for node in plain.graph.node if softmax.input[0] in node.output)
    assert made.op_type == "Gemm"
    assert softmax.output[0] == "scores"


def test_the_other_convolutions_compute_in_8_bits(plain: onnx.ModelProto) -> None:
    (first,) = (node for node in plain.graph.node if node.op_type == "Conv")
    makers = {name: node.op_type for node in plain.graph.node for name in node.output}
    assert [makers[name] for name in first.input] == ["DequantizeLinear"] * 3
    (taker,) = (node.op_type for node in plain.graph.node if first.output[0] in node.input)
    assert taker == "QuantizeLinear"


def test_nothing_is_left_over(plain: onnx.ModelProto) -> None:
    onnx.checker.check_model(plain, full_check=True)
    used = {name for node in plain.graph.node for name in node.input} | {"features", "scores"}
    assert set(constants(plain)) <= used
    assert all(used.intersection(node.output) for node in plain.graph.node)


@pytest.mark.parametrize("pooled", [False, True])
def test_evidence_of_the_graph_is_summed_in_integers_and_nothing_behind_it_is_rounded(pooled: bool) -> None:
    convolution = layers.Conv2D(24, 3, padding="same", activation="relu", name="last")
    last = (lambda x: layers.AveragePooling2D(2)(convolution(x))) if pooled else convolution
    model = quantized(last, "graph")
    onnx.checker.check_model(model, full_check=True)
    sums = [node for node in model.graph.node if node.op_type == "ConvInteger"]
    assert len(sums) == (1 if pooled else 2)
    assert ahead(model, "evidence", "ConvInteger") <= {"ConvInteger", "DequantizeLinear", "Add", "Transpose"}
    assert "QuantizeLinear" not in ahead(model, "scores", "ConvInteger")
    assert len(np.unique(run(model)["evidence"])) > 256  # what 8 bits can tell apart


@pytest.mark.parametrize(
    ("why", "last"),
    [
        ("two convolutions are added", lambda x: layers.Add()([layers.Conv2D(8, 3, padding="same")(x), x])),
        ("it is pooled", lambda x: layers.AveragePooling2D(2)(layers.Conv2D(8, 3, activation="relu")(x))),
    ],
)
def test_features_that_no_single_convolution_makes_are_quantized_as_any(why: str, last: Any) -> None:
    model = quantized(last)
    assert "ConvInteger" not in {node.op_type for node in model.graph.node}, why
    onnx.checker.check_model(model, full_check=True)


def test_a_convolution_without_a_bias_and_an_activation_of_two_operators_is_one_as_well() -> None:
    model = quantized(layers.Conv2D(16, 3, strides=2, use_bias=False, activation="swish", name="last"))
    (last,) = (node for node in model.graph.node if node.op_type == "ConvInteger")
    assert list({attribute.name: attribute.ints for attribute in last.attribute}["strides"]) == [2, 2]
    assert "QuantizeLinear" not in ahead(model, "features", "ConvInteger")
    assert np.isfinite(run(model)["features"]).all()


def thin_channel(gain: float) -> keras.Model:
    """In front of the last convolution a channel with hardly any weights, and a bias that others read."""
    image = keras.Input((16, 12, 3))
    x = layers.Conv2D(8, 3, strides=2, padding="same", use_bias=False)(image)
    x = layers.ReLU()(layers.BatchNormalization(name="thin")(x))
    x = layers.GlobalAveragePooling2D()(layers.Conv2D(24, 3, padding="same", activation="relu")(x))
    model = classifier_kinds.lively(keras.Model(image, layers.Dense(5, activation="softmax")(x), name="small"))
    thin = model.get_layer("thin")
    gamma, beta = np.array(thin.gamma), np.array(thin.beta)
    gamma[2], beta[2] = gain, 2.0
    thin.gamma.assign(gamma)
    thin.beta.assign(beta)
    return model


@pytest.mark.parametrize("gain", [1e-7, 1e-12])
def test_the_bias_of_a_channel_of_tiny_weights_is_not_clipped(gain: float, caplog: pytest.LogCaptureFixture) -> None:
    """In steps of input times weight it is more than int32 holds."""
    cut = two_output.cut(thin_channel(gain))
    model = onnx.load_from_string(onnx_target.convert(cut, "int8", IMAGES))
    biases = [one for one in constants(model).values() if one.dtype == np.int32 and one.ndim == 1]
    assert max(np.abs(one).max() for one in biases) <= 2**30
    assert caplog.records == []
    expected = cut.answer(IMAGES).features
    assert np.abs(run(model)["features"] - expected).max() < 0.05 * np.abs(expected).max()


def test_the_other_channels_keep_their_steps() -> None:
    found = []
    for gain in (1.0, 1e-7):
        kept = constants(onnx.load_from_string(onnx_target.convert(two_output.cut(thin_channel(gain)), "int8", IMAGES)))
        found.append(next(one for one in kept.values() if one.dtype == np.float32 and one.shape == (8,)))
    assert np.delete(found[0], 2).tolist() == np.delete(found[1], 2).tolist()


@pytest.mark.parametrize("activation", ["relu", "tanh", None])
def test_what_is_the_largest_in_front_of_a_maximum_is_so_behind_it(activation: str | None) -> None:
    """Global max pooling's gradient asks which number is the largest: both sides of the question have the same steps.

    Features that may be below 0 have another range than their largest ones.
    """
    image = keras.Input((16, 12, 3))
    hidden = layers.Conv2D(8, 3, strides=2, padding="same", activation="relu")(image)
    hidden = layers.GlobalMaxPooling2D()(layers.Conv2D(6, 3, padding="same", activation=activation)(hidden))
    cut = two_output.cut(classifier_kinds.lively(keras.Model(image, layers.Dense(5, activation="softmax")(hidden))))
    assert cut.evidence_method == "gradient"

    exact, rounded = (run(onnx.load_from_string(onnx_target.convert(cut, of, IMAGES))) for of in ("float32", "int8"))

    # 0.96 to 0.99 of all; -0.04 to 0.05 where no number is the largest, and each is divided by none.
    assert np.corrcoef(exact["evidence"].ravel(), rounded["evidence"].ravel())[0, 1] > 0.9
