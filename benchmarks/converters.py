"""What the converters alone take for the same eight models: Keras file in, bytes out, no card, no measuring.

Run by `make bench`; prints the sizes of what it makes as JSON.
"""

from __future__ import annotations

import json
import sys
import tempfile
from pathlib import Path
from typing import Any

import numpy as np


def main() -> None:
    """Convert the classifier and the calibration images that the command line names; or some formats of it."""
    import keras
    import tensorflow as tf

    model = keras.models.load_model(sys.argv[1], compile=False)
    with np.load(sys.argv[2]) as archive:
        images = archive["images"][:200]
    inputs = images.reshape(len(images), *model.input_shape[1:]).astype(np.float32) / 255
    wanted = sys.argv[3:]
    names = [name for name in _TFLITE if not wanted or f"{name}.tflite" in wanted]
    sizes = {f"{name}.tflite": len(_tflite(tf, model, name, inputs)) for name in names}
    if wanted:
        print(json.dumps(sizes))
        return
    with tempfile.TemporaryDirectory() as folder:
        sizes |= _onnx(tf, model, inputs, Path(folder))
    print(json.dumps(sizes))


_TFLITE = ("float32", "float16", "dynamic", "int8", "int16x8")


def _tflite(tf: Any, model: Any, precision: str, inputs: np.ndarray) -> bytes:
    converter = tf.lite.TFLiteConverter.from_keras_model(model)
    if precision != "float32":
        converter.optimizations = [tf.lite.Optimize.DEFAULT]
    if precision == "float16":
        converter.target_spec.supported_types = [tf.float16]
    if precision in ("int8", "int16x8"):
        converter.representative_dataset = lambda: ([image[np.newaxis]] for image in inputs)
    if precision == "int8":
        converter.target_spec.supported_ops = [tf.lite.OpsSet.TFLITE_BUILTINS_INT8]
        converter.inference_input_type, converter.inference_output_type = tf.uint8, tf.int8
    if precision == "int16x8":
        converter.target_spec.supported_ops = [
            tf.lite.OpsSet.EXPERIMENTAL_TFLITE_BUILTINS_ACTIVATIONS_INT16_WEIGHTS_INT8
        ]
    content: bytes = converter.convert()
    return content


def _onnx(tf: Any, model: Any, inputs: np.ndarray, folder: Path) -> dict[str, int]:
    import onnx
    import tf2onnx
    from onnxruntime.quantization import CalibrationDataReader, QuantFormat, QuantType, quantize_static
    from onnxruntime.quantization.shape_inference import quant_pre_process
    from onnxruntime.transformers.float16 import convert_float_to_float16

    signature = [tf.TensorSpec((None, *model.input_shape[1:]), tf.float32, name="image")]
    function = tf.function(lambda image: {"scores": model(image)}, input_signature=signature)
    traced, _ = tf2onnx.convert.from_function(function, signature, opset=17)
    onnx.save(traced, folder / "float32.onnx")

    class Reader(CalibrationDataReader):  # type: ignore[misc]
        def __init__(self) -> None:
            self.images = iter(inputs)

        def get_next(self) -> dict[str, np.ndarray] | None:
            image = next(self.images, None)
            return None if image is None else {"image": image[np.newaxis]}

    quant_pre_process(folder / "float32.onnx", folder / "prepared.onnx", skip_symbolic_shape=True)
    quantize_static(
        folder / "prepared.onnx",
        folder / "int8.onnx",
        Reader(),
        quant_format=QuantFormat.QDQ,
        per_channel=True,
        activation_type=QuantType.QUInt8,
        weight_type=QuantType.QUInt8,
    )
    onnx.save(convert_float_to_float16(traced, keep_io_types=True), folder / "float16.onnx")
    return {f"{name}.onnx": (folder / f"{name}.onnx").stat().st_size for name in ("float32", "float16", "int8")}


if __name__ == "__main__":
    main()
