"""Every kind of `.tflite` file: its artifact, held against the file itself and the classifier that it came from."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from camlite.maps import cam
from camlite.soundness import tflite_model
from camlite_export.cutting import file_cut, two_output
from camlite_export.cutting.file_cut import FileCut
from camlite_export.sources import original_process
from camlite_export.sources.opening import MendedWarning, open_source
from camlite_export.sources.tflite import flatbuffer, tflite_graph
from camlite_export.targets import tflite_file
from support import active_pieces, tflite_files
from support.tflite_files import KINDS, TfliteKind

# Float32 in another order: 2e-7 was the most.
EVIDENCE = 1e-5
COMPLETENESS = {"float32": 1e-5, "int8": 2 / 256}  # 2e-7, and one step of a score


def opened(kind: TfliteKind, folder: Path) -> FileCut:
    path = folder / "model.tflite"
    path.write_bytes(tflite_files.file(kind))
    return file_cut.cut(open_source(path))


def inputs(cut: FileCut) -> np.ndarray:
    images = np.random.default_rng(2).uniform(0, 1, (6, *cut.image_shape)).astype(np.float32)
    return np.rint(255 * images) if cut.source.takes_pixels else images


def answers(cut: FileCut, model: bytes, name: str, images: np.ndarray) -> np.ndarray:
    """Of an artifact's model, in real numbers, by the interpreter that the file itself is asked of."""
    port = tflite_model.verify(model).outputs[name]
    read = tflite_file.flatbuffer.read(model)
    (signature,) = read.signatureDefs
    (index,) = [entry.tensorIndex for entry in signature.outputs if entry.name == name.encode()]
    tensor = tflite_file.reading.TfliteFile(model, read).port(index)
    assert tensor.shape == port.shape
    stored = cut.source._stored(images)
    process = original_process.process_of("tflite")
    (found,) = process.answer("ai-edge-litert", model, (index,), stored, name)
    return tensor.dequantize(found)


@pytest.mark.filterwarnings("ignore::camlite_export.sources.opening.MendedWarning")
@pytest.mark.parametrize("kind", KINDS, ids=str)
def test_the_artifact_is_the_same_classifier_with_its_evidence(kind: TfliteKind, tmp_path: Path) -> None:
    cut = opened(kind, tmp_path)
    images = inputs(cut)
    answer = cut.answer(images)
    model = tflite_file.convert(cut)

    assert (cut.source.precision, cut.evidence_method) == (kind.precision, kind.evidence)
    assert np.array_equal(answers(cut, model, "scores", images), answer.scores)
    assert np.array_equal(answers(cut, model, "features", images), answer.features)
    assert tflite_file.convert(cut) == model

    classes = answer.scores.argmax(axis=1)
    expected = cut.evidence(answer.features, classes)
    if kind.evidence.startswith("gradient"):
        received = answers(cut, model, "evidence", images)
        places = classes if kind.evidence == "gradient" else 0 * classes
        received = received[np.arange(len(images)), ..., places]
        least = EVIDENCE if kind.precision == "float32" else 2e-3  # large weights are stored in 16 bits
        assert np.abs(received - expected).max() <= least * np.abs(expected).max()
    assert cut.gives_bias == (kind.evidence.startswith("gradient") and "hard swish" not in kind.title)
    if cut.gives_bias:
        evidence, bias = (answers(cut, model, name, images) for name in ("evidence", "bias"))
        scores = cam.activate(active_pieces.logits(evidence, bias, classes), cut.activation)
        assert np.abs(scores - answer.scores).max() <= COMPLETENESS[kind.precision]


@pytest.mark.filterwarnings("ignore::camlite_export.sources.opening.MendedWarning")
@pytest.mark.parametrize("kind", [kind for kind in KINDS if kind.exact], ids=str)
def test_evidence_is_that_of_the_classifier_it_was_converted_from(kind: TfliteKind, tmp_path: Path) -> None:
    cut, original = opened(kind, tmp_path), two_output.cut(tflite_files.classifier(kind))
    images = inputs(cut)
    answer, expected = cut.answer(images), original.answer(images)
    classes = expected.scores.argmax(axis=1)

    assert cut.feature_shape == original.feature_shape
    assert np.abs(answer.scores - expected.scores).max() <= 1e-5
    of_the_original = original.evidence(expected.features, classes)
    difference = cut.evidence(answer.features, classes) - of_the_original
    assert np.abs(difference).max() <= EVIDENCE * np.abs(of_the_original).max()


def test_a_guide_is_followed_through_convolutions_in_groups(tmp_path: Path) -> None:
    """Which TensorFlow differentiates on a GPU only."""
    (kind,) = [kind for kind in KINDS if kind.title == "convolutions in groups"]
    cut, original = opened(kind, tmp_path), two_output.cut(tflite_files.classifier(kind))
    images = inputs(cut)
    classes = cut.answer(images).scores.argmax(axis=1)

    (received,) = cut.raw_guides(images, classes, cut.finer_steps[-1:], ["layercam"])["layercam"]
    (expected,) = original.raw_guides(images, classes, original.finer_steps[-1:], ["layercam"])["layercam"]

    assert expected.max() > 0
    np.testing.assert_allclose(received, expected, rtol=0, atol=EVIDENCE * expected.max())


def test_shapes_that_the_file_leaves_open_are_those_of_one_image(tmp_path: Path) -> None:
    """In the file the rows of a map are 1, and become its places when an interpreter opens it."""
    (kind,) = [kind for kind in KINDS if "dense layers of a map" in kind.title]
    cut = opened(kind, tmp_path)
    rows = [step for step in cut.source.steps if step.kind == "FULLY_CONNECTED"][:-1]
    height, width, _ = cut.feature_shape

    model = flatbuffer.read(tflite_files.file(kind))
    assert "SHAPE" in {tflite_graph.NAMES[flatbuffer.code_of(model, one)] for one in model.subgraphs[0].operators}
    assert "SHAPE" not in {node.kind for node in cut.source.graph.nodes}
    assert [cut.source.graph.shapes[step.key][0] for step in rows] == [height * width] * 2
    assert all(step.node.is_local for step in rows)


@pytest.mark.parametrize(
    ("title", "line"),
    [
        ("axis of quantization", "name an axis of quantization that they have not"),
        ("without names", "have no name, or one that is no text; they are called by their numbers"),
    ],
)
def test_what_was_mended_is_told(title: str, line: str, tmp_path: Path) -> None:
    (kind,) = [kind for kind in KINDS if title in kind.title]

    with pytest.warns(MendedWarning, match=line):
        opened(kind, tmp_path)


def test_kernels_that_the_file_has_are_not_stored_again(tmp_path: Path) -> None:
    """The gradient of a dense layer takes its kernel the other way round."""
    (kind,) = [kind for kind in KINDS if "Teachable Machine" in kind.title]
    cut = opened(kind, tmp_path)
    kernel_bytes = 4 * cut.feature_shape[2] * tflite_files.HIDDEN

    assert len(tflite_file.convert(cut)) <= len(cut.source.content) + kernel_bytes / 2
