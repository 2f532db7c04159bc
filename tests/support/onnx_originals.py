"""What an `.onnx` file says by itself, beside what its artifact says; in a process that has not seen TensorFlow."""

from __future__ import annotations

from pathlib import Path

import numpy as np

import camlite
from camlite.images import preprocessing


def scores_of(original: Path, artifact: Path, images: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Scores (N, K) of the file, and of its artifact, for images uint8 (N, H, W, channels) of the input's size."""
    import onnxruntime

    explainer = camlite.load(artifact)
    card = explainer.artifact.card
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    options.log_severity_level = 3
    session = onnxruntime.InferenceSession(str(original), options, ["CPUExecutionProvider"])
    (taken,) = session.get_inputs()
    expected, received = [], []
    for image in images:
        prepared = preprocessing.prepare(image, card.preprocessing)
        given = prepared.transpose(2, 0, 1) if card.image_layout == "chw" else prepared
        stored = given[np.newaxis] if taken.type == "tensor(float)" else np.rint(given[np.newaxis]).astype(np.uint8)
        (scores,) = session.run(None, {taken.name: np.ascontiguousarray(stored)})
        expected.append(scores.ravel())
        received.append(explainer.explain(image).scores)
    return np.stack(expected), np.stack(received)
