"""A file with an operator whose gradient nobody knows: plain maps, and a line that names it."""

from __future__ import annotations

import warnings
from pathlib import Path

import numpy as np
import pytest

import camlite_export
from camlite import artifact
from camlite_export.cutting.coarse_maps import PlainMapsWarning
from support.onnx_models import model, node

pytest.importorskip("onnxruntime")

SIDE = 16
PICTURES = np.random.default_rng(0).integers(0, 256, (4, SIDE, SIDE, 3)).astype(np.uint8)


def write(path: Path, kind: str, **attributes: float) -> Path:
    """Two convolutions; between the pooling and the second one, whatever is asked for."""
    random = np.random.default_rng(1)
    nodes = [
        node("Conv", "image w1", "c1", pads=[1, 1, 1, 1]),
        node("MaxPool", "c1", "p1", kernel_shape=[2, 2], strides=[2, 2]),
        node(kind, "p1", "bent", **attributes),
        node("Conv", "bent w2", "features", pads=[1, 1, 1, 1]),
        node("GlobalAveragePool", "features", "pooled"),
        node("Flatten", "pooled", "flat"),
        node("Gemm", "flat w", "answer", transB=1),
    ]
    shapes = {"w1": (6, 3, 3, 3), "w2": (8, 6, 3, 3), "w": (3, 8)}
    weights = {name: (random.normal(size=shape) / 3).astype(np.float32) for name, shape in shapes.items()}
    path.write_bytes(model(nodes, (1, 3, SIDE, SIDE), {"answer": None}, weights))
    return path


def test_the_operator_is_named_and_the_maps_are_plain(tmp_path: Path) -> None:
    path = write(tmp_path / "model.onnx", "ThresholdedRelu", alpha=0.1)

    with pytest.warns(PlainMapsWarning, match="plain maps only: camlite knows no gradient of its operator Thresholded"):
        done = camlite_export.export(path, tmp_path, maps="auto", calibration=PICTURES, preprocess="unit")

    (made,) = done.artifacts
    assert artifact.read(made.path).arrays.guide is None


@pytest.mark.parametrize(("kind", "maps"), [("Relu", "sharp"), ("ThresholdedRelu", "cam")])
def test_nothing_is_said_where_nothing_is_missing_or_nothing_finer_was_asked_for(
    kind: str, maps: str, tmp_path: Path
) -> None:
    path = write(tmp_path / "model.onnx", kind, **({"alpha": 0.1} if kind == "ThresholdedRelu" else {}))

    with warnings.catch_warnings():
        warnings.simplefilter("error", PlainMapsWarning)
        done = camlite_export.export(path, tmp_path, maps=maps, calibration=PICTURES, preprocess="unit")

    assert (artifact.read(done.artifacts[0].path).arrays.guide is not None) == (maps == "sharp")


def test_the_command_says_it_in_a_line(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    from camlite import cli

    path = write(tmp_path / "model.onnx", "ThresholdedRelu", alpha=0.1)

    assert cli.main(["export", str(path), "--output", str(tmp_path), "--maps", "sharp", "--preprocess", "unit"]) == 0
    assert "plain maps only: camlite knows no gradient of its operator ThresholdedRelu" in capsys.readouterr().err
