"""Networks that people know, through tf2onnx to plain files: as from Keras, and to the bit as the file.

Those of the long share take minutes each to convert.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from camlite_export import workarounds
from camlite_export.cutting import file_cut, two_output
from camlite_export.cutting.plain_operators import plain_operators
from camlite_export.sources import original_process
from camlite_export.sources.opening import open_source
from camlite_export.targets import onnx_file
from support.known_networks import LARGE, SMALL, keep, network

pytest.importorskip("tf2onnx")

# What is promised; 1e-6 was measured of MobileNet.
EVIDENCE = 1e-3


def write(model: Any, path: Path) -> Path:
    """As people convert it."""
    import tensorflow as tf
    import tf2onnx

    signature = [tf.TensorSpec((None, *model.input_shape[1:]), tf.float32, name="input_1")]
    function = tf.function(lambda image: model(image, training=False), input_signature=signature, autograph=False)
    # Of ConvNeXt tf2onnx 1.17 leaves an Erfc and functions of TensorFlow, which onnxruntime does not run: its GELU and
    # its convolutions in groups are written in other operators. Of the other networks nothing is changed.
    with (
        plain_operators(),
        workarounds.silent_native_code(),
        workarounds.silent_log("tf2onnx"),
        workarounds.copies_collected(),
        workarounds.convolutions_in_groups_as_they_are(),
    ):
        converted, _ = tf2onnx.convert.from_function(function, signature, opset=17)
    workarounds.constants_for_captured_tensors(converted, function.get_concrete_function())
    path.write_bytes(converted.SerializeToString())
    return path


@pytest.mark.parametrize(
    ("name", "side"),
    [*SMALL.items(), *(pytest.param(*one, marks=pytest.mark.applications) for one in LARGE.items())],
)
def test_a_network_is_cut_and_explained_as_from_keras(name: str, side: int, tmp_path: Path) -> None:
    model, images = network(name, side)
    original = two_output.cut(model)
    path = write(model, tmp_path / "model.onnx")

    cut = file_cut.cut(open_source(path))

    answer, expected = cut.answer(images), original.answer(images)
    classes = expected.scores.argmax(axis=1)
    evidence = original.evidence(expected.features, classes)
    assert (cut.feature_shape, cut.evidence_method) == (original.feature_shape, original.evidence_method)
    made = onnx_file.convert(cut)
    stored = cut.source._stored(images)
    (scores,) = original_process.process_of("onnx").answer("onnxruntime", made, ("scores",), stored, "artifact")
    np.testing.assert_array_equal(scores, answer.scores)  # to the bit
    difference = np.abs(cut.evidence(answer.features, classes) - evidence).max() / np.abs(evidence).max()
    keep(name, "onnx", side, difference)
    assert difference <= EVIDENCE
    if cut.affine is not None:
        assert len(made) <= 1.002 * path.stat().st_size
