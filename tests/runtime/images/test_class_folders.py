"""`camlite.images.class_folders`: folders and labels are matched by name, and what does not match is said."""

from __future__ import annotations

from pathlib import PurePath

import pytest

from camlite.errors import ImageError
from camlite.images.class_folders import Matched, classes_in, match, top_folders

KERAS_ORDER = ("0", "1", "10", "11", "2", "3")


def matched(labels: tuple[str, ...], *folders: str) -> Matched:
    return match([PurePath(folder, "a.png") for folder in folders], labels, "photos")


@pytest.mark.parametrize(
    "folder", ["With Mask", "with mask", "WITH_MASK", "with-mask", "with  mask", "With_Mask/deep/deeper"]
)
def test_case_spaces_underscores_and_hyphens_make_no_difference(folder: str) -> None:
    found = matched(("Without Mask", "With Mask"), folder, "without_mask")

    assert found == Matched((1, 0), ())


def test_accents_may_be_encoded_either_way() -> None:
    assert matched(("Hu\u0308ndin", "Kater"), "H\u00fcndin", "kater").classes == (0, 1)


@pytest.mark.parametrize("folder", ["T-shirt/top", "T-shirt_top", "t-shirt top"])
def test_a_label_with_a_slash_is_a_folder_in_another_or_written_otherwise(folder: str) -> None:
    assert matched(("T-shirt/top", "Bag"), folder, "Bag").classes == (0, 1)


def test_a_number_is_a_name_where_labels_are_numbers() -> None:
    assert matched(KERAS_ORDER, "2", "10", "3").classes == (4, 2, 5)


def test_a_number_may_have_zeros_in_front() -> None:
    assert matched(KERAS_ORDER, "00002", "00010").classes == (4, 2)


def test_a_number_is_an_index_only_where_no_label_is_a_number() -> None:
    assert matched(("cat", "dog"), "1", "0") == Matched((1, 0), ())
    assert matched(("cat", "7"), "0", "1").classes == (None, None)


def test_an_exact_name_comes_first() -> None:
    assert matched(("cat", "Cat"), "Cat", "cat").classes == (1, 0)


def test_a_name_that_two_labels_share_otherwise_is_none_of_them() -> None:
    assert matched(("cat", "Cat"), "CAT").classes == (None,)


def test_what_does_not_match_is_said_on_both_sides() -> None:
    found = match(
        [PurePath("angry/a.png"), PurePath("hapy/a.png"), PurePath("hapy/b.png"), PurePath("c.png")],
        ("Angry", "Happy"),
        "photos",
    )

    assert found.classes == (0, None, None, None)
    assert found.notes == (
        "photos: no label has the name of these folders (and pictures in them): 'hapy' (2)",
        "photos: 1 picture in no folder that is named after a label",
        "photos: no folder has the name of these labels: 'Happy'",
        "photos: accuracy is measured on the 1 of 4 pictures whose class is known",
    )


def test_nothing_that_matches_is_said() -> None:
    found = matched(("Angry", "Happy"), "angri", "hapy")

    assert found.classes == (None, None)
    assert found.notes[-1] == "photos: so the classes of the pictures are not known, and no accuracy is measured"


@pytest.mark.parametrize("folder", ["0 cat", "1_cat", "2-Cat", "03. cat", "17 CAT"])
def test_a_number_in_front_of_a_folders_name_only_sorts_it(folder: str) -> None:
    assert matched(("dog", "cat"), folder, "9 dog") == Matched((1, 0), ())


def test_a_number_in_front_is_a_part_of_the_name_where_a_label_has_it() -> None:
    assert matched(("wheels", "4 wheels"), "4 wheels", "wheels").classes == (1, 0)


@pytest.mark.parametrize(
    ("labels", "folders"),
    [(("cat", "dog", "emu"), ("1", "2", "3")), (("1", "2", "3"), ("0", "1", "2")), (("cat", "dog"), ("0", "7"))],
)
def test_numbers_are_indices_or_names_all_together(labels: tuple[str, ...], folders: tuple[str, ...]) -> None:
    """Folders counted from 1 would else measure the accuracy of the wrong classes."""
    assert matched(labels, *folders).classes == (None,) * len(folders)


def test_a_folder_beside_those_of_numbers_leaves_them_be() -> None:
    assert matched(("cat", "dog"), "0", "1", "misc").classes == (0, 1, None)


@pytest.mark.parametrize("splits", [("train", "test"), ("Training", "validation", "test"), ("indoor", "outdoor")])
def test_parts_of_a_data_set_with_the_same_class_folders_are_read_as_one(splits: tuple[str, ...]) -> None:
    found = matched(("dog", "cat"), *(f"{split}/{name}" for split in splits for name in ("cat", "dog")))

    assert found.classes == (1, 0) * len(splits)
    (said,) = found.notes
    assert said.endswith(" are read as one set of pictures")
    assert all(repr(split) in said for split in splits)


def test_folders_that_have_the_labels_names_are_no_parts() -> None:
    assert matched(("cat", "dog"), "cat/train", "cat/test", "dog/train", "dog/test") == Matched((0, 0, 1, 1), ())


@pytest.mark.parametrize(
    ("folders", "count", "expected"),
    [
        (("train/cat", "train/dog", "test/cat", "test/dog"), 2, (["cat", "dog"], ["test", "train"])),
        (("train/cat", "train/dog", "train/emu", "val/cat"), 3, (["cat", "dog", "emu"], ["train", "val"])),
        (("train/cat", "train/dog"), 2, (["cat", "dog"], ["train"])),
        (("a/cat", "a/dog", "a/emu", "b/cat", "b/dog", "b/emu"), 3, (["cat", "dog", "emu"], ["a", "b"])),
        (("cat/in", "cat/out", "dog/in", "dog/out"), 2, (["cat", "dog"], [])),
        (("train", "test"), 2, ([], [])),
        (("cat", "dog"), 2, (["cat", "dog"], [])),
    ],
)
def test_the_folders_of_classes_may_lie_in_parts_of_a_data_set(
    folders: tuple[str, ...], count: int, expected: tuple[list[str], list[str]]
) -> None:
    assert classes_in([PurePath(folder, "a.png") for folder in folders], count) == expected


def test_pictures_without_folders_are_nothing_to_speak_of() -> None:
    assert match([PurePath("a.png"), PurePath("b.png")], ("cat", "dog"), "photos") == Matched((None, None), ())


def test_a_label_without_pictures_is_said_and_the_others_are_known() -> None:
    found = matched(("cat", "dog", "crane"), "cat", "dog")

    assert found.classes == (0, 1)
    assert found.notes == ("photos: no folder has the name of these labels: 'crane'",)


@pytest.mark.parametrize("folders", [("cat", "Cat"), ("cat", "0"), ("my_cat", "my cat")])
def test_two_folders_of_one_label_are_refused(folders: tuple[str, ...]) -> None:
    labels = ("my cat", "dog") if "my cat" in folders else ("cat", "dog")
    with pytest.raises(ImageError, match=r"photos: folders .* both stand for label .*; put their pictures into one"):
        matched(labels, *folders)


def test_folders_are_sorted_as_keras_sorts_them() -> None:
    assert top_folders([PurePath(str(k), "a.png") for k in range(12)] + [PurePath("loose.png")]) == [
        *("0", "1", "10", "11"),
        *map(str, range(2, 10)),
    ]
