"""What each operator of TFLite that an exported classifier may hold expects of its tensors and options.

The kernels check some of it themselves, and what depends on the version; what they do not check reads or writes
memory that is not theirs, divides by zero, or ends the process. So every operator's types, shapes, options and
quantization are proven here, and an operator without a rule is refused.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import NamedTuple

from camlite.soundness import tflite_shapes as shapes
from camlite.soundness import tflite_windows as windows
from camlite.soundness.limits import Shape
from camlite.soundness.tflite_operator import Operator, Tensor, within

# The types of tensors by the letters of the rules, and the bytes of an element.
TYPES: Mapping[int, str] = {0: "f", 1: "h", 2: "i", 3: "u", 4: "l", 6: "b", 7: "s", 9: "c"}
WIDTHS: Mapping[str, int] = {"f": 4, "h": 2, "i": 4, "u": 1, "l": 8, "b": 1, "s": 2, "c": 1}
DTYPES: Mapping[str, str] = {
    "f": "float32", "h": "float16", "i": "int32", "u": "uint8", "l": "int64", "b": "bool", "s": "int16", "c": "int8",
}  # fmt: skip
QUANTIZED: Mapping[str, range] = {"c": range(-128, 128), "u": range(256), "s": range(1)}
"""Quantized types, and the zero points that each has."""

# Kernels make a multiplier of integers of scales (an input's times the weights' over the output's), and XNNPACK, which
# LiteRT computes with, ends the process where it is 256 or more.
_LARGEST_MULTIPLIER = 255
_LARGEST_QUOTIENT = 1 << 13  # of an input's scale over the output's, elsewhere: sums take it times 2^-14, less than 1
# A mean may be near 0, as that of what was normalized: 2 ** 21 was met in an untrained ConvNeXt. It is right up to
# 2 ** 24 in both interpreters, over places, channels and all; wrong in tflite-runtime from 2 ** 26 on; 2 ** 90 ends no
# process.
_LARGEST_OF_A_MEAN = 1 << 24


class Rule(NamedTuple):
    """What an operator expects.

    Attributes:
        name: TFLite's.
        types: those of inputs, an arrow, that of the outputs; one letter stands for all inputs and outputs.
        shapes: gives the shapes of the outputs.
        options: the table of `camlite.soundness.tflite_schema.OPTIONS`.
        options_type: its number in TFLite's union, where there is one.
        inputs: how many at the least and at the most.
    """

    name: str
    types: str
    shapes: Callable[[Operator], Sequence[Shape]]
    options: str = "None"
    options_type: int = 0
    inputs: tuple[int, int] = (1, 1)


_ANY = "f c s i l u b h"
_NUMBERS = "f c s i l u"
_MOST_PARTS = 1 << 10


def _unary(name: str, types: str, options_type: int = 0) -> Rule:
    return Rule(name, types, shapes.same, options_type=options_type)


def _binary(name: str, types: str, options_type: int, options: str = "None") -> Rule:
    return Rule(name, types, shapes.broadcast, options, options_type, (2, 2))


def _comparison(name: str, options_type: int) -> Rule:
    return _binary(name, "ff>b ii>b ll>b cc>b uu>b", options_type)


def _reduction(name: str, types: str) -> Rule:
    both = " ".join(f"{one}i>{one} {one}l>{one}" for one in types.split())
    return Rule(name, both, shapes.reduction, "Reducer", 27, (2, 2))


def _by_list(
    name: str, shape: Callable[[Operator], Sequence[Shape]], options: str, number: int, lists: int = 1
) -> Rule:
    """One tensor, and lists of integers that say what becomes of it."""
    both = " ".join(f"{one}{which * lists}>{one}" for one in _ANY.split() for which in "il")
    return Rule(name, both, shape, options, number, (1 + lists, 1 + lists))


_CONVOLUTION = "fff>f ff>f fcf>f fc>f cci>c cc>c uui>u uu>u scl>s sci>s sc>s"

RULES: Mapping[int, Rule] = {
    0: _binary("ADD", _NUMBERS, 11, "Arithmetic"),
    1: Rule("AVERAGE_POOL_2D", "f c s u", windows.pooling, "Pool2D", 5),
    2: Rule("CONCATENATION", _ANY, shapes.concatenated, "Concatenation", 10, (1, _MOST_PARTS)),
    3: Rule("CONV_2D", _CONVOLUTION, windows.convolution, "Conv2D", 1, (2, 3)),
    4: Rule("DEPTHWISE_CONV_2D", _CONVOLUTION, windows.depthwise_convolution, "DepthwiseConv2D", 2, (2, 3)),
    5: Rule("DEPTH_TO_SPACE", "f c u", windows.unblocked, "Blocks", 94),
    6: _unary("DEQUANTIZE", "h>f c>f s>f u>f", 38),
    8: _unary("FLOOR", "f"),
    9: Rule("FULLY_CONNECTED", _CONVOLUTION, shapes.fully_connected, "FullyConnected", 8, (2, 3)),
    11: Rule("L2_NORMALIZATION", "f", shapes.same, "Arithmetic", 12),
    14: _unary("LOGISTIC", "f c s u"),
    17: Rule("MAX_POOL_2D", "f c s u", windows.pooling, "Pool2D", 5),
    18: _binary("MUL", _NUMBERS, 21, "Arithmetic"),
    19: _unary("RELU", "f c s u"),
    21: _unary("RELU6", "f c s u"),
    22: Rule(
        "RESHAPE", " ".join(f"{one} {one}i>{one}" for one in _ANY.split()), shapes.reshaped, "Reshape", 17, (1, 2)
    ),
    23: Rule("RESIZE_BILINEAR", "fi>f ci>c si>s ui>u", windows.resized, "ResizeBilinear", 15, (2, 2)),
    25: Rule("SOFTMAX", "f c s u", shapes.same, "Softmax", 9),
    26: Rule("SPACE_TO_DEPTH", "f c u", windows.blocks, "Blocks", 19),
    28: _unary("TANH", "f c s u"),
    34: _by_list("PAD", shapes.padded, "None", 22),
    36: _by_list("GATHER", shapes.gathered, "Gather", 23),
    39: _by_list("TRANSPOSE", shapes.transposed, "None", 26),
    40: _reduction("MEAN", "f c s u"),
    41: _binary("SUB", _NUMBERS, 28, "Arithmetic"),
    42: _binary("DIV", "f c u", 29, "Arithmetic"),
    43: Rule("SQUEEZE", _ANY, shapes.squeezed, "Squeeze", 30),
    45: _by_list("STRIDED_SLICE", shapes.strided_slice, "StridedSlice", 32, lists=3),
    47: _unary("EXP", "f c s", 33),
    49: Rule("SPLIT", " ".join(f"i{one}>{one}" for one in "fcsilub"), shapes.split, "Split", 35, (2, 2)),
    50: _unary("LOG_SOFTMAX", "f c u", 36),
    53: Rule("CAST", " ".join(f"{a}>{b}" for a in "filub" for b in "filub"), shapes.same, "Cast", 37),
    54: Rule("PRELU", "f c u", shapes.prelu, inputs=(2, 2)),
    55: _binary("MAXIMUM", _NUMBERS, 39),
    56: Rule("ARG_MAX", "fi>i fi>l fl>i fl>l ci>i ci>l ui>i ui>l", shapes.index_of_extreme, "ArgExtreme", 40, (2, 2)),
    57: _binary("MINIMUM", _NUMBERS, 39),
    58: _comparison("LESS", 41),
    59: _unary("NEG", "f i l", 42),
    61: _comparison("GREATER", 44),
    62: _comparison("GREATER_EQUAL", 45),
    63: _comparison("LESS_EQUAL", 46),
    64: Rule("SELECT", " ".join(f"b{one}{one}>{one}" for one in _ANY.split()), shapes.broadcast, "None", 47, (3, 3)),
    65: _by_list("SLICE", shapes.sliced, "None", 48, lists=2),
    66: _unary("SIN", "f"),
    67: Rule(
        "TRANSPOSE_CONV",
        "iff>f ifff>f icc>c icci>c iuu>u iuui>u ics>s icsl>s",
        windows.transposed_convolution,
        "TransposeConv",
        49,
        (3, 4),
    ),
    69: _by_list("TILE", shapes.tiled, "None", 51),
    70: _by_list("EXPAND_DIMS", shapes.expanded, "None", 52),
    71: _comparison("EQUAL", 53),
    72: _comparison("NOT_EQUAL", 54),
    73: _unary("LOG", "f c s"),
    74: _reduction("SUM", "f c s"),
    75: _unary("SQRT", "f"),
    76: _unary("RSQRT", "f c s"),
    78: _binary("POW", "f", 56),
    82: _reduction("REDUCE_MAX", "f c s"),
    83: Rule("PACK", _ANY, shapes.packed, "Pack", 59, (1, _MOST_PARTS)),
    84: _binary("LOGICAL_OR", "b", 60),
    85: Rule("ONE_HOT", "iiff>f liff>f iicc>c licc>c iibb>b libb>b", shapes.one_hot, "OneHot", 61, (4, 4)),
    86: _binary("LOGICAL_AND", "b", 62),
    87: _unary("LOGICAL_NOT", "b", 63),
    88: Rule("UNPACK", _ANY, shapes.unpacked, "Unpack", 64),
    89: _reduction("REDUCE_MIN", "f c s"),
    92: _unary("SQUARE", "f", 66),
    93: _unary("ZEROS_LIKE", "f i l", 67),
    97: Rule("RESIZE_NEAREST_NEIGHBOR", "fi>f ci>c si>s ui>u", windows.resized, "ResizeNearestNeighbor", 74, (2, 2)),
    98: Rule("LEAKY_RELU", "f c s u", shapes.same, "LeakyRelu", 75),
    99: _binary("SQUARED_DIFFERENCE", "f c s", 76),
    100: _by_list("MIRROR_PAD", shapes.mirrored, "MirrorPad", 77),
    101: _unary("ABS", "f c s", 78),
    102: Rule(
        "SPLIT_V",
        " ".join(f"{one}{n}i>{one}" for one in "fcsilub" for n in "il"),
        shapes.split_by_sizes,
        "Split",
        79,
        (3, 3),
    ),
    104: _unary("CEIL", "f"),
    105: _by_list("REVERSE_V2", shapes.reversed_along, "None", 81),
    106: Rule("ADD_N", "f", shapes.added, "None", 82, (1, _MOST_PARTS)),
    108: _unary("COS", "f", 84),
    111: _unary("ELU", "f c"),
    114: _unary("QUANTIZE", "f>c f>s f>u c>c s>s u>c c>u", 89),
    116: _unary("ROUND", "f"),
    117: _unary("HARD_SWISH", "f c u", 91),
    123: Rule(
        "SELECT_V2", " ".join(f"b{one}{one}>{one}" for one in _ANY.split()), shapes.broadcast, "None", 98, (3, 3)
    ),
    126: Rule("BATCH_MATMUL", "f", shapes.matrix_product, "BatchMatMul", 101, (2, 2)),
    128: Rule("CUMSUM", "fi>f", shapes.cumulative, "Cumsum", 102, (2, 2)),
    130: _by_list("BROADCAST_TO", shapes.broadcast_to, "None", 104),
    150: Rule("GELU", "f c", shapes.same, "Gelu", 116),
    158: _unary("SIGN", "f", 123),
}
# They hand uint8 numbers on as they are; all others compute with a scale and a zero point, which must then be there.
_OF_PLAIN_INTEGERS = frozenset(
    {"CAST", "EXPAND_DIMS", "GATHER", "RESHAPE", "REVERSE_V2", "SLICE", "SQUEEZE", "STRIDED_SLICE", "TRANSPOSE"}
)
# LiteRT gives integer weights of a layer of Dense a scale for each unit, and then loads no model in which one of these
# reads the same tensor behind the layer: measured of all rules, with ai-edge-litert 2.3.
_BY_ONE_SCALE = frozenset(
    {"ADD", "CONCATENATION", "ELU", "FULLY_CONNECTED", "LEAKY_RELU", "LOGISTIC", "MEAN", "MUL", "PAD", "QUANTIZE"}
    | {"REDUCE_MAX", "REDUCE_MIN", "RESHAPE", "SLICE", "SPLIT", "STRIDED_SLICE", "SUB", "SUM", "TANH", "TRANSPOSE"}
)
# Multiplications of an operator, and bytes that it needs besides.
_WORK: Mapping[str, Callable[[Operator], tuple[int, int]]] = {
    "AVERAGE_POOL_2D": windows.work_of_pooling,
    "BATCH_MATMUL": shapes.work_of_product,
    "CONV_2D": windows.work_of_convolution,
    "DEPTHWISE_CONV_2D": windows.work_of_depthwise_convolution,
    "FULLY_CONNECTED": shapes.work_of_fully_connected,
    "MAX_POOL_2D": windows.work_of_pooling,
    "TRANSPOSE_CONV": windows.work_of_transposed_convolution,
}
# Inputs whose scales are multiplied.
_FACTORS: Mapping[str, tuple[int, int]] = {
    "CONV_2D": (0, 1),
    "DEPTHWISE_CONV_2D": (0, 1),
    "FULLY_CONNECTED": (0, 1),
    "MUL": (0, 1),
    "PRELU": (0, 1),
    "TRANSPOSE_CONV": (2, 1),
}


def verify(rule: Rule, operator: Operator) -> tuple[int, int]:
    """Prove that a kernel is given what it expects; returns its multiplications, and the bytes that it needs besides.

    Raises:
        ValueError: it is not; says what.
    """
    within("inputs", len(operator.inputs), *rule.inputs)
    _check_types(rule, operator)
    if rule.options != "None":
        operator.option("activation", 0, 3)
    if rule.name not in _OF_PLAIN_INTEGERS:
        for tensor in (*operator.inputs, *operator.outputs):
            if tensor is not None and TYPES[tensor.type] in QUANTIZED and not tensor.scales:
                raise ValueError("computes with integers that have no scale")
    expected = rule.shapes(operator)
    received = [tensor.shape for tensor in operator.outputs]
    if list(expected) != received:
        raise ValueError(f"outputs {received}, expected {expected}"[:200])
    _check_scales(rule, operator)
    _check_weights_of_dense(rule, operator)
    return _WORK[rule.name](operator) if rule.name in _WORK else (0, 0)


def _check_types(rule: Rule, operator: Operator) -> None:
    given = "".join(TYPES[tensor.type] for tensor in operator.inputs if tensor is not None)
    made = "".join(TYPES[tensor.type] for tensor in operator.outputs)
    for types in rule.types.split():
        inputs, arrow, outputs = types.partition(">")
        if (given == inputs and set(made) == {outputs}) if arrow else set(given + made) == {types}:
            return
    raise ValueError(f"types {given}>{made}, expected {rule.types}")


def as_weights_of_dense(given: Tensor, weights: Tensor) -> Tensor:
    """The weights of a layer of Dense as operators behind it meet them."""
    types = TYPES[given.type] + TYPES[weights.type]
    rescaled = types in ("cc", "fc") and weights.data is not None and len(weights.scales) == 1 < weights.shape[0]
    return weights._replace(per_unit=weights.per_unit or rescaled)


def _check_weights_of_dense(rule: Rule, operator: Operator) -> None:
    """Refuse what LiteRT does not load: integer weights of a layer of Dense that are read by one scale behind it."""
    if rule.name not in _BY_ONE_SCALE:
        return
    for place, tensor in enumerate(operator.inputs):
        if tensor is not None and tensor.per_unit and (rule.name, place) != ("FULLY_CONNECTED", 1):
            raise ValueError(f"input {place} is the weights of a layer of Dense in front of it, which LiteRT refuses")


def _check_scales(rule: Rule, operator: Operator) -> None:
    """Bound what kernels make integers of: quotients of the scales of inputs and of the output."""
    scales = [max(tensor.scales, default=0.0) if tensor is not None else 0.0 for tensor in operator.inputs]
    made = operator.outputs[0]
    if rule.name == "SOFTMAX" and not 0 < operator.options.get("beta", 0.0) <= _LARGEST_MULTIPLIER:
        raise ValueError(f"beta {operator.options.get('beta', 0.0)}")
    if rule.name == "LEAKY_RELU" and not abs(operator.options.get("alpha", 0.0)) <= _LARGEST_MULTIPLIER:
        raise ValueError(f"alpha {operator.options['alpha']}")
    if TYPES[made.type] == "b" and max(scales) >= 1:
        raise ValueError(f"compares numbers of scale {max(scales):.3g}, expected less than 1")
    if TYPES[made.type] in QUANTIZED:
        first, second = _FACTORS.get(rule.name, (0, 0))
        largest, most = max(scales), _LARGEST_OF_A_MEAN if rule.name == "MEAN" else _LARGEST_QUOTIENT
        if rule.name in _FACTORS:
            largest, most = scales[first] * scales[second], _LARGEST_MULTIPLIER
        if largest > most * min(made.scales):
            raise ValueError(f"scales {largest:.3g} to {min(made.scales):.3g}")
