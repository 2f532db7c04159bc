"""Networks that people know, through TensorFlow's converter to plain files: as from Keras, and to the bit as the file.

Those of the long shares take minutes each to convert.
"""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import pytest

from camlite_export.cutting import file_cut, two_output
from camlite_export.cutting.file_cut import FileCut
from camlite_export.sources import original_process
from camlite_export.sources.opening import open_source
from camlite_export.sources.tflite import flatbuffer
from camlite_export.targets import tflite_file
from support import tflite_files
from support.known_networks import LARGE, SMALL, keep, network

# Of 96 x 96 pixels: MobileNetV3Small 1.4e-4, ResNet50 1.3e-4, ResNet50V2 2.4e-5, VGG16 1.1e-6. Their features differ by
# 2.2e-4, 2.7e-4, 4.6e-5 and 2.1e-6, as the converter merges normalization into kernels.
EVIDENCE = 1e-3
TEACHABLE = Path(os.environ.get("TEACHABLE_MACHINE_DIR", "no such folder")) / "keras_model.h5"


def opened(content: bytes, folder: Path) -> FileCut:
    path = folder / "model.tflite"
    path.write_bytes(content)
    return file_cut.cut(open_source(path))


def scores_of_the_artifact(cut: FileCut, images: np.ndarray) -> np.ndarray:
    model = tflite_file.convert(cut)
    (signature,) = flatbuffer.read(model).signatureDefs
    (index,) = [one.tensorIndex for one in signature.outputs if one.name == b"scores"]
    stored = cut.source.input.quantize(images)
    (found,) = original_process.process_of("tflite").answer("ai-edge-litert", model, (index,), stored, "artifact")
    return cut.source.file.port(cut.source.graph.scores).dequantize(found)


def check(cut: FileCut, original: two_output.TwoOutputModel, images: np.ndarray) -> float:
    """Returns how far evidence is apart, of its largest."""
    answer, expected = cut.answer(images), original.answer(images)
    classes = expected.scores.argmax(axis=1)
    evidence = original.evidence(expected.features, classes)

    assert (cut.feature_shape, cut.evidence_method) == (original.feature_shape, original.evidence_method)
    assert np.array_equal(scores_of_the_artifact(cut, images), answer.scores)
    difference = np.abs(cut.evidence(answer.features, classes) - evidence).max() / np.abs(evidence).max()
    assert difference <= EVIDENCE
    return float(difference)


@pytest.mark.parametrize(
    ("name", "side"),
    [*SMALL.items(), *(pytest.param(*one, marks=pytest.mark.applications) for one in LARGE.items())],
)
def test_a_network_is_cut_and_explained_as_from_keras(name: str, side: int, tmp_path: Path) -> None:
    model, images = network(name, side)
    cut = opened(tflite_files.converted(model), tmp_path)

    keep(name, "tflite", side, check(cut, two_output.cut(model), images))
    if cut.affine is not None:
        assert len(tflite_file.convert(cut)) <= 1.002 * len(cut.source.content)


@pytest.mark.endurance
@pytest.mark.skipif(not TEACHABLE.is_file(), reason="TEACHABLE_MACHINE_DIR names no folder")
def test_teachable_machine_s_file_is_explained_as_its_keras_model(tmp_path: Path) -> None:
    """The site gives both; whoever has the one need not have the other. Evidence differed by 2.8e-6."""
    import keras

    original = two_output.cut(open_source(TEACHABLE))
    random = np.random.default_rng(0)
    images = np.kron(random.uniform(-1, 1, (4, 14, 14, 3)), np.ones((1, 16, 16, 1))).astype(np.float32)
    whole = keras.Model(original.model.inputs[0], original.model.output["scores"])
    model = flatbuffer.read(tflite_files.converted(whole))
    model.signatureDefs = None
    cut = opened(flatbuffer.write(model), tmp_path)

    check(cut, original, images)
    answer, expected = cut.answer(images), original.answer(images)
    classes = expected.scores.argmax(axis=1)
    difference = np.abs(cut.evidence(answer.features, classes) - original.evidence(expected.features, classes)).max()
    assert difference <= 1e-4
