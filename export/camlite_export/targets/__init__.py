"""Convert a two-output model to TFLite and ONNX, in every precision."""
