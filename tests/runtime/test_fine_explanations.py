"""`camlite.Explanation` of artifacts with a guide: what is fine, what is made of it, and what is refused."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

import camlite
from camlite import AnswerError, ArtifactError, artifact
from camlite.artifact.card import WHOLE, Window
from camlite.artifact.map_choice import MeasuredMap
from camlite.images import picture_files
from camlite.maps import cam, hot_region, resize
from camlite.maps.resize import Resizing
from camlite.show import drawing
from support import fresh_process
from support.fresh_process import BACKENDS, run_camlite
from support.guided_artifacts import ALL, STRIPED, TOP, changed, guide_changed
from support.spec_guided import by_the_formula
from support.spec_vectors import FOLDER

pytest.importorskip("onnxruntime")

PIXELS = STRIPED[1:-1, 1:-1]
LABELS = ("horizontal", "vertical", "plain")


@pytest.fixture(scope="module")
def of_all() -> camlite.Explainer:
    return camlite.load(ALL)


@pytest.fixture(scope="module")
def of_top() -> camlite.Explainer:
    return camlite.load(TOP)


def test_fine_evidence_of_the_top_class_has_the_size_of_the_guide_and_the_sum_of_evidence(of_all, of_top):
    for explainer, pixels in ((of_all, PIXELS), (of_top, STRIPED)):
        seen = explainer.explain(pixels)

        assert seen.label == "vertical"
        assert (seen.fine.dtype, seen.fine.shape) == (seen.guide.dtype, seen.guide.shape) == (np.float32, (8, 12))
        assert seen.evidence.shape in ((4, 6), (2, 4))
        assert seen.fine.sum() == pytest.approx(seen.evidence.sum(), rel=1e-5)


def test_it_is_made_of_evidence_and_guide_by_the_formula(of_all, of_top):
    for explainer, pixels in ((of_all, PIXELS), (of_top, STRIPED)):
        seen, read = explainer.explain(pixels), explainer.artifact

        expected = by_the_formula(seen.evidence, read.card.head.window, seen.guide, read.arrays.guide)
        np.testing.assert_allclose(seen.fine, expected, atol=1e-5 * np.abs(expected).max())


def test_evidence_stays_what_it_is_without_a_guide(of_all):
    seen, weights = of_all.explain(PIXELS), of_all.artifact.arrays.weights

    np.testing.assert_allclose(seen.evidence, cam.evidence(seen.features, weights, seen.classes)[0], atol=1e-6)


def test_every_class_has_one_where_the_guide_is_of_all(of_all):
    seen = of_all.explain(PIXELS, range(3))

    assert seen.fine.shape == seen.guide.shape == (3, 8, 12)
    for k in range(3):
        np.testing.assert_allclose(of_all.explain(PIXELS, [k]).fine[0], seen.fine[k], atol=1e-6)
    assert of_all.explain(PIXELS, ["plain", "horizontal"]).fine.shape == (2, 8, 12)


def test_other_classes_have_none_where_the_guide_is_of_the_top_class(of_top):
    top, other, both = (of_top.explain(STRIPED, classes) for classes in (["vertical"], ["plain"], range(3)))

    assert top.fine.shape == (1, 8, 12)
    assert (other.fine, other.guide, both.fine) == (None, None, None)
    assert (top.finest.kind, other.finest.kind, both.finest.kind) == ("fine", "plain", "plain")


def test_against_another_class_it_adds_up_to_the_difference_of_the_logits(of_all, of_top):
    seen, every = of_all.explain(PIXELS, against="plain"), of_all.explain(PIXELS, range(3))

    np.testing.assert_allclose(seen.fine, every.fine[1] - every.fine[2], atol=1e-6)
    bias = of_all.artifact.arrays.bias
    logits = cam.logits(seen.features, of_all.artifact.arrays.weights, bias)
    assert seen.fine.sum() + bias[1] - bias[2] == pytest.approx(logits[1] - logits[2], abs=1e-5)
    assert of_all.explain(PIXELS, [0, 1], against=2).fine.shape == (2, 8, 12)
    assert of_top.explain(STRIPED, against="plain").fine is None


def test_the_heatmap_is_made_of_it_over_its_own_window(of_top):
    seen = of_top.explain(STRIPED)
    guide = of_top.artifact.arrays.guide

    expected = resize.heatmap(seen.fine, Resizing((8, 12), (10, 14), guide.window))

    assert guide.window != of_top.artifact.card.head.window
    assert seen.finest.window == guide.window
    np.testing.assert_array_equal(seen.heatmap, expected)
    drawn = resize.heatmap(seen.fine, Resizing((8, 12), (10, 14), guide.window, smooth=True))
    np.testing.assert_array_equal(seen.spread(10, 14), drawn)
    plain = of_top.explain(STRIPED, [0])
    np.testing.assert_array_equal(
        plain.heatmap[0], resize.heatmap(plain.evidence[0], Resizing((2, 4), (10, 14), plain.finest.window))
    )


def test_pictures_are_drawn_of_it(of_top):
    pytest.importorskip("PIL.Image")
    seen = of_top.explain(STRIPED)
    fine, overlay = drawing.draw(seen, drawing.Drawing("heatmap", text=False)), seen.overlay()

    seen.fine = None

    assert (fine != drawing.draw(seen, drawing.Drawing("heatmap", text=False))).any()
    assert (overlay != seen.overlay()).any()


def test_its_record_says_which_map_it_is_of(of_top):
    fine, plain = (of_top.explain(STRIPED, classes).to_dict() for classes in (None, ["plain"]))
    window, head = of_top.artifact.arrays.guide.window, of_top.artifact.card.head.window

    assert (fine["map"], plain["map"]) == ("fine", "plain")
    assert np.shape(fine["explained"][0]["evidence"]) == (8, 12)
    assert np.shape(plain["explained"][0]["evidence"]) == (2, 4)
    assert fine["grid"]["top"] == pytest.approx(window.top * 10)
    assert plain["grid"]["top"] == pytest.approx(head.top * 10)
    seen = of_top.explain(STRIPED)
    assert fine["explained"][0]["peak"]["evidence"] == pytest.approx(seen.fine.max())
    found = hot_region.find(seen.heatmap, (slice(0, 10), slice(0, 14)))
    assert tuple(fine["explained"][0]["box"].values()) == found.box


def test_completeness_is_that_of_fine_evidence_too(of_all):
    seen = of_all.explain(PIXELS, [0, 2])
    assert seen.completeness < 1e-5

    seen.fine[1, 0, 0] += 9.0

    assert seen.completeness > 0.01
    contrast = of_all.explain(PIXELS, [0, 1], against=2)
    assert contrast.completeness < 1e-5
    contrast.fine[0, 0, 0] += 9.0
    assert contrast.completeness > 0.01


def test_completeness_that_is_no_number_stays_none(of_all):
    seen = of_all.explain(PIXELS)
    seen.fine[0, 0] = np.nan

    assert np.isnan(seen.completeness)


@pytest.mark.parametrize("factors", [(3e38, 3e38), (3e38, -3e38)], ids=["inf", "-inf"])
def test_a_guide_that_is_not_finite_is_no_answer(factors, tmp_path):
    path = changed(ALL, tmp_path / "a.onnx", factors)
    explainer = camlite.load(path)

    for classes, against in ((None, None), ([1], None), (None, 2)):
        with pytest.raises(AnswerError, match="expected finite fine evidence: run `camlite check`"):
            explainer.explain(PIXELS, classes, against=against)
    told = explainer.explain(PIXELS, finite=False)
    assert np.isnan(told.fine).all()
    assert np.isfinite(told.evidence).all()
    failures = camlite.check(explainer).failures
    assert [one.split(",")[0] for one in failures] == ["evidence error is nan", "completeness is nan"]


def test_a_guide_of_another_scale_gives_the_same(of_all, tmp_path):
    path = changed(ALL, tmp_path / "a.onnx", (1e-20, 1e-12))

    found, expected = (one.explain(PIXELS).fine for one in (camlite.load(path), of_all))

    assert expected.std() > 0
    np.testing.assert_allclose(found, expected, atol=1e-4 * np.abs(expected).max())


def test_the_self_check_holds_fine_evidence_against_golden_samples(tmp_path):
    assert camlite.check(camlite.load(ALL)).passed
    golden = artifact.read(ALL).arrays.golden_fine

    found = camlite.check(camlite.load(changed(ALL, tmp_path / "a.onnx", golden_fine=golden * np.float32(1.01))))

    (failure,) = found.failures
    assert failure.startswith("evidence error is 0.0")


def test_the_self_check_finds_a_guide_that_says_something_else(tmp_path):
    """Evidence and scores are right, and every fine map adds up."""
    found = camlite.check(camlite.load(changed(ALL, tmp_path / "a.onnx", (-1.0,))))

    (failure,) = found.failures
    assert failure.startswith("evidence error is ")


def test_the_self_check_looks_at_fine_evidence_only_where_the_artifact_gives_it(tmp_path):
    """The guide is of the top class, and Keras has named another: its evidence is there, its fine evidence is not."""
    arrays = artifact.read(TOP).arrays
    scores = np.roll(arrays.golden_scores, 1, axis=1)
    weights, features = arrays.weights, [camlite.load(TOP).explain(image).features for image in arrays.golden_images]
    evidence = np.stack(
        [cam.evidence(one, weights, [int(of.argmax())])[0] for one, of in zip(features, scores, strict=True)]
    )
    path = changed(TOP, tmp_path / "a.onnx", golden_scores=scores, golden_evidence=evidence)

    found = camlite.check(camlite.load(path))

    assert [one.evidence_error for one in found.samples] == pytest.approx([0] * len(scores), abs=1e-5)


@pytest.mark.parametrize(
    ("fields", "said"),
    [
        ({"classes": "top"}, "'guide': (8, 12, 3)"),
        ({"height": 4}, "its card says"),
    ],
)
def test_a_guide_that_is_not_the_models_is_refused(fields, said, tmp_path):
    arrays = artifact.read(ALL).arrays
    height = fields.get("height", 8)
    path = changed(
        ALL, tmp_path / "a.onnx", golden_fine=arrays.golden_fine[:, :height], **guide_changed(arrays, **fields)
    )

    with pytest.raises(ArtifactError, match=r"the model has outputs .*; export it again") as refused:
        camlite.load(path)

    assert said in str(refused.value)


def test_a_model_with_a_guide_that_nobody_speaks_of_is_refused(tmp_path):
    path = changed(ALL, tmp_path / "a.onnx", golden_fine=None, maps=None)

    with pytest.raises(ArtifactError, match="the model has outputs"):
        camlite.load(path)


def test_a_guide_is_refused_that_leaves_a_cell_without_a_place(tmp_path):
    arrays = artifact.read(ALL).arrays
    path = changed(ALL, tmp_path / "a.onnx", **guide_changed(arrays, radius=0.5, window=Window(0.5, 0.0, 1.0, 1.0)))

    with pytest.raises(ArtifactError, match=r"a.onnx: row 0 of the evidence has no row of the guide within radius 0.5"):
        camlite.load(path)


def test_the_command_line_says_where_maps_are_plain_though_the_artifact_has_fine_ones(tmp_path):
    picture_files.write(tmp_path / "striped.png", STRIPED)

    def told(*options):
        return run_camlite("explain", TOP, tmp_path / "striped.png", *options, cwd=tmp_path).stdout

    assert "plain maps" not in told()
    assert "plain maps where another class" in told("--top", "2")
    assert "plain maps where another class" in told("--against", "plain")


def test_inspect_shows_the_chosen_map_where_others_measured_better(tmp_path):
    measured = tuple(MeasuredMap(f"guide {name}", 0.9 - place / 100, 0.1) for place, name in enumerate("abcde"))
    maps = artifact.read(TOP).arrays.maps._replace(measured=measured, chosen="guide e: the cheapest")
    path = changed(TOP, tmp_path / "a.onnx", maps=maps)

    shown = run_camlite("inspect", path).stdout

    assert [f"guide {name}: insertion" in shown for name in "abcde"] == [True, True, True, False, True]
    assert "1 other\n" in shown


def test_inspect_says_what_guides_it_and_what_was_measured():
    fine, plain = (run_camlite("inspect", FOLDER / name) for name in ("guided_top.float32.tflite", "bgr.int8.tflite"))

    assert "fine evidence  8 x 12, of the top class only; guided by edges, radius 1.5, floor 0; cells" in fine.stdout
    assert "maps           guide edges: insertion 0.750, deletion 0.125" in fine.stdout
    assert "\n               cam: insertion 0.500, deletion 0.250" in fine.stdout
    assert "chosen         made up, for this vector" in fine.stdout
    assert not any(word in plain.stdout for word in ("fine evidence", "maps ", "chosen"))


def test_inspect_says_it_in_json_too():
    finished = run_camlite("inspect", ALL, "--json")

    maps = json.loads(finished.stdout)["maps"]
    assert maps["guide"]["classes"] == "all"
    assert maps["measured"][1] == {"map": "guide edges", "insertion": 0.75, "deletion": 0.125}
    assert json.loads(run_camlite("inspect", FOLDER / "bgr.int8.tflite", "--json").stdout)["maps"] is None


@pytest.mark.parametrize("kind", ["guided.float32", "guided.int8", "guided_top.float32"])
def test_every_backend_gives_nearly_the_same(kind, backend, run):
    path = FOLDER / f"{kind}.{BACKENDS[backend]}"
    if not path.exists():
        pytest.skip("there is no such vector")
    pixels = STRIPED if "top" in kind else PIXELS

    record = run(backend, fresh_process.labels_and_record, path, backend, pixels)[1]

    expected = camlite.load(TOP if "top" in kind else ALL).explain(pixels).fine
    assert record["map"] == "fine"
    # Measured in int8: at most 0.03 of the largest.
    most = 0.1 if "int8" in kind else 1e-5
    np.testing.assert_allclose(record["explained"][0]["evidence"], expected, atol=most * np.abs(expected).max())


def test_windows_of_the_vectors_are_what_these_tests_take_them_for():
    assert artifact.read(ALL).arrays.guide.window == artifact.read(ALL).card.head.window == WHOLE
    assert Path(ALL).exists()
