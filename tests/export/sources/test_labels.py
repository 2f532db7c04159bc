"""`camlite_export.sources.labels`: one label a line, plain or numbered."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest

from camlite.errors import ClassifierError
from camlite_export.sources import labels


def read(tmp_path: Path, text: str, classes: int, encoding: str = "utf-8") -> tuple[str, ...]:
    path = tmp_path / "labels.txt"
    path.write_text(text, encoding=encoding)
    return labels.read(path, classes)


def test_one_label_a_line(tmp_path: Path) -> None:
    assert read(tmp_path, "cat\nblack dog\n", 2) == ("cat", "black dog")


def test_empty_lines_and_spaces_around_count_for_nothing(tmp_path: Path) -> None:
    assert read(tmp_path, "\n  cat \r\n\n\tdog\t\n\n", 2) == ("cat", "dog")


def test_the_numbers_of_teachable_machine_are_taken_off(tmp_path: Path) -> None:
    assert read(tmp_path, "0 cardboard\n1 Class 2\n2 glass", 3) == ("cardboard", "Class 2", "glass")


def test_labels_that_are_numbers_or_begin_with_others_stay(tmp_path: Path) -> None:
    assert read(tmp_path, "0\n1\n2\n", 3) == ("0", "1", "2")
    assert read(tmp_path, "3 wheels\n4 wheels\n", 2) == ("3 wheels", "4 wheels")
    assert read(tmp_path, "0 wheels\n2 wheels\n", 2) == ("0 wheels", "2 wheels")


def test_any_language_with_or_without_a_byte_order_mark(tmp_path: Path) -> None:
    assert read(tmp_path, "Hündin\n猫\n", 2, "utf-8-sig") == ("Hündin", "猫")


def test_without_a_file_classes_are_numbered() -> None:
    assert labels.of(None, 3) == ("class 0", "class 1", "class 2")


@pytest.mark.parametrize(("text", "count"), [("", 0), ("a\nb\n", 2), ("a\nb\nc\nd\n", 4)])
def test_a_count_that_does_not_fit_the_classifier_is_refused(tmp_path: Path, text: str, count: int) -> None:
    with pytest.raises(ClassifierError, match=rf"labels\.txt: {count} labels, the classifier has 3 classes"):
        read(tmp_path, text, 3)


def test_two_classes_with_one_label_are_refused(tmp_path: Path) -> None:
    """ImageNet has two classes crane: a bird and a machine."""
    with pytest.raises(ClassifierError, match=r"two classes are labelled 'crane'; tell them apart"):
        read(tmp_path, "crane\ndog\ncrane\n", 3)
    with pytest.raises(ClassifierError, match="two classes are labelled 'a'"):
        labels.of(["a", "a"], 2)


def pictures_in(folder: Path, *names: str) -> Path:
    for name in names:
        (folder / name).mkdir(parents=True)
        (folder / name / "a.png").touch()
    return folder


def test_labels_that_are_given_come_before_folders(tmp_path: Path) -> None:
    folder, path = pictures_in(tmp_path / "photos", "b", "a"), tmp_path / "labels.txt"
    path.write_text("x\ny\n")
    assert labels.choose(path, folder, ("c", "d"), 2) == (("x", "y"), f"labels from {path}")
    assert labels.choose(["x", "y"], folder, ("c", "d"), 2) == (("x", "y"), "labels as given")


def test_without_them_the_folders_of_pictures_are_the_labels_in_the_order_of_keras(tmp_path: Path) -> None:
    folder = pictures_in(tmp_path / "photos", *map(str, range(12)))
    names, said = labels.choose(None, folder, None, 12)
    assert names == ("0", "1", "10", "11", "2", "3", "4", "5", "6", "7", "8", "9")
    assert said == f"labels from the folders of {folder}, sorted as Keras does"


def test_then_come_those_that_the_file_carries(tmp_path: Path) -> None:
    assert labels.choose(None, tmp_path, ("c", "d"), 2) == (("c", "d"), "labels from the classifier's file")


def test_another_number_of_folders_is_said(tmp_path: Path) -> None:
    folder = pictures_in(tmp_path / "photos", "cat", "dog")
    names, said = labels.choose(None, folder, None, 3)
    assert names == ("class 0", "class 1", "class 2")
    assert "has 2 folders, the classifier 3 classes; give --labels" in said


def test_a_missing_file_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ClassifierError, match=r"nowhere\.txt: cannot read the labels"):
        labels.read(tmp_path / "nowhere.txt", 2)


def test_a_folder_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ClassifierError, match="cannot read the labels"):
        labels.read(tmp_path, 2)


def test_another_encoding_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ClassifierError, match="expected UTF-8 text"):
        read(tmp_path, "Hündin\nKatze\n", 2, "latin-1")


def test_a_label_that_a_terminal_would_obey_is_refused(tmp_path: Path) -> None:
    with pytest.raises(
        ClassifierError, match=r"label '\\x1b\[2Jdog' has control or invisible characters \(U\+001B\); drop them"
    ):
        read(tmp_path, "cat\n\x1b[2Jdog\n", 2)


@pytest.mark.parametrize("hidden", ["\u202e", "\u200b", "\u2066", "\ufeff", "\u00ad", "\u3164"])
def test_a_label_that_looks_like_another_is_refused(tmp_path: Path, hidden: str) -> None:
    with pytest.raises(
        ClassifierError, match=rf"has control or invisible characters \(U\+{ord(hidden):04X}\); drop them"
    ):
        read(tmp_path, f"cat\nd{hidden}og\n", 2)


def test_a_pipe_is_refused_at_once(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "labels.txt")

    with pytest.raises(ClassifierError, match="a pipe, a device or a socket"):
        labels.read(tmp_path / "labels.txt", 2)


NUMBERED = {
    "a space": "{k} {name}",
    "a colon": "{k}: {name}",
    "a comma": "{k},{name}",
    "a point": "{k}. {name}",
    "a bracket": "{k}) {name}",
    "a tab": "{k}\t{name}",
    "a hyphen": "{k} - {name}",
    "an underscore": "{k}_{name}",
    "a semicolon": "{k};{name}",
    "behind a comma": "{name},{k}",
    "behind a tab": "{name}\t{k}",
    "behind a colon": "{name}: {k}",
    "behind a space": "{name} {k}",
    "in a list": "- {k}: {name}",
    "quoted": '"{k} {name}"',
}


@pytest.mark.parametrize("line", NUMBERED.values(), ids=NUMBERED)
@pytest.mark.parametrize("first", [0, 1])
def test_where_every_line_has_a_number_the_numbers_are_the_order(tmp_path: Path, line: str, first: int) -> None:
    names = ["cool green", "warm", "Ä 7 x", "dog"]
    for order in ([0, 1, 2, 3], [2, 0, 3, 1]):
        text = "\n".join(line.format(k=k + first, name=names[k]) for k in order)
        assert read(tmp_path, text, 4) == tuple(names), text
        said = labels.choose(tmp_path / "labels.txt", None, None, 4)[1]
        in_order = order == [0, 1, 2, 3] and first == 0
        assert said.endswith("labels.txt" if in_order else f", in the order of their numbers, {first} to {first + 3}")


@pytest.mark.parametrize(
    ("text", "numbers"),
    [
        ("0 cat\n1 dog\n3 emu", "0, 1, 3"),
        ("0 cat\n0 dog\n2 emu", "0, 0, 2"),
        ("cat,2\ndog,3\nemu,4", "2, 3, 4"),
        ("7: cat\n5: dog\n6: emu", "7, 5, 6"),
        ("3 wheels\n4 doors\n6 feet", "3, 4, 6"),
    ],
)
def test_numbers_that_are_no_order_are_refused_with_a_remedy_that_works(
    tmp_path: Path, text: str, numbers: str
) -> None:
    with pytest.raises(ClassifierError, match=rf"numbers are {numbers}; expected each of 0 to 2, or of 1 to 3, once"):
        read(tmp_path, text, 3)
    assert read(tmp_path, json.dumps(text.split("\n")), 3) == tuple(text.split("\n"))


@pytest.mark.parametrize(
    "text",
    [
        "20 km/h\n30 km/h\n50 km/h",  # the numbers tell them apart
        "Class 1\nClass 2\nClass 3",
        "Class 0\nClass 1\nClass 2",
        "4 stroke\n2 stroke\nemu",  # not every line has one
        "Boeing 737\nAirbus 320\nFokker 100",
        "1.5 mm\n2.5 m\n3.5 in",
        "3-wheeler\n4-door\n6-pack",
        "2\n0\n1",
        "- cat\ndog\nemu",
        "e-mail\nt-shirt\nx-ray",
        '"cat\n"dog\nemu"',
    ],
)
def test_names_with_numbers_hyphens_and_quotes_in_them_stay(tmp_path: Path, text: str) -> None:
    assert read(tmp_path, text, 3) == tuple(text.split("\n"))


@pytest.mark.parametrize(
    "text", ["- cat\n- black dog", '"cat"\n"black dog"', "'cat',\n'black dog'", "* cat\n* black dog"]
)
def test_list_marks_and_quotes_on_every_line_are_taken_off(tmp_path: Path, text: str) -> None:
    assert read(tmp_path, text, 2) == ("cat", "black dog")


@pytest.mark.parametrize(
    "content",
    [
        ["cat", "dog", "emu"],
        {"dog": 1, "cat": 0, "emu": 2},
        {"2": "emu", "0": "cat", "1": "dog"},
        {"cat": 1, "emu": 3, "dog": 2},
    ],
)
@pytest.mark.parametrize("indent", [None, 2])
def test_json_is_read_as_class_indices_of_keras_are_saved(tmp_path: Path, content: object, indent: int | None) -> None:
    assert read(tmp_path, json.dumps(content, indent=indent), 3) == ("cat", "dog", "emu")


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ('{"cat": 0, "dog": 2}', r"received the indices 0, 2"),
        ('{"0": "cat", "0": "dog"}', r"received the indices 0, 0"),
        ('{"0": ["n01", "cat"], "1": ["n02", "dog"]}', "is no list of labels, and names no index for each"),
        ("[1, 2]", "is no list of labels"),
        ("[]", "is no list of labels"),
        ("{'cat': 0, 'dog': 1}", "cannot be read as such .* write it with json.dump"),
        ("[" * 100_000 + "]" * 100_000, "cannot be read as such|is no list"),
    ],
)
def test_json_that_is_no_labels_is_refused(tmp_path: Path, text: str, said: str) -> None:
    with pytest.raises(ClassifierError, match=rf"labels\.txt: .*{said}"):
        read(tmp_path, text, 2)


def test_labels_that_only_differ_in_how_accents_are_encoded_are_the_same(tmp_path: Path) -> None:
    with pytest.raises(ClassifierError, match="two classes are labelled 'caf"):
        read(tmp_path, "caf\u00e9\ncafe\u0301\nemu", 3)
