"""`camlite_export.sources.onnx`: each operator's float twin computes what onnxruntime computes."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

import numpy as np
import pytest

from camlite.errors import ClassifierError
from camlite.soundness import onnx_model
from camlite_export.sources.onnx import onnx_graph
from camlite_export.sources.onnx.call import Call
from camlite_export.sources.onnx.operators import TWINS
from support.fresh_process import fresh_process
from support.onnx_models import model, node

onnx = pytest.importorskip("onnx")
pytest.importorskip("onnxruntime")

SHAPE = (1, 4, 6, 5)
RANDOM = np.random.default_rng(0)


def floats(*shape: int) -> np.ndarray:
    return RANDOM.normal(size=shape).astype(np.float32)


def ints(*numbers: int) -> np.ndarray:
    return np.array(numbers, np.int64)


class Case(NamedTuple):
    """An operator behind an image: its inputs (``x`` is the image), attributes, constants, and set of operators."""

    kind: str
    inputs: str = "x"
    attributes: Mapping[str, Any] = {}
    constants: Mapping[str, np.ndarray] = {}
    opset: int = 17
    outputs: str = "y"

    def __str__(self) -> str:
        said = [f"{key}={value}" for key, value in self.attributes.items()]
        said += [f"{key}{value.shape or value}" for key, value in self.constants.items()]
        return "-".join([self.kind, self.inputs, *said, str(self.opset)]).replace(" ", "")


def same(*kinds: str, **attributes: Any) -> list[Case]:
    return [Case(kind, attributes=attributes) for kind in kinds]


W = {"w": floats(6, 4, 3, 3), "b": floats(6)}
NORMS = {"s": floats(4), "b": floats(4), "m": floats(4), "v": np.abs(floats(4)) + np.float32(0.5)}
POSITIVE = {"c": np.abs(floats(4, 1, 1)) + np.float32(0.5)}
CASES = [
    *same("Abs", "Ceil", "Cos", "Erf", "Exp", "Floor", "HardSwish", "Identity", "Neg", "Relu", "Round", "Sigmoid"),
    *same("Sign", "Sin", "Softplus", "Softsign", "Tanh", "Elu", "Selu", "LeakyRelu", "HardSigmoid", "Dropout"),
    Case("Elu", attributes={"alpha": 0.5}),
    Case("Selu", attributes={"alpha": 1.5, "gamma": 1.2}),
    Case("HardSigmoid", attributes={"alpha": 1 / 6, "beta": 0.5}),
    Case("LeakyRelu", attributes={"alpha": 0.3}),
    Case("Gelu", opset=20),
    Case("Gelu", attributes={"approximate": "tanh"}, opset=20),
    Case("Mish", opset=18),
    Case("PRelu", "x c", constants={"c": floats(4, 1, 1)}),
    Case("Clip", "x low high", constants={"low": np.float32(-0.5), "high": np.float32(0.7)}),
    Case("Clip", "x low high", constants={"low": np.float32(0), "high": np.float32(6)}),
    Case("Clip", "x low -", constants={"low": np.float32(0)}),
    Case("Clip", attributes={"min": -0.25, "max": 0.5}, opset=9),
    *[Case(kind, "x c", constants=POSITIVE) for kind in ("Add", "Div", "Max", "Mean", "Min", "Mul", "Sub", "Sum")],
    Case("Sum", "x c x", constants=POSITIVE),
    Case("Pow", "x n", constants={"n": np.float32(2)}),
    Case("Pow", "x n", constants={"n": np.float32(3)}),
    Case("BatchNormalization", "x s b m v", constants=NORMS),
    Case("BatchNormalization", "x s b m v", {"epsilon": 0.1}, NORMS, 9),
    Case("InstanceNormalization", "x s b", constants={"s": floats(4), "b": floats(4)}),
    Case("LayerNormalization", "x s b", {"axis": -1}, {"s": floats(5), "b": floats(5)}),
    Case("LayerNormalization", "x s", {"axis": 2}, {"s": floats(6, 5)}),
    Case("GroupNormalization", "x s b", {"num_groups": 2}, {"s": floats(4), "b": floats(4)}, 21),
    Case("LRN", attributes={"size": 3, "alpha": 0.3, "beta": 0.6, "bias": 1.5}),
    Case("LRN", attributes={"size": 5, "alpha": 0.3}),
    Case("LpNormalization", attributes={"axis": 1}),
    Case("Softmax", attributes={"axis": 1}),
    Case("Softmax", attributes={"axis": 1}, opset=11),
    Case("Softmax"),
    Case("LogSoftmax", attributes={"axis": 1}),
    Case("Conv", "x w b", constants=W),
    Case("Conv", "x w", {"pads": [1, 0, 2, 1], "strides": [2, 1]}, W),
    Case("Conv", "x w", {"auto_pad": "SAME_UPPER", "strides": [2, 2]}, W),
    Case("Conv", "x w", {"auto_pad": "SAME_LOWER", "strides": [2, 2]}, W),
    Case("Conv", "x w b", {"auto_pad": "VALID"}, W),
    Case("Conv", "x w", {"dilations": [2, 2], "pads": [2, 2, 2, 2]}, W),
    Case("Conv", "x w b", {"group": 2}, {"w": floats(6, 2, 3, 3), "b": floats(6)}),
    Case("Conv", "x w b", {"group": 4, "strides": [2, 2]}, {"w": floats(8, 1, 3, 3), "b": floats(8)}),
    Case("Conv", "x w", {"group": 4, "strides": [2, 1]}, {"w": floats(4, 1, 3, 3)}),
    Case(
        "ConvTranspose", "x w b", {"strides": [2, 2], "pads": [1, 1, 0, 0]}, {"w": floats(4, 3, 3, 3), "b": floats(3)}
    ),
    Case("MaxPool", attributes={"kernel_shape": [3, 3], "strides": [2, 2], "pads": [1, 1, 1, 1]}),
    Case("MaxPool", attributes={"kernel_shape": [2, 2], "strides": [2, 2], "ceil_mode": 1}),
    Case("MaxPool", attributes={"kernel_shape": [3, 2], "auto_pad": "SAME_LOWER", "strides": [2, 2]}),
    Case("MaxPool", attributes={"kernel_shape": [2, 2], "dilations": [2, 2]}),
    Case("AveragePool", attributes={"kernel_shape": [3, 3], "strides": [2, 2], "pads": [1, 0, 1, 1]}),
    Case("AveragePool", attributes={"kernel_shape": [3, 3], "pads": [1, 1, 1, 1], "count_include_pad": 1}),
    Case("AveragePool", attributes={"kernel_shape": [2, 2], "strides": [2, 2], "ceil_mode": 1}),
    Case("AveragePool", attributes={"kernel_shape": [3, 3], "auto_pad": "SAME_UPPER", "strides": [2, 2]}),
    *same("GlobalAveragePool", "GlobalMaxPool"),
    Case("Resize", "x - s", {"mode": "nearest"}, {"s": np.array([1, 1, 2, 3], np.float32)}),
    Case("Resize", "x - s", {"mode": "linear"}, {"s": np.array([1, 1, 2, 2], np.float32)}),
    *[Case(f"Reduce{kind}", attributes={"axes": [2, 3]}) for kind in ("L1", "L2", "Max", "Mean", "Min", "SumSquare")],
    Case("ReduceMean", "x a", {"keepdims": 0}, {"a": ints(-1, -2)}, 18),
    Case("ReduceSum", "x a", {"keepdims": 0}, {"a": ints(1)}),
    Case("ReduceProd", attributes={"axes": [1]}),
    Case("Reshape", "x s", constants={"s": ints(0, 2, 2, -1)}),
    Case("Flatten"),
    Case("Squeeze", "p a", constants={"a": ints(2, 3)}),
    Case("Unsqueeze", "x a", constants={"a": ints(2)}),
    Case("Transpose", attributes={"perm": [0, 2, 3, 1]}),
    Case("Concat", "x x", {"axis": 1}),
    Case("Split", attributes={"axis": 1}, outputs="y z"),
    Case("Split", "x s", {"axis": 1}, {"s": ints(1, 3)}, outputs="y z"),
    Case("Slice", "x o t a", constants={"o": ints(1, -3), "t": ints(9223372036854775807, -1), "a": ints(1, 2)}),
    Case("Slice", "x o t a s", constants={"o": ints(3), "t": ints(-9), "a": ints(1), "s": ints(-1)}),
    Case("Slice", attributes={"starts": [1], "ends": [3], "axes": [1]}, opset=9),
    Case("Gather", "x i", {"axis": 1}, {"i": ints(2, -1)}),
    Case("Expand", "p s", constants={"s": ints(1, 4, 2, 3)}),
    Case("Tile", "x r", constants={"r": ints(1, 2, 1, 1)}),
    Case("Pad", "x n", constants={"n": ints(0, 0, 1, 2, 0, 0, 0, -1)}),
    Case("Pad", "x n v", constants={"n": ints(0, 1, 0, 0, 0, 0, 1, 1), "v": np.float32(2)}),
    Case("Pad", "x n", {"mode": "reflect"}, {"n": ints(0, 0, 2, 1, 0, 0, 1, 2)}),
    Case("Pad", attributes={"pads": [0, 0, 1, 1, 0, 0, 1, 1]}, opset=9),
    Case("DepthToSpace", attributes={"blocksize": 2}),
    Case("DepthToSpace", attributes={"blocksize": 2, "mode": "CRD"}),
    Case("SpaceToDepth", "e", attributes={"blocksize": 2}),
    Case("MatMul", "x w", constants={"w": floats(5, 3)}),
    Case("Gemm", "f w b", {"transB": 1, "alpha": 0.5, "beta": 2.0}, {"w": floats(3, 120), "b": floats(3)}),
    Case("Gemm", "f w", constants={"w": floats(120, 3)}),
]


def content(case: Case) -> bytes:
    """A model of it; ``p`` is the image pooled, ``f`` in a row, ``e`` without its last column: as often as needed."""
    front = {
        "p": [node("GlobalAveragePool", "x", "p")],
        "f": [node("Flatten", "x", "f")],
        "e": [node("Slice", "x e0 e1 e2", "e")] if case.opset >= 10 else [],
        "x": [],
    }
    used = case.inputs.split()
    nodes = [node("Identity", "image", "x"), *(one for key in front if key in used for one in front[key])]
    nodes.append(node(case.kind, case.inputs, case.outputs, **case.attributes))
    more = {"e0": ints(0), "e1": ints(4), "e2": ints(3)} if "e" in used else {}
    outputs = dict.fromkeys(case.outputs.split())
    return model(nodes, SHAPE, outputs, {**case.constants, **more}, case.opset)


def run(contents: list[bytes], image: np.ndarray) -> list[list[np.ndarray]]:
    """What onnxruntime gives."""
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.log_severity_level = 4
    sessions = (onnxruntime.InferenceSession(one, options, ["CPUExecutionProvider"]) for one in contents)
    return [one.run(None, {"image": image}) for one in sessions]


IMAGE = (2 * RANDOM.normal(size=SHAPE)).astype(np.float32)


@pytest.fixture(scope="module")
def expected() -> Iterator[dict[str, list[np.ndarray]]]:
    with fresh_process() as process:
        found = process.submit(run, [content(case) for case in CASES], IMAGE).result()
    return dict(zip(map(str, CASES), found, strict=True))


@pytest.mark.parametrize("case", CASES, ids=str)
def test_a_twin_computes_what_onnxruntime_computes(case, expected):
    import tensorflow as tf

    written = content(case)
    graph = onnx_graph.read(onnx.load_from_string(written), onnx_model.tensors(written), "file.onnx")

    received = graph.compute({"image": tf.constant(IMAGE)}, case.outputs.split())

    for one, other in zip(received, expected[str(case)], strict=True):
        np.testing.assert_allclose(one, other, rtol=2e-5, atol=2e-5)


@pytest.mark.parametrize("case", CASES, ids=str)
def test_a_twin_takes_images_one_by_one_and_together(case):
    import tensorflow as tf

    written = content(case)
    graph = onnx_graph.read(onnx.load_from_string(written), onnx_model.tensors(written), "file.onnx")
    images = np.concatenate([IMAGE, -IMAGE])

    together = graph.compute({"image": tf.constant(images)}, case.outputs.split())

    for k in range(2):
        single = graph.compute({"image": tf.constant(images[k : k + 1])}, case.outputs.split())
        for one, other in zip(together, single, strict=True):
            np.testing.assert_allclose(one[k : k + 1], other, rtol=1e-5, atol=1e-5)


def test_every_operator_that_classifiers_are_made_of_has_a_twin():
    tried = {case.kind for case in CASES}
    of_constants = {"And", "Cast", "ConstantOfShape", "Equal", "Greater", "GreaterOrEqual", "Less", "LessOrEqual", "Or"}
    of_constants |= {"IsNaN", "Not", "Where", "Log", "Reciprocal", "Sqrt", "Upsample"}
    quantized = {"DequantizeLinear", "QLinearConv", "QLinearMatMul", "QuantizeLinear"}

    assert set(TWINS) == tried | of_constants | quantized


def test_what_has_no_batch_is_expanded_as_well():
    """A table of positions, as ConViT has one."""
    column = floats(6, 1)

    found = TWINS["Expand"](Call({}, [(6, 1), (2,)], [(6, 5)], ["float32"], 17), [column, ints(6, 5)])

    np.testing.assert_array_equal(found, np.broadcast_to(column, (6, 5)))


def test_what_tensorflow_refuses_is_told_as_what_cannot_be_followed(monkeypatch):
    """Not as a bug of camlite: its errors are no ValueErrors."""
    import tensorflow as tf

    def failing(*_):
        raise tf.errors.InvalidArgumentError(None, None, "Value for attr\nis not allowed")

    monkeypatch.setitem(onnx_graph.TWINS, "Relu", failing)
    written = content(Case("Relu"))
    graph = onnx_graph.read(onnx.load_from_string(written), onnx_model.tensors(written), "file.onnx")

    with pytest.raises(
        ClassifierError, match=r"\(Relu\) is of a kind that camlite cannot follow: Value for attr is not"
    ):
        graph.compute({"image": tf.constant(IMAGE)}, ["y"])
