"""What a precision is where artifacts are made: the one table of it.

What the device has to know of it, and the list of their names, is in `camlite.artifact.precisions`. To add one: a
line in each of the two tables. A converter that has to be told more than `Tflite` and `Onnx` say is told so in its file
in `camlite_export.targets`.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal, NamedTuple

from camlite.artifact import Container
from camlite.artifact.precisions import Precision

Gates = Mapping[str, tuple[float, str]]
"""Figure -> limit, and why it stands there, see `camlite_export.agreement.gates`."""


class Rounding(NamedTuple):
    """What a converter makes of the weights of a convolution.

    Attributes:
        bits: of a weight.
        floating: whether they are floating-point numbers; else integers, with a step of its own for each output
            channel, and as many above 0 as below.
        least: of how many weights a kernel must be to be rounded at all.
    """

    bits: int
    floating: bool = False
    least: int = 0

    @property
    def steps(self) -> int | None:
        """How many there are between the largest weight of a channel and its negative; None of floating-point ones."""
        return None if self.floating else 2**self.bits - 2


class Tflite(NamedTuple):
    """What TFLite's converter is told.

    Attributes:
        rounding: what it then makes of weights; None where it leaves them as they are.
        optimized: whether it is to make the model smaller; the others say how.
        weights: the type of stored weights, by TensorFlow's name.
        operators: the set of operators, by its name in `tf.lite.OpsSet`.
        integer_ends: whether the image is uint8 and the outputs int8; else float32.
    """

    rounding: Rounding | None = None
    optimized: bool = True
    weights: str | None = None
    operators: str | None = None
    integer_ends: bool = False


class Onnx(NamedTuple):
    """What is made of the float32 ModelProto; both ends stay float32.

    Attributes:
        rounding: what becomes of weights, where biases can make up for it.
        change: ``float16``: all tensors; ``static``: 8 bits, with the ranges that calibration images show.
    """

    rounding: Rounding | None = None
    change: Literal["float16", "static"] | None = None
    integer_ends: bool = False


class PrecisionTraits(NamedTuple):
    """What a precision implies.

    Attributes:
        tflite, onnx: how it is made there; None where it does not exist in this container.
        needs_calibration: whether it is made with representative images.
        has_comparisons: whether its operators can compare numbers, which the gradient of a head is made of.
        noise_bits: into how many bits the tensors of the original are rounded, to see how steady it is itself (see
            `camlite_export.agreement.rounding_noise`): 16 are float16, fewer integers; None leaves them as they are.
        gates: what an artifact must pass.
    """

    tflite: Tflite | None
    onnx: Onnx | None
    needs_calibration: bool
    has_comparisons: bool
    noise_bits: int | None
    gates: Gates

    def conversion(self, container: Container) -> Tflite | Onnx | None:
        """How it is made in a container; None where it does not exist there."""
        conversions: Mapping[Container, Tflite | Onnx | None] = {"tflite": self.tflite, "onnx": self.onnx}
        return conversions[container]


_8_BITS, _FLOAT16 = Rounding(8), Rounding(16, floating=True)
# TFLite's converter leaves kernels alone that have fewer weights, where only weights are to be integers.
_LARGE_TO_8_BITS = Rounding(8, least=1024)

# Figures of tflite / onnx: the reference classifier, the 10,000 test images of Fashion-MNIST, ai-edge-litert 2.3 and
# onnxruntime 1.32, x86-64. Where the head is linear in pieces (Teachable Machine, 120 photographs), completeness_max is
# 1.1e-06 / 7.2e-07 in float32, completeness_mean 1.9e-05 / 4.4e-05 in float16 and 0.0011 in dynamic.
GATES_MEASURED_ON = 10_000
_GATES_OF_WEIGHTS_IN_8_BITS: Gates = {
    "top1_agreement": (0.99, "dynamic 99.84 %, int16x8 99.84 %: images between two classes change sides"),
    "accuracy_loss": (0.003, "dynamic 0 points, int16x8 0: as many go wrong as come right"),
    "score_difference_mean": (0.005, "dynamic 0.0018, int16x8 0.0020"),
    "evidence_error_mean": (0.02, "dynamic 0.0057, int16x8 0.0045; class weights that are 5 % off make it 0.05"),
    "correlation_p5": (0.999, "dynamic 0.99986, int16x8 0.99991"),
    "same_peak": (0.99, "dynamic 99.39 %, int16x8 99.50 %: peaks move between places that are almost equal"),
    "completeness_mean": (0.005, "dynamic 0.0013, int16x8 0.0016"),
    "fine_correlation_p5": (0.97, "dynamic 0.995, of 2,000 images; a guide that is one of 28 cells off makes it 0.73"),
    "fine_elsewhere_mean": (0.05, "dynamic 0.016; a guide that is one of 28 cells off makes it 0.26"),
}
PRECISIONS: Mapping[Precision, PrecisionTraits] = {
    "float32": PrecisionTraits(
        tflite=Tflite(optimized=False),
        onnx=Onnx(),
        needs_calibration=False,
        has_comparisons=True,
        noise_bits=None,
        gates={
            "score_difference_max": (1e-4, "1.3e-06 / 1.7e-06: rounding alone; 4e-05 through InceptionV3"),
            "top1_agreement": (0.999, "100 % / 100 %; two scores may be equal but for rounding"),
            "evidence_error_max": (1e-3, "9.8e-07 / 1.1e-06: rounding alone; 1.4e-04 through InceptionV3"),
            "completeness_max": (1e-5, "1.0e-06 / 9.5e-07: rounding alone"),
            "fine_correlation_p5": (0.9999, "1.000000 / 1.000000, of 2,000 images: rounding alone"),
            "fine_elsewhere_mean": (1e-3, "2.3e-07 / 3.7e-07: rounding alone"),
        },
    ),
    "float16": PrecisionTraits(
        tflite=Tflite(_FLOAT16, weights="float16"),
        onnx=Onnx(change="float16"),
        needs_calibration=False,
        has_comparisons=True,
        noise_bits=16,
        gates={
            "score_difference_max": (0.02, "0.0035 / 0.0068: three digits in each layer, and most near a border"),
            "top1_agreement": (0.999, "100 % / 99.99 %"),
            "accuracy_loss": (0.003, "0 / 0.01 points"),
            "evidence_error_max": (0.01, "0.0015 / 0.0021"),
            "correlation_p5": (0.9999, "0.9999995 / 0.9999991"),
            "same_peak": (0.999, "99.95 % / 99.95 %"),
            "completeness_mean": (1e-4, "1.4e-05 / 1.8e-05"),
            "fine_correlation_p5": (0.998, "0.9998 / 0.9997, of 2,000 images"),
            "fine_elsewhere_mean": (0.006, "0.0014 / 0.0017"),
        },
    ),
    "dynamic": PrecisionTraits(
        tflite=Tflite(_LARGE_TO_8_BITS),
        onnx=None,
        needs_calibration=False,
        has_comparisons=True,
        noise_bits=8,
        gates=_GATES_OF_WEIGHTS_IN_8_BITS,
    ),
    "int8": PrecisionTraits(
        tflite=Tflite(_8_BITS, operators="TFLITE_BUILTINS_INT8", integer_ends=True),
        onnx=Onnx(_8_BITS, change="static"),
        needs_calibration=True,
        has_comparisons=True,
        noise_bits=8,
        gates={
            "top1_agreement": (0.99, "99.63 % / 99.73 %: images between two classes change sides"),
            "accuracy_loss": (0.003, "0.01 / 0.10 points: nearly as many go wrong as come right"),
            "score_difference_mean": (0.015, "0.0060 / 0.0025; a TFLite score in 8 bits is up to 0.002 off by itself"),
            "evidence_error_mean": (0.03, "0.0093 / 0.0080; class weights that are 5 % off make it 0.05"),
            "correlation_p5": (0.999, "0.99957 / 0.99969"),
            "same_peak": (0.99, "99.03 % / 99.10 %: peaks move between places that are almost equal"),
            "completeness_mean": (0.015, "0.0055 / 0.0017"),
            "fine_correlation_p5": (0.97, "0.990 / 0.993, of 2,000 images; by another method 0.92, a cell off 0.73"),
            "fine_elsewhere_mean": (0.07, "0.028 / 0.024; made by another method 0.12, one of 28 cells off 0.26"),
        },
    ),
    "int16x8": PrecisionTraits(
        tflite=Tflite(_8_BITS, operators="EXPERIMENTAL_TFLITE_BUILTINS_ACTIVATIONS_INT16_WEIGHTS_INT8"),
        onnx=None,
        needs_calibration=True,
        has_comparisons=False,
        noise_bits=8,
        gates=_GATES_OF_WEIGHTS_IN_8_BITS,
    ),
}


def precisions_of(container: Container) -> tuple[Precision, ...]:
    """The precisions that exist in a container."""
    return tuple(name for name, traits in PRECISIONS.items() if traits.conversion(container) is not None)
