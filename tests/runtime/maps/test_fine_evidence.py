"""`camlite.maps.fine_evidence`: which classes have fine evidence, and by which guide; on results made by hand."""

from __future__ import annotations

import numpy as np
import pytest

from camlite.artifact.card import Head
from camlite.artifact.map_choice import Guide, GuideClasses
from camlite.backends.interpreter import Tensor
from camlite.maps.evidence import FromGraph
from camlite.maps.fine_evidence import FineEvidence
from camlite.maps.redistribution import Redistribution

HEAD = Head("conv", 2, 3, 5, "softmax", "graph")
CLASSES, TOP = 3, 1
RANDOM = np.random.default_rng(0)
MAPS = RANDOM.normal(size=(2, 3, CLASSES)).astype(np.float32)
GUIDES = np.abs(RANDOM.normal(size=(4, 6, CLASSES))).astype(np.float32)


def reading(
    classes: GuideClasses, stored: np.ndarray = GUIDES, scale: float = 0.0, zero_point: int = 0
) -> FineEvidence:
    stored = stored[..., :1] if classes == "top" else stored
    guide = Guide(4, 6, classes, ("early",), "layercam", False)
    tensors = {
        "evidence": Tensor("evidence", MAPS.shape, MAPS.dtype),
        "guide": Tensor("guide", stored.shape, stored.dtype, scale, zero_point),
    }
    results = {"evidence": MAPS, "guide": stored}
    return FineEvidence(guide, HEAD, FromGraph(tensors["evidence"], MAPS, top_only=False), tensors, results)


def by_hand(k: int, place: int) -> np.ndarray:
    give = Redistribution((2, 3), HEAD.window, Guide(4, 6, "all", ("early",), "layercam", False))
    return give(np.ascontiguousarray(MAPS[..., k]), np.ascontiguousarray(GUIDES[..., place]))


def test_the_top_class_alone_has_one_where_the_guide_is_of_it():
    fine = reading("top")

    found = fine.of(MAPS[..., TOP], (TOP,), TOP)

    np.testing.assert_array_equal(found.evidence, by_hand(TOP, 0))
    np.testing.assert_array_equal(found.guide, GUIDES[..., 0])
    assert fine.of(MAPS[..., 0], (0,), TOP) is None
    assert fine.of(np.moveaxis(MAPS, -1, 0)[[TOP, 2]], (TOP, 2), TOP) is None


@pytest.mark.parametrize("kind", ["top", "all"])
def test_the_top_class_may_be_asked_for_by_name_and_twice(kind):
    found = reading(kind).of(np.moveaxis(MAPS, -1, 0)[[TOP, TOP]], (TOP, TOP), TOP)

    np.testing.assert_array_equal(found.evidence, [by_hand(TOP, 0 if kind == "top" else TOP)] * 2)
    assert found.guide.shape == (2, 4, 6)


@pytest.mark.parametrize("classes", [range(CLASSES), (2, 0)])
def test_each_class_has_one_by_its_own_guide_where_the_guide_is_of_all(classes):
    found = reading("all").of(np.moveaxis(MAPS, -1, 0)[list(classes)], classes, TOP)

    np.testing.assert_array_equal(found.evidence, [by_hand(k, k) for k in classes])
    np.testing.assert_array_equal(found.guide, np.moveaxis(GUIDES, -1, 0)[list(classes)])


def test_against_another_class_it_is_the_difference_each_by_its_own_guide():
    of_one = reading("all").of(MAPS[..., 0] - MAPS[..., 2], (0,), TOP, against=2)
    of_two = reading("all").of(np.stack([MAPS[..., k] - MAPS[..., 2] for k in (0, 1)]), (0, 1), TOP, against=2)

    np.testing.assert_allclose(of_one.evidence, by_hand(0, 0) - by_hand(2, 2), atol=1e-7)
    np.testing.assert_allclose(of_two.evidence, [by_hand(k, k) - by_hand(2, 2) for k in (0, 1)], atol=1e-7)
    np.testing.assert_array_equal(of_one.guide, GUIDES[..., 0])


def test_against_another_class_there_is_none_where_the_guide_is_of_the_top_class_only():
    assert reading("top").of(MAPS[..., TOP] - MAPS[..., 0], (TOP,), TOP, against=0) is None


@pytest.mark.parametrize("dtype", [np.int8, np.uint8, np.int16])
@pytest.mark.parametrize("classes", [None, (1, 2)])
def test_integers_of_a_guide_are_real_numbers_first(dtype, classes):
    stored = RANDOM.integers(0, 100, GUIDES.shape).astype(dtype)
    fine = reading("all", stored, 0.25, 7)
    maps = MAPS[..., TOP] if classes is None else np.moveaxis(MAPS, -1, 0)[list(classes)]

    found = fine.of(maps, classes or (TOP,), TOP)

    expected = (stored.astype(np.float32) - 7) * 0.25
    expected = expected[..., TOP] if classes is None else np.moveaxis(expected, -1, 0)[list(classes)]
    np.testing.assert_allclose(found.guide, expected)


def test_what_is_found_outlives_the_next_run():
    stored = GUIDES.copy()
    found = reading("all", stored).of(MAPS[..., TOP], (TOP,), TOP)
    before = found.guide.copy()

    stored[...] = 0

    np.testing.assert_array_equal(found.guide, before)


def test_evidence_of_the_top_class_is_given_as_often_as_it_is_asked_for():
    """As fine evidence, so evidence of `gradient_top`."""
    memory = MAPS[..., :1]

    found = FromGraph(Tensor("evidence", memory.shape, memory.dtype), memory, top_only=True).many((2, 2))

    np.testing.assert_array_equal(found, [memory[..., 0]] * 2)
