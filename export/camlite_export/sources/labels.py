"""The labels of a classifier: given, from a file, from the folders of pictures, or numbers."""

from __future__ import annotations

import unicodedata
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from camlite.errors import ClassifierError
from camlite.images import class_folders, picture_files
from camlite.system import files
from camlite.texts import counted, hidden_character, printable
from camlite_export.sources import label_lines
from camlite_export.sources.label_lines import Labels, LabelTextError

_MOST_BYTES = 1 << 26


def choose(
    given: str | Path | Sequence[str] | None, pictures: Any, carried: Sequence[str] | None, classes: int
) -> tuple[tuple[str, ...], str]:
    """The labels of K classes, and one line that says where they are from.

    Those given; else the names of the folders of labelled pictures, in the order in which Keras's
    `image_dataset_from_directory` numbers them, where there are as many as classes; else those that the classifier's
    file carries; else numbers.

    Args:
        given: labels, or a file of them.
        pictures: the calibration pictures; only a folder has folders.
        carried: see `camlite_export.sources.source.Source.labels`.

    Raises:
        ClassifierError: see `read`.
    """
    if isinstance(given, str | Path):
        found = _in_file(Path(given), classes)
        return tuple(found.names), f"labels from {given}{found.order}"
    if given is not None:
        return of(given, classes), "labels as given"
    folders, splits = _folders(Path(pictures), classes) if isinstance(pictures, str | Path) else ([], [])
    if len(folders) == classes:
        inside = f" in {', '.join(map(repr, splits))}" if splits else ""
        said = f"labels from the folders{inside} of {pictures}, sorted as Keras does"
        return _checked(folders, classes, str(pictures)), said
    if carried is not None:
        return of(carried, classes), "labels from the classifier's file"
    what = f": {pictures} has {counted(len(folders), 'folder')}, the classifier {classes} classes" if folders else ""
    return of(None, classes), f"labels are numbers{what}; give --labels"


def _folders(pictures: Path, classes: int) -> tuple[list[str], list[str]]:
    """See `camlite.images.class_folders.classes_in`."""
    if not pictures.is_dir():
        return [], []
    return class_folders.classes_in([file.relative_to(pictures) for file in picture_files.below(pictures)], classes)


def of(given: str | Path | Sequence[str] | None, classes: int) -> tuple[str, ...]:
    """The labels of K classes: those given, or those of a file; ``class 0`` to ``class K-1`` where nothing is given.

    Raises:
        ClassifierError: see `read`.
    """
    if given is None:
        return tuple(f"class {k}" for k in range(classes))
    if isinstance(given, str | Path):
        return read(Path(given), classes)
    if not all(isinstance(label, str) for label in given):
        raise ClassifierError(f"labels: expected texts, received {[type(label).__name__ for label in given][:5]}")
    return _checked([label.strip() for label in given], classes, "labels")


def read(path: Path, classes: int) -> tuple[str, ...]:
    """The labels of K classes, from a file; see `camlite_export.sources.label_lines`.

    Raises:
        ClassifierError: the file cannot be read, has not one label per class, or has one label twice.
    """
    return tuple(_in_file(path, classes).names)


def _in_file(path: Path, classes: int) -> Labels:
    try:
        text = files.read(path, _MOST_BYTES).decode("utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        raise ClassifierError(f"{path}: cannot read the labels ({error}); expected UTF-8 text") from None
    try:
        found = label_lines.parse(text)
    except LabelTextError as error:
        raise ClassifierError(f"{path}: {printable(str(error))}") from None
    return Labels(_checked(found.names, classes, str(path)), found.order)


def _checked(lines: Sequence[str], classes: int, where: str) -> tuple[str, ...]:
    for line in lines:
        if hidden := hidden_character(line):
            raise ClassifierError(
                f"{where}: label '{printable(line[:40])}' has control or invisible characters ({hidden}); drop them"
            )
    if len(lines) != classes:
        raise ClassifierError(
            f"{where}: {counted(len(lines), 'label')}, the classifier has {classes} classes; give one label per line"
        )
    counts = Counter(unicodedata.normalize("NFC", line) for line in lines)  # what looks the same is the same
    twice = next((line for line, count in counts.items() if count > 1), None)
    if twice is not None:
        raise ClassifierError(
            f"{where}: two classes are labelled '{printable(twice[:40])}'; tell them apart, as 'crane (bird)' and "
            f"'crane (machine)'"
        )
    return tuple(lines)
