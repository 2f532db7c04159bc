"""Convert a cut classifier to TFLite and ONNX, in every precision: one file for each kind of model.

To add one: a file that satisfies `camlite_export.targets.target.Target`, and its line here.
"""

from __future__ import annotations

from collections.abc import Mapping

from camlite.artifact import Container
from camlite_export.targets import onnx_target, tflite_target
from camlite_export.targets.target import Target

TARGETS: Mapping[Container, Target] = {"tflite": tflite_target, "onnx": onnx_target}
