"""What is wrong with names, dtypes, shapes and cards, found before any value is compared."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from camlite.artifact import Artifact
from camlite.backends.interpreter import Tensor
from camlite_export.agreement import structure
from camlite_export.agreement.expected import Expected
from support.small_artifacts import SMALL, changed, small_arrays

IMAGE = Tensor("image", (4, 6, 1), np.dtype(np.uint8), 1 / 255)
OUTPUTS = {
    "features": Tensor("features", (2, 3, 5), np.dtype(np.int8), 0.1, -128),
    "scores": Tensor("scores", (3,), np.dtype(np.int8), 1 / 256, -128),
}
RIGHT = Artifact(Path("small.int8.tflite"), "tflite", b"", SMALL, small_arrays())


def expected(**cut: Any) -> Expected:
    """The classifier that `SMALL` is of."""
    two_output = {
        "image_shape": (4, 6, 1),
        "feature_shape": (2, 3, 5),
        "classes": 3,
        "layer": "conv",
        "activation": "softmax",
        "source": SimpleNamespace(digest=SMALL.classifier_sha256),
        "evidence_methods": ("device", "graph"),
    }
    parts: Any = SimpleNamespace(**{**two_output, **cut})
    return Expected("small.keras", parts, SMALL.labels, SMALL.preprocessing, ())


def found(
    read: Artifact = RIGHT, image: Tensor = IMAGE, outputs: dict[str, Tensor] = OUTPUTS, **cut: Any
) -> dict[str, str]:
    """Check -> message."""
    return {failure.check: failure.message for failure in structure.failures(read, image, outputs, expected(**cut))}


def with_card(place: str, value: object) -> Artifact:
    return RIGHT._replace(card=changed(SMALL, place, value))


def test_the_right_artifact_has_no_failures() -> None:
    assert found() == {}


@pytest.mark.parametrize("outputs", [{}, {"features": OUTPUTS["features"]}, {**OUTPUTS, "more": OUTPUTS["scores"]}])
def test_outputs_of_other_names_are_named(outputs: dict[str, Tensor]) -> None:
    assert found(outputs=outputs)["names"].endswith("expected features, scores")


@pytest.mark.parametrize(("word", "maps", "other"), [("graph", 3, 1), ("gradient", 3, 1), ("gradient_top", 1, 3)])
def test_evidence_must_be_an_output_where_the_card_says_that_the_model_gives_it(
    word: str, maps: int, other: int
) -> None:
    read = with_card("head.evidence", word)
    methods = (word,)
    assert "expected evidence, features, scores" in found(read, evidence_methods=methods)["names"]
    evidence = OUTPUTS["features"]._replace(name="evidence", shape=(2, 3, maps))
    assert found(read, outputs={**OUTPUTS, "evidence": evidence}, evidence_methods=methods) == {}
    wrong = {**OUTPUTS, "evidence": evidence._replace(shape=(2, 3, other))}
    assert f"evidence are (2, 3, {other})" in found(read, outputs=wrong, evidence_methods=methods)["shapes"]


def test_integers_stand_at_both_ends_of_an_int8_tflite_file() -> None:
    floating = {name: one._replace(dtype=np.dtype(np.float32), scale=0.0) for name, one in OUTPUTS.items()}
    assert found(outputs=floating)["dtypes"].startswith("scores")
    assert "image is int8, expected uint8" in found(image=IMAGE._replace(dtype=np.dtype(np.int8)))["dtypes"]


def test_integers_stand_at_no_end_of_any_other() -> None:
    for read in (with_card("precision", "float32"), RIGHT._replace(container="onnx")):
        messages = [failure.message for failure in structure.failures(read, IMAGE, OUTPUTS, expected())]
        assert "image is uint8, expected float32 for" in messages[0]
        assert len(messages) == 6


def test_integers_without_a_scale_mean_nothing() -> None:
    outputs = {**OUTPUTS, "features": OUTPUTS["features"]._replace(scale=0.0)}
    assert "features has quantization scale 0.0" in found(outputs=outputs)["dtypes"]


@pytest.mark.parametrize(
    ("cut", "part"),
    [
        ({"image_shape": (4, 6, 3)}, "the image is (4, 6, 1), expected (4, 6, 3)"),
        ({"feature_shape": (3, 2, 5)}, "features are (2, 3, 5), expected (3, 2, 5)"),
        ({"classes": 4}, "scores are (3,), expected (4,)"),
    ],
)
def test_other_shapes_than_the_classifiers_are_told(cut: dict[str, Any], part: str) -> None:
    messages = [failure.message for failure in structure.failures(RIGHT, IMAGE, OUTPUTS, expected(**cut))]
    assert part in messages


@pytest.mark.parametrize(
    ("place", "value", "part"),
    [
        ("classifier_sha256", "d" * 64, "exported from other weights"),
        ("labels", ("Ärmel", "none", "袖"), "the label of class 1 is 'none', expected '袖'"),
        ("preprocessing.scale", (1 / 127.5,), "its preprocessing is 4 x 6 grey, pixel * (0.007843)"),
        ("preprocessing.offset", (-1.0,), "+ (-1), fit stretch, expected"),
        ("preprocessing.fit", "crop", "fit crop, expected"),
        ("head.layer", "another", "its layer is another, expected conv"),
        ("head.activation", "sigmoid", "its activation is sigmoid, expected softmax"),
        ("head.evidence", "gradient", "its evidence is gradient, expected device or graph"),
    ],
)
def test_a_card_that_speaks_of_another_classifier_is_told(place: str, value: object, part: str) -> None:
    assert part in found(with_card(place, value))["card"]


def test_rounding_is_no_other_preprocessing() -> None:
    assert found(with_card("preprocessing.scale", (1 / 255 * (1 + 1e-7),))) == {}


def test_the_checks_come_in_order() -> None:
    outputs = {"scores": OUTPUTS["scores"]._replace(shape=(2,), dtype=np.dtype(np.int16))}
    failures = structure.failures(with_card("head.layer", "another"), IMAGE, outputs, expected())
    assert list(dict.fromkeys(failure.check for failure in failures)) == ["names", "dtypes", "shapes", "card"]


def test_values_are_comparable_unless_names_or_shapes_are_wrong() -> None:
    assert structure.comparable(structure.failures(with_card("head.layer", "x"), IMAGE, OUTPUTS, expected()))
    assert not structure.comparable(structure.failures(RIGHT, IMAGE, {}, expected()))
    assert not structure.comparable(structure.failures(RIGHT, IMAGE, OUTPUTS, expected(classes=4)))
