"""`camlite.soundness.onnx_rules`: what each operator gives has the shape that onnxruntime gives it."""

from __future__ import annotations

import numpy as np
import pytest

from camlite.soundness import onnx_model
from camlite.soundness.onnx_rules import RULES
from support import onnx_models
from support.fresh_process import fresh_process
from support.onnx_models import node

onnx = pytest.importorskip("onnx")
pytest.importorskip("onnxruntime")

MAP, ROW = (1, 4, 9, 12), (1, 8)


def floats(*shape: int) -> np.ndarray:
    return np.ones(shape, np.float32)


def integers(*values: int) -> np.ndarray:
    return np.array(values, np.int64)


def bytes8(*shape: int) -> np.ndarray:
    return np.ones(shape, np.uint8)


SMALL, ZERO, ONE = np.float32(0.1), np.uint8(0), np.int64(1)
QUANTIZED = {"scale": SMALL, "zero": ZERO}


def quantized(operator):
    return [node("QuantizeLinear", "image scale zero", "q"), operator]


# Each: the nodes, the shape of the image, constants; the output is `out` of type float32, or of whatever it is.
CASES = {
    "convolution": (
        [node("Conv", "image w b", "out", pads=[1, 1, 1, 1], strides=[2, 3])],
        MAP,
        {"w": floats(6, 4, 3, 3), "b": floats(6)},
    ),
    "convolution in groups, dilated": (
        [node("Conv", "image w", "out", group=2, dilations=[2, 1], kernel_shape=[3, 2])],
        MAP,
        {"w": floats(6, 2, 3, 2)},
    ),
    "convolution, same": (
        [node("Conv", "image w", "out", auto_pad="SAME_UPPER", strides=[2, 2])],
        MAP,
        {"w": floats(6, 4, 3, 3)},
    ),
    "convolution, valid": (
        [node("Conv", "image w", "out", auto_pad="VALID", strides=[2, 2])],
        MAP,
        {"w": floats(6, 4, 3, 3)},
    ),
    "convolution along one axis": ([node("Conv", "image w", "out")], (1, 4, 9), {"w": floats(6, 4, 3)}),
    "transposed convolution": (
        [node("ConvTranspose", "image w", "out", strides=[2, 3], pads=[1, 0, 1, 0], output_padding=[1, 2])],
        MAP,
        {"w": floats(4, 6, 3, 3)},
    ),
    "transposed convolution in groups": (
        [node("ConvTranspose", "image w", "out", group=2)],
        MAP,
        {"w": floats(4, 3, 3, 3)},
    ),
    "integer convolution": (
        quantized(node("ConvInteger", "q w zero", "out")),
        MAP,
        {**QUANTIZED, "w": bytes8(6, 4, 3, 3)},
    ),
    "quantized convolution": (
        quantized(node("QLinearConv", "q scale zero w scale zero scale zero", "out")),
        MAP,
        {**QUANTIZED, "w": bytes8(6, 4, 3, 3)},
    ),
    "pooling": ([node("MaxPool", "image", "out", kernel_shape=[3, 3], strides=[2, 2])], MAP, {}),
    "pooling, rounded up": (
        [node("AveragePool", "image", "out", kernel_shape=[2, 2], strides=[2, 2], ceil_mode=1)],
        MAP,
        {},
    ),
    "pooling over more than there is, rounded up": (
        [node("AveragePool", "image", "out", kernel_shape=[99, 7], strides=[99, 2], ceil_mode=1)],
        MAP,
        {},
    ),
    "pooling, rounded up into the padding": (
        [node("MaxPool", "image", "out", kernel_shape=[1, 2], strides=[4, 5], pads=[0, 1, 0, 1], ceil_mode=1)],
        MAP,
        {},
    ),
    "global pooling": ([node("GlobalAveragePool", "image", "out")], MAP, {}),
    "dense": ([node("Gemm", "image w b", "out", transB=1)], ROW, {"w": floats(3, 8), "b": floats(3)}),
    "turned": (
        [node("Gemm", "image w", "t", transA=1), node("Reshape", "t shape", "out")],
        ROW,
        {"w": floats(1, 5), "shape": integers(1, -1)},
    ),
    "product": ([node("MatMul", "image w", "out")], MAP, {"w": floats(12, 5)}),
    "product of many": ([node("MatMul", "image w", "out")], MAP, {"w": floats(3, 1, 12, 5)[:1]}),
    "product with a vector": ([node("MatMul", "image w", "out")], MAP, {"w": floats(12)}),
    "integer product": (quantized(node("MatMulInteger", "q w", "out")), ROW, {**QUANTIZED, "w": bytes8(8, 3)}),
    "quantized product": (
        quantized(node("QLinearMatMul", "q scale zero w scale zero scale zero", "out")),
        ROW,
        {**QUANTIZED, "w": bytes8(8, 3)},
    ),
    "broadcast": ([node("Add", "image b", "out")], MAP, {"b": floats(4, 1, 1)}),
    "broadcast to more axes": ([node("Mul", "image b", "out")], ROW, {"b": floats(1, 5, 1)}),
    "comparison": ([node("Greater", "image b", "out")], ROW, {"b": floats(8)}),
    "choice": ([node("Greater", "image b", "g"), node("Where", "g image b", "out")], ROW, {"b": floats(8)}),
    "slopes": ([node("PRelu", "image b", "out")], MAP, {"b": floats(4, 1, 1)}),
    "clipped": ([node("Clip", "image low high", "out")], MAP, {"low": np.float32(0), "high": np.float32(6)}),
    "cast": ([node("Cast", "image", "out", to=7)], ROW, {}),
    "normalization": ([node("BatchNormalization", "image b b b b", "out")], MAP, {"b": floats(4)}),
    "layer normalization": ([node("LayerNormalization", "image b", "out")], MAP, {"b": floats(12)}),
    "quantized and back": (quantized(node("DequantizeLinear", "q scale zero", "out")), ROW, QUANTIZED),
    "quantized by what is there": ([node("DynamicQuantizeLinear", "image", "out s z")], ROW, {}),
    "mean": ([node("ReduceMean", "image", "out", axes=[-1, 2], keepdims=0)], MAP, {}),
    "sum over axes of an input": ([node("ReduceSum", "image axes", "out")], MAP, {"axes": integers(1)}),
    "sum of all": ([node("ReduceSum", "image", "s"), node("Reshape", "s shape", "out")], MAP, {"shape": integers(1)}),
    "index of the largest": ([node("ArgMax", "image", "out", axis=1, keepdims=0)], MAP, {}),
    "the largest": ([node("TopK", "image k", "out where", axis=-1)], MAP, {"k": integers(3)}),
    "reshape": ([node("Reshape", "image shape", "out")], MAP, {"shape": integers(0, -1, 6)}),
    "flatten": ([node("Flatten", "image", "out")], MAP, {}),
    "squeeze": ([node("Squeeze", "image axes", "out")], (1, 5, 1, 1), {"axes": integers(-1, 2)}),
    "unsqueeze": ([node("Unsqueeze", "image axes", "out")], ROW, {"axes": integers(-1, 1)}),
    "transpose": ([node("Transpose", "image", "out", perm=[0, 2, 3, 1])], MAP, {}),
    "concatenation": ([node("Concat", "image image", "out", axis=-3)], MAP, {}),
    "split": ([node("Split", "image sizes", "out more", axis=1)], MAP, {"sizes": integers(1, 3)}),
    "split into equals": ([node("Split", "image", "out more", axis=1)], MAP, {}),
    "slice": (
        [node("Slice", "image a b axes steps", "out")],
        MAP,
        {"a": integers(-1, 1), "b": integers(-99, 1 << 62), "axes": integers(3, 2), "steps": integers(-2, 3)},
    ),
    "gather": ([node("Gather", "image places", "out", axis=2)], MAP, {"places": np.zeros((2, 5), np.int64)}),
    "gather a part each": ([node("GatherND", "image places", "out")], MAP, {"places": np.zeros((1, 5, 2), np.int64)}),
    "pad": ([node("Pad", "image pads", "out")], MAP, {"pads": integers(0, 0, 1, 2, 0, 0, 3, -1)}),
    "tile": ([node("Tile", "image times", "out")], ROW, {"times": integers(1, 3)}),
    "expand": ([node("Expand", "image shape", "out")], ROW, {"shape": integers(1, 3, 1, 1)}),
    "resize by scales": (
        [node("Resize", "image - scales", "out")],
        MAP,
        {"scales": np.array([1, 1, 1.7, 0.6], np.float32)},
    ),
    "resize to sizes": (
        [node("Resize", "image - - sizes", "out", mode="linear")],
        MAP,
        {"sizes": integers(1, 4, 5, 20)},
    ),
    "blocks": ([node("SpaceToDepth", "image", "out", blocksize=3)], MAP, {}),
    "places": ([node("DepthToSpace", "image", "out", blocksize=2)], MAP, {}),
    "classes": (
        [node("ArgMax", "image", "a", axis=1, keepdims=0), node("OneHot", "a n values", "out")],
        ROW,
        {"n": np.int64(8), "values": floats(2)},
    ),
    "a shape of the graph": (
        [
            node("Shape", "image", "s"),
            node("Slice", "s one two", "channels"),
            node("Mul", "channels two", "twice"),
            node("Concat", "one twice minus", "shape", axis=0),
            node("Reshape", "image shape", "out"),
        ],
        MAP,
        {"one": integers(1), "two": integers(2), "minus": integers(-1)},
    ),
    "a shape by way of floats": (
        [
            node("Shape", "image", "s"),
            node("Cast", "s", "f", to=1),
            node("Div", "f two", "h"),
            node("Floor", "h", "low"),
            node("Cast", "low", "n", to=7),
            node("Max", "n one", "sizes"),
            node("Resize", "image - - sizes", "out"),
        ],
        MAP,
        {"two": np.array([1, 1, 2, 2], np.float32), "one": integers(1)},
    ),
    "a range": (
        [node("Range", "zero n one", "r"), node("Gather", "image r", "out", axis=3)],
        MAP,
        {"zero": np.int64(0), "n": np.int64(7), "one": ONE},
    ),
    "zeros": (
        [node("ConstantOfShape", "shape", "z"), node("Add", "image z", "out")],
        ROW,
        {"shape": integers(3, 1, 8)[1:]},
    ),
}


def build(name: str) -> bytes:
    nodes, shape, constants = CASES[name]
    return onnx_models.model(nodes, shape, {"out": None}, constants)


@pytest.fixture(scope="module")
def given():
    """The shape that onnxruntime gives in each case."""
    with fresh_process() as process:
        return {name: process.submit(onnx_models.shapes, build(name)).result()["out"] for name in CASES}


@pytest.mark.parametrize("name", CASES)
def test_an_operator_gives_the_shape_that_onnxruntime_gives(name, given):
    proof = onnx_model.verify(build(name))

    assert (1, *proof.outputs["out"].shape) == given[name]


# What says how an operator is to be done, or what it is done to: another number, another shape, or a refusal.
REFUSED = {
    "another number of channels": (CASES["convolution"], {"w": floats(6, 5, 3, 3)}, "weights"),
    "a kernel that is not that of the weights": (
        ([node("Conv", "image w", "out", kernel_shape=[1, 1])], MAP, {"w": floats(6, 4, 3, 3)}),
        {},
        "a kernel",
    ),
    "a stride of 0": (
        ([node("MaxPool", "image", "out", kernel_shape=[3, 3], strides=[0, 1])], MAP, {}),
        {},
        "strides 0",
    ),
    "a window larger than the map": (([node("MaxPool", "image", "out", kernel_shape=[99, 3])], MAP, {}), {}, "output"),
    "a padding that the version decides": (
        ([node("ConvTranspose", "image w", "out", auto_pad="SAME_UPPER")], MAP, {"w": floats(4, 6, 3, 3)}),
        {},
        "version",
    ),
    "a product that is none": (CASES["product"], {"w": floats(11, 5)}, "a product"),
    "a shape for other numbers": (CASES["reshape"], {"shape": integers(7, -1, 6)}, r"to \(7, -1, 6\)"),
    "two sides that are left": (CASES["reshape"], {"shape": integers(-1, -1, 6)}, r"to \(-1, -1, 6\)"),
    "an axis that is not 1": (CASES["squeeze"], {"axes": integers(1)}, "are not 1"),
    "an axis twice": (CASES["squeeze"], {"axes": integers(-1, 3)}, "each once"),
    "parts of another sum": (CASES["split"], {"sizes": integers(1, 4)}, "parts"),
    "a step of 0": (CASES["slice"], {"steps": integers(0, 1)}, "a step of 0"),
    "a slice of nothing": (
        CASES["slice"],
        {"b": integers(9, 9), "a": integers(9, 9), "steps": integers(1, 1)},
        "has shape",
    ),
    "a scale of 0": (CASES["resize by scales"], {"scales": np.zeros(4, np.float32)}, "scale 0"),
    "a shape that is computed": (
        (
            [node("Cast", "image", "s", to=7), node("Reshape", "s shape", "t"), node("Expand", "image t", "out")],
            (1, 1),
            {"shape": integers(1)},
        ),
        {},
        "is no list of integers that is fixed",
    ),
    "training": (
        ([node("BatchNormalization", "image b b b b", "out", training_mode=1)], MAP, {"b": floats(4)}),
        {},
        "training_mode 1",
    ),
    "an attribute that it has not": (([node("Relu", "image", "out", axes=[1])], MAP, {}), {}, "attribute 'axes'"),
    "an attribute of another type": (
        ([node("Softmax", "image", "out", axis=1.5)], MAP, {}),
        {},
        "attribute 'axis' of type",
    ),
    "a text for a number": (([node("Transpose", "image", "out", perm="x")], MAP, {}), {}, "attribute 'perm' of type"),
    "too many inputs": (([node("Relu", "image image", "out")], MAP, {}), {}, "inputs 2, expected 1"),
    "an input left out": (([node("Add", "image -", "out")], MAP, {}), {}, "input 1 was left out"),
}


@pytest.mark.parametrize("name", REFUSED)
def test_what_an_operator_is_not_made_for_is_told(name):
    (nodes, shape, constants), others, said = REFUSED[name]

    with pytest.raises(ValueError, match=said):
        onnx_model.verify(onnx_models.model(nodes, shape, {"out": None}, {**constants, **others}))


def test_every_operator_is_one_of_onnx_and_its_attributes_are():
    for name, rule in RULES.items():
        versions = [one for one in onnx.defs.get_all_schemas_with_history() if one.name == name and one.domain == ""]
        assert versions, name
        known = {attribute for one in versions for attribute in one.attributes}
        # The activations share one line.
        assert set(rule.attributes.split()) <= known | {"alpha", "gamma"}, name
        assert rule.inputs[1] <= max(one.max_input for one in versions), name
