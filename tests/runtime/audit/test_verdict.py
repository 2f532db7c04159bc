"""The rule: evidence and counterfactual must tell the same story."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest

from camlite.audit.image_figures import Figures
from camlite.audit.verdict import LEAST_IMAGES, judge


def figures(
    count: int, *, inside: float, follow: float, sky: float = 0.2, objects: bool = True, right: int = 0
) -> Figures:
    """Of one class; a tenth of the picture is object, a third is sky."""
    random = np.random.default_rng(0)

    def about(value: float) -> np.ndarray:
        return value + random.normal(0, 0.01, count)

    nothing = np.full(count, np.nan)
    region = np.stack([about(sky), about(0.2), about(0.2), about(0.1)], axis=1)
    other = np.stack([nothing, nothing, about(0.5 + follow / 2)], axis=1)
    removed = np.stack([nothing, nothing, np.full(count, 0.5 - follow / 2)], axis=1)
    return Figures(
        index=np.arange(count),
        audited=np.zeros(count, np.int64),
        named=np.full(count, right),
        score=np.ones(count),
        inside=about(inside) if objects else nothing,
        object_share=np.full(count, 0.1) if objects else nothing,
        peak=np.ones(count) if objects else nothing,
        region=region,
        region_share=np.tile([0.33, 0.3, 0.4, 0.25], (count, 1)),
        off_centre=np.zeros(count),
        uniformity=np.zeros(count),
        kept=other,
        removed=removed,
        region_kept=np.full((count, 4), np.nan),
        region_removed=np.full((count, 4), np.nan),
        maps=np.zeros((0, 2, 2), np.float32),
        mapped=np.zeros(0, np.int64),
    )


@pytest.mark.parametrize(
    ("inside", "follow", "expected"),
    [
        (0.8, 0.9, "object"),
        (0.1, -0.9, "context"),
        (0.8, -0.9, "undecided"),
        (0.1, 0.9, "undecided"),
        (0.8, 0.0, "undecided"),
    ],
)
def test_a_firm_verdict_needs_both_to_agree(inside, follow, expected):
    (found,) = judge(figures(40, inside=inside, follow=follow), ["tank"], masked=True)

    assert found.verdict == expected
    assert found.shortcut == (expected == "context")
    assert found.images == 40


def test_the_context_is_named_by_the_region_with_the_most_evidence_over_its_share():
    (sky,) = judge(figures(40, inside=0.1, follow=-0.9, sky=0.8), ["tank"], masked=True)
    (nowhere,) = judge(figures(40, inside=0.1, follow=-0.9, sky=0.3), ["tank"], masked=True)

    assert (sky.text, nowhere.text) == ("context: sky", "context")
    assert sky.regions["sky"].mean == pytest.approx(0.47, abs=0.01)


def test_evidence_at_chance_is_concentrated_by_0_and_all_of_it_by_1():
    (chance,) = judge(figures(40, inside=0.1, follow=0), ["tank"], masked=True)
    (all_of_it,) = judge(figures(40, inside=1.0, follow=0), ["tank"], masked=True)

    assert chance.concentration.mean == pytest.approx(0, abs=0.01)
    assert all_of_it.concentration.mean == pytest.approx(1, abs=0.01)


@pytest.mark.parametrize(("follow", "expected"), [(0.9, "object *"), (-0.9, "context: sky *"), (0.0, "undecided")])
def test_a_class_that_shows_no_object_is_judged_by_the_counterfactual_alone_and_says_so(follow, expected):
    (found,) = judge(figures(40, inside=0, follow=follow, sky=0.8, objects=False), ["no tank"], masked=True)

    assert found.text == expected
    assert not found.objects
    assert found.reason == "shows no object: judged by the counterfactual only"


def test_few_images_decide_nothing():
    (found,) = judge(figures(LEAST_IMAGES - 1, inside=0.8, follow=0.9), ["tank"], masked=True)

    assert found.verdict == "undecided"
    assert found.reason == "9 different images with all figures, expected at least 10"


def test_images_that_are_named_wrongly_explain_nothing():
    (found,) = judge(figures(40, inside=0.8, follow=0.9, right=1), ["tank"], masked=True)

    assert (found.images, found.of, found.verdict) == (0, 40, "undecided")


def test_without_masks_the_smallest_region_is_pointed_at_that_the_score_follows_more_than_the_rest():
    found = figures(40, inside=0, follow=0, objects=False)
    for name, sign in (("region_kept", 1), ("region_removed", -1)):
        getattr(found, name)[:] = np.array([-0.4, 0.4, 0.1, 0.3]) * sign + 0.5

    (suspect,) = judge(found, ["tank"], masked=False)
    found.region_kept[:] = 0
    (plain,) = judge(found, ["tank"], masked=False)

    assert (suspect.verdict, suspect.region, suspect.shortcut) == ("no masks", "corners", False)
    assert suspect.region_follows["corners"].mean == pytest.approx(0.6)
    assert plain.region is None


def test_copies_of_a_few_images_decide_nothing():
    few = np.arange(40) % 3
    copied = dataclasses.replace(figures(40, inside=0.1, follow=-0.9), seen=few)
    (found,) = judge(copied, ["tank"], masked=True)

    assert (found.verdict, found.images, found.of) == ("undecided", 3, 40)
    assert found.reason == "3 different images with all figures, expected at least 10"
