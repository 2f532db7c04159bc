"""Every kind of `.onnx` file: its artifact, held against the file itself; and what is refused."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

import camlite_export
from camlite.maps import cam
from camlite.soundness import onnx_model
from camlite_export.cutting import file_cut
from camlite_export.cutting.file_cut import FileCut
from camlite_export.cutting.guide import GuideLayers, combined
from camlite_export.sources import original_process
from camlite_export.sources.last_activation import SaturationWarning
from camlite_export.sources.opening import open_source
from camlite_export.targets import onnx_file
from support import active_pieces, onnx_files
from support.onnx_files import KINDS, REFUSALS, SIDE, OnnxKind, OnnxRefusal
from support.onnx_models import node

pytest.importorskip("onnx")
pytest.importorskip("onnxruntime")

# Float32 in another order: 6e-7 was the most.
EVIDENCE = 1e-5
COMPLETENESS = 1e-5  # 1e-6 was the most

# Hidden layers that bend smoothly, so that no bias makes their evidence add up.
SMOOTH = ("HardSwish", "Sigmoid", "Elu")
IMAGES = np.random.default_rng(2).uniform(-1, 1, (4, SIDE, SIDE, 3)).astype(np.float32)


def opened(kind: OnnxKind, folder: Path) -> FileCut:
    path = onnx_files.write(kind, folder / "model.onnx")
    return file_cut.cut(open_source(path, size=kind.size))


def images_of(cut: FileCut) -> np.ndarray:
    return np.rint(127.5 * (IMAGES + 1)) if cut.source.takes_pixels else IMAGES


def answers(cut: FileCut, model: bytes, name: str) -> np.ndarray:
    """Of an artifact's model, as onnxruntime gives them."""
    process = original_process.process_of("onnx")
    (found,) = process.answer("onnxruntime", model, (name,), cut.source._stored(images_of(cut)), name)
    return found


@pytest.mark.parametrize("kind", KINDS, ids=str)
def test_the_artifact_is_the_same_classifier_with_its_evidence(kind: OnnxKind, tmp_path: Path) -> None:
    cut = opened(kind, tmp_path)
    answer = cut.answer(images_of(cut))
    model = onnx_file.convert(cut)

    assert cut.feature_shape == (SIDE // 2, SIDE // 2, 8 if "per class, pooled" not in kind.title else 3)
    assert (cut.source.precision, cut.evidence_method, cut.activation) == (
        kind.precision,
        kind.evidence,
        kind.activation,
    )
    assert (cut.source.image_layout, cut.source.layout_of(cut.step)) == kind.layouts
    assert answer.scores.shape == (len(IMAGES), kind.classes)
    np.testing.assert_array_equal(answers(cut, model, "scores"), answer.scores)  # to the bit
    features = answers(cut, model, "features")
    features = features.transpose(0, 2, 3, 1) if kind.layouts[1] == "chw" else features
    np.testing.assert_array_equal(features, answer.features)
    assert onnx_file.convert(cut) == model
    assert set(onnx_model.verify(model).outputs) == {"features", "scores", *(["bias"] if cut.gives_bias else [])} | (
        {"evidence"} if kind.evidence.startswith("gradient") else set()
    )

    classes = answer.scores.argmax(axis=1)
    expected = cut.evidence(answer.features, classes)
    if kind.evidence.startswith("gradient"):
        places = classes if kind.evidence == "gradient" else 0 * classes
        received = answers(cut, model, "evidence")[np.arange(len(IMAGES)), ..., places]
        assert np.abs(expected).max() > 0
        assert np.abs(received - expected).max() <= EVIDENCE * np.abs(expected).max()
    assert cut.gives_bias == (kind.evidence.startswith("gradient") and not kind.title.endswith(SMOOTH))
    if cut.gives_bias:
        logits = active_pieces.logits(answers(cut, model, "evidence"), answers(cut, model, "bias"), classes)
        assert np.abs(cam.activate(logits, cut.activation) - answer.scores).max() <= COMPLETENESS


@pytest.mark.parametrize(("title", "turned"), [("computed with channels last", False), ("turned again", True)])
def test_a_map_with_channels_last_leaves_as_it_keeps_the_scores(title: str, turned: bool, tmp_path: Path) -> None:
    """Else it would be cut in front of the Transpose, before its last activation."""
    (kind,) = (kind for kind in KINDS if title in kind.title)

    cut = opened(kind, tmp_path)

    assert (cut.step.kind, cut.step.is_turned) == ("Mul", turned)
    assert cut.step.key not in cut.source.graph.channels_first
    assert cut.finer_steps


@pytest.mark.parametrize("kind", [KINDS[index] for index in (1, 2, 8)], ids=str)
def test_a_guide_is_that_of_the_gradients(kind: OnnxKind, tmp_path: Path) -> None:
    cut = opened(kind, tmp_path)
    layers = GuideLayers("layercam", cut.finer_steps[-1:])
    classes = cut.answer(IMAGES).scores.argmax(axis=1)
    raw = cut.raw_guides(IMAGES, classes, layers.steps, ["layercam"])["layercam"]
    expected = np.asarray(combined(raw, layers))[..., 0]

    received = answers(cut, onnx_file.convert(cut.guided_by(layers)), "guide")
    received = received[np.arange(len(IMAGES)), ..., classes]

    assert expected.max() > 0
    np.testing.assert_allclose(received, expected, rtol=0, atol=1e-5)


def test_scores_that_are_logarithms_are_told(tmp_path: Path) -> None:
    """As such they are negative, and their evidence vanishes where a class is near certain."""
    path = tmp_path / "model.onnx"
    onnx_files.of_one(node("LogSoftmax", "logits", "answer", axis=1))(path)

    with pytest.warns(SaturationWarning, match="its scores are logarithms of probabilities, 0 or less"):
        camlite_export.inspect(path)


@pytest.mark.parametrize("kind", REFUSALS, ids=str)
def test_what_is_no_classifier_is_refused_with_a_remedy(kind: OnnxRefusal, tmp_path: Path) -> None:
    told = onnx_files.refusal(kind, tmp_path)

    assert "\n" not in told
    remedies = (
        "export",
        "give ",
        "save it",
        "copy",
        "convert",
        "--layer",
        "--size",
        "expected",
        "report it",
        "camlite explains",
    )
    assert any(remedy in told for remedy in remedies), told


def test_what_hides_a_transformer_is_no_reason_to_export_it_again(tmp_path: Path) -> None:
    (kind,) = (kind for kind in REFUSALS if kind.title == "a transformer whose paddings depend on what it sees")

    told = onnx_files.refusal(kind, tmp_path)

    assert "(Pad): input 1 is no list of integers that is fixed; it has attention ('mixed')" in told
    assert "again" not in told


def test_a_file_that_nothing_loads_is_told_to_be_one(tmp_path: Path) -> None:
    """As tf2onnx 1.17 makes of keras.applications' ConvNeXt."""
    import onnxruntime

    (kind,) = (kind for kind in REFUSALS if kind.title == "operators of TensorFlow, as tf2onnx leaves them")
    kind.make(tmp_path / "model.onnx")

    with pytest.raises(Exception, match=r"Erfc|PartitionedCall"):
        onnxruntime.InferenceSession(tmp_path / "model.onnx", providers=["CPUExecutionProvider"])
    told = onnx_files.refusal(kind, tmp_path)
    assert "ONNX has no operator Erfc, PartitionedCall, so that onnxruntime cannot load it either" in told
    assert "camlite export MODEL.keras" in told
