"""`camlite.Explainer` on real artifacts: ``stripes`` of tiny_classifiers.py, on every backend in every precision."""

from __future__ import annotations

import numpy as np
import pytest

from camlite import CamliteError, ImageError, artifact
from camlite.maps import cam, resize
from camlite.show.overlay import lay_over
from support import fresh_process
from support.million_explanations import COMPLETENESS, HORIZONTAL, PLAIN, VERTICAL, assert_same


def test_the_class_is_the_one_with_the_highest_score(stripes):
    for pixels, label in ((HORIZONTAL, "horizontal"), (VERTICAL, "vertical"), (PLAIN, "plain")):
        (seen,) = stripes.explain(pixels)

        assert seen.label == label
        assert seen.score == seen.scores.max() > 0.5
        assert seen.classes == (("horizontal", "vertical", "plain").index(label),)


def test_scores_are_float32_and_add_up_to_1_after_softmax(stripes):
    (seen,) = stripes.explain(HORIZONTAL)

    assert (seen.scores.dtype, seen.scores.shape) == (np.float32, (3,))
    assert abs(seen.scores.sum() - 1) <= COMPLETENESS[stripes.precision]


def test_features_evidence_and_heatmap_have_the_sizes_that_the_card_says(stripes):
    (seen,) = stripes.explain(VERTICAL)

    assert (seen.features.dtype, seen.features.shape) == (np.float32, (8, 12, 4))
    assert (seen.evidence.dtype, seen.evidence.shape) == (np.float32, (8, 12))
    assert (seen.heatmap.dtype, seen.heatmap.shape) == (np.float32, (16, 24))
    assert (seen.heatmap.min() >= 0, seen.heatmap.max()) == (True, 1)


def test_evidence_is_features_times_class_weights(stripes):
    (seen,) = stripes.explain(VERTICAL)
    weights = artifact.read(stripes.path).arrays.weights

    expected = sum(seen.features[..., c] * weights[c, 1] for c in range(4))

    # Four products in float32, summed in another order; evidence is up to 0.3 here.
    np.testing.assert_allclose(seen.evidence, expected, rtol=0, atol=1e-7)


def test_evidence_adds_up_to_the_scores(stripes):
    noise = np.random.default_rng(0).integers(0, 256, (8, 16, 24)).astype(np.uint8)

    for seen in stripes.explain(HORIZONTAL, VERTICAL, PLAIN, *noise):
        assert seen.completeness <= COMPLETENESS[stripes.precision]


def test_completeness_shows_class_weights_of_another_classifier(stripes, tmp_path):
    read = artifact.read(stripes.path)
    exchanged = read.arrays._replace(weights=read.arrays.weights[:, [1, 0, 2]])
    path = tmp_path / "exchanged"
    path.write_bytes(artifact.pack(read.container, read.model, read.card, exchanged))

    (seen,) = stripes.run(stripes.backend, fresh_process.explain, path, stripes.backend, [VERTICAL])

    assert seen.completeness > 0.9


def test_classes_of_the_same_label_are_told_apart(stripes, tmp_path):
    """Exports refuse such labels; artifacts of before may have them, and no class may be lost."""
    read = artifact.read(stripes.path)
    card = read.card._replace(labels=("crane", "heron", "crane"))
    path = tmp_path / "cranes"
    path.write_bytes(artifact.pack(read.container, read.model, card, read.arrays))

    labels, record = stripes.run(stripes.backend, fresh_process.labels_and_record, path, stripes.backend, VERTICAL)

    assert labels == ("crane (class 0)", "heron", "crane (class 2)")
    assert tuple(record["scores"]) == labels
    assert record["label"] == "heron"


@pytest.mark.parametrize("side", ["left", "right", "top", "bottom"])
def test_the_heatmap_is_hot_where_the_pattern_is(stripes, side):
    half = {"left": np.s_[:, :12], "right": np.s_[:, 12:], "top": np.s_[:8], "bottom": np.s_[8:]}[side]
    pixels = PLAIN.copy()
    pixels[half] = VERTICAL[half]

    (seen,) = stripes.explain(pixels, classes=["vertical"])

    inside = seen.heatmap[0][half].mean()
    outside = (seen.heatmap.sum() - seen.heatmap[0][half].sum()) / (seen.heatmap.size / 2)
    assert inside > 4 * outside  # the blur of the features reaches over the border


def test_classes_are_chosen_by_label_or_index(stripes):
    by_label, by_index, by_numpy = (
        stripes.explain(VERTICAL, classes=classes)[0] for classes in (["plain", "vertical"], (2, 1), np.array([2, 1]))
    )

    assert by_label.classes == (2, 1)
    assert (by_label.evidence.shape, by_label.heatmap.shape) == ((2, 8, 12), (2, 16, 24))
    assert_same(by_index, by_label)
    assert_same(by_numpy, by_label)


def test_a_class_has_the_same_evidence_alone_and_beside_others(stripes):
    (top,) = stripes.explain(VERTICAL)
    (alone,) = stripes.explain(VERTICAL, classes=["vertical"])
    (together,) = stripes.explain(VERTICAL, classes=["horizontal", "vertical"])

    assert top.evidence.shape == (8, 12)
    assert alone.evidence.shape == (1, 8, 12)
    assert np.array_equal(alone.evidence[0], top.evidence)
    # Another matrix product of the same numbers, float32; evidence is up to 0.3 here.
    np.testing.assert_allclose(together.evidence[1], top.evidence, rtol=0, atol=1e-7)


def test_the_range_of_all_classes_is_each_of_them(stripes):
    """It is not looked up one by one."""
    (one_by_one,) = stripes.explain(VERTICAL, classes=[0, 1, 2])
    (every,) = stripes.explain(VERTICAL, classes=range(3))

    assert every.classes == one_by_one.classes
    np.testing.assert_allclose(every.evidence, one_by_one.evidence, rtol=0, atol=1e-7)


def test_one_class_against_another_is_the_difference_of_their_evidence(stripes):
    (every,) = stripes.explain(VERTICAL, classes=[0, 1, 2])
    (two,) = stripes.explain(VERTICAL, classes=["vertical", 2], against="horizontal")
    (best,) = stripes.explain(VERTICAL, against="horizontal")
    (second,) = stripes.explain(VERTICAL, against="vertical")

    assert (two.classes, best.classes, second.classes) == (
        (1, 2),
        (1,),
        (int(np.argsort(-every.scores, kind="stable")[1]),),
    )
    # Another matrix product of the same numbers, float32; evidence is up to 0.3 here.
    np.testing.assert_allclose(two.evidence, every.evidence[1:] - every.evidence[:1], rtol=0, atol=1e-7)
    np.testing.assert_allclose(best.evidence, two.evidence[0], rtol=0, atol=1e-7)


def test_the_difference_adds_up_to_that_of_the_logits(stripes):
    arrays = artifact.read(stripes.path).arrays
    (seen,) = stripes.explain(VERTICAL, against="horizontal")

    logits = cam.logits(seen.features, arrays.weights, arrays.bias)
    # float32: relative to the sums, which are 30 here.
    assert seen.evidence.sum() + arrays.bias[1] - arrays.bias[0] == pytest.approx(logits[1] - logits[0], rel=1e-5)


def test_a_class_against_itself_is_refused(stripes):
    with pytest.raises(CamliteError, match="class 'plain' is explained against itself; name another class"):
        stripes.explain(VERTICAL, classes=["vertical", "plain"], against=2)


@pytest.mark.parametrize("wanted", ["diagonal", "", 3, -1, 0.5, None], ids=repr)
def test_an_unknown_class_is_refused_with_those_there_are(wanted, stripes):
    with pytest.raises(CamliteError) as raised:
        stripes.explain(VERTICAL, classes=[wanted])

    assert str(raised.value) == (
        f"class {wanted!r} is unknown; expected 0 to 2 or a label: horizontal, vertical, plain"
    )


@pytest.mark.parametrize(
    "shape", [(1, 1), (1, 500), (500, 3), (33, 47), (16, 24, 1), (20, 30, 3), (20, 30, 4), (7, 1, 3), (1, 1, 4)]
)
def test_an_image_may_have_any_size_and_be_grey_rgb_or_rgba(shape, stripes):
    pixels = np.random.default_rng(0).integers(0, 256, shape).astype(np.uint8)

    (seen,) = stripes.explain(pixels)

    assert np.array_equal(seen.image, pixels.reshape(*shape[:2], -1)[..., :3])
    assert seen.heatmap.shape == (16, 24)
    assert (seen.overlay.dtype, seen.overlay.shape) == (np.uint8, (*shape[:2], 3))
    assert seen.completeness <= COMPLETENESS[stripes.precision]


def test_grey_as_colour_and_with_alpha_is_the_same_image(stripes):
    grey = np.random.default_rng(0).integers(0, 256, (16, 24, 1)).astype(np.uint8)

    as_grey, as_rgb, as_rgba = stripes.explain(grey, grey.repeat(3, axis=2), grey.repeat(4, axis=2))

    assert_same(as_rgba, as_rgb)
    # The shares of red, green and blue add up to 1 but for rounding, which can move a pixel of int8 by a step.
    step = COMPLETENESS[stripes.precision]
    np.testing.assert_allclose(as_rgb.scores, as_grey.scores, rtol=0, atol=step)


@pytest.mark.parametrize("pixels", [VERTICAL.astype(float), VERTICAL[..., np.newaxis].repeat(2, 2), [[1, 2]]])
def test_what_is_no_image_is_refused(pixels, stripes):
    with pytest.raises(ImageError, match="expected"):
        stripes.explain(pixels)


def test_an_image_may_lie_in_memory_as_it_likes(stripes):
    pixels = np.random.default_rng(0).integers(0, 256, (20, 30, 3)).astype(np.uint8)

    layouts = stripes.call(fresh_process.explain_in_layouts, pixels)

    for seen in layouts.values():
        assert_same(seen, layouts["contiguous"])


def test_explaining_changes_no_pixel_of_the_image(stripes):
    for pixels in (VERTICAL, VERTICAL[..., np.newaxis].repeat(3, axis=2)):
        (seen,) = stripes.explain(pixels)

        assert np.array_equal(seen.given, pixels)


def test_an_explanation_stays_what_it_was_when_others_follow(stripes):
    """All images are explained before the first explanation is read."""
    together = stripes.explain(HORIZONTAL, VERTICAL, PLAIN)

    for seen, pixels in zip(together, (HORIZONTAL, VERTICAL, PLAIN), strict=True):
        assert_same(seen, stripes.explain(pixels)[0])


def test_an_explanation_keeps_its_image_when_the_camera_overwrites_it(stripes):
    images = (HORIZONTAL, VERTICAL, PLAIN)

    for seen, pixels in zip(stripes.call(fresh_process.explain_from_one_buffer, images), images, strict=True):
        assert_same(seen, stripes.explain(pixels)[0])


def test_an_overlay_is_zoomed_by_whole_pixels(stripes):
    plain, zoomed = (stripes.call(fresh_process.overlay, PLAIN + 9, zoom=zoom) for zoom in (1, 3))

    assert (plain.shape, zoomed.shape) == ((16, 24, 3), (48, 72, 3))


def test_an_overlay_without_opacity_is_the_image_in_grey(stripes):
    overlay = stripes.call(fresh_process.overlay, VERTICAL, opacity=0)

    assert np.array_equal(overlay, VERTICAL[..., np.newaxis].repeat(3, axis=2))


def test_an_overlay_is_the_evidence_drawn_smoothly_over_the_image(stripes):
    (seen,) = stripes.explain(VERTICAL)

    smooth = resize.Resizing((8, 12), (16, 24), smooth=True)
    assert np.array_equal(seen.overlay, lay_over(seen.image, resize.heatmap(seen.evidence, smooth), 0.8))


def test_the_heatmap_is_that_of_the_evidence(stripes):
    (seen,) = stripes.explain(VERTICAL)

    assert np.array_equal(seen.heatmap, resize.heatmap(seen.evidence, resize.Resizing((8, 12), (16, 24))))
