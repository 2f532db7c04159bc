"""Artifacts whose model has channels in front, as PyTorch has them: only the card says so; answers are the same."""

from __future__ import annotations

import hashlib
from pathlib import Path

import numpy as np
import pytest

from camlite import ArtifactError, artifact, backends
from camlite.artifact.arrays import Arrays
from camlite.artifact.card import Card, Head, Preprocessing
from support import fresh_process
from support.onnx_models import model, node

pytest.importorskip("onnxruntime")

HEIGHT, WIDTH, CHANNELS, CLASSES = 10, 14, 6, 3
LAYOUTS = [("chw", "chw"), ("hwc", "chw"), ("chw", "hwc")]
_TO_FRONT, _TO_BACK = (0, 3, 1, 2), (0, 2, 3, 1)
ONE_FOR_EACH = (0.01, 0.02, 0.03), (-0.5, 0.25, 0.0)


def classifier(
    image: str, features: str, colours: int, per_place: bool = False
) -> tuple[bytes, np.ndarray, np.ndarray]:
    """An ONNX model with these layouts, its class weights and its bias; the numbers are the same for all layouts."""
    random = np.random.default_rng(3)
    kernel = random.normal(size=(CHANNELS, colours, 3, 3)).astype(np.float32)
    places = (HEIGHT // 2, WIDTH // 2)
    dense = random.normal(size=(CHANNELS, *places, CLASSES) if per_place else (CHANNELS, CLASSES)).astype(np.float32)
    bias = random.normal(size=CLASSES).astype(np.float32)
    chw, hwc = ([1, colours, HEIGHT, WIDTH], [1, HEIGHT, WIDTH, colours])
    nodes = [node("Transpose", "image", "in_front", perm=_TO_FRONT)] if image == "hwc" else []
    given = "in_front" if image == "hwc" else "image"
    inside = "features" if features == "chw" else "kept"
    nodes += [
        node("Conv", f"{given} kernel", "convolved", pads=[1, 1, 1, 1], strides=[2, 2]),
        node("Relu", "convolved", inside),
        *([node("Transpose", "kept", "features", perm=_TO_BACK)] if features == "hwc" else []),
        *([] if per_place else [node("GlobalAveragePool", inside, "pooled")]),
        node("Flatten", inside if per_place else "pooled", "flat"),
        node("Gemm", "flat dense bias", "logits"),
        node("Softmax", "logits", "scores", axis=1),
    ]
    shape = [1, CHANNELS, *places] if features == "chw" else [1, *places, CHANNELS]
    content = model(
        nodes,
        chw if image == "chw" else hwc,
        {"features": shape, "scores": [1, CLASSES]},
        {"kernel": kernel, "dense": dense.reshape(-1, CLASSES), "bias": bias},
    )
    weights = np.ascontiguousarray(dense.transpose(1, 2, 0, 3)) if per_place else dense / np.float32(np.prod(places))
    return content, weights, bias


def write(path: Path, image: str, features: str, colours: int = 3, per_place: bool = False) -> Path:
    content, weights, bias = classifier(image, features, colours, per_place)
    scale, offset = (numbers[:colours] for numbers in ONE_FOR_EACH)
    card = Card(
        name="classifier",
        precision="float32",
        labels=("one", "two", "three"),
        preprocessing=Preprocessing(HEIGHT, WIDTH, colours, scale, offset, "stretch"),
        head=Head("last", HEIGHT // 2, WIDTH // 2, CHANNELS, "softmax", "device"),
        classifier_sha256="0" * 64,
        model_sha256=hashlib.sha256(content).hexdigest(),
        made_with={},
        image_layout=image,
        features_layout=features,
    )
    golden = np.zeros((1, HEIGHT, WIDTH, colours), np.uint8)
    arrays = Arrays(weights, bias, golden, np.zeros((1, 3), np.float32), np.zeros((1, *card.head[1:3]), np.float32))
    path.write_bytes(artifact.pack("onnx", content, card, arrays))
    return path


@pytest.mark.parametrize(("image", "features"), LAYOUTS)
@pytest.mark.parametrize("colours", [1, 3])
@pytest.mark.parametrize("per_place", [False, True], ids=["pooled", "flat"])
def test_answers_are_those_of_the_usual_layout(image, features, colours, per_place, run, tmp_path):
    random = np.random.default_rng(0)
    images = [random.integers(0, 256, (*sides, colours)).astype(np.uint8) for sides in ((HEIGHT, WIDTH), (31, 17))]
    usual = write(tmp_path / "usual.onnx", "hwc", "hwc", colours, per_place)
    other = write(tmp_path / "other.onnx", image, features, colours, per_place)

    for classes in (None, range(CLASSES)):
        expected, received = (
            run("onnxruntime", fresh_process.explain, path, "onnxruntime", images, classes) for path in (usual, other)
        )
        for one, same in zip(received, expected, strict=True):
            assert one.features.shape == (HEIGHT // 2, WIDTH // 2, CHANNELS)
            for name in ("features", "scores", "evidence", "heatmap"):
                np.testing.assert_allclose(getattr(one, name), getattr(same, name), rtol=1e-5, atol=2e-6)
            assert one.completeness <= 1e-5


@pytest.mark.parametrize("colours", [1, 3])
def test_what_an_explanation_keeps_stays_when_the_next_image_comes(colours, run, tmp_path):
    images = [np.full((HEIGHT, WIDTH, colours), value, np.uint8) for value in (0, 90, 255)]
    path = write(tmp_path / "one.onnx", "chw", "chw", colours)

    together = run("onnxruntime", fresh_process.explain, path, "onnxruntime", images)
    single = [run("onnxruntime", fresh_process.explain, path, "onnxruntime", [image])[0] for image in images]

    for one, other in zip(together, single, strict=True):
        np.testing.assert_array_equal(one.features, other.features)
        np.testing.assert_array_equal(one.evidence, other.evidence)


@pytest.mark.parametrize(("name", "value"), [("image_layout", "hwc"), ("features_layout", "hwc")])
def test_a_card_that_says_another_layout_is_refused(name, value, tmp_path):
    path = write(tmp_path / "one.onnx", "chw", "chw")
    read = artifact.read(path)
    path.write_bytes(artifact.pack("onnx", read.model, read.card._replace(**{name: value}), read.arrays))

    with pytest.raises(ArtifactError, match="the model has outputs"):
        backends.open_interpreter(artifact.read(path))
