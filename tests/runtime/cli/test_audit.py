"""``camlite audit`` on a classifier of which it is known where it looks, on every backend."""

from __future__ import annotations

import json
import re
import shutil
from pathlib import Path

import numpy as np
import pytest

from camlite.system.installing import how_to_install
from support.fresh_process import BACKENDS, one_line, run_camlite
from support.striped_patches import patches, write_folder

WORKSTATION = ("jinja2", "matplotlib", "sklearn", "pycocotools", "tensorflow", "ray")


@pytest.fixture(scope="module")
def data(tmp_path_factory) -> Path:
    """``on``: the stripes are the object; ``beside``: they are not."""
    folder = tmp_path_factory.mktemp("patches")
    for name in ("on", "beside"):
        write_folder(folder / name, 40, beside=name == "beside")
    return folder


def artifact(tiny: Path, precision: str, backend: str) -> Path:
    return tiny / "stripes" / f"stripes.{precision}.{BACKENDS[backend]}"


@pytest.mark.parametrize("precision", ["float32", "int8"])
def test_it_tells_the_object_from_what_lies_beside_it(tiny, data, backend, precision):
    path = artifact(tiny, precision, backend)

    on, beside = (
        run_camlite("audit", path, data / name, "--json", "--backend", backend, without=WORKSTATION)
        for name in ("on", "beside")
    )

    assert (on.returncode, beside.returncode) == (0, 1), on.stderr + beside.stderr
    assert {one["verdict"] for one in json.loads(on.stdout)["classes"]} == {"object"}
    assert {one["verdict"] for one in json.loads(beside.stdout)["classes"]} == {"context"}


def test_on_a_device_it_prints_its_table_and_says_how_to_get_the_pictures(tiny, data):
    path = tiny / "stripes" / "stripes.float32.tflite"

    finished = run_camlite("audit", path, data / "on", without=WORKSTATION)

    assert (finished.returncode, finished.stderr) == (0, "")
    header, first, second, last = finished.stdout.splitlines()
    assert header.startswith("class       images  verdict  evidence on the object")
    assert first.split()[:3] == ["horizontal", "20", "object"]
    assert second.split()[:3] == ["vertical", "20", "object"]
    assert "the extra `audit`" in last
    complaint = one_line(run_camlite("audit", path, data / "on", "--report", "new", without=WORKSTATION))
    assert complaint.endswith(f"{how_to_install('audit')}\n")


def test_without_masks_it_gives_no_verdict(tiny, data):
    finished = run_camlite("audit", tiny / "stripes" / "stripes.float32.tflite", data / "beside" / "images", "--json")

    assert finished.returncode == 0
    assert {one["verdict"] for one in json.loads(finished.stdout)["classes"]} == {"no masks"}


def test_without_masks_the_table_says_what_it_holds_in_place_of_a_verdict(tiny, data):
    printed = run_camlite("audit", tiny / "stripes" / "stripes.float32.tflite", data / "beside" / "images").stdout

    header, *rows, note, _ = printed.splitlines()
    assert re.split("  +", header)[2] == "suspect region"
    assert all(re.split("  +", row)[2] in ("sky", "ground", "border", "corners", "none") for row in rows)
    assert note == ("no masks, so no verdict: a suspect region is one that the score follows more than all the rest")


def test_images_without_classes_are_audited_for_the_class_that_is_named(tiny, tmp_path):
    np.savez(tmp_path / "images.npz", images=patches(40, beside=False)[0])

    finished = run_camlite("audit", tiny / "stripes" / "stripes.float32.tflite", tmp_path / "images.npz", "--json")

    found = {one["label"]: (one["images"], one["verdict"]) for one in json.loads(finished.stdout)["classes"]}
    assert found == {"horizontal": (20, "no masks"), "vertical": (20, "no masks")}


def test_a_class_without_masks_shows_no_object_and_is_judged_by_the_others(tiny, tmp_path):
    write_folder(tmp_path, 40, beside=False)
    shutil.rmtree(tmp_path / "masks" / "vertical")

    finished = run_camlite("audit", tiny / "stripes" / "stripes.float32.tflite", tmp_path)

    assert finished.returncode == 0, finished.stderr
    _, masked, unmasked, note, _ = finished.stdout.splitlines()
    assert masked.split()[:4] == ["horizontal", "20", "object", "71%"]
    assert unmasked.split()[:4] == ["vertical", "20", "object", "*"]
    assert note == "* shows no object: judged by the counterfactual only"


@pytest.mark.parametrize("name", ["stripes", "hidden", "colours"])
def test_where_no_image_is_named_as_labelled_nothing_is_decided(name, tiny, tmp_path):
    images, classes, masks = patches(40, beside=False)
    np.savez(tmp_path / "wrong.npz", images=images, classes=1 - classes, masks=masks)

    finished = run_camlite("audit", tiny / name / f"{name}.float32.tflite", tmp_path / "wrong.npz", "--json")

    found = [(one["images"], one["of"], one["verdict"]) for one in json.loads(finished.stdout)["classes"]]
    assert found == [(0, 20, "undecided")] * 2


@pytest.mark.parametrize("name", ["on", "beside"])
def test_evidence_in_the_graph_is_judged_as_that_of_class_weights(name, tiny, data):
    """Less what all classes share, as there."""
    found = [
        json.loads(run_camlite("audit", tiny / kind / f"{kind}.float32.tflite", data / name, "--json").stdout)
        for kind in ("stripes", "graph")
    ]

    for expected, received in zip(*(one["classes"] for one in found), strict=True):
        assert received["verdict"] == expected["verdict"]
        assert received["inside"] == pytest.approx(expected["inside"], abs=1e-5)


def test_a_head_with_gradients_in_the_graph_is_audited_as_well(tiny, data):
    finished = run_camlite("audit", tiny / "hidden" / "hidden.float32.tflite", data / "on", "--json")

    assert {one["verdict"] for one in json.loads(finished.stdout)["classes"]} == {"object"}, finished.stderr


def test_a_run_that_was_stopped_goes_on_where_it_was_with_the_same_figures(tiny, data, tmp_path):
    path, kept = tiny / "stripes" / "stripes.float32.tflite", tmp_path / "kept"
    whole = run_camlite("audit", path, data / "on", "--json")
    run_camlite("audit", path, data / "on", "--json", "--resume", kept)
    damaged = kept / "000000032.npz"
    damaged.write_bytes(damaged.read_bytes()[:-100])
    before = (kept / "000000000.npz").stat().st_mtime_ns

    again = run_camlite("audit", path, data / "on", "--json", "--resume", kept)

    assert (again.stdout, again.stderr) == (whole.stdout, "")
    assert (kept / "000000000.npz").stat().st_mtime_ns == before
    other = one_line(run_camlite("audit", path, data / "beside", "--resume", kept))
    assert "keeps an audit of other images or another artifact; choose another --resume" in other


@pytest.mark.parametrize(
    ("arguments", "part"),
    [
        (["{tiny}/stripes.float32.tflite", "nowhere"], "nowhere: no such file or folder"),
        (["{tiny}/stripes.float32.tflite", "empty"], "empty: no images in this folder"),
        (["nothing.tflite", "empty"], "nothing.tflite: cannot read it"),
        (
            ["{tiny}/stripes.float32.tflite", "small.npz", "--resume", "full"],
            "full: holds something else than an audit",
        ),
        (["{tiny}/stripes.float32.tflite", "wrong.npz"], "expected `masks` bool or uint8 (2, H, W)"),
    ],
)
def test_what_it_cannot_use_is_one_line(tiny, tmp_path, arguments, part):
    (tmp_path / "empty").mkdir()
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / "thesis.tex").touch()
    images, classes, masks = patches(2, beside=False)
    np.savez(tmp_path / "small.npz", images=images, classes=classes)
    np.savez(tmp_path / "wrong.npz", images=images, classes=classes, masks=masks.astype(float))
    given = [one.format(tiny=tiny / "stripes") for one in arguments]

    assert part in one_line(run_camlite("audit", *given, cwd=tmp_path))
