"""The corpus of the fuzzer, and with it what it has found, without the fuzzer."""

from __future__ import annotations

import pytest

from fuzz import targets


@pytest.mark.parametrize("target", targets.TARGETS)
def test_readers_do_what_they_promise_on_all_that_was_found(target):
    cases = list(targets.cases(target))
    assert cases
    for case in cases:
        targets.TARGETS[target](case.read_bytes())
