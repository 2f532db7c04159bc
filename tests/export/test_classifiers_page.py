"""docs/classifiers.md says what the tests run over."""

from __future__ import annotations

from support import classifier_kinds


def test_the_page_is_current() -> None:
    assert classifier_kinds.PAGE.read_text(encoding="utf-8") == classifier_kinds.page(), "run `make classifiers-page`"
