"""`camlite.audit` on an artifact with a guide: it measures on the cells of fine evidence."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

import camlite
from camlite.artifact.evidence_methods import EvidenceMethod
from camlite.audit.image_figures import Measuring
from camlite.images.masked_source import Source
from support.fresh_process import run_camlite
from support.guided_artifacts import ALL, TOP
from support.spec_guided import by_the_formula
from support.striped_patches import patches

pytest.importorskip("onnxruntime")


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("patches") / "data.npz"
    images, classes, masks = patches(6, beside=False)
    np.savez(path, images=images, classes=classes, masks=masks)
    return path


def measuring(path: Path, data: Path) -> tuple[camlite.Explainer, Measuring, np.ndarray]:
    explainer = camlite.load(path)
    opened = Source(data).open(explainer.labels)
    return explainer, Measuring(explainer, opened), opened.images[0]


@pytest.mark.parametrize("audited", [0, 1, 2])
def test_evidence_beyond_what_all_classes_share_goes_by_the_guide_of_the_audited_class(audited, data):
    explainer, measure, pixels = measuring(ALL, data)
    seen = explainer.explain(pixels, range(3))

    *_, found = measure.evidence(pixels, audited)

    beyond = seen.evidence[audited] - seen.evidence.mean(axis=0)
    guide = explainer.artifact.arrays.guide
    expected = by_the_formula(beyond, explainer.artifact.card.head.window, seen.guide[audited], guide)
    np.testing.assert_allclose(found, expected, atol=1e-5 * np.abs(expected).max())


def test_of_a_class_without_a_guide_it_is_spread_evenly_around_its_cells(data):
    explainer, measure, pixels = measuring(TOP, data)
    seen = explainer.explain(pixels, range(3))
    top = int(seen.scores.argmax())
    guide, window = explainer.artifact.arrays.guide, explainer.artifact.card.head.window

    for audited in range(3):
        *_, found = measure.evidence(pixels, audited)

        beyond = seen.evidence[audited] - seen.evidence.mean(axis=0)
        told = explainer.explain(pixels).guide if audited == top else np.zeros((8, 12))
        expected = by_the_formula(beyond, window, told, guide)
        np.testing.assert_allclose(found, expected, atol=1e-5 * np.abs(expected).max())


def test_shares_and_regions_are_those_of_the_finer_cells(data):
    explainer, measure, _ = measuring(TOP, data)

    figures = measure(range(6))

    assert measure.window == explainer.artifact.arrays.guide.window
    assert figures.maps.shape == (6, 8, 12)
    assert figures.maps.sum(axis=(1, 2)) == pytest.approx(1)


def test_the_command_judges_by_it(data):
    finished = run_camlite("audit", ALL, data, "--json")

    assert finished.returncode in (0, 1), finished.stderr
    assert {one["verdict"] for one in json.loads(finished.stdout)["classes"]} <= {"object", "undecided"}


def test_every_way_of_making_evidence_has_a_map_of_the_grid(data, monkeypatch):
    """As if the model gave evidence itself, of all classes or of the top one only: no artifact of these tests does."""
    explainer, measure, pixels = measuring(ALL, data)
    named = int(explainer.explain(pixels).scores.argmax())
    traits: dict[EvidenceMethod, tuple[range | None, bool]] = {"graph": (range(3), True), "gradient_top": (None, False)}
    for every_class, any_class in traits.values():
        monkeypatch.setattr(measure, "_contrast", None)
        monkeypatch.setattr(measure, "_every_class", every_class)
        monkeypatch.setattr(camlite.Explainer, "any_class", any_class)
        for audited in (named, (named + 1) % 3):
            *_, found = measure.evidence(pixels, audited)
            assert found.shape == (8, 12)
            assert found.any() == (any_class or audited == named)
