"""The picture at the end of an export: a column a class, rightly named where the artifact can."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import numpy as np
import pytest

from support.reference_classifier import LABELS, PROTOTYPES

pytest.importorskip("tensorflow")

from camlite.images import labelled_images
from camlite.show import fonts
from camlite_export import contact_sheet


@pytest.fixture(scope="module")
def prototypes() -> labelled_images.LabelledImages:
    return labelled_images.load(PROTOTYPES, LABELS.read_text().splitlines())


@pytest.fixture(scope="module")
def artifact(reference_artifacts: Path) -> Path:
    return reference_artifacts / "fashion_mnist.int8.tflite"


def test_a_column_a_class_shows_an_image_that_the_artifact_names_rightly(artifact, prototypes):
    columns = contact_sheet.columns(artifact, prototypes)

    assert [column.above for column in columns] == LABELS.read_text().splitlines()
    for column in columns:
        assert 0.4 < float(column.below) <= 1  # nothing but the score
        assert column.image.shape == (28, 28, 1)
        assert column.overlay.shape == (224, 224, 3)


def test_an_image_that_is_taken_for_another_class_says_so(artifact, prototypes):
    moved = dataclasses.replace(prototypes, classes=(prototypes.classes + 1) % 10)

    columns = contact_sheet.columns(artifact, moved)

    assert columns[0].above == "T-shirt/top"
    assert columns[0].below.startswith("taken for Ankle boot, ")


def test_where_no_class_is_known_the_first_images_stand_under_what_the_artifact_says(artifact, prototypes):
    columns = contact_sheet.columns(artifact, dataclasses.replace(prototypes, classes=None))

    assert len(columns) == 10
    assert np.array_equal(columns[3].image, prototypes[3])
    assert columns[0].above == "T-shirt/top"


@pytest.mark.skipif("犬" not in fonts.files_of("犬"), reason="no font here has Chinese characters")
@pytest.mark.filterwarnings("error:Glyph")
def test_labels_that_matplotlibs_own_font_has_not_are_drawn_in_one_that_has(artifact, prototypes):
    column = contact_sheet.columns(artifact, prototypes)[0]

    drawn = {contact_sheet._sheet([dataclasses.replace(column, above=label)], "name") for label in "犬猫"}

    assert len(drawn) == 2  # the box of a missing character is the same for both
