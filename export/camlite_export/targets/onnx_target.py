"""A cut classifier to an ONNX ModelProto."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from camlite.artifact.precisions import Precision
from camlite.errors import ClassifierError
from camlite.soundness import onnx_model
from camlite_export import workarounds
from camlite_export.cutting.cut import TraceableCut
from camlite_export.precisions import PRECISIONS, Rounding
from camlite_export.targets import frozen_variables, onnx_kernels, quantize_onnx, rounding

if TYPE_CHECKING:
    import onnx

# What onnxruntime 1.16 still reads: operator set 19 and file version 9 are its newest.
_OPSET = 17
_IR_VERSION = 8


def convert(cut: TraceableCut, precision: Precision, images: NDArray[np.float32] | None) -> bytes:
    """Convert. The batch size is dynamic; inputs and outputs stay float32 in every precision.

    Args:
        precision: int8 is static, as QuantizeLinear and DequantizeLinear pairs.
        images: float32 (N, H, W, channels) inputs of the classifier, for int8.

    Raises:
        ClassifierError: ONNX has no operator for it, or `camlite.soundness.onnx_model` would refuse it on the device.
    """
    conversion = PRECISIONS[precision].onnx
    if conversion is None:
        raise ValueError(f"{precision} does not exist in ONNX")
    model = _traced(cut, conversion.rounding, images)
    if conversion.change != "static" and cut.guide_layers is not None:
        onnx_kernels.share(model)
    if conversion.change == "float16":
        from onnxruntime.transformers.float16 import convert_float_to_float16

        model = convert_float_to_float16(model, keep_io_types=True)
    if conversion.change == "static":
        if images is None:
            raise ValueError(f"{precision} needs representative images")
        model = quantize_onnx.quantize(model, images)
    serialized: bytes = model.SerializeToString(deterministic=True)
    try:
        onnx_model.verify(serialized)
    except ValueError as error:
        raise ClassifierError(
            f"camlite's safety check rejects this classifier in {precision} as ONNX: {error}; "
            f"choose other --precisions or --formats tflite"
        ) from None
    return serialized


def _traced(cut: TraceableCut, how: Rounding | None, images: NDArray[np.float32] | None) -> onnx.ModelProto:
    """The forward pass; those whose weights no rounding changes have the same, and tracing takes the most time."""
    import onnx

    if how is None or images is None:
        traced = cut.once("onnx", lambda: _trace(cut).SerializeToString(deterministic=True))
        return onnx.load_model_from_string(traced)
    with rounding.made_up_for(cut, how, images):
        return _trace(cut)


def _trace(cut: TraceableCut) -> onnx.ModelProto:
    """The forward pass as a float32 model; every precision starts from it."""
    import onnx
    import tensorflow as tf
    import tf2onnx

    signature = [tf.TensorSpec((None, *cut.image_shape), tf.float32, name="image")]
    function = tf.function(cut.function(), input_signature=signature, autograph=False)
    model: onnx.ModelProto
    quiet = workarounds.silent_native_code(), workarounds.silent_log("tf2onnx")
    with quiet[0], quiet[1], workarounds.copies_collected(), workarounds.signs_transposed():
        try:
            model, _ = tf2onnx.convert.from_function(function, signature, opset=_OPSET)
        except ValueError as error:
            if (reason := frozen_variables.why(error)) is None:
                raise
            raise ClassifierError(f"ONNX cannot express this classifier: {reason}") from error
    workarounds.constants_for_captured_tensors(model, function.get_concrete_function())
    model.ir_version = _IR_VERSION
    try:
        onnx.checker.check_model(model)
    except onnx.checker.ValidationError as error:
        missing = re.search(r"No Op registered for (\w+)", str(error))
        reason = f"it has no operator {missing[1]}" if missing else " ".join(str(error).split())[:300]
        raise ClassifierError(f"ONNX cannot express this classifier: {reason}") from error
    workarounds.in_canonical_order(model)
    return model
