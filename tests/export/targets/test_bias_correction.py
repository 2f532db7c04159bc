"""`camlite_export.targets.bias_correction`: means stay where they were, and the converters round as it believes."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import keras
import numpy as np
import pytest
from keras import layers

import support.classifier_kinds as kinds
from camlite.artifact import Container
from camlite.artifact.precisions import Precision
from camlite_export.cutting import two_output
from camlite_export.cutting.convolutions import NormalizedConvolution, normalized
from camlite_export.cutting.cut import ChangeKernel
from camlite_export.precisions import PRECISIONS
from camlite_export.targets import onnx_target, tflite_target
from camlite_export.targets.bias_correction import corrected, kernel_rounding, to_16_bits, to_integers

IMAGES = np.random.default_rng(0).uniform(0, 1, (6, 12, 10, 3)).astype(np.float32)


def model(*parts: Any) -> keras.Model:
    """A functional model, as `two_output.cut` makes them."""
    image = x = keras.Input((12, 10, 3))
    for part in parts:
        x = part(x)
    return kinds.lively(keras.Model(image, x))


def coarse(kernel: np.ndarray, channel_axes: tuple[int, ...]) -> np.ndarray:
    """Rounding that shows: three steps up and three down."""
    return to_integers(kernel, channel_axes, steps=3)


def mean_output(convolution: NormalizedConvolution, rounded: ChangeKernel) -> np.ndarray:
    """Of convolution and normalization, over all images and places; the kernel is rounded as converters fold it."""
    layer = convolution.layer
    found = [
        np.asarray(NormalizedConvolution(layer, None, convolution.scale, image[np.newaxis])._convolved(rounded))
        for image in IMAGES
    ]
    return np.concatenate(found).mean(axis=(0, 1, 2)) + convolution.bias


def exactly(kernel: np.ndarray, _: tuple[int, ...]) -> np.ndarray:
    return kernel


CONVOLUTIONS: dict[str, Callable[[], Any]] = {
    "convolution": lambda: layers.Conv2D(5, 3, strides=2, padding="same", use_bias=False),
    "convolution with a bias": lambda: layers.Conv2D(5, (3, 2)),
    "dilated convolution": lambda: layers.Conv2D(5, 3, dilation_rate=2, use_bias=False),
    "convolution in groups": lambda: layers.Conv2D(6, 3, groups=3, use_bias=False),
    "depthwise": lambda: layers.DepthwiseConv2D(3, padding="same", use_bias=False),
    "depthwise, several a channel": lambda: layers.DepthwiseConv2D(3, depth_multiplier=2, use_bias=False),
    "separable": lambda: layers.SeparableConv2D(5, 3, use_bias=False),
}


@pytest.mark.parametrize("name", CONVOLUTIONS)
def test_the_mean_of_each_channel_stays_where_it_was(name: str) -> None:
    """The image is what the convolution is given, so the mean over the images is exact: float32 sums, 1e-5."""
    (convolution,) = normalized(model(CONVOLUTIONS[name](), layers.BatchNormalization()), IMAGES)
    before = mean_output(convolution, exactly)
    assert np.abs(mean_output(convolution, coarse) - before).max() > 1e-2
    with corrected([convolution], coarse):
        np.testing.assert_allclose(mean_output(convolution, coarse), before, atol=1e-5)


def test_weights_are_as_they_were_afterwards_even_after_an_error() -> None:
    network = model(layers.Conv2D(4, 3), layers.BatchNormalization())
    before = [weight.copy() for weight in network.get_weights()]
    found = normalized(network, IMAGES)

    def fail_inside() -> None:
        with corrected(found, coarse):
            assert not all(np.array_equal(*pair) for pair in zip(before, network.get_weights(), strict=True))
            raise RuntimeError

    with pytest.raises(RuntimeError):
        fail_inside()
    for old, new in zip(before, network.get_weights(), strict=True):
        np.testing.assert_array_equal(old, new)


def test_a_converter_that_does_not_round_changes_nothing() -> None:
    network = model(layers.Conv2D(4, 3), layers.BatchNormalization())
    before = network.get_weights()
    with corrected(normalized(network, IMAGES), None):
        for old, new in zip(before, network.get_weights(), strict=True):
            np.testing.assert_array_equal(old, new)


# --- What the converters make of a kernel ---------------------------------------------------------------------------


@pytest.fixture(scope="module")
def two_kernels() -> two_output.TwoOutputModel:
    """A large and a small kernel, each with a normalization behind it."""
    parts = [
        layers.Conv2D(7, 5, use_bias=False, padding="same", name="small"),
        layers.BatchNormalization(),
        layers.ReLU(),
        layers.Conv2D(20, 3, use_bias=False, padding="same", name="large"),
        layers.BatchNormalization(),
        layers.ReLU(),
        layers.GlobalAveragePooling2D(),
        layers.Dense(3, activation="softmax"),
    ]
    return two_output.cut(kinds.lively(keras.Sequential([keras.Input((12, 10, 3)), *parts])))


def kernels_of_tflite(flatbuffer: bytes) -> Iterator[np.ndarray]:
    """The constants of rank 4 as real numbers, in Keras's order of axes."""
    from tensorflow.lite.python import schema_py_generated as schema

    model = schema.Model.GetRootAs(flatbuffer, 0)
    graph = model.Subgraphs(0)
    dtypes = {
        schema.TensorType.FLOAT32: np.float32,
        schema.TensorType.FLOAT16: np.float16,
        schema.TensorType.INT8: np.int8,
    }
    for i in range(graph.TensorsLength()):
        tensor = graph.Tensors(i)
        data = model.Buffers(tensor.Buffer()).DataAsNumpy()
        if tensor.ShapeLength() == 4 and isinstance(data, np.ndarray) and tensor.Type() in dtypes:
            stored = data.view(dtypes[tensor.Type()]).reshape(tensor.ShapeAsNumpy())
            quantization = tensor.Quantization()
            scale = quantization.ScaleAsNumpy() if quantization and quantization.ScaleLength() else np.ones(1)
            yield np.moveaxis(stored.astype(np.float32) * scale.reshape(-1, 1, 1, 1), 0, -1)


def kernels_of_onnx(serialized: bytes) -> Iterator[np.ndarray]:
    """Of convolutions of real numbers, and of that of integers, whose sums are scaled by its input's steps as well."""
    import onnx
    from onnx import numpy_helper

    graph = onnx.load_from_string(serialized).graph
    constants = {one.name: numpy_helper.to_array(one) for one in graph.initializer}
    makers = {name: node for node in graph.node for name in node.output}
    takers = {name: node for node in graph.node for name in node.input}
    for name, stored in constants.items():
        if stored.ndim == 4 and stored.dtype == np.uint8:
            node = takers[name]
            if node.op_type == "ConvInteger":
                steps = constants[takers[node.output[0]].input[1]] / constants[makers[node.input[0]].input[1]]
                zero = constants[node.input[3]]
            else:
                steps, zero = constants[node.input[1]], constants[node.input[2]].reshape(-1, 1, 1, 1)
            real = (stored.astype(np.float32) - zero.astype(np.float32)) * steps.reshape(-1, 1, 1, 1)
            yield real.transpose(2, 3, 1, 0)


@pytest.mark.parametrize(
    ("container", "precision"),
    [("tflite", "float16"), ("tflite", "dynamic"), ("tflite", "int8"), ("tflite", "int16x8"), ("onnx", "int8")],
)
def test_kernels_are_rounded_as_the_converters_round_them(
    two_kernels: two_output.TwoOutputModel, container: Container, precision: Precision
) -> None:
    made_by = {"tflite": (tflite_target, kernels_of_tflite), "onnx": (onnx_target, kernels_of_onnx)}
    converter, kernels = made_by[container]
    found = {kernel.shape: kernel for kernel in kernels(converter.convert(two_kernels, precision, IMAGES))}
    convolutions = normalized(two_kernels.model, IMAGES)
    assert len(convolutions) == 2
    conversion = PRECISIONS[precision].conversion(container)
    assert conversion
    assert conversion.rounding
    rounded = kernel_rounding(conversion.rounding)
    for convolution in convolutions:
        folded = np.asarray(convolution.layer.kernel) * convolution.scale
        expected = rounded(folded, (3,))
        # Folded in another order, a number between two steps may go to the other one: one in a hundred at the most.
        differs = np.abs(found[folded.shape] - expected) > 1e-3 * np.abs(folded).max(axis=(0, 1, 2))
        assert differs.mean() < 0.01


def test_8_bits_are_symmetric_steps_of_each_output_channel() -> None:
    kernel = np.array([[1.0, -100], [0.503, 30.1], [-1.0, 0]], np.float32).reshape(3, 1, 1, 2)
    rounded = to_integers(kernel, (3,), 127).reshape(3, 2)
    np.testing.assert_allclose(rounded, [[1, -100], [64 / 127, 38 * 100 / 127], [-1, 0]], rtol=1e-6)
    np.testing.assert_array_equal(to_integers(np.zeros((3, 3, 1, 2), np.float32), (3,), 127), 0)


def test_16_bits_are_float16() -> None:
    assert to_16_bits(np.array([1 + 2**-11, 1 / 3], np.float32), (0,)).tolist() == [1.0, float(np.float16(1 / 3))]
