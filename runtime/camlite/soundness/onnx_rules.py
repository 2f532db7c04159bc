"""What each operator of ONNX that a classifier may hold is made of, and what it gives. To add one, add its line.

onnxruntime itself checks that an operator is given what its kernel expects; no mutant has ended its process. What it
does not bound is memory and time. So there is a line for each operator whose output has a shape that is known
beforehand, and others are refused: those with graphs inside (`If`, `Loop`, `Scan`), those whose output depends on what
they are given (`NonZero`, `NonMaxSuppression`, `Unique`), random ones, and recurrent ones.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import NamedTuple

from camlite.soundness import onnx_shapes as shapes
from camlite.soundness import onnx_windows as windows
from camlite.soundness.limits import Shape
from camlite.soundness.onnx_operator import Operator

OPERATOR_SETS = range(7, 25)
"""The versions whose operators these are: before, broadcasting was an attribute."""


class Rule(NamedTuple):
    """What an operator expects, and what it gives.

    Attributes:
        shapes: gives the shapes of the outputs.
        inputs: how many at the least and at the most.
        attributes: names of those that it may have.
        types: of each output: that of an input, by its index, or a dtype of numpy; ``to`` and ``value`` are attributes
            that say it.
        work: multiplications, and bytes that it needs besides, from the shape of its first output; see
            `camlite.soundness.limits` for what every operator counts.
    """

    shapes: Callable[[Operator], Sequence[Shape]]
    inputs: tuple[int, int] = (1, 1)
    attributes: str = ""
    types: str = "0"
    work: Callable[[Operator, Shape], tuple[int, int]] | None = None


# Where attributes have their values, by the fields of AttributeProto; what is not here is an integer.
ATTRIBUTES: Mapping[str, str] = {
    name: field
    for field, names in {
        "ints": "axes dilations ends kernel_shape output_padding pads perm split starts steps strides value_ints",
        "floats": "scales value_floats",
        "f": "alpha beta bias cubic_coeff_a epsilon extrapolation_value gamma max min momentum ratio value_float",
        "s": "approximate auto_pad coordinate_transformation_mode keep_aspect_ratio_policy mode nearest_mode reduction",
        "t f": "value",
    }.items()
    for name in names.split()
}

_MOST_PARTS = 1 << 10
_SLIDING = "auto_pad dilations kernel_shape pads strides"
_REDUCTION = "axes keepdims noop_with_empty_axes"
_RESIZING = (
    "antialias axes coordinate_transformation_mode cubic_coeff_a exclude_outside extrapolation_value "
    "keep_aspect_ratio_policy mode nearest_mode"
)


def _all(names: str, rule: Rule) -> dict[str, Rule]:
    return dict.fromkeys(names.split(), rule)


RULES: Mapping[str, Rule] = {
    # Element by element.
    **_all("Abs Ceil Cos Erf Exp Floor HardSwish Identity Log Mish Neg Not Reciprocal", Rule(shapes.same)),
    **_all("Relu Round Sigmoid Sign Sin Softplus Softsign Sqrt Tanh", Rule(shapes.same)),
    **_all("Celu Elu LeakyRelu Selu ThresholdedRelu", Rule(shapes.same, attributes="alpha gamma")),
    **_all("Hardmax LogSoftmax Softmax", Rule(shapes.same, attributes="axis")),
    "Cast": Rule(shapes.same, attributes="to saturate", types="to"),
    "Clip": Rule(shapes.same, (1, 3), "min max"),
    "CumSum": Rule(shapes.same, (2, 2), "exclusive reverse"),
    "Dropout": Rule(shapes.dropped, (1, 3), "ratio seed", "0 ?"),
    "Gelu": Rule(shapes.same, attributes="approximate"),
    "HardSigmoid": Rule(shapes.same, attributes="alpha beta"),
    "IsInf": Rule(shapes.same, attributes="detect_negative detect_positive", types="?"),
    "IsNaN": Rule(shapes.same, types="?"),
    # Normalizations.
    "BatchNormalization": Rule(shapes.normalized, (5, 5), "epsilon momentum spatial training_mode"),
    "GroupNormalization": Rule(shapes.same, (3, 3), "epsilon num_groups stash_type"),
    "InstanceNormalization": Rule(shapes.same, (3, 3), "epsilon"),
    "LayerNormalization": Rule(shapes.same, (2, 3), "axis epsilon stash_type"),
    "LpNormalization": Rule(shapes.same, attributes="axis p"),
    "LRN": Rule(shapes.same, attributes="alpha beta bias size"),
    # Several tensors, broadcast.
    **_all("Add Div Mul Sub", Rule(shapes.broadcast, (2, 2))),
    "PRelu": Rule(shapes.spread, (2, 2)),
    "Pow": Rule(shapes.broadcast, (2, 2)),
    "Mod": Rule(shapes.broadcast, (2, 2), "fmod"),
    **_all("And Equal Greater GreaterOrEqual Less LessOrEqual Or Xor", Rule(shapes.broadcast, (2, 2), types="?")),
    **_all("Max Mean Min Sum", Rule(shapes.broadcast, (1, _MOST_PARTS))),
    "Where": Rule(shapes.broadcast, (3, 3), types="1"),
    # Products.
    "Gemm": Rule(shapes.general_product, (2, 3), "alpha beta transA transB", work=windows.work_of_product),
    "MatMul": Rule(shapes.matrix_product, (2, 2), work=windows.work_of_product),
    "MatMulInteger": Rule(shapes.matrix_product, (2, 4), types="i4", work=windows.work_of_product),
    "QLinearMatMul": Rule(shapes.quantized_product, (8, 8), types="7", work=windows.work_of_product),
    # Windows.
    "AveragePool": Rule(
        windows.pooling, (1, 1), f"ceil_mode count_include_pad {_SLIDING}", work=windows.work_of_pooling
    ),
    "Conv": Rule(windows.convolution, (2, 3), f"group {_SLIDING}", work=windows.work_of_convolution),
    "ConvInteger": Rule(windows.convolution, (2, 4), f"group {_SLIDING}", "i4", windows.work_of_convolution),
    "ConvTranspose": Rule(
        windows.transposed_convolution,
        (2, 3),
        f"group output_padding {_SLIDING}",
        work=windows.work_of_transposed_convolution,
    ),
    **_all("GlobalAveragePool GlobalMaxPool", Rule(windows.global_pooling)),
    "MaxPool": Rule(
        windows.pooling, (1, 1), f"ceil_mode storage_order {_SLIDING}", "0 i8", work=windows.work_of_pooling
    ),
    "QLinearConv": Rule(
        windows.quantized_convolution, (8, 9), f"group {_SLIDING}", "7", windows.work_of_quantized_convolution
    ),
    "Resize": Rule(windows.resized, (2, 4), _RESIZING, work=windows.work_of_resizing),
    "Upsample": Rule(windows.resized, (1, 2), "mode scales", work=windows.work_of_resizing),
    "DepthToSpace": Rule(windows.unblocked, attributes="blocksize mode"),
    "SpaceToDepth": Rule(windows.blocks, attributes="blocksize"),
    # Along axes.
    **_all("ArgMax ArgMin", Rule(shapes.index_of_extreme, attributes="axis keepdims select_last_index", types="i8")),
    **_all("ReduceL1 ReduceL2 ReduceLogSum ReduceLogSumExp", Rule(shapes.reduction, (1, 2), _REDUCTION)),
    **_all("ReduceMax ReduceMean ReduceMin", Rule(shapes.reduction, (1, 2), _REDUCTION)),
    **_all("ReduceProd ReduceSum ReduceSumSquare", Rule(shapes.reduction, (1, 2), _REDUCTION)),
    "TopK": Rule(shapes.largest, (2, 2), "axis largest sorted", "0 i8"),
    # The same numbers, arranged in another way.
    "Concat": Rule(shapes.concatenated, (1, _MOST_PARTS), "axis"),
    "Expand": Rule(shapes.expanded, (2, 2)),
    "Flatten": Rule(shapes.flattened, attributes="axis"),
    "Gather": Rule(shapes.gathered, (2, 2), "axis"),
    "GatherElements": Rule(shapes.gathered_elements, (2, 2), "axis"),
    "GatherND": Rule(shapes.gathered_parts, (2, 2), "batch_dims"),
    "Pad": Rule(shapes.padded, (1, 4), "mode pads value"),
    "Reshape": Rule(shapes.reshaped, (2, 2), "allowzero"),
    "ScatterElements": Rule(shapes.same, (3, 3), "axis reduction"),
    "ScatterND": Rule(shapes.same, (3, 3), "reduction"),
    "Slice": Rule(shapes.sliced, (1, 5), "axes ends starts"),
    "Split": Rule(shapes.split, (1, 2), "axis num_outputs split", types="0 ..."),
    "Squeeze": Rule(shapes.squeezed, (1, 2), "axes"),
    "Tile": Rule(shapes.tiled, (2, 2)),
    "Transpose": Rule(shapes.transposed, attributes="perm"),
    "Unsqueeze": Rule(shapes.unsqueezed, (1, 2), "axes"),
    # Numbers out of shapes and constants.
    "Constant": Rule(shapes.constant, (0, 0), "value value_float value_floats value_int value_ints", "value"),
    "ConstantOfShape": Rule(shapes.filled, attributes="value", types="value"),
    "OneHot": Rule(shapes.one_hot, (3, 3), "axis", "2"),
    "Range": Rule(shapes.counted, (3, 3)),
    "Shape": Rule(shapes.shape_of, attributes="start end", types="i8"),
    "Size": Rule(shapes.one_number, types="i8"),
    # Quantization.
    "DequantizeLinear": Rule(shapes.same, (2, 3), "axis", "1"),
    "DynamicQuantizeLinear": Rule(shapes.quantized, types="u1 f4 u1"),
    "QuantizeLinear": Rule(shapes.same, (2, 3), "axis saturate", "2"),
}
