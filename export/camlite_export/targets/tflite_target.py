"""A cut classifier to a TFLite flatbuffer."""

from __future__ import annotations

import contextlib
import re
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from camlite.artifact.precisions import Precision
from camlite.errors import ClassifierError
from camlite.soundness import tflite_model
from camlite_export import workarounds
from camlite_export.cutting.cut import TraceableCut
from camlite_export.precisions import PRECISIONS, Tflite
from camlite_export.sources.tflite import flatbuffer
from camlite_export.targets import frozen_variables, rounding, tflite_ends, tflite_guide
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
    with rounding.made_up_for(cut, traits.tflite.rounding, images):
        traced = _traced(cut)
        names = sorted(traced.structured_outputs)
        converter = _converter(traced, traits.tflite, images if traits.needs_calibration else None)
        partly = tflite_guide.left_in_float32(names) if has_floating_guide else contextlib.nullcontext()
        try:
            quiet = workarounds.silent_native_code(), workarounds.no_statistics_expected()
            with quiet[0], quiet[1], workarounds.new_objects_alone_collected(), partly:
                model: bytes = converter.convert()
        except Exception as error:  # the converter raises Exception, RuntimeError and its own ConverterError
            raise ClassifierError(f"TFLite cannot express this classifier in {precision}: {_why(error)}") from error
    model = _with_named_ends(model, names, precision)
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


_NO_OPERATOR = re.compile(r"TF Select ops: ([\w, ]+)|operation '(?:tf\.)?(\w+)'|'tf\.(\w+)' op is neither a custom op")


def _why(error: Exception) -> str:
    """What of a classifier the converter cannot express."""
    if missing := _NO_OPERATOR.search(str(error)):
        return f"it has no operator {missing[1] or missing[2] or missing[3]}"
    return frozen_variables.why(error) or " ".join(str(error).split())[:300]


def _loadable_by_litert(model: bytes) -> bytes:
    graph = TfliteGraph(model)
    return graph.to_bytes() if workarounds.weights_of_dense_read_apart(graph, FULLY_CONNECTED) else model


def _traced(cut: TraceableCut) -> Any:
    """The forward pass of one image."""
    import tensorflow as tf

    signature = [tf.TensorSpec((1, *cut.image_shape), tf.float32, name="image")]
    return tf.function(cut.function(), input_signature=signature, autograph=False).get_concrete_function()


def _with_named_ends(model: bytes, names: Sequence[str], precision: Precision) -> bytes:
    """The ends named, in the file's signature and in the graph.

    Args:
        names: of the outputs, in the order in which the converter gives them.

    Raises:
        ClassifierError: it has branches or loops, which are graphs of their own.
    """
    objects = flatbuffer.read(model)
    if len(objects.subgraphs) != 1:
        raise ClassifierError(
            f"camlite's safety check rejects this classifier in {precision} as TFLite: it decides or repeats something "
            f"while it runs (tf.cond, tf.while_loop), so that nobody knows its work beforehand; build it without"
        )
    (graph,) = objects.subgraphs
    outputs = {name: int(index) for name, index in zip(names, graph.outputs, strict=True)}
    for name, index in outputs.items():
        graph.tensors[index].name = name.encode()
    features = outputs.pop("features")  # last, as programs that take the first output want none of it
    tflite_ends.name_ends(objects, int(graph.inputs[0]), {**outputs, "features": features})
    return flatbuffer.write(objects)


def _converter(traced: Any, conversion: Tflite, images: NDArray[np.float32] | None) -> Any:
    """Straight from the traced function: a SavedModel on the way takes three times as long as all the rest."""
    import tensorflow as tf

    converter = tf.lite.TFLiteConverter.from_concrete_functions([traced], traced)
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
