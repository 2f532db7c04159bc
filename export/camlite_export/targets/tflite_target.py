"""A cut classifier to a TFLite flatbuffer."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from camlite.artifact.card import Precision
from camlite.errors import ClassifierError
from camlite.soundness import tflite_model
from camlite_export import workarounds
from camlite_export.cutting.cut import TraceableCut
from camlite_export.sources.source import Floats
from camlite_export.targets import rounding
from camlite_export.targets.bias_correction import to_8_bits, to_16_bits
from camlite_export.targets.rounding import Rounding

PRECISIONS: tuple[Precision, ...] = ("float32", "float16", "dynamic", "int8", "int16x8")

_SMALL_KERNEL = 1024


def _large_to_8_bits(kernel: Floats, channel_axes: tuple[int, ...]) -> Floats:
    """The converter leaves small kernels alone where only the weights are to be integers."""
    return kernel if kernel.size < _SMALL_KERNEL else to_8_bits(kernel, channel_axes)


ROUNDINGS: Mapping[Precision, Rounding] = {
    "float16": Rounding(to_16_bits),
    "dynamic": Rounding(_large_to_8_bits, steps=254, least=_SMALL_KERNEL),
    "int8": Rounding(to_8_bits, steps=254),
    "int16x8": Rounding(to_8_bits, steps=254),
}
"""How the converter rounds weights."""


def convert(cut: TraceableCut, precision: Precision, images: NDArray[np.float32] | None) -> bytes:
    """Convert. The batch size is 1.

    Args:
        precision: int8 is integer throughout: uint8 pixels in, int8 out. int16x8 keeps float32 at both ends.
        images: float32 (N, H, W, channels) inputs of the classifier, for int8 and int16x8.

    Raises:
        ClassifierError: TFLite has no operator for it, or one that `camlite.soundness.tflite_model` would refuse
            on the device.
    """
    with rounding.made_up_for(cut, ROUNDINGS.get(precision), images), cut.saved_model() as folder:
        converter = _converter(str(folder), precision, images)
        try:
            with workarounds.silent_native_code(), workarounds.new_objects_alone_collected():
                model: bytes = converter.convert()
        except Exception as error:  # the converter raises Exception, RuntimeError and its own ConverterError
            missing = re.search(r"TF Select ops: ([\w, ]+)|operation '(?:tf\.)?(\w+)'", str(error))
            reason = f"it has no operator {missing[1] or missing[2]}" if missing else " ".join(str(error).split())[:300]
            raise ClassifierError(f"TFLite cannot express this classifier in {precision}: {reason}") from error
    try:
        tflite_model.verify(model)
    except ValueError as error:
        raise ClassifierError(
            f"no device would take this classifier in TFLite's {precision}, as camlite cannot prove it sound: {error}; "
            f"choose other --precisions or --formats onnx"
        ) from None
    return model


def _converter(folder: str, precision: Precision, images: NDArray[np.float32] | None) -> Any:
    import tensorflow as tf

    converter = tf.lite.TFLiteConverter.from_saved_model(folder)
    if precision != "float32":
        converter.optimizations = [tf.lite.Optimize.DEFAULT]
        workarounds.loadable_by_tflite_runtime(converter)
    if precision == "float16":
        converter.target_spec.supported_types = [tf.float16]
    if precision in ("int8", "int16x8"):
        if images is None:
            raise ValueError(f"{precision} needs representative images")
        converter.representative_dataset = lambda: ([image[np.newaxis]] for image in images)
    if precision == "int8":
        converter.target_spec.supported_ops = [tf.lite.OpsSet.TFLITE_BUILTINS_INT8]
        converter.inference_input_type = tf.uint8
        converter.inference_output_type = tf.int8
    if precision == "int16x8":
        converter.target_spec.supported_ops = [
            tf.lite.OpsSet.EXPERIMENTAL_TFLITE_BUILTINS_ACTIVATIONS_INT16_WEIGHTS_INT8
        ]
    return converter
