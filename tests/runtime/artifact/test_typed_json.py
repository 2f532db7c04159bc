"""`camlite.artifact.typed_json`: JSON becomes named tuples by the annotations of their fields."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal, NamedTuple

import pytest

from camlite import ArtifactError
from camlite.artifact import typed_json


class Window(NamedTuple):
    top: float
    left: float


class Sample(NamedTuple):
    count: int
    share: float
    open: bool
    colour: Literal["red", "blue"]
    sides: tuple[int, ...]
    texts: Mapping[str, str]
    window: Window
    reason: str | None
    inner: Window | None


JSON: dict[str, Any] = {
    "count": 3,
    "share": 0.5,
    "open": True,
    "colour": "blue",
    "sides": [1, 2],
    "texts": {"a": "b"},
    "window": {"top": 1.0, "left": 0.0},
    "reason": None,
    "inner": {"top": 0.0, "left": 2.0},
}


def test_each_kind_of_field_is_read():
    expected = Sample(3, 0.5, True, "blue", (1, 2), {"a": "b"}, Window(1.0, 0.0), None, Window(0.0, 2.0))

    assert typed_json.build(Sample, JSON, "here") == expected


@pytest.mark.parametrize(
    ("name", "value", "said"),
    [
        ("count", True, "here.count: expected int, received bool"),
        ("share", 1, "here.share: expected float, received int"),
        ("open", 1, "here.open: expected bool, received int"),
        ("colour", "green", "here.colour: 'green', expected one of red, blue"),
        ("sides", [1, "2"], "here.sides: expected a list of int"),
        ("texts", {"a": 1}, "here.texts: expected an object of strings"),
        ("window", None, "here.window: expected an object, received NoneType"),
        ("reason", 1, "here.reason: expected str, received int"),
        ("reason", "a\0", "here.reason: 'a\\x00' has control or invisible characters"),
        ("inner", {"top": 0.0}, "here.inner: fields missing or unknown: left"),
    ],
)
def test_a_value_of_another_kind_is_named(name, value, said):
    with pytest.raises(ArtifactError) as raised:
        typed_json.build(Sample, {**JSON, name: value}, "here")

    assert str(raised.value).startswith(said)
