"""The two-output model to an ONNX ModelProto."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from camlite.card import Precision
from camlite_export.two_output import TwoOutputModel

if TYPE_CHECKING:
    import onnx

PRECISIONS: tuple[Precision, ...] = ("float32", "float16", "int8")

# What onnxruntime 1.16 still reads: operator set 19 and file version 9 are its newest.
_OPSET = 17
_IR_VERSION = 8


def trace(two_output: TwoOutputModel) -> onnx.ModelProto:
    """The float32 model, with a dynamic batch size; every precision starts from it."""
    import tensorflow as tf
    import tf2onnx

    signature = [tf.TensorSpec((None, *two_output.image_shape), tf.float32, name="image")]
    function = tf.function(lambda image: two_output.model(image, training=False), input_signature=signature)
    model: onnx.ModelProto
    model, _ = tf2onnx.convert.from_function(function, signature, opset=_OPSET)
    model.ir_version = _IR_VERSION
    return model


def convert(model: onnx.ModelProto, precision: Precision, calibration: NDArray[np.float32] | None) -> bytes:
    """Convert. Inputs and outputs stay float32 in every precision.

    Args:
        model: of `trace`; left as it is.
        precision: int8 is static, as QuantizeLinear and DequantizeLinear pairs.
        calibration: float32 (N, H, W, channels) inputs of the classifier, for int8.
    """
    import onnx

    copy = onnx.ModelProto()
    copy.CopyFrom(model)
    if precision == "float16":
        from onnxruntime.transformers.float16 import convert_float_to_float16

        copy = convert_float_to_float16(copy, keep_io_types=True)
    if precision == "int8":
        if calibration is None:
            raise ValueError("int8 needs calibration images")
        copy = _quantize(copy, calibration)
    serialized: bytes = copy.SerializeToString(deterministic=True)
    return serialized


def _quantize(model: onnx.ModelProto, calibration: NDArray[np.float32]) -> onnx.ModelProto:
    import tempfile
    from pathlib import Path

    import onnx
    from onnxruntime.quantization import CalibrationDataReader, QuantFormat, QuantType, quantize_static
    from onnxruntime.quantization.shape_inference import quant_pre_process

    name = model.graph.input[0].name

    class Reader(CalibrationDataReader):  # type: ignore[misc]
        def __init__(self) -> None:
            self._inputs: Iterator[dict[str, Any]] = ({name: image[np.newaxis]} for image in calibration)

        def get_next(self) -> dict[str, Any] | None:
            return next(self._inputs, None)

    with tempfile.TemporaryDirectory(prefix="camlite-") as folder:
        traced, prepared, quantized = (Path(folder, f"{stage}.onnx") for stage in ("traced", "prepared", "quantized"))
        onnx.save(model, traced)
        quant_pre_process(traced, prepared, skip_symbolic_shape=True)
        quantize_static(
            prepared,
            quantized,
            Reader(),
            quant_format=QuantFormat.QDQ,
            per_channel=True,
            activation_type=QuantType.QInt8,
            weight_type=QuantType.QInt8,
        )
        return onnx.load(quantized)
