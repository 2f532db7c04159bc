"""`camlite.Explanation` as text, picture and record: what a notebook shows, and what is kept of it."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

import camlite
from camlite import ImageError
from camlite.images import picture_files
from camlite.show import drawing
from camlite.show.colours import colourize
from support.fresh_process import run_camlite, run_python
from support.million_explanations import VERTICAL
from support.spec_vectors import FOLDER

pytest.importorskip("onnxruntime")
pytest.importorskip("PIL.Image")


@pytest.fixture(scope="module")
def path(tiny: Path) -> Path:
    return tiny / "stripes" / "stripes.float32.onnx"


@pytest.fixture(scope="module")
def explainer(path: Path) -> camlite.Explainer:
    return camlite.load(path)


@pytest.fixture
def explanation(explainer: camlite.Explainer) -> camlite.Explanation:
    return explainer.explain(VERTICAL)


def test_its_text_is_the_size_of_the_image_and_what_is_explained(explainer):
    one, two = explainer.explain(VERTICAL), explainer.explain(VERTICAL, ["plain", "vertical"])

    assert repr(one) == f"<Explanation of an image 16 x 24: vertical {one.score:.3f}>"
    assert repr(two) == f"<Explanation of an image 16 x 24: plain {one.scores[2]:.3f}, vertical {one.scores[1]:.3f}>"


def test_a_notebook_shows_the_picture_of_the_command(explanation, tmp_path):
    shown = explanation._repr_png_()

    (tmp_path / "shown.png").write_bytes(shown)
    expected = drawing.draw(explanation, drawing.Drawing())
    np.testing.assert_array_equal(picture_files.read_image(tmp_path / "shown.png"), expected)


def test_without_pillow_a_notebook_shows_text(path):
    code = """
import sys
sys.modules["PIL"] = sys.modules["PIL.Image"] = None
import numpy, camlite
explanation = camlite.load(sys.argv[1]).explain(numpy.zeros((16, 24), numpy.uint8))
print(explanation._repr_png_(), explanation)
"""
    finished = run_python(code, str(path))

    assert finished.stdout.startswith("None <Explanation of an image 16 x 24: plain"), finished.stderr


@pytest.mark.parametrize("suffix", [".png", ".PNG", ".jpg", ".jpeg"])
def test_it_is_saved_as_its_suffix_says(suffix, explanation, tmp_path):
    image_module = pytest.importorskip("PIL.Image")
    target = tmp_path / f"picture{suffix}"

    assert explanation.save(target) == target

    with image_module.open(target) as picture:
        assert picture.format == ("PNG" if suffix.lower() == ".png" else "JPEG")
        expected = drawing.draw(explanation, drawing.Drawing())
        difference = np.abs(np.asarray(picture).astype(int) - expected)
    assert difference.mean() < 4  # JPEG's; 0 of a PNG
    assert [file.name for file in tmp_path.iterdir()] == [target.name]


@pytest.mark.parametrize("name", ["picture.bmp", "picture", "picture.overlay"])
def test_another_suffix_is_refused_and_leaves_nothing(name, explanation, tmp_path):
    with pytest.raises(ImageError, match=rf"{name}: a picture is saved as \.png, \.jpg, \.jpeg"):
        explanation.save(str(tmp_path / name))
    assert not list(tmp_path.iterdir())


def test_a_folder_that_is_not_there_is_one_line(explanation, tmp_path):
    with pytest.raises(ImageError, match="cannot write it"):
        explanation.save(tmp_path / "none" / "picture.png")


def test_the_record_is_that_of_the_command(path, explanation, tmp_path):
    picture_files.write(tmp_path / "stripes.png", VERTICAL)
    finished = run_camlite("explain", path, "stripes.png", "--json", cwd=tmp_path)
    printed = json.loads(finished.stdout)

    assert {key: value for key, value in printed.items() if key not in ("image", "picture")} == explanation.to_dict()
    assert json.loads(json.dumps(explanation.to_dict(), allow_nan=False)) == explanation.to_dict()


def test_the_device_offers_no_more_names_than_these():
    """Each is a promise; more are asked for than are worth keeping."""
    errors = ["AnswerError", "ArtifactError", "BackendError", "CamliteError", "ClassifierError", "ImageError"]
    others = ["Check", "Explainer", "Explanation", "check", "load", "read_image"]
    assert sorted(camlite.__all__) == sorted(errors + others)


@pytest.mark.parametrize("style", ["heatmap", "overlay"])
def test_all_classes_are_drawn_with_one_scale(style):
    """A class that little speaks for stays dark beside one that much speaks for."""
    two = camlite.load(FOLDER / "stripes.float32.onnx").explain(VERTICAL, ["vertical", "horizontal"])
    strong, weak = two.peaks(160, 240)
    assert strong > weak > 0

    panels = list(drawing.panels(two, drawing.Drawing(style)))

    small = two.spread(160, 240, 1, float(strong))
    assert small.max() == pytest.approx(weak / strong, abs=1e-6)
    assert small.max() < 1
    if style == "heatmap":
        expected = np.rint(colourize(small)).astype(np.uint8)
        assert (panels[1] == expected).all(axis=2).mean() > 0.8  # all but the borders of cells
    whole = drawing.draw(two, drawing.Drawing(style, text=False))
    np.testing.assert_array_equal(whole[:, :240], panels[0])
    np.testing.assert_array_equal(whole[:, 244:], panels[1])


def test_a_class_drawn_by_itself_is_drawn_as_its_heatmap(explainer):
    one = explainer.explain(VERTICAL, ["horizontal"])

    (panel,) = drawing.panels(one, drawing.Drawing("heatmap"))

    np.testing.assert_array_equal(panel, np.rint(colourize(one.spread(160, 240))).astype(np.uint8))


def test_peaks_are_the_evidence_that_the_heatmap_has_as_1(explainer):
    seen = explainer.explain(VERTICAL, range(3))

    np.testing.assert_allclose(
        seen.peaks(16, 24), [max(0, explainer.resizing(one).max()) for one in seen.evidence], rtol=1e-6
    )
    assert (seen.peaks(16, 24) >= 0).all()
