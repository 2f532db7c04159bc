"""``camlite faithful`` on classifiers of which it is known where they look, on every backend."""

from __future__ import annotations

import json
import os
import re
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from camlite.faithfulness.measures import MEASURES, NAMES
from camlite.system.installing import how_to_install
from support.fresh_process import BACKENDS, one_line, run_camlite
from support.spec_vectors import FOLDER
from support.striped_patches import patches, write_folder

WORKSTATION = ("jinja2", "matplotlib", "scipy", "sklearn", "pycocotools", "tensorflow")


@pytest.fixture(scope="module")
def data(tmp_path_factory) -> Path:
    """``on``: the stripes are the object; ``beside``: they are not."""
    folder = tmp_path_factory.mktemp("patches")
    for name in ("on", "beside"):
        write_folder(folder / name, 10, beside=name == "beside")
    return folder


@pytest.fixture(scope="module")
def on(tiny, data) -> dict[str, Any]:
    """What is found of the stripes' float32 artifact where the stripes are the object."""
    return measured(tiny / "stripes" / "stripes.float32.tflite", data / "on")


def measured(*arguments: Any, **options: Any) -> dict[str, Any]:
    finished = run_camlite("faithful", *arguments, "--json", **options)
    assert finished.returncode == 0, finished.stderr
    return json.loads(finished.stdout)


@pytest.mark.parametrize("precision", ["float32", "int8"])
def test_the_map_of_what_the_classifier_sees_beats_both_controls(tiny, data, backend, precision):
    path = tiny / "stripes" / f"stripes.{precision}.{BACKENDS[backend]}"

    (found,) = measured(path, data / "on", "--backend", backend, without=WORKSTATION)["artifacts"]

    assert (found["backend"], found["pictures"], found["left_out"]) == (backend, 10, [])
    assert list(found["measures"]) == list(NAMES)
    for name in ("insertion", "deletion", "difference", "pointing", "inside"):
        gains = found["measures"][name]["gains"]
        assert gains["random"][1] > 0, name
        assert gains["centre"][1] > 0, name
    assert found["measures"]["pointing"]["artifact"][0] == 1
    assert not {"insertion", "deletion", "difference", "pointing", "inside"} & set(found["no_better_than_random"])


def test_heat_beside_the_object_is_found_there(tiny, data, on):
    (found,) = measured(tiny / "stripes" / "stripes.float32.tflite", data / "beside")["artifacts"]

    beside, on_it = found["measures"], on["artifacts"][0]["measures"]
    assert beside["pointing"]["artifact"][0] == 0
    assert beside["inside"]["artifact"][2] < 0.1 < 0.5 < on_it["inside"]["artifact"][1]
    # Where the object is changes nothing of what needs no masks.
    assert beside["difference"]["artifact"][0] > 0.1


def test_the_json_fits_its_schema_which_names_the_measures_there_are(tiny, data):
    jsonschema = pytest.importorskip("jsonschema")
    schema = json.loads((FOLDER.parent / "faithful.schema.json").read_text("utf-8"))
    content = measured(tiny / "hidden" / "hidden.float32.tflite", data / "on", "--steps", "4")

    jsonschema.Draft202012Validator(schema).validate(content)
    assert content["steps"] == 4
    assert schema["$defs"]["name"]["enum"] == list(NAMES)
    content["artifacts"][0]["measures"]["insertion"]["better"] = "sideways"
    assert not jsonschema.Draft202012Validator(schema).is_valid(content)


def test_on_a_device_it_prints_a_table_per_artifact_and_says_how_to_get_the_pictures(tiny, data):
    paths = [tiny / "stripes" / "stripes.float32.tflite", tiny / "colours" / "colours.float32.tflite"]
    np.savez(data / "plain.npz", images=patches(10, beside=False)[0])

    finished = run_camlite("faithful", *paths, data / "plain.npz", without=WORKSTATION)

    assert (finished.returncode, finished.stderr) == (0, "")
    *tables, last = finished.stdout.split("\n\n")
    assert len(tables) == 3 * len(paths)
    for path, about, figures, verdict in zip(paths, tables[::3], tables[1::3], tables[2::3], strict=True):
        assert re.fullmatch(rf"{re.escape(str(path))}: (plain|fine) map, \d+ x \d+, 10 pictures", about)
        header, *rows = figures.splitlines()
        assert re.split(r"  +", header) == ["measure", "better", "its map", "a random map", "the middle"]
        expected = [(measure.title, measure.better) for measure in MEASURES if not measure.needs_masks]
        assert [tuple(re.split(r"  +", row)[:2]) for row in rows] == expected
        assert verdict.startswith(f"{path}: ")
        assert max(map(len, (header, *rows))) <= 100  # more is broken into two lines by many terminals
    assert "the extra `audit`" in last
    complaint = one_line(run_camlite("faithful", paths[0], data / "on", "--report", "new", without=WORKSTATION))
    assert complaint.endswith(f"{how_to_install('audit')}\n")


def test_where_the_map_is_no_better_than_a_random_one_a_line_says_so(tiny, tmp_path):
    """Noise has no colour at any place: wherever the map points, it points at nothing."""
    noise = np.random.default_rng(0).integers(0, 256, (10, 16, 24)).astype(np.uint8)
    np.savez(tmp_path / "noise.npz", images=noise)
    path = tiny / "colours" / "colours.float32.tflite"

    finished = run_camlite("faithful", path, tmp_path / "noise.npz")

    _, line = (line for line in finished.stdout.splitlines() if line.startswith(f"{path}: "))
    assert re.match(rf"{re.escape(str(path))}: not better than a random map by \d of \d measures: ", line)
    assert "insertion - deletion" in line


def test_masks_may_lie_in_a_folder_of_their_own_and_the_same_pictures_give_the_same_figures(tiny, data, on, tmp_path):
    path = tiny / "stripes" / "stripes.float32.tflite"
    shutil.copytree(data / "on" / "images", tmp_path / "photos")
    shutil.copytree(data / "on" / "masks", tmp_path / "outlines")

    apart = measured(path, "photos", "--masks", "outlines", cwd=tmp_path)

    assert apart["artifacts"] == on["artifacts"]
    complaint = one_line(run_camlite("faithful", path, "photos", "--masks", "nowhere", cwd=tmp_path))
    assert complaint.startswith("camlite: nowhere: no such folder")


def test_a_picture_that_cannot_be_read_is_a_line_and_the_others_are_measured(tiny, data, tmp_path):
    shutil.copytree(data / "on", tmp_path / "some")
    bad = sorted((tmp_path / "some" / "images").rglob("*.png"))[3]
    bad.write_bytes(b"no picture")

    finished = run_camlite("faithful", tiny / "stripes" / "stripes.float32.tflite", tmp_path / "some", "--json")

    assert finished.returncode == 1
    assert finished.stderr.count("\n") == 1
    assert finished.stderr.startswith(f"camlite: left out: {bad}: ")
    (found,) = json.loads(finished.stdout)["artifacts"]
    assert (found["pictures"], len(found["left_out"])) == (9, 1)


def test_the_same_pictures_have_the_same_figures_in_another_order_and_beside_a_bad_one(tiny, data, on, tmp_path):
    """Random maps, ROAD's noise and the resampling are drawn by the picture, not by its place in a folder."""
    images, masks = (sorted((data / "on" / kind).rglob("*.png")) for kind in ("images", "masks"))
    for kind, files in (("images", images), ("masks", masks)):
        folder = tmp_path / "other" / kind / files[0].parent.name
        folder.mkdir(parents=True)
        for number, file in enumerate(reversed(files)):
            shutil.copy(file, folder / f"z{number}.png")
        shutil.copy(masks[0], folder / "a bad one.png")
    next((tmp_path / "other" / "images").rglob("a bad one.png")).write_bytes(b"no picture")

    finished = run_camlite("faithful", tiny / "stripes" / "stripes.float32.tflite", tmp_path / "other", "--json")

    (found,) = json.loads(finished.stdout)["artifacts"]
    assert len(found["left_out"]) == 1
    assert found["measures"] == on["artifacts"][0]["measures"]


def test_a_measure_of_too_few_pictures_is_none_that_a_map_is_better_by(tiny, tmp_path):
    """Masks of 3 of 12 pictures: nothing is known of how the map lies on objects."""
    images, _, masks = patches(12, beside=False)
    masks[3:] = 0
    np.savez(tmp_path / "some.npz", images=images, masks=masks)
    path = tiny / "stripes" / "stripes.float32.tflite"

    finished = run_camlite("faithful", path, tmp_path / "some.npz")

    *_, last = (line for line in finished.stdout.splitlines() if line.startswith(f"{path}: "))
    expected = "fewer than 10 different pictures, too few to tell: pointing game (3), "
    assert last == f"{path}: {expected}heat on the object (3)"
    assert "every measure that judges" not in finished.stdout


def test_an_artifact_that_cannot_be_opened_is_a_line_and_the_others_are_measured(tiny, data):
    finished = run_camlite("faithful", "no.tflite", tiny / "stripes" / "stripes.int8.tflite", data / "on", "--json")

    assert finished.returncode == 2
    assert finished.stderr.startswith("camlite: no.tflite: cannot read it")
    assert len(json.loads(finished.stdout)["artifacts"]) == 1


def test_of_few_pictures_it_says_that_they_are_too_few(tiny, tmp_path):
    np.savez(tmp_path / "few.npz", images=patches(3, beside=False)[0])

    finished = run_camlite("faithful", tiny / "stripes" / "stripes.int8.tflite", tmp_path / "few.npz")

    assert "3 different pictures: too few to tell; give it at least 10" in finished.stdout


@pytest.mark.parametrize(
    ("arguments", "part"),
    [
        (["{tiny}/stripes.float32.tflite", "nowhere"], "nowhere: no such file or folder"),
        (["{tiny}/stripes.float32.tflite"], "the following arguments are required: data"),
        (["{tiny}/stripes.float32.tflite", "bad"], "bad/a.png: "),
        (["{tiny}/stripes.float32.tflite", "bad", "--steps", "0"], "whole number above 0"),
    ],
)
def test_what_it_cannot_use_is_one_line(tiny, tmp_path, arguments, part):
    (tmp_path / "bad").mkdir()
    (tmp_path / "bad" / "a.png").write_bytes(os.urandom(20))
    given = [one.format(tiny=tiny / "stripes") for one in arguments]

    assert part in one_line(run_camlite("faithful", *given, cwd=tmp_path))
