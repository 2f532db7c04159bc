"""`camlite.artifact.card_version_1`: cards of version 1 are read for ever, as what they mean today."""

from __future__ import annotations

import json

import pytest

from camlite import ArtifactError
from camlite.artifact import card as cards
from support.small_artifacts import SMALL

WHERE = "folder/file.tflite"


def version_1(method: str = "cam", labels: tuple[str, ...] = SMALL.labels) -> dict:
    """The card `SMALL` as version 1 wrote it."""
    content = json.loads(cards.to_json(SMALL))
    del content["pixels"], content["unfit"]
    del content["head"]["evidence"]
    del content["head"]["window"]
    content["head"]["method"] = method
    return {**content, "format": 1, "labels": list(labels)}


def read(content: dict, has_weights: bool) -> cards.Card:
    return cards.from_json(json.dumps(content), WHERE, has_weights)


@pytest.mark.parametrize(
    ("method", "has_weights", "classes", "evidence"),
    [
        ("cam", True, 3, "device"),
        ("cam", True, 1000, "device"),
        ("cam", False, 3, "graph"),
        ("cam", False, 1000, "graph"),
        ("hirescam", False, 2, "gradient"),
        ("hirescam", False, 64, "gradient"),
        ("hirescam", False, 65, "gradient_top"),
        ("hirescam", False, 1000, "gradient_top"),
    ],
)
def test_how_evidence_is_made_follows_from_method_weights_and_classes(method, has_weights, classes, evidence):
    labels = tuple(map(str, range(classes)))

    card = read(version_1(method, labels), has_weights)

    assert card == SMALL._replace(labels=labels, head=SMALL.head._replace(evidence=evidence))


def test_its_fields_are_those_that_it_had():
    for changed in ({"colour": 1}, {"head": {**version_1()["head"], "evidence": "device"}}):
        with pytest.raises(ArtifactError, match=r"fields missing or unknown: (colour|evidence)"):
            read({**version_1(), **changed}, True)


def test_a_field_of_version_2_only_is_refused_and_so_is_one_of_version_1_in_version_2():
    with pytest.raises(ArtifactError, match="fields missing or unknown: pixels, unfit"):
        read({**version_1(), "format": 2}, True)


def test_its_ranges_are_checked():
    content = version_1()
    content["head"]["channels"] = 0
    with pytest.raises(ArtifactError, match="features channels is 0, expected 1 to 16384"):
        read(content, True)
