"""A cut classifier to a TFLite flatbuffer."""

from __future__ import annotations

import contextlib
import re
from typing import Any

import numpy as np
from numpy.typing import NDArray

from camlite.artifact.precisions import Precision
from camlite.errors import ClassifierError
from camlite.soundness import tflite_model
from camlite_export import workarounds
from camlite_export.cutting.cut import TraceableCut
from camlite_export.precisions import PRECISIONS, Tflite
from camlite_export.targets import rounding, tflite_guide
from camlite_export.targets.tflite_editing import FULLY_CONNECTED, TfliteGraph


def convert(cut: TraceableCut, precision: Precision, images: NDArray[np.float32] | None) -> bytes:
    """Convert. The batch size is 1.

    Args:
        precision: int8 is integer throughout: uint8 pixels in, int8 out. int16x8 keeps float32 at both ends.
        images: float32 (N, H, W, channels) inputs of the classifier, for int8 and int16x8.

    Raises:
        ClassifierError: TFLite has no operator for it, or one that `camlite.soundness.tflite_model` would refuse
            on the device.
    """
    traits = PRECISIONS[precision]
    if traits.tflite is None or (traits.needs_calibration and images is None):
        raise ValueError(f"{precision} does not exist in TFLite, or needs representative images")
    has_floating_guide = cut.guide_layers is not None and traits.needs_calibration
    with rounding.made_up_for(cut, traits.tflite.rounding, images), cut.saved_model() as folder:
        converter = _converter(str(folder), traits.tflite, images if traits.needs_calibration else None)
        partly = tflite_guide.left_in_float32() if has_floating_guide else contextlib.nullcontext()
        try:
            with workarounds.silent_native_code(), workarounds.new_objects_alone_collected(), partly:
                model: bytes = converter.convert()
        except Exception as error:  # the converter raises Exception, RuntimeError and its own ConverterError
            missing = re.search(r"TF Select ops: ([\w, ]+)|operation '(?:tf\.)?(\w+)'", str(error))
            reason = f"it has no operator {missing[1] or missing[2]}" if missing else " ".join(str(error).split())[:300]
            raise ClassifierError(f"TFLite cannot express this classifier in {precision}: {reason}") from error
    if cut.guide_layers is not None:
        model = tflite_guide.finished(model, has_floating_guide)
    if traits.tflite.integer_ends:
        model = _loadable_by_litert(model)
    try:
        tflite_model.verify(model)
    except ValueError as error:
        raise ClassifierError(
            f"camlite's safety check rejects this classifier in {precision} as TFLite: {error}; "
            f"choose other --precisions or --formats onnx"
        ) from None
    return model


def _loadable_by_litert(model: bytes) -> bytes:
    graph = TfliteGraph(model)
    return graph.to_bytes() if workarounds.weights_of_dense_read_apart(graph, FULLY_CONNECTED) else model


def _converter(folder: str, conversion: Tflite, images: NDArray[np.float32] | None) -> Any:
    import tensorflow as tf

    converter = tf.lite.TFLiteConverter.from_saved_model(folder)
    if conversion.optimized:
        converter.optimizations = [tf.lite.Optimize.DEFAULT]
        workarounds.loadable_by_tflite_runtime(converter)
    if conversion.weights:
        converter.target_spec.supported_types = [tf.dtypes.as_dtype(conversion.weights)]
    if images is not None:
        converter.representative_dataset = lambda: ([image[np.newaxis]] for image in images)
    if conversion.operators:
        converter.target_spec.supported_ops = [tf.lite.OpsSet[conversion.operators]]
    if conversion.integer_ends:
        converter.inference_input_type = tf.uint8
        converter.inference_output_type = tf.int8
    return converter
