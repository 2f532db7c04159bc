"""Networks of torch through both of its exporters: the file's own scores, and the evidence that torch itself computes.

Two small networks of our own lie beside this file; those of timm, torchvision, transformers and Ultralytics are made by
``python -m support.torch_models FOLDER`` in an environment of torch, and tried with ``-m endurance`` and
TORCH_MODELS_DIR.
"""

from __future__ import annotations

import os
from pathlib import Path

import pytest

import camlite_export
from camlite.errors import ClassifierError
from support import torch_agreement
from support.fresh_process import fresh_process
from support.torch_models import NETWORKS

pytest.importorskip("onnxruntime")

SMALL = Path(__file__).with_name("torch_files")
FOLDER = os.environ.get("TORCH_MODELS_DIR")
EXPORTERS = ("script", "dynamo")

# Relative to the largest of the image; 9e-7 was the most of the small ones.
EVIDENCE, COMPLETENESS = 2e-5, 1e-4


def agree(folder: Path, name: str, exporter: str, output: Path) -> None:
    file = folder / f"{name}.{exporter}.onnx"
    labels = [f"class {k}" for k in range(NETWORKS[name].classes)]  # of SqueezeNet only these say that it is one
    pixels = {"mean": (0.485, 0.456, 0.406), "std": (0.229, 0.224, 0.225)}
    layer = NETWORKS[name].layers.get(exporter)
    if layer is not None:
        with pytest.raises(ClassifierError, match="its evidence cancels out"):
            camlite_export.export(file, output, labels=labels, **pixels)
    exported = camlite_export.export(file, output, labels=labels, layer=layer, **pixels)
    (made,) = exported.artifacts
    assert made.verdict == "checked", made.failures

    with fresh_process() as process:
        found = process.submit(torch_agreement.compare, file, made.path, folder / f"{name}.npz").result()

    assert found.scores == 0  # to the bit
    assert max(found.features, found.logits, found.evidence) <= EVIDENCE
    assert (found.completeness is not None) == NETWORKS[name].adds_up
    assert (found.completeness or 0) <= COMPLETENESS


@pytest.mark.parametrize("exporter", EXPORTERS)
@pytest.mark.parametrize("name", [name for name, one in NETWORKS.items() if one.library == "small"])
def test_a_small_network_is_explained_as_torch_explains_it(name, exporter, tmp_path):
    agree(SMALL, name, exporter, tmp_path)


@pytest.mark.endurance
@pytest.mark.skipif(not FOLDER, reason="TORCH_MODELS_DIR is not set")
@pytest.mark.parametrize("exporter", EXPORTERS)
@pytest.mark.parametrize("name", [name for name, one in NETWORKS.items() if one.library != "small"])
def test_a_network_of_a_library_is_explained_as_torch_explains_it(name, exporter, tmp_path):
    if not Path(FOLDER, f"{name}.npz").exists():
        pytest.skip("it was not made")
    agree(Path(FOLDER), name, exporter, tmp_path)
