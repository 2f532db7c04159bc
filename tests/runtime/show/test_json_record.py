"""`camlite.show.json_record`: what is JSON and what is not; what a record says is in test_commands_explain.py."""

from __future__ import annotations

import json
import math

import pytest

from camlite.show import json_record


@pytest.mark.parametrize("number", [math.nan, math.inf, -math.inf])
def test_what_json_has_no_number_for_is_null_wherever_it_stands(number):
    line = json_record.line(
        {"score": number, "scores": {"a": number, "b": 0.5}, "explained": [{"evidence": [[number]]}]}
    )

    read = json.loads(line, parse_constant=pytest.fail)
    assert read == {"score": None, "scores": {"a": None, "b": 0.5}, "explained": [{"evidence": [[None]]}]}
