"""What is expected of artifacts: what the caller says of the classifier, and what its card says where he does not."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from camlite.artifact import Artifact
from camlite.artifact.card import Head, Preprocessing
from camlite_export.agreement.expected import Given, open_expected
from support.small_artifacts import SMALL, small_arrays


@pytest.mark.parametrize(("fit", "expected"), [(None, "crop"), ("stretch", "stretch")])
def test_pixels_that_are_given_without_a_fit_get_that_of_the_classifiers_family(fit, expected) -> None:
    """As at export: otherwise the reference would see other pixels than the artifact."""
    if "TEACHABLE_MACHINE_DIR" not in os.environ:
        pytest.skip("TEACHABLE_MACHINE_DIR: no Teachable Machine model here")
    card = SMALL._replace(
        labels=("a", "b", "c", "d"),
        preprocessing=Preprocessing(224, 224, 3, (2 / 255,) * 3, (-1.0,) * 3, "crop"),
        head=Head("out_relu", 7, 7, 1280, "softmax", "gradient"),
    )
    artifact = Artifact(Path("model.float32.tflite"), "tflite", b"", card, small_arrays())

    found = open_expected(
        Path(os.environ["TEACHABLE_MACHINE_DIR"]) / "keras_model.h5", Given(preprocess="signed", fit=fit), artifact
    )

    assert found.target.fit == expected
    assert "preprocessing" not in found.assumed
