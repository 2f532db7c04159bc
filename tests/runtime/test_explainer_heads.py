"""`camlite.Explainer` where class weights differ by place (``colours``), or evidence is in the graph: that of class
weights (``graph``), or of gradients (``hidden``)."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from camlite import artifact
from support import fresh_process
from support.million_explanations import COMPLETENESS, HORIZONTAL, VERTICAL, assert_same


def coloured(height: int, width: int, *parts: tuple[Any, int]) -> np.ndarray:
    """Dim grey, with some parts bright in one channel."""
    pixels = np.full((height, width, 3), 60, np.uint8)
    for part, channel in parts:
        pixels[(*part, channel)] = 255
    return pixels


EVERYWHERE = np.s_[:, :]


@pytest.mark.parametrize(("channel", "label"), [(0, "red"), (1, "green"), (2, "blue")])
def test_colours_reach_the_classifier_in_their_order(channel, label, colours):
    (seen,) = colours.explain(coloured(12, 20, (EVERYWHERE, channel)))

    assert seen.label == label
    assert seen.score > 0.9


def test_each_score_stands_alone_after_sigmoid(colours):
    (seen,) = colours.explain(coloured(12, 20, (np.s_[:, :10], 0), (np.s_[:, 10:], 2)))

    assert (seen.scores > 0.5).tolist() == [True, False, True]


def test_evidence_takes_the_class_weights_of_each_place(colours):
    noise = np.random.default_rng(0).integers(0, 256, (12, 20, 3)).astype(np.uint8)
    weights = artifact.read(colours.path).arrays.weights

    (seen,) = colours.explain(noise, classes=[0, 1, 2])

    assert weights.shape == (3, 5, 3, 3)
    expected = [sum(seen.features[..., c] * weights[..., c, k] for c in range(3)) for k in range(3)]
    np.testing.assert_allclose(seen.evidence, expected, rtol=0, atol=1e-6)  # evidence is up to 2 here
    assert seen.completeness <= COMPLETENESS[colours.precision]


def test_what_the_classifier_does_not_see_of_the_image_changes_no_score_and_stays_grey(colours):
    seen_part = coloured(12, 20, (EVERYWHERE, 0))
    wide = coloured(12, 60, (EVERYWHERE, 1))
    wide[:, 20:40] = seen_part

    narrow_seen, wide_seen = colours.explain(seen_part, wide)

    assert np.array_equal(wide_seen.scores, narrow_seen.scores)
    assert np.array_equal(wide_seen.heatmap, narrow_seen.heatmap)
    assert np.array_equal(wide_seen.overlay[:, 20:40], narrow_seen.overlay)
    outside = np.delete(wide_seen.overlay, np.s_[20:40], axis=1)
    assert (outside == outside[..., :1]).all()


# Of evidence and heatmap. float32; in int8 half a step of all maps, which lie within 0.4, with half a step of features.
IN_THE_GRAPH = {"float32": (1e-7, 1e-6), "int8": (0.002, 0.02)}


def test_evidence_in_the_graph_is_that_of_the_class_weights(graph):
    on_the_device = graph.path.parents[1] / "stripes" / f"stripes.{graph.precision}{graph.path.suffix}"
    noise = np.random.default_rng(0).integers(0, 256, (16, 24)).astype(np.uint8)
    of_evidence, of_heatmap = IN_THE_GRAPH[graph.precision]

    for pixels in (HORIZONTAL // 2, VERTICAL // 2, noise):  # brighter ones are beyond the calibrated range
        for classes in (None, [2, 0], ["vertical"], range(3)):
            (seen,) = graph.explain(pixels, classes=classes)
            (expected,) = graph.run(
                graph.backend, fresh_process.explain, on_the_device, graph.backend, [pixels], classes
            )

            assert seen.classes == expected.classes
            np.testing.assert_allclose(seen.evidence, expected.evidence, rtol=0, atol=of_evidence)
            np.testing.assert_allclose(seen.heatmap, expected.heatmap, rtol=0, atol=of_heatmap)


def test_scores_are_the_sums_of_the_maps_that_the_graph_gives(graph):
    bias = artifact.read(graph.path).arrays.bias

    (seen,) = graph.explain(VERTICAL, classes=[0, 1, 2])

    logits = seen.evidence.sum(axis=(1, 2)) + bias
    scores = np.exp(logits) / np.exp(logits).sum()
    assert np.abs(scores - seen.scores).max() == pytest.approx(seen.completeness, abs=1e-6)
    assert seen.completeness <= COMPLETENESS[graph.precision]


def test_an_artifact_with_evidence_in_the_graph_carries_no_class_weights(graph):
    assert artifact.read(graph.path).arrays.weights is None


def test_evidence_in_the_graph_is_features_times_the_gradient_of_the_logit(hidden):
    """Its hidden layer passes everything on, so its evidence is that of the classifier without it."""
    of_stripes = hidden.path.parents[1] / "stripes" / f"stripes.float32{hidden.path.suffix}"
    noise = np.random.default_rng(0).integers(0, 256, (16, 24)).astype(np.uint8)

    for pixels in (HORIZONTAL, VERTICAL, noise):
        (seen,) = hidden.explain(pixels, classes=[0, 1, 2])
        (expected,) = hidden.run(hidden.backend, fresh_process.explain, of_stripes, hidden.backend, [pixels], [0, 1, 2])

        # float32, and evidence is up to 0.3 here.
        np.testing.assert_allclose(seen.evidence, expected.evidence, rtol=0, atol=1e-7)
        np.testing.assert_allclose(seen.heatmap, expected.heatmap, rtol=0, atol=1e-5)


def test_gradients_of_a_head_that_is_linear_in_pieces_add_up_with_the_bias_of_its_active_pieces(hidden):
    assert hidden.explain(VERTICAL)[0].completeness <= COMPLETENESS[hidden.precision]


def test_an_explanation_with_evidence_from_the_graph_stays_what_it_was_when_others_follow(hidden):
    first, _ = hidden.explain(HORIZONTAL, VERTICAL)

    assert_same(first, hidden.explain(HORIZONTAL)[0])
