"""`camlite.soundness.tflite_rules`: what each operator must be given, and what it makes of it."""

from __future__ import annotations

import numpy as np
import pytest

from camlite.soundness import tflite_rules
from camlite.soundness.tflite_operator import Operator, Tensor

CODES = {rule.name: code for code, rule in tflite_rules.RULES.items()}
NUMBERS = {letter: number for number, letter in tflite_rules.TYPES.items()}


def floats(*shape: int) -> Tensor:
    return Tensor(shape, NUMBERS["f"], None, ())


def bytes8(*shape: int, scale: float = 0.1) -> Tensor:
    return Tensor(shape, NUMBERS["c"], None, (scale,))


def integers(*values: int, shape: tuple[int, ...] | None = None) -> Tensor:
    data = memoryview(np.array(values, "<i4").tobytes())
    return Tensor(shape or (len(values),), NUMBERS["i"], data, ())


def places(below: int) -> Tensor:
    """As ARG_MAX makes them."""
    return Tensor((1,), NUMBERS["l"], None, (), below)


def verify(name: str, inputs: list[Tensor | None], outputs: list[Tensor], **options: object) -> None:
    tflite_rules.verify(tflite_rules.RULES[CODES[name]], Operator(inputs, outputs, options))


IMAGE = floats(1, 9, 12, 4)
SLID = {"stride_w": 2, "stride_h": 2}
POOL = {**SLID, "filter_width": 3, "filter_height": 3}

SOUND = {
    "same padding": ("CONV_2D", [IMAGE, floats(6, 3, 3, 4), floats(6)], [floats(1, 5, 6, 6)], SLID),
    "valid padding": ("CONV_2D", [IMAGE, floats(6, 3, 3, 4), None], [floats(1, 4, 5, 6)], {**SLID, "padding": 1}),
    "dilation": (
        "CONV_2D",
        [IMAGE, floats(6, 3, 3, 4)],
        [floats(1, 5, 8, 6)],
        {"stride_w": 1, "stride_h": 1, "padding": 1, "dilation_w_factor": 2, "dilation_h_factor": 2},
    ),
    "groups": ("CONV_2D", [IMAGE, floats(6, 3, 3, 2)], [floats(1, 5, 6, 6)], SLID),
    "depthwise": (
        "DEPTHWISE_CONV_2D",
        [IMAGE, floats(1, 3, 3, 8)],
        [floats(1, 5, 6, 8)],
        {**SLID, "depth_multiplier": 2},
    ),
    "pooling": ("MAX_POOL_2D", [IMAGE], [floats(1, 5, 6, 4)], POOL),
    "transposed": (
        "TRANSPOSE_CONV",
        [integers(1, 18, 24, 6), floats(6, 3, 3, 4), IMAGE],
        [floats(1, 18, 24, 6)],
        SLID,
    ),
    "transposed with a bias": (
        "TRANSPOSE_CONV",
        [integers(1, 18, 24, 6), floats(6, 3, 3, 4), IMAGE, floats(6)],
        [floats(1, 18, 24, 6)],
        SLID,
    ),
    "dense": ("FULLY_CONNECTED", [floats(1, 8), floats(3, 8), floats(3)], [floats(1, 3)], {}),
    "dense of a map": ("FULLY_CONNECTED", [floats(1, 2, 4), floats(3, 8)], [floats(1, 3)], {}),
    "dense that keeps its axes": (
        "FULLY_CONNECTED",
        [floats(1, 2, 8), floats(3, 8)],
        [floats(1, 2, 3)],
        {"keep_num_dims": 1},
    ),
    "softmax": ("SOFTMAX", [bytes8(1, 3)], [bytes8(1, 3)], {"beta": 1.0}),
    "broadcast": ("ADD", [IMAGE, floats(4)], [IMAGE], {}),
    "mean": ("MEAN", [IMAGE, integers(1, 2)], [floats(1, 4)], {}),
    "mean that keeps": ("MEAN", [IMAGE, integers(-3, 2)], [floats(1, 1, 1, 4)], {"keep_dims": 1}),
    "reshape": ("RESHAPE", [IMAGE, integers(1, -1)], [floats(1, 432)], {}),
    "squeeze": ("SQUEEZE", [floats(1, 3, 1)], [floats(1, 3)], {"dims": (-1,)}),
    "transpose": ("TRANSPOSE", [IMAGE, integers(0, 3, 1, 2)], [floats(1, 4, 9, 12)], {}),
    "concatenation": ("CONCATENATION", [IMAGE, floats(1, 9, 12, 2)], [floats(1, 9, 12, 6)], {"axis": -1}),
    "pack": ("PACK", [floats(2), floats(2)], [floats(2, 2)], {"axis": 1, "values_count": 2}),
    "unpack": ("UNPACK", [floats(2, 3)], [floats(3), floats(3)], {"axis": 0, "num": 2}),
    "split": ("SPLIT", [integers(3, shape=()), IMAGE], [floats(1, 9, 12, 2)] * 2, {"num_splits": 2}),
    "split by sizes": (
        "SPLIT_V",
        [IMAGE, integers(1, -1), integers(3, shape=())],
        [floats(1, 9, 12, 1), floats(1, 9, 12, 3)],
        {"num_splits": 2},
    ),
    "pad": ("PAD", [floats(2, 3), integers(1, 0, 0, 2, shape=(2, 2))], [floats(3, 5)], {}),
    "mirror": ("MIRROR_PAD", [floats(2, 3), integers(1, 0, 0, 2, shape=(2, 2))], [floats(3, 5)], {}),
    "slice with strides": (
        "STRIDED_SLICE",
        [floats(4, 9), integers(1, 8), integers(4, 0), integers(1, -2)],
        [floats(3, 4)],
        {},
    ),
    "slice that loses an axis": (
        "STRIDED_SLICE",
        [floats(4, 9), integers(-1, 0), integers(0, 0), integers(1, 1)],
        [floats(9)],
        {"begin_mask": 2, "end_mask": 2, "shrink_axis_mask": 1},
    ),
    "slice": ("SLICE", [floats(4, 9), integers(1, 2), integers(-1, 3)], [floats(3, 3)], {}),
    "gather": ("GATHER", [floats(4, 9), integers(8, 0)], [floats(4, 2)], {"axis": 1}),
    "gather the largest": ("GATHER", [floats(9, 4), places(9)], [floats(1, 4)], {}),
    "resize": ("RESIZE_BILINEAR", [IMAGE, integers(3, 5)], [floats(1, 3, 5, 4)], {"half_pixel_centers": 1}),
    "tile": ("TILE", [floats(2, 3), integers(2, 1)], [floats(4, 3)], {}),
    "space to depth": ("SPACE_TO_DEPTH", [floats(1, 4, 6, 2)], [floats(1, 2, 3, 8)], {"block_size": 2}),
    "depth to space": ("DEPTH_TO_SPACE", [floats(1, 2, 3, 8)], [floats(1, 4, 6, 2)], {"block_size": 2}),
    "leaky slope": ("LEAKY_RELU", [floats(2, 3)], [floats(2, 3)], {"alpha": 0.1}),
    "leaky slopes": ("PRELU", [IMAGE, floats(1, 1, 4)], [IMAGE], {}),
    "sum of several": ("ADD_N", [floats(2, 3)] * 3, [floats(2, 3)], {}),
    "one more axis": ("EXPAND_DIMS", [floats(2, 3), integers(-1, shape=())], [floats(2, 3, 1)], {}),
    "turned round": ("REVERSE_V2", [floats(2, 3), integers(-1)], [floats(2, 3)], {}),
    "running sum": ("CUMSUM", [floats(2, 3), integers(1, shape=())], [floats(2, 3)], {}),
    "to a larger shape": ("BROADCAST_TO", [floats(1, 3), integers(2, 3)], [floats(2, 3)], {}),
    "classes": (
        "ONE_HOT",
        [integers(0, 2), integers(3, shape=()), floats(), floats()],
        [floats(2, 3)],
        {"axis": -1},
    ),
    "reshape to what the output is": ("RESHAPE", [floats(2, 3)], [floats(3, 2)], {}),
    "reshape by an option": ("RESHAPE", [floats(2, 3)], [floats(3, 2)], {"new_shape": (3, -1)}),
    "product": ("BATCH_MATMUL", [floats(3, 2, 4), floats(5, 4)], [floats(3, 2, 5)], {"adj_y": 1}),
}


@pytest.mark.parametrize("name", SOUND)
def test_what_fits_is_sound(name):
    operator, inputs, outputs, options = SOUND[name]

    verify(operator, inputs, outputs, **options)


@pytest.mark.parametrize("name", SOUND)
def test_an_output_of_another_shape_or_type_is_told(name):
    operator, inputs, (output, *others), options = SOUND[name]

    with pytest.raises(ValueError, match=r"outputs|to \(|an output of"):
        verify(
            operator, inputs, [output._replace(shape=(*output.shape[:-1], output.shape[-1] + 1)), *others], **options
        )
    with pytest.raises(ValueError, match="types"):
        verify(operator, inputs, [output._replace(type=NUMBERS["l"]), *others], **options)


@pytest.mark.parametrize(
    ("name", "changes", "said"),
    [
        ("same padding", {"stride_w": 0}, "stride w 0, expected 1 to 16384"),
        ("same padding", {"stride_h": -2}, "stride h -2"),
        ("same padding", {"padding": 4}, "padding 4, expected 0 to 1"),
        ("same padding", {"activation": 5}, "activation 5, expected 0 to 3"),
        ("dilation", {"dilation_h_factor": 0}, "dilation h factor 0"),
        ("dilation", {"dilation_h_factor": 9}, "output -9, expected 1"),
        ("depthwise", {"depth_multiplier": 0}, "depth multiplier 0"),
        ("depthwise", {"depth_multiplier": 3}, "a filter"),
        ("pooling", {"filter_width": 0}, "filter width 0"),
        ("dense", {"weights_format": 1}, "weights format 1, expected 0 to 0"),
        ("softmax", {"beta": float("nan")}, "beta nan"),
        ("softmax", {"beta": 0.0}, "beta 0"),
        ("concatenation", {"axis": 4}, "axis 4, expected -4 to 3"),
        ("pack", {"values_count": 3}, "values count 3"),
        ("unpack", {"num": 3}, "num 3"),
        ("split", {"num_splits": 0}, "num splits 0"),
        ("split", {"num_splits": 3}, "3 parts"),
        ("gather", {"batch_dims": 1}, "batch dims 1"),
        ("mirror", {"mode": 2}, "mode 2"),
        ("slice that loses an axis", {"ellipsis_mask": 1}, "ellipsis mask 1"),
        ("space to depth", {"block_size": 0}, "block size 0"),
        ("space to depth", {"block_size": 4}, "blocks of 4"),
        ("leaky slope", {"alpha": float("inf")}, "alpha inf"),
        ("depth to space", {"block_size": 3}, "blocks of 3"),
        ("resize", {"align_corners": 1}, "cannot both be aligned"),
        ("classes", {"axis": 2}, "axis 2, expected -1 to 1"),
        ("reshape by an option", {"new_shape": (-1, -1)}, "to \\(-1, -1\\)"),
    ],
)
def test_an_option_that_the_kernel_does_not_expect_is_told(name, changes, said):
    operator, inputs, outputs, options = SOUND[name]

    with pytest.raises(ValueError, match=said):
        verify(operator, inputs, outputs, **{**options, **changes})


@pytest.mark.parametrize(
    ("name", "index", "other", "said"),
    [
        ("same padding", 0, floats(9, 12, 4), "expected four axes"),
        ("same padding", 0, None, "input 0 was left out"),
        ("same padding", 1, floats(6, 3, 3, 5), "a filter"),
        ("same padding", 2, floats(7), r"a bias \(7,\) for 6"),
        ("transposed", 0, integers(1, 18, 40, 6), "does not come from"),
        ("transposed", 0, floats(4), "types fff>f"),
        ("dense", 1, floats(3, 7), "weights"),
        ("broadcast", 1, floats(3), "does not go with"),
        ("mean", 1, integers(1, 4), "axis 4, expected -4 to 3"),
        ("mean", 1, integers(1, 1), "expected each once"),
        ("mean", 1, Tensor((2,), NUMBERS["i"], None, ()), "no list of integers that is fixed"),
        ("reshape", 1, integers(1, 2, 216), "and the output is"),
        ("squeeze", 0, floats(1, 3, 2), "are not 1"),
        ("transpose", 1, integers(0, 1), "expected all"),
        ("concatenation", 1, floats(1, 9, 13, 2), "parts"),
        ("split by sizes", 1, integers(9, -1), "parts"),
        ("pad", 1, integers(1, 0, 0, -2, shape=(2, 2)), "padding -2"),
        ("mirror", 1, integers(2, 0, 0, 2, shape=(2, 2)), "padding 2, expected 0 to 1"),
        ("slice with strides", 3, integers(1, 0), "a stride of 0"),
        ("slice that loses an axis", 1, integers(4, 0), "index 4"),
        ("slice", 2, integers(4, 3), "size 4, expected 0 to 3"),
        ("gather", 1, integers(9), "place 9, expected 0 to 8"),
        ("gather the largest", 1, places(10), "places below 10, expected 1 to 9"),
        ("gather the largest", 1, places(0), "no list of integers that is fixed"),
        ("resize", 1, integers(0, 5), "size 0"),
        ("tile", 1, integers(0, 1), "times 0"),
        ("product", 1, floats(5, 3), "a product"),
        ("product", 1, floats(4), "a product"),
        ("transposed", 1, floats(6, 3, 3, 5), "a filter"),
        ("dense that keeps its axes", 0, floats(1, 4, 4), "weights"),
        ("one more axis", 1, integers(0, 1), "input 1 holds 2 integers, expected 1"),
        ("leaky slopes", 1, floats(2, 9, 12, 4), "slopes"),
        ("sum of several", 1, floats(1, 3), "parts of several shapes"),
        ("pack", 1, floats(3), "parts"),
        ("to a larger shape", 0, floats(2, 2, 3), r"\(2, 2, 3\) to \(2, 3\)"),
        ("classes", 2, floats(2), "more than one value"),
    ],
)
def test_an_input_that_the_kernel_does_not_expect_is_told(name, index, other, said):
    operator, inputs, outputs, options = SOUND[name]

    with pytest.raises(ValueError, match=said):
        verify(operator, [other if k == index else one for k, one in enumerate(inputs)], outputs, **options)


@pytest.mark.parametrize(
    ("operator", "scales", "said"),
    [
        ("MUL", (1e5, 1e5, 1e-3), "scales 1e"),
        ("ADD", (1.0, 1.0, 1e-5), "scales 1 to 1e-05"),
        ("RELU", (1e9, 1.0), "scales 1e"),
        ("LEAKY_RELU", (1.0, 1e-9), "scales 1 to 1e-09"),
    ],
)
def test_scales_that_are_no_multiplier_of_integers_are_told(operator, scales, said):
    *inputs, output = (bytes8(2, scale=scale) for scale in scales)

    with pytest.raises(ValueError, match=said):
        verify(operator, inputs, [output])
    verify(operator, [one._replace(scales=(0.5,)) for one in inputs], [output._replace(scales=(0.5,))])


def weights8(units: int, scales: int = 1) -> Tensor:
    data = memoryview(bytes(units * 8))
    return Tensor((units, 8), NUMBERS["c"], data, (0.1,) * scales)


# What ai-edge-litert 2.3 loads, and what not.
@pytest.mark.parametrize(
    ("given", "weights", "refused"),
    [
        (bytes8(1, 8), weights8(5), True),
        (floats(1, 8), weights8(5), True),
        (Tensor((1, 8), NUMBERS["s"], None, (0.1,)), weights8(5), False),
        (bytes8(1, 8), weights8(1), False),
        (bytes8(1, 8), weights8(5, scales=5), False),
        (bytes8(1, 8), bytes8(5, 8), False),
    ],
    ids=["int8", "float32", "int16", "one unit", "a scale per unit", "computed"],
)
def test_weights_of_a_dense_layer_are_not_read_by_one_scale_behind_it(given, weights, refused):
    read = tflite_rules.as_weights_of_dense(given, weights)

    assert read.per_unit == refused
    assert tflite_rules.as_weights_of_dense(given, read) == read
    others = bytes8(*weights.shape)
    for operator in ("MUL", "ADD", "SUB"):
        verify(operator, [others, weights], [others])
        if refused:
            with pytest.raises(ValueError, match="input 1 is the weights of a layer of Dense in front of it"):
                verify(operator, [others, read], [others])
    verify("MAXIMUM", [others, read], [others])
    verify("GATHER", [read, integers(0)], [bytes8(1, 8)])


def test_dense_layers_may_share_weights_and_not_take_them_for_their_input():
    read = tflite_rules.as_weights_of_dense(bytes8(1, 8), weights8(5))

    verify("FULLY_CONNECTED", [bytes8(1, 8), read], [bytes8(1, 5)])
    with pytest.raises(ValueError, match="input 0 is the weights"):
        verify("FULLY_CONNECTED", [read, weights8(3)], [bytes8(5, 3)])


def test_a_mean_may_be_near_0_and_not_beyond_what_kernels_get_right():
    image, axes = bytes8(1, 9, 12, 4, scale=1.0), integers(1, 2)

    verify("MEAN", [image, axes], [bytes8(1, 4, scale=2.0**-24)])
    with pytest.raises(ValueError, match="scales 1 to"):
        verify("MEAN", [image, axes], [bytes8(1, 4, scale=2.0**-25)])


BYTES = Tensor((1, 9, 12, 4), NUMBERS["u"], None, (0.1,))


@pytest.mark.parametrize(
    ("name", "inputs", "shape", "options"),
    [
        ("CONV_2D", [(6, 3, 3, 4), (6,)], (1, 5, 6, 6), SLID),
        ("DEPTHWISE_CONV_2D", [(1, 3, 3, 4), (4,)], (1, 5, 6, 4), {**SLID, "depth_multiplier": 1}),
        ("AVERAGE_POOL_2D", [], (1, 5, 6, 4), POOL),
        ("MAX_POOL_2D", [], (1, 5, 6, 4), POOL),
        ("ADD", [(4,)], (1, 9, 12, 4), {}),
        ("RELU6", [], (1, 9, 12, 4), {}),
        ("SOFTMAX", [], (1, 9, 12, 4), {"beta": 1.0}),
    ],
)
def test_operators_of_uint8_as_older_converters_write_them_are_sound(name, inputs, shape, options):
    others = [Tensor(one, NUMBERS["i" if len(one) == 1 and len(inputs) == 2 else "u"], None, (0.1,)) for one in inputs]

    verify(name, [BYTES, *others], [BYTES._replace(shape=shape)], **options)


def test_the_work_of_a_convolution_is_its_multiplications_and_the_patches_that_it_may_unroll():
    sound = Operator([IMAGE, floats(6, 3, 3, 4), None], [floats(1, 5, 6, 6)], SLID)

    assert tflite_rules.verify(tflite_rules.RULES[CODES["CONV_2D"]], sound) == (5 * 6 * 6 * 36, 4 * 5 * 6 * 36)


def test_a_comparison_of_large_scales_is_told():
    truth = Tensor((2,), NUMBERS["b"], None, ())

    with pytest.raises(ValueError, match="compares numbers of scale 1"):
        verify("EQUAL", [bytes8(2, scale=1.0), bytes8(2)], [truth])
    verify("EQUAL", [bytes8(2), bytes8(2)], [truth])


def test_inputs_too_many_or_too_few_are_told():
    with pytest.raises(ValueError, match="inputs 1, expected 2 to 2"):
        verify("ADD", [IMAGE], [IMAGE])


def pixels(*shape: int) -> Tensor:
    return Tensor(shape, 3, None, ())


def test_integers_without_a_scale_are_handed_on_and_not_computed_with():
    """Kernels that compute with them would divide by a scale of 0."""
    verify("CAST", [pixels(1, 4, 4, 3)], [floats(1, 4, 4, 3)])
    with pytest.raises(ValueError, match="have no scale"):
        verify("RELU", [pixels(1, 4, 4, 3)], [pixels(1, 4, 4, 3)])
    with pytest.raises(ValueError, match="have no scale"):
        verify("QUANTIZE", [pixels(1, 4, 4, 3)], [bytes8(1, 4, 4, 3)])
