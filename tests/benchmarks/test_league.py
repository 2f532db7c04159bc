"""`make faithful`: its page is made of its figures, and camlite's own rows go the way of the whole league."""

from __future__ import annotations

import importlib
import json
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from camlite import artifact
from camlite.faithfulness.measures import NAMES
from support.spec_vectors import FOLDER as VECTORS

ROOT = Path(__file__).resolve().parents[2]
LEAGUE = ROOT / "benchmarks" / "faithful"


@pytest.fixture(autouse=True)
def _scripts(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(str(LEAGUE))


def script(name: str) -> Any:
    return importlib.import_module(name)


def test_the_page_is_the_one_that_its_figures_make() -> None:
    found = json.loads((LEAGUE / "results.json").read_text(encoding="utf-8"))

    assert (ROOT / "docs" / "faithfulness.md").read_text(encoding="utf-8") == script("league_page").text(found)


def test_the_page_tells_every_row_that_was_measured() -> None:
    found = json.loads((LEAGUE / "results.json").read_text(encoding="utf-8"))
    page = script("league_page").text(found)

    for network in found["networks"].values():
        assert {"camlite.plain.float32", "control.random"} <= {row["name"] for row in network["rows"]}
        for row in network["rows"]:
            assert row["title"] in page


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Two striped pictures of a tiny classifier, as `networks.py` leaves them for everybody."""
    read = artifact.read(VECTORS / "guided_top.float32.onnx")
    (tmp_path / "bare.onnx").write_bytes(read.model)
    pixels = read.card.preprocessing
    for name in ("plain", "two"):
        shutil.copy(VECTORS / "guided_top.float32.tflite", tmp_path / f"{name}.float32.tflite")
    images = np.random.default_rng(0).integers(0, 256, (2, pixels.height, pixels.width, pixels.channels), np.uint8)
    masks = np.zeros(images.shape[:3], np.bool_)
    masks[:, : pixels.height // 2] = True
    std = np.float32(1 / pixels.scale[0])
    mean = np.float32(-pixels.offset[0] * std)
    original = script("judge").Original(tmp_path / "bare.onnx", mean, std)
    scores = original(images)
    np.savez(
        tmp_path / "task.npz", images=images, masks=masks, scores=scores, classes=scores.argmax(axis=1),
        mean=mean, std=std, layers=np.array(["a", "b", "c"]),
        sizes=np.array([1, 2, 3]),
    )  # fmt: skip
    return tmp_path


def test_camlites_own_rows_are_explained_judged_and_compared(folder: Path) -> None:
    for name in ("plain.float32", "two.float32"):
        maps, seconds = script("rival_camlite").explain(folder, name)
        assert maps.shape == np.load(folder / "task.npz")["images"].shape[:3]
        assert maps.min() >= 0
        assert maps.max() == 1
        assert (seconds > 0).all()
        script("turns").save(folder, f"camlite.{name}", maps, seconds, range(2), np.nan)
    (folder / "judged").mkdir()
    for name in ("camlite.plain.float32", "camlite.two.float32", "control.random"):
        values = script("judge").judge(folder, name)
        assert not np.isnan(values[:, [NAMES.index(one) for one in script("league").MEASURES]]).any()
        np.savez(folder / "judged" / f"{name}.npz", values=values)

    found = script("results").collect(folder)

    assert found["pictures"] == 2
    plain, two, random = found["rows"]
    assert two["level"] == plain["level"] == len(script("league").MEASURES)  # the same artifact: nobody is behind
    assert plain["ratio"] > 0
    assert "level" not in random


def test_who_is_certainly_behind_the_first_is_not_level_with_it() -> None:
    random, best = np.random.default_rng(0), np.zeros((40, len(NAMES)))
    deletion = NAMES.index("deletion")
    best[:, deletion] = random.uniform(0.1, 0.2, 40)
    worse, near = best.copy(), best.copy()
    worse[:, deletion] += random.uniform(0.0, 0.1, 40)
    near[:, deletion] += random.normal(0.001, 0.1, 40)

    found = script("results").compare({"best": best, "worse": worse, "near": near}, ["deletion"])

    assert {name: script("results").level(of["deletion"]) for name, of in found.items()} == {
        "best": True,
        "worse": False,
        "near": True,
    }


def test_a_copy_of_the_network_with_other_scores_does_not_take_part() -> None:
    turns = script("turns")
    task = turns.Task(np.zeros((1, 2, 2, 1)), np.zeros(1), np.array([[0.25, 0.75]]), ("a", "b", "c"))

    assert turns.check_scores(task, np.array([[0.25, 0.75]])) == 0
    with pytest.raises(ValueError, match="not the same network"):
        turns.check_scores(task, np.array([[0.26, 0.74]]))
