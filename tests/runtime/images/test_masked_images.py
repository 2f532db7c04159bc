"""Partners: for each image another one of another class."""

from __future__ import annotations

import numpy as np

from camlite.images.labelled_images import UNKNOWN
from camlite.images.masked_images import Partners


def test_a_partner_is_of_another_class_and_all_of_them_get_their_turn():
    classes = np.random.default_rng(0).integers(0, 3, 200)
    partners = Partners(classes, 200, seed=0)

    found = np.array([partners.of(i) for i in range(200)])

    assert (classes[found] != classes).all()
    assert len(set(found.tolist())) > 100


def test_it_is_the_same_at_each_run_and_another_with_another_seed():
    classes = np.arange(50) % 2
    first, again, other = (Partners(classes, 50, seed) for seed in (0, 0, 1))

    assert [first.of(i) for i in range(50)] == [again.of(i) for i in reversed(range(50))][::-1]
    assert [first.of(i) for i in range(50)] != [other.of(i) for i in range(50)]


def test_where_there_is_but_one_class_it_is_another_image_and_of_one_image_there_is_none():
    partners = Partners(None, 5, seed=0)

    assert all(partners.of(i) != i for i in range(5))
    assert Partners(None, 1, seed=0).of(0) is None


def test_images_whose_class_is_not_known_are_as_one_class() -> None:
    classes = np.array([UNKNOWN, 0, 1, UNKNOWN, 1])
    partners = Partners(classes, 5, seed=0)
    for index in range(5):
        assert classes[partners.of(index)] != classes[index]
