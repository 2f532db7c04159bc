"""The picture at the end of an export: a column a class, rightly named where the artifact can."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import numpy as np
import pytest

from support import guided_artifacts
from support.reference_classifier import LABELS, PROTOTYPES

pytest.importorskip("tensorflow")

import camlite
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


def test_where_no_class_is_known_images_of_the_whole_folder_stand_under_what_the_artifact_says(artifact, prototypes):
    columns = contact_sheet.columns(artifact, dataclasses.replace(prototypes, classes=None))

    assert len(columns) == 10
    spread = list(prototypes.spread(10))
    assert all(np.array_equal(column.image, image) for column, image in zip(columns, spread, strict=True))
    assert {column.above for column in columns} <= set(LABELS.read_text().splitlines())


@pytest.mark.skipif("犬" not in fonts.files_of("犬"), reason="no font here has Chinese characters")
@pytest.mark.filterwarnings("error:Glyph")
def test_labels_that_matplotlibs_own_font_has_not_are_drawn_in_one_that_has(artifact, prototypes):
    column = contact_sheet.columns(artifact, prototypes)[0]

    drawn = {contact_sheet.sheet([dataclasses.replace(column, above=label)], "name") for label in "犬猫"}

    assert len(drawn) == 2  # the box of a missing character is the same for both


@pytest.mark.parametrize(
    ("text", "lines"),
    [
        ("1.00", ["1.00"]),
        ("taken for cross, 0.95", ["taken for cross,", "0.95"]),
        ("a_label_of_one_word_that_is_long", ["a_label_of_one_wo", "rd_that_is_long"]),
        ("とても長い名前のラベル", ["とても長い名前の", "ラベル"]),
        (
            "taken for a label of so many words that none has room, 0.95",
            ["taken for a label", "of so many words", "...room, 0.95"],
        ),
    ],
)
def test_what_stands_above_and_below_a_column_is_no_wider_than_it_and_keeps_its_score(text, lines):
    assert contact_sheet._wrapped(text).split("\n") == lines


def test_an_artifact_with_a_guide_shows_plain_and_fine_heatmaps_under_each_other():
    pixels = [np.full((16, 16, 3), 50 * k, np.uint8) for k in range(3)]
    pixels[1][4:8, 4:8] = 255

    columns = contact_sheet.columns(guided_artifacts.ALL, labelled_images.of_arrays(np.stack(pixels)))

    explainer = camlite.load(guided_artifacts.ALL)
    for column, image in zip(columns, pixels, strict=True):
        seen = explainer.explain(image)
        assert column.fine is not None
        assert np.array_equal(column.fine, seen.overlay(zoom=14))
    assert any((column.fine != column.overlay).any() for column in columns)
    assert [name for name, _ in contact_sheet._rows(columns)] == ["", "plain", "fine"]


def test_an_artifact_without_a_guide_has_one_row_of_heatmaps_without_a_name(artifact, prototypes):
    columns = contact_sheet.columns(artifact, prototypes)

    assert [name for name, _ in contact_sheet._rows(columns)] == ["", ""]
