"""An `.onnx` file as a source: read, proven sound, and described as a graph."""
