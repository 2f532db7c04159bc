"""A SavedModel of the two-output model to a TFLite flatbuffer."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from camlite.card import Precision
from camlite_export import quirks

PRECISIONS: tuple[Precision, ...] = ("float32", "float16", "dynamic", "int8", "int16x8")


def convert(folder: Path, precision: Precision, calibration: NDArray[np.float32] | None) -> bytes:
    """Convert.

    Args:
        folder: the SavedModel.
        precision: int8 is integer throughout: uint8 pixels in, int8 out. int16x8 keeps float32 at both ends.
        calibration: float32 (N, H, W, channels) inputs of the classifier, for int8 and int16x8.
    """
    import tensorflow as tf

    converter = tf.lite.TFLiteConverter.from_saved_model(str(folder))
    if precision != "float32":
        converter.optimizations = [tf.lite.Optimize.DEFAULT]
        quirks.loadable_by_tflite_runtime(converter)
    if precision == "float16":
        converter.target_spec.supported_types = [tf.float16]
    if precision in ("int8", "int16x8"):
        if calibration is None:
            raise ValueError(f"{precision} needs calibration images")
        converter.representative_dataset = lambda: ([image[np.newaxis]] for image in calibration)
    if precision == "int8":
        converter.target_spec.supported_ops = [tf.lite.OpsSet.TFLITE_BUILTINS_INT8]
        converter.inference_input_type = tf.uint8
        converter.inference_output_type = tf.int8
    if precision == "int16x8":
        converter.target_spec.supported_ops = [
            tf.lite.OpsSet.EXPERIMENTAL_TFLITE_BUILTINS_ACTIVATIONS_INT16_WEIGHTS_INT8
        ]
    with quirks.silent_native_code():
        model: bytes = converter.convert()
    return model
