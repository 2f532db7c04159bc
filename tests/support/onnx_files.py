"""`.onnx` files as people have them, written operator by operator with seeded weights: what is explained, what is not.

As PyTorch exports them where the title says nothing else: images and maps (N, C, H, W), weights (out, in, ...).
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from camlite.artifact.evidence_methods import EvidenceMethod
from camlite.artifact.precisions import Precision
from camlite.errors import ClassifierError
from support.onnx_models import model, node

SIDE, FILTERS, CLASSES = 16, 8, 3
Nodes = list[Any]
Constants = dict[str, np.ndarray]


@dataclass(frozen=True, eq=False)
class OnnxKind:
    """An `.onnx` file that is explained.

    Attributes:
        title: as the page says it.
        head: nodes and constants behind ``features``, up to ``answer``.
        evidence, activation, precision: what is found.
        layouts: of image and features.
        front: nodes and constants from ``input`` to ``features``, where they are others.
        classes: K.
        fields: of `support.onnx_models.model`, ``opset`` among them.
        change: what somebody did to the model.
        size: that must be given.
        shape: of the input, where it is another.
    """

    title: str
    head: Callable[[], tuple[Nodes, Constants]]
    evidence: EvidenceMethod = "device"
    activation: str = "softmax"
    precision: Precision = "float32"
    layouts: tuple[str, str] = ("chw", "chw")
    front: Callable[[], tuple[Nodes, Constants]] | None = None
    classes: int = CLASSES
    opset: int = 17
    change: Callable[[Any, Path], None] = lambda *_: None
    size: tuple[int, int] | None = None
    shape: tuple[int | str, ...] = (1, 3, SIDE, SIDE)

    def __str__(self) -> str:
        return self.title


def _random(seed: int, *shape: int) -> np.ndarray:
    return (np.random.default_rng(seed).normal(size=shape) / np.sqrt(max(1, np.prod(shape[1:])))).astype(np.float32)


def _convolutions(first: str = "input", last: str = "features") -> tuple[Nodes, Constants]:
    nodes = [
        node("Conv", f"{first} w1 b1", "c1", pads=[1, 1, 1, 1]),
        node("Relu", "c1", "r1"),
        node("MaxPool", "r1", "p1", kernel_shape=[2, 2], strides=[2, 2]),
        node("Conv", "p1 w2 b2", "c2", pads=[1, 1, 1, 1]),
        node("Relu", "c2", last),
    ]
    weights = {"w1": 2 * _random(1, 6, 3, 3, 3), "b1": _random(2, 6), "w2": 2 * _random(3, FILTERS, 6, 3, 3)}
    return nodes, {**weights, "b2": _random(4, FILTERS)}


def _from_channels_last() -> tuple[Nodes, Constants]:
    nodes, constants = _convolutions("first")
    return [node("Transpose", "input", "first", perm=[0, 3, 1, 2]), *nodes], constants


def _to_channels_last() -> tuple[Nodes, Constants]:
    nodes, constants = _convolutions(last="r2")
    return [*nodes, node("Transpose", "r2", "features", perm=[0, 2, 3, 1])], constants


def _dense_layer_of_a_map() -> tuple[Nodes, Constants]:
    """Rows of places, as tf2onnx writes it; behind a window as wide as the map."""
    nodes, constants = _convolutions(last="r2")
    more = [
        node("Conv", "r2 wide", "seen", pads=[7, 7, 7, 7], group=FILTERS),
        node("Transpose", "seen", "t2", perm=[0, 2, 3, 1]),
        node("Reshape", "t2 rows", "flat2"),
        node("MatMul", "flat2 dense", "product2"),
        node("Relu", "product2", "bent2"),
        node("Reshape", "bent2 map", "features"),
    ]
    side = SIDE // 2
    arrays = {"wide": _random(11, FILTERS, 1, 15, 15), "dense": _random(12, FILTERS, FILTERS)}
    sides = {"rows": (side * side, FILTERS), "map": (1, side, side, FILTERS)}
    return [*nodes, *more], {**constants, **arrays, **{name: np.array(one, np.int64) for name, one in sides.items()}}


def _with_computed_padding() -> tuple[Nodes, Constants]:
    """As torch's older exporter writes ``torch.nn.functional.pad``."""
    from onnx import numpy_helper

    nodes, constants = _convolutions("padded")
    zero = numpy_helper.from_array(np.zeros(1, np.int64))
    nodes[0] = node("Conv", "padded w1 b1", "c1")
    padding = [
        node("ConstantOfShape", "four", "zeros", value=zero),
        node("Concat", "two zeros", "eight", axis=0),
        node("Reshape", "eight pairs", "forwards"),
        node("Slice", "forwards end far first back", "backwards"),
        node("Transpose", "backwards", "sides", perm=[1, 0]),
        node("Reshape", "sides row", "flat_sides"),
        node("Cast", "flat_sides", "pads", to=7),
        node("Pad", "input pads", "padded"),
    ]
    lists = {"four": [4], "two": [1, 1, 1, 1], "pairs": [-1, 2], "end": [-1], "far": [-(2**63) + 1], "first": [0]}
    lists |= {"back": [-1], "row": [-1]}
    return [*padding, *nodes], {**constants, **{name: np.array(one, np.int64) for name, one in lists.items()}}


def _bent_with_channels_last() -> tuple[Nodes, Constants]:
    """A hard swish as tf2onnx writes it, behind the last convolution."""
    nodes, constants = _convolutions(last="r2")
    nodes[-1:] = [
        node("Transpose", "c2", "t2", perm=[0, 2, 3, 1]),
        node("Add", "t2 three", "a2"),
        node("Clip", "a2 zero six", "k2"),
        node("Mul", "t2 k2", "features"),
    ]
    return nodes, {**constants, "three": np.float32(3), "zero": np.float32(0), "six": np.float32(6)}


def _quantized() -> tuple[Nodes, Constants]:
    """QuantizeLinear and DequantizeLinear around each convolution, as quantizers write them."""
    nodes, constants = _convolutions(last="r2")
    found: Nodes = []
    for one in nodes:
        if one.op_type == "Conv":
            given, weights, bias = one.input
            found += [
                node("QuantizeLinear", f"{given} s_{given} z", f"q_{given}"),
                node("DequantizeLinear", f"q_{given} s_{given} z", f"d_{given}"),
                node("DequantizeLinear", f"q_{weights} s_{weights} z0", f"d_{weights}", axis=0),
            ]
            kernel = constants.pop(weights)
            scale = np.abs(kernel).max(axis=(1, 2, 3)) / np.float32(127)
            constants[f"q_{weights}"] = np.rint(kernel / scale.reshape(-1, 1, 1, 1)).astype(np.int8)
            constants |= {f"s_{weights}": scale, "z0": np.zeros(len(scale), np.int8), "z": np.int8(-128)}
            constants[f"s_{given}"] = np.float32(4 / 255)
            one.input[:] = [f"d_{given}", f"d_{weights}", bias]
        found.append(one)
        if one.op_type == "Conv":
            constants["z0"] = np.zeros(1, np.int8)
    for one in found:  # a zero point for each channel
        if one.op_type == "DequantizeLinear" and one.input[2] == "z0":
            name = one.input[1].replace("s_", "z_")
            constants[name] = np.zeros(constants[one.input[1]].shape, np.int8)
            one.input[2] = name
    del constants["z0"]
    nodes = [node("QuantizeLinear", "r2 s_r2 z", "q_r2"), node("DequantizeLinear", "q_r2 s_r2 z", "features")]
    return [*found, *nodes], {**constants, "s_r2": np.float32(6 / 255)}


def _with_a_shuffle() -> tuple[Nodes, Constants]:
    """As ShuffleNet: shapes are computed in the file."""
    nodes, constants = _convolutions(last="r2")
    more = [
        node("Shape", "r2", "shape"),
        node("Gather", "shape index2", "rows", axis=0),
        node("Gather", "shape index3", "columns", axis=0),
        node("Concat", "batch groups rest rows columns", "five", axis=0),
        node("Reshape", "r2 five", "parts"),
        node("Transpose", "parts", "turned", perm=[0, 2, 1, 3, 4]),
        node("Concat", "batch channels rows columns", "four", axis=0),
        node("Reshape", "turned four", "features"),
    ]
    sides = {"index2": [2], "index3": [3], "batch": [1], "groups": [2], "rest": [FILTERS // 2], "channels": [FILTERS]}
    return [*nodes, *more], {**constants, **{name: np.array(one, np.int64) for name, one in sides.items()}}


def pooled(
    *behind: Any, classes: int = CLASSES, pool: str = "GlobalAveragePool"
) -> Callable[[], tuple[Nodes, Constants]]:
    def head() -> tuple[Nodes, Constants]:
        nodes = [
            node(pool, "features", "pooled"),
            node("Flatten", "pooled", "flat"),
            node("Gemm", "flat w b", "logits", transB=1),
            *(behind or [node("Identity", "logits", "answer")]),
        ]
        return nodes, {"w": _random(5, classes, FILTERS), "b": _random(6, classes)}

    return head


_SOFTMAX = node("Softmax", "logits", "answer", axis=1)


def _pooled_by_a_window_larger_than_the_map() -> tuple[Nodes, Constants]:
    """As EfficientNet of transformers."""
    nodes, constants = pooled(_SOFTMAX)()
    nodes[0] = node("AveragePool", "features", "pooled", kernel_shape=[99, 99], strides=[99, 99], ceil_mode=1)
    return nodes, constants


def _mean(axes: tuple[int, int]) -> Callable[[], tuple[Nodes, Constants]]:
    def head() -> tuple[Nodes, Constants]:
        nodes = [
            node("ReduceMean", "features", "flat", axes=list(axes), keepdims=0),
            node("MatMul", "flat w", "product"),
            node("Add", "product b", "logits"),
            _SOFTMAX,
        ]
        return nodes, {"w": _random(5, FILTERS, CLASSES), "b": _random(6, CLASSES)}

    return head


def _of_all_places() -> tuple[Nodes, Constants]:
    places = FILTERS * (SIDE // 2) ** 2
    nodes = [node("Flatten", "features", "flat"), node("Gemm", "flat w b", "logits"), _SOFTMAX]
    return nodes, {"w": _random(5, places, CLASSES), "b": _random(6, CLASSES)}


def _by_convolution() -> tuple[Nodes, Constants]:
    """As SqueezeNet: one channel per class, and an output with four axes."""
    nodes = [
        node("Conv", "features w b", "by_class"),
        node("GlobalAveragePool", "by_class", "logits"),
        node("Softmax", "logits", "answer", axis=1),
    ]
    return nodes, {"w": _random(5, CLASSES, FILTERS, 1, 1), "b": _random(6, CLASSES)}


def _turned_again() -> tuple[Nodes, Constants]:
    """As MobileNetV3: the mean with its axes, and a convolution for a linear layer."""
    nodes = [
        node("ReduceMean", "features", "mean", axes=[1, 2], keepdims=1),
        node("Transpose", "mean", "first", perm=[0, 3, 1, 2]),
        node("Conv", "first w b", "product"),
        node("Transpose", "product", "last", perm=[0, 2, 3, 1]),
        node("Reshape", "last row", "logits"),
        _SOFTMAX,
    ]
    weights = {"w": _random(5, CLASSES, FILTERS, 1, 1), "b": _random(6, CLASSES)}
    return nodes, {**weights, "row": np.array([1, CLASSES], np.int64)}


def _hidden(kind: str, classes: int = CLASSES) -> Callable[[], tuple[Nodes, Constants]]:
    def head() -> tuple[Nodes, Constants]:
        nodes = [
            node("GlobalAveragePool", "features", "pooled"),
            node("Flatten", "pooled", "flat"),
            node("Gemm", "flat w0 b0", "hidden", transB=1),
            node(kind, "hidden", "bent"),
            node("Gemm", "bent w b", "answer", transB=1),
        ]
        alive = np.abs(_random(8, 7)) / 4
        weights = {"w0": 2 * _random(7, 7, FILTERS), "b0": alive, "w": _random(5, classes, 7)}
        return nodes, {**weights, "b": _random(6, classes)}

    return head


def _one_probability() -> tuple[Nodes, Constants]:
    nodes, constants = pooled(node("Sigmoid", "logits", "answer"), classes=1)()
    return nodes, constants


def _initializers_as_inputs(proto: Any, _: Path) -> None:
    from onnx import helper

    proto.ir_version = 3
    for one in proto.graph.initializer:
        proto.graph.input.append(helper.make_tensor_value_info(one.name, one.data_type, list(one.dims)))


def _weights_beside(proto: Any, path: Path) -> None:
    """Written by onnx itself."""
    import onnx

    onnx.save(proto, path, save_as_external_data=True, location=f"{path.name}.data", size_threshold=0)
    proto.CopyFrom(onnx.load(path, load_external_data=False))


def _any_batch(proto: Any, _: Path) -> None:
    proto.graph.input[0].type.tensor_type.shape.dim[0].dim_param = "N"


def _in_16_bits(proto: Any, _: Path) -> None:
    """As onnxruntime's own tool writes it: float32 at both ends only."""
    _convert(proto, keep_io_types=True)


def _convert(proto: Any, **options: Any) -> None:
    from onnxruntime.transformers import float16

    proto.CopyFrom(float16.convert_float_to_float16(proto, **options))


def _of_pixels(proto: Any, _: Path) -> None:
    """The image as it is, 0..255, and the arithmetic in front."""
    from onnx import numpy_helper

    (image,) = proto.graph.input
    image.type.tensor_type.elem_type = 2
    for one in proto.graph.node:
        one.input[:] = ["scaled" if name == "input" else name for name in one.input]
    first = [node("Cast", "input", "real", to=1), node("Mul", "real scale", "scaled")]
    nodes = [*first, *proto.graph.node]
    del proto.graph.node[:]
    proto.graph.node.extend(nodes)
    proto.graph.initializer.append(numpy_helper.from_array(np.float32(1 / 255), "scale"))


KINDS = (
    OnnxKind("global pooling and a linear layer, scores are logits", pooled(), activation="linear"),
    OnnxKind("the same with a softmax, any batch", pooled(_SOFTMAX), change=_any_batch),
    OnnxKind("the mean of height and width, MatMul and Add", _mean((2, 3))),
    OnnxKind("a linear layer of all places", _of_all_places),
    OnnxKind("a convolution with one channel per class, pooled; an output with four axes", _by_convolution),
    OnnxKind("one probability (sigmoid)", _one_probability, activation="sigmoid", classes=2),
    OnnxKind("a sigmoid per class", pooled(node("Sigmoid", "logits", "answer")), activation="sigmoid"),
    OnnxKind("maximum pooling", pooled(_SOFTMAX, pool="GlobalMaxPool"), "gradient"),
    *(
        OnnxKind(f"a hidden layer with {kind}", _hidden(kind), "gradient", "linear")
        for kind in ("Relu", "HardSwish", "LeakyRelu", "Sigmoid", "Elu")
    ),
    OnnxKind("a hidden layer, and more classes than 64", _hidden("Relu", 70), "gradient_top", "linear", classes=70),
    OnnxKind("shapes computed in the file, channels shuffled", pooled(_SOFTMAX), front=_with_a_shuffle),
    OnnxKind(
        "images with channels last, as tf2onnx writes them",
        pooled(_SOFTMAX),
        layouts=("hwc", "chw"),
        front=_from_channels_last,
        shape=(1, SIDE, SIDE, 3),
    ),
    OnnxKind("a last map that is turned to channels last", _mean((1, 2)), front=_to_channels_last),
    OnnxKind(
        "a last map that is computed with channels last",
        _mean((1, 2)),
        layouts=("chw", "hwc"),
        front=_bent_with_channels_last,
    ),
    OnnxKind(
        "the same, behind it axes are turned again, as tf2onnx writes it",
        _turned_again,
        front=_bent_with_channels_last,
    ),
    OnnxKind(
        "a dense layer of a map, written as rows of its places",
        _mean((1, 2)),
        layouts=("chw", "hwc"),
        front=_dense_layer_of_a_map,
    ),
    OnnxKind("a padding that is computed in the file", pooled(_SOFTMAX), front=_with_computed_padding),
    OnnxKind("an average over a window larger than the map", _pooled_by_a_window_larger_than_the_map),
    OnnxKind("8 bits (QDQ), a scale per channel", pooled(_SOFTMAX), precision="int8", front=_quantized),
    OnnxKind("old: weights are inputs, too", pooled(_SOFTMAX), opset=9, change=_initializers_as_inputs),
    OnnxKind("old, a hidden layer", _hidden("Relu"), "gradient", "linear", opset=11),
    OnnxKind("16 bits inside, float32 at both ends", pooled(_SOFTMAX), precision="float16", change=_in_16_bits),
    OnnxKind(
        "16 bits inside, a hidden layer", _hidden("Relu"), "gradient", "linear", precision="float16", change=_in_16_bits
    ),
    OnnxKind("images in uint8, scaled in the file", pooled(_SOFTMAX), change=_of_pixels),
    OnnxKind("weights in a second file", pooled(_SOFTMAX), change=_weights_beside),
    OnnxKind("images of any size, with --size", pooled(_SOFTMAX), size=(SIDE, SIDE), shape=("N", 3, "height", "width")),
)


def write(kind: OnnxKind, path: Path) -> Path:
    """Write the file."""
    import onnx

    front, weights = (kind.front or _convolutions)()
    head, more = kind.head()
    content = model([*front, *head], kind.shape, {"answer": None}, {**weights, **more}, kind.opset)
    proto = onnx.load_from_string(content.replace(b"image", b"input"))
    kind.change(proto, path)
    path.write_bytes(proto.SerializeToString())
    return path


@dataclass(frozen=True, eq=False)
class OnnxRefusal:
    """A file that is refused.

    Attributes:
        title: as the page says it.
        make: writes the file.
    """

    title: str
    make: Callable[[Path], None]

    def __str__(self) -> str:
        return self.title


def _written(
    nodes: Nodes,
    shape: tuple[int | str, ...],
    outputs: Mapping[str, Any],
    constants: Constants | None = None,
    **fields: Any,
) -> Callable[[Path], None]:
    def make(path: Path) -> None:
        path.write_bytes(model(nodes, shape, outputs, constants or {}, **fields))

    return make


def _image(
    *nodes: Any, output: str = "answer", shape: tuple[int | str, ...] = (1, 3, SIDE, SIDE), **fields: Any
) -> Any:
    front, constants = _convolutions("image")
    return _written([*front, *nodes], shape, {output: None}, constants, **fields)


def of_one(*nodes: Any, outputs: Mapping[str, Any] | None = None) -> Any:
    """What writes a file whose last nodes take `logits`."""
    front, constants = _convolutions("image")
    head = [
        node("GlobalAveragePool", "features", "pooled"),
        node("Flatten", "pooled", "flat"),
        node("MatMul", "flat dense", "logits"),
    ]
    constants["dense"] = _random(5, FILTERS, 5)
    return _written([*front, *head, *nodes], (1, 3, SIDE, SIDE), outputs or {"answer": None}, constants)


def _with_a_shortcut() -> Any:
    front, constants = _convolutions("image")
    head = [
        node("GlobalAveragePool", "features", "pooled"),
        node("GlobalAveragePool", "image", "colour"),
        node("Concat", "pooled colour", "both", axis=1),
        node("Flatten", "both", "flat"),
        node("MatMul", "flat dense", "answer"),
    ]
    constants["dense"] = _random(5, FILTERS + 3, 5)
    return _written([*front, *head], (1, 3, SIDE, SIDE), {"answer": None}, constants)


def _two_inputs(path: Path) -> None:
    import onnx
    from onnx import helper

    _image(node("Mul", "features other", "answer"))(path)
    proto = onnx.load(path)
    proto.graph.input.append(helper.make_tensor_value_info("other", 1, [1]))
    path.write_bytes(proto.SerializeToString())


def _attention() -> Any:
    front, constants = _convolutions("image")
    nodes, others = _attending()
    return _written([*front, *nodes], (1, 3, SIDE, SIDE), {"answer": None}, {**constants, **others})


def _attending() -> tuple[Nodes, Constants]:
    nodes = [
        node("Reshape", "features tokens", "flat"),
        node("Transpose", "flat", "turned", perm=[0, 2, 1]),
        node("MatMul", "turned flat", "attention"),
        node("Softmax", "attention", "shares", axis=-1),
        node("MatMul", "shares turned", "mixed"),
        node("ReduceMean", "mixed", "answer", axes=[1], keepdims=0),
    ]
    return nodes, {"tokens": np.array([1, FILTERS, -1], np.int64)}


def _padded_attention() -> Any:
    """As torch's older exporter writes windows that may not fit."""
    front, constants = _convolutions("image")
    nodes, others = _attending()
    padding = [
        node("ReduceMax", "flat", "most", keepdims=0),
        node("Cast", "most", "whole", to=7),
        node("Reshape", "whole one", "side"),
        node("Concat", "zeros side", "pads", axis=0),
        node("Pad", "flat pads", "padded"),
    ]
    nodes[2] = node("MatMul", "turned padded", "attention")
    others |= {"one": np.ones(1, np.int64), "zeros": np.zeros(5, np.int64)}
    return _written(
        [*front, *nodes[:2], *padding, *nodes[2:]], (1, 3, SIDE, SIDE), {"answer": None}, {**constants, **others}
    )


def _normalized_tokens() -> Any:
    """Maps as lists of places, each normalized over its channels: right behind the last map of four axes."""
    nodes = [
        node("Reshape", "features tokens", "flat"),
        node("Transpose", "flat", "turned", perm=[0, 2, 1]),
        node("LayerNormalization", "turned b2", "normal", axis=-1),
        node("MatMul", "normal hidden", "more"),
        node("Relu", "more", "bent"),
        node("ReduceMean", "bent", "answer", axes=[1], keepdims=0),
    ]
    front, constants = _convolutions("image")
    del front[-1]  # where few channels are above 0, epsilon is not small beside what they vary by
    front[-1] = node("Conv", "p1 w2 b2", "features", pads=[1, 1, 1, 1])
    constants |= {"tokens": np.array([1, FILTERS, -1], np.int64), "hidden": _random(21, FILTERS, 5)}
    return _written([*front, *nodes], (1, 3, SIDE, SIDE), {"answer": None}, constants)


def _in_training_mode(path: Path) -> None:
    """As torch exports a Dropout of a module that was not told to eval()."""
    from onnx import numpy_helper

    constants = {"ratio": np.float32(0.5), "yes": np.array(True)}
    given = [node("Constant", "", name, value=numpy_helper.from_array(one)) for name, one in constants.items()]
    _image(*given, node("Dropout", "features ratio yes", "answer"))(path)


def _weights_elsewhere(path: Path) -> None:
    import onnx

    write(KINDS[0], path)
    proto = onnx.load(path)
    tensor = proto.graph.initializer[0]
    tensor.ClearField("raw_data")
    tensor.data_location = 1
    tensor.external_data.add(key="location", value="../weights.bin")
    path.write_bytes(proto.SerializeToString())


def _weights_missing(path: Path) -> None:
    _weights_elsewhere(path)
    path.write_bytes(path.read_bytes().replace(b"../weights.bin", b"weights00.data"))


def _of_another_type(number: int) -> Callable[[Path], None]:
    def make(path: Path) -> None:
        import onnx

        write(KINDS[0], path)
        proto = onnx.load(path)
        if number == 10:
            _convert(proto)
        proto.graph.input[0].type.tensor_type.elem_type = number
        path.write_bytes(proto.SerializeToString())

    return make


_BOXES = {"boxes": None, "scores": None}
REFUSALS = (
    OnnxRefusal("a detector", _image(node("NonMaxSuppression", "a b", "answer"))),
    OnnxRefusal(
        "boxes and scores",
        _written([node("Identity", "image", "boxes"), node("Relu", "image", "scores")], (1, 3, 8, 8), _BOXES),
    ),
    OnnxRefusal("logits and probabilities", of_one(_SOFTMAX, outputs={"logits": (1, 5), "answer": (1, 5)})),
    OnnxRefusal(
        "probabilities and the best class",
        of_one(_SOFTMAX, node("ArgMax", "logits", "best", axis=1), outputs={"answer": (1, 5), "best": (1, 1)}),
    ),
    OnnxRefusal("the number of the best class only", of_one(node("ArgMax", "logits", "answer", axis=1))),
    OnnxRefusal("a shortcut from the image to the scores", _with_a_shortcut()),
    OnnxRefusal("a segmenter", _image(node("Softmax", "features", "answer", axis=1))),
    OnnxRefusal("one number that is no probability", _image(node("ReduceMean", "features", "answer"))),
    OnnxRefusal("a transformer", _attention()),
    OnnxRefusal("a transformer whose paddings depend on what it sees", _padded_attention()),
    OnnxRefusal("lists of places, each normalized over its channels, behind the last map", _normalized_tokens()),
    OnnxRefusal("more than one input", _two_inputs),
    OnnxRefusal("a spectrogram", _written([node("Relu", "image", "answer")], (1, 40, 101, 5), {"answer": None})),
    OnnxRefusal("text", _written([node("Relu", "image", "answer")], (1, 128), {"answer": None})),
    OnnxRefusal("a batch of 8", _image(shape=(8, 3, SIDE, SIDE), output="features")),
    OnnxRefusal("images of any size, without --size", _image(shape=(1, 3, "h", "w"), output="features")),
    OnnxRefusal("operators of 2016", _image(node("Identity", "features", "answer"), opset=6)),
    OnnxRefusal("images in float16", _of_another_type(10)),
    OnnxRefusal("images in float64", _of_another_type(11)),
    OnnxRefusal(
        "operators of TensorFlow, as tf2onnx leaves them",
        _image(node("PartitionedCall", "features", "inside"), node("Erfc", "inside", "answer")),
    ),
    OnnxRefusal("an operator that camlite has no rule for", _image(node("Det", "features", "answer"))),
    OnnxRefusal("exported in training mode", _in_training_mode),
    OnnxRefusal("noise of its own", _image(node("RandomNormalLike", "features", "answer"))),
    OnnxRefusal(
        "statistics that are computed while it runs",
        _image(node("BatchNormalization", "features b2 b2 b2 b2", "answer", training_mode=1)),
    ),
    OnnxRefusal("weights in another folder", _weights_elsewhere),
    OnnxRefusal("weights in a file that is missing", _weights_missing),
    OnnxRefusal("no ONNX file", lambda path: path.write_bytes(b"\x08\x09\xff\xff")),
)


def refusal(kind: OnnxRefusal, folder: Path) -> str:
    """What camlite says of it, without the path."""
    from camlite_export.cutting import cutter
    from camlite_export.sources.opening import open_source

    path = folder / "model.onnx"
    kind.make(path)
    try:
        cutter.cut(open_source(path))
    except ClassifierError as error:
        return str(error).replace(f"{path}: ", "").replace("model.onnx: ", "")
    raise AssertionError(f"{kind.title} is not refused")


def section(folder: Path) -> Iterator[str]:
    """The part of docs/classifiers.md that is about these files."""
    yield "## The file that ships: `.onnx`"
    yield ""
    yield from inspect.cleandoc("""
        `camlite export model.onnx`, [from PyTorch](tutorials/pytorch.md), tf2onnx or another exporter, keeps that file
        as it is, like a `.tflite` file: the scores are exactly the same. Layouts stay as they are in the file. If the
        file takes images of any size, the scores are those for the size that you gave.
    """).splitlines()
    yield ""
    yield from ("| file | precision | evidence |", "|---|---|---|")
    yield from (f"| {kind.title} | {kind.precision} | {kind.evidence} |" for kind in KINDS)
    yield ""
    yield from ("| file that is refused | what camlite says |", "|---|---|")
    for number, kind in enumerate(REFUSALS):
        place = folder / str(number)
        place.mkdir()
        told = refusal(kind, place).replace("|", r"\|")
        yield f"| {kind.title} | {told} |"
    yield ""
