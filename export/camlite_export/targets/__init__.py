"""Convert a cut classifier to TFLite and ONNX, in every precision: one file for each kind of model.

To add one: a file that satisfies `camlite_export.targets.target.Target`, and its line here. A classifier of which there
is only the file that ships is not converted: what is added to it is in ``*_file.py``.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

from camlite.artifact import Container
from camlite_export.cutting.file_cut import FileCut
from camlite_export.targets import onnx_file, onnx_metadata, onnx_target, tflite_file, tflite_metadata, tflite_target
from camlite_export.targets.description import Description
from camlite_export.targets.target import Target

TARGETS: Mapping[Container, Target] = {"tflite": tflite_target, "onnx": onnx_target}

FILES: Mapping[Container, Callable[[FileCut], bytes]] = {
    "tflite": tflite_file.convert,
    "onnx": onnx_file.convert,
}
"""What makes an artifact's model of a file of the same kind."""

DESCRIBED: Mapping[Container, Callable[[bytes, Description], bytes]] = {
    "tflite": tflite_metadata.described,
    "onnx": onnx_metadata.described,
}
"""What tells other programs about a model, in the format's own way."""
