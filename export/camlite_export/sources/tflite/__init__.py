"""`.tflite` files: read, proven, and described as a graph, see `camlite_export.sources.file_source`."""
