"""`camlite.artifact.evidence_methods`: what each word implies."""

from __future__ import annotations

from typing import get_args

import pytest

from camlite.artifact.evidence_methods import EVIDENCE_METHODS, EvidenceMethod


def test_each_word_is_in_the_table():
    assert tuple(EVIDENCE_METHODS) == get_args(EvidenceMethod)


@pytest.mark.parametrize(("word", "maps"), [("device", None), ("graph", 7), ("gradient", 7), ("gradient_top", 1)])
def test_the_model_gives_no_evidence_or_that_of_all_classes_or_of_the_top_class(word, maps):
    assert EVIDENCE_METHODS[word].output_classes(7) == maps
