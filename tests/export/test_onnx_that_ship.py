"""Files of other people's classifiers, as they ship: each ends as the table of their folder says."""

from __future__ import annotations

import os
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pytest

import camlite
import camlite_export
from camlite import ClassifierError, artifact
from camlite_export.sources.opening import open_source
from support.fresh_process import fresh_process
from support.onnx_originals import scores_of

FOLDER = os.environ.get("FILES_THAT_SHIP_DIR")
pytestmark = [
    pytest.mark.skipif(not FOLDER, reason="FILES_THAT_SHIP_DIR is not set"),
    pytest.mark.filterwarnings("ignore::camlite_export.cutting.coarse_maps.CoarseMapWarning"),
    # light_squeezenet.onnx has constant weights: nothing of the image arrives
    pytest.mark.filterwarnings("ignore::camlite_export.cutting.measured_places.UnknownPlacesWarning"),
]
pytest.importorskip("onnxruntime")


class Shipped(NamedTuple):
    """A file, how it is exported, and what its artifact is."""

    file: str
    features: tuple[int, int, int]
    activation: str = "linear"
    evidence: str = "device"
    preprocess: str = "imagenet"
    size: tuple[int, int] | None = None


SHIPPED = [
    Shipped("timm_test_resnet.script.onnx", (5, 5, 96)),
    Shipped("timm_test_resnet.dynamo.onnx", (5, 5, 96)),
    Shipped("timm_test_convnext.script.onnx", (5, 5, 64), evidence="gradient"),
    Shipped("mnist.onnx", (4, 4, 16), preprocess="raw"),
    Shipped("light_squeezenet.onnx", (13, 13, 1000), "softmax"),
    Shipped("ch_ppocr_mobile_v2.0_cls_infer.onnx", (1, 48, 200), "softmax", preprocess="signed", size=(48, 192)),
]


@pytest.mark.parametrize("one", SHIPPED, ids=lambda one: one.file)
def test_an_artifact_is_the_same_file_with_its_map(one, tmp_path):
    path = Path(FOLDER, one.file)

    exported = camlite_export.export(path, tmp_path, size=one.size, preprocess=one.preprocess)

    (made,) = exported.artifacts
    card = artifact.read(made.path).card
    assert made.verdict == "checked", made.failures
    assert (card.head.height, card.head.width, card.head.channels) == one.features
    assert (card.head.activation, card.head.evidence) == (one.activation, one.evidence)
    assert (card.image_layout, card.features_layout) == ("chw", "chw")
    height, width, channels = card.preprocessing[:3]
    images = np.random.default_rng(0).integers(0, 256, (2, height, width, channels)).astype(np.uint8)
    fixed = tmp_path / "fixed.onnx"  # of a free size onnxruntime computes in another order, to the last digit
    fixed.write_bytes(open_source(path, size=one.size).file.model if one.size else path.read_bytes())
    with fresh_process() as process:
        near, _ = process.submit(scores_of, path, made.path, images).result()
        expected, received = process.submit(scores_of, path if not one.size else fixed, made.path, images).result()
        checked = process.submit(_check, made.path).result()
    np.testing.assert_array_equal(received, expected)  # to the bit
    np.testing.assert_allclose(received, near, rtol=0, atol=1e-6 * max(1, np.abs(near).max()))
    assert checked


def _check(path: Path) -> bool:
    return camlite.check(camlite.load(path)).passed


def test_the_cut_of_a_convnext_is_where_places_are_those_of_the_image():
    from camlite_export.cutting import cutter

    cut = cutter.cut(open_source(Path(FOLDER, "timm_test_convnext.script.onnx")))

    behind = cut.source.steps[cut.source.steps.index(cut.step) + 1]
    assert behind.kind == "GlobalAveragePool"


def test_a_transformer_is_refused_with_a_remedy():
    from camlite_export.cutting import cutter

    source = open_source(Path(FOLDER, "timm_test_vit.script.onnx"))

    with pytest.raises(ClassifierError, match=r"attention .* which mixes its places: a transformer; .*--layer"):
        cutter.cut(source)


def test_a_classifier_of_any_size_asks_for_it():
    with pytest.raises(ClassifierError, match=r"takes images of any size .*--size"):
        open_source(Path(FOLDER, "ch_ppocr_mobile_v2.0_cls_infer.onnx"))
