"""A mark in a corner of two classes is found without masks."""

from __future__ import annotations

import json
import os
from pathlib import Path

import numpy as np
import pytest

from camlite_export.audit.heatmap_clusters import groups
from fashion_mnist import data
from support.fresh_process import run_camlite
from support.marked_fashion import MARKED
from support.reference_classifier import run


@pytest.fixture(scope="module")
def marked(tmp_path_factory: pytest.TempPathFactory) -> Path:
    if "FASHION_MNIST_DIR" not in os.environ:
        pytest.skip("needs FASHION_MNIST_DIR")
    folder = tmp_path_factory.mktemp("marked")
    finished = run(Path(__file__).parents[1] / "support" / "marked_fashion.py", folder)
    assert finished.returncode == 0, finished.stderr
    return folder


def test_the_classes_with_a_mark_are_pointed_at_and_no_others(marked: Path) -> None:
    finished = run_camlite("audit", marked / "marked.int8.tflite", marked / "marked.npz", "--json")

    found = {one["label"]: one["region"] for one in json.loads(finished.stdout)["classes"]}
    assert {label for label, region in found.items() if region} == {data.LABELS[k] for k in MARKED}
    assert set(found.values()) == {None, "corners"}
    assert finished.returncode == 0  # without masks nobody knows what the object is


def test_their_mean_heatmap_is_hottest_at_the_mark(marked: Path, tmp_path: Path) -> None:
    run_camlite("audit", marked / "marked.int8.tflite", marked / "marked.npz", "--resume", tmp_path / "kept")
    parts = [dict(np.load(file)) for file in sorted((tmp_path / "kept").glob("*.npz"))]
    maps, audited, named = (np.concatenate([part[name] for part in parts]) for name in ("maps", "audited", "named"))
    for row, k in zip((1, 5), MARKED, strict=True):
        mine = maps[(audited == k) & (named == k)]
        hottest = np.unravel_index(mine.mean(axis=0).argmax(), mine.shape[1:])
        assert abs(hottest[0] - row) <= 1
        assert hottest[1] >= 5
        assert sum(group.share for group in groups(mine)) == pytest.approx(1)
