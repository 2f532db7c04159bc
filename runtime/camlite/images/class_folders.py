"""Which class the pictures of a folder belong to: by the names of the folders that they lie in."""

from __future__ import annotations

import re
import unicodedata
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import PurePath

from camlite.errors import ImageError
from camlite.texts import counted

# People write "With Mask", "with_mask" and "with-mask" for the same; a slash cannot stand in a folder's name.
_BETWEEN_WORDS = re.compile(r"[\s_\-/]+")
# "0 cat", "1_cat": a number in front of a folder's name only sorts it.
_SORTED = re.compile(r"\d{1,7}[\s_\-.]+(.+)")
_MOST_NAMED = 5

_SPLITS = {"train", "training", "test", "testing", "val", "valid", "validation", "dev", "eval", "evaluation"}
"""What people call the parts of a data set."""


@dataclass(frozen=True)
class Matched:
    """The classes of pictures.

    Attributes:
        classes: index of the class of each picture; None where its folder has no label's name, or where it is in none.
        notes: what did not match, each one line; empty where everything did, and where there are no folders.
    """

    classes: tuple[int | None, ...]
    notes: tuple[str, ...]


def match(pictures: Sequence[PurePath], labels: Sequence[str], where: str) -> Matched:
    """Match pictures with labels.

    A folder is named after a label where the names are the same but for case, accents' encoding, and spaces,
    underscores, hyphens and slashes, or where a number in front of the folder's is left out. Only where no label is a
    number is a folder's number the index of a class, and only where all numbers are. A label may hold a slash: then its
    folder may lie in another (``T-shirt/top``). Folders such as ``train`` and ``test``, with the same class folders in
    them, are read as one.

    Args:
        pictures: their paths, relative to the folder.
        labels: one a class, in the order of the scores.
        where: the folder, for messages.

    Raises:
        ImageError: two folders have the name of the same label.
    """
    names = _Names(labels, top_folders(pictures))
    found = [_folder_of(picture, names) for picture in pictures]
    splits = split_folders(pictures)
    if splits and (_usual(splits) or not any(found)):
        inside = [PurePath(*picture.parts[1:]) for picture in pictures]
        names = _Names(labels, top_folders(inside))
        found = [_folder_of(picture, names) for picture in inside]
    by_class: dict[int, str] = {}
    for folder, index in filter(None, found):
        if by_class.setdefault(index, folder) != folder:
            raise ImageError(
                f"{where}: folders {by_class[index]!r} and {folder!r} both stand for label {labels[index]!r}; "
                f"put their pictures into one"
            )
    classes = tuple(one[1] if one else None for one in found)
    return Matched(classes, (*_split_note(splits, found, pictures, where), *_notes(pictures, classes, labels, where)))


def top_folders(pictures: Sequence[PurePath]) -> list[str]:
    """The folders right below, as Keras's `image_dataset_from_directory` sorts them: 0, 1, 10, 11, 2."""
    return sorted({picture.parts[0] for picture in pictures if len(picture.parts) > 1})


def split_folders(pictures: Sequence[PurePath]) -> list[str]:
    """The folders right below, where they are parts of a data set: all with the same class folders, or named so.

    Empty where they are not.
    """
    inside = _class_folders_in(pictures)
    if not inside or min(map(len, inside.values())) < 1:
        return []
    same = len(inside) > 1 and len(set(map(frozenset, inside.values()))) == 1
    return sorted(inside) if _usual(list(inside)) or (same and len(next(iter(inside.values()))) > 1) else []


def classes_in(pictures: Sequence[PurePath], count: int) -> tuple[list[str], list[str]]:
    """Names of the folders of so many classes, sorted as Keras does, and the parts of the data set that they lie in.

    The first is empty where there are no such folders, the second where they lie right below.
    """
    top, splits = top_folders(pictures), split_folders(pictures)
    nested = sorted({name for names in _class_folders_in(pictures).values() for name in names}) if splits else []
    if len(nested) == count and (_usual(splits) or len(top) != count):
        return nested, splits
    return ([], []) if top and _usual(top) else (top, [])


def _class_folders_in(pictures: Sequence[PurePath]) -> dict[str, set[str]]:
    """The folders in each of the folders right below."""
    found: dict[str, set[str]] = {name: set() for name in top_folders(pictures)}
    for picture in pictures:
        if len(picture.parts) > 2:
            found[picture.parts[0]].add(picture.parts[1])
    return found


def _usual(names: Sequence[str]) -> bool:
    return all(name.casefold() in _SPLITS for name in names)


def _split_note(
    splits: Sequence[str], found: Sequence[tuple[str, int] | None], pictures: Sequence[PurePath], where: str
) -> list[str]:
    read = {
        picture.parts[0] for picture, one in zip(pictures, found, strict=True) if one and picture.parts[0] in splits
    }
    named = any(one and one[0].split("/")[0] in splits for one in found)
    return (
        [f"{where}: {_listed([repr(name) for name in splits])} are read as one set of pictures"]
        if read and not named
        else []
    )


def plain(name: str) -> str:
    """A name without what people write differently."""
    return _BETWEEN_WORDS.sub(" ", unicodedata.normalize("NFKC", name).casefold()).strip()


class _Names:
    """Looks up the class that a folder's name stands for."""

    def __init__(self, labels: Sequence[str], folders: Sequence[str]) -> None:
        self._exact = {label: index for index, label in enumerate(labels)}
        self._plain = _unique({index: plain(label) for index, label in enumerate(labels)})
        numbers = {index: str(int(label)) for index, label in enumerate(labels) if label.isdecimal()}
        self._numbers = _unique(numbers) if numbers else {str(index): index for index in range(len(labels))}
        # Folders 1 to 3 of three labels are counted from 1: that two of them are indices means nothing.
        self._counts = all(self._number(name) is not None for name in folders if name.isdecimal())

    def index(self, name: str) -> int | None:
        if name.isdecimal():
            return self._number(name) if self._counts else None
        if name in self._exact:
            return self._exact[name]
        sorted_name = _SORTED.fullmatch(name)
        return self._plain.get(plain(name), self._plain.get(plain(sorted_name[1])) if sorted_name else None)

    def _number(self, name: str) -> int | None:
        if name in self._exact:
            return self._exact[name]
        return self._numbers.get(str(int(name))) if len(name) < 20 else None


def _unique(names: Mapping[int, str]) -> dict[str, int]:
    """Name -> index, of those that only one index has."""
    counts = Counter(names.values())
    return {name: index for index, name in names.items() if counts[name] == 1}


def _folder_of(picture: PurePath, names: _Names) -> tuple[str, int] | None:
    for parent in picture.parents:
        index = names.index(parent.as_posix())
        if index is not None and parent.parts:
            return parent.as_posix(), index
    return None


def _notes(
    pictures: Sequence[PurePath], classes: Sequence[int | None], labels: Sequence[str], where: str
) -> tuple[str, ...]:
    folders = Counter(
        picture.parts[0] for picture, k in zip(pictures, classes, strict=True) if k is None and len(picture.parts) > 1
    )
    loose = sum(k is None and len(picture.parts) == 1 for picture, k in zip(pictures, classes, strict=True))
    matched = set(classes) - {None}
    if not folders and not matched:
        return ()
    notes = []
    unmatched = _listed([f"{name!r} ({count})" for name, count in sorted(folders.items())])
    empty = _listed([repr(label) for k, label in enumerate(labels) if k not in matched])
    if folders:
        notes.append(f"{where}: no label has the name of these folders (and pictures in them): {unmatched}")
    if loose:
        notes.append(f"{where}: {counted(loose, 'picture')} in no folder that is named after a label")
    if empty:
        notes.append(f"{where}: no folder has the name of these labels: {empty}")
    if not matched:
        notes.append(f"{where}: so the classes of the pictures are not known, and no accuracy is measured")
    elif folders or loose:
        known = sum(k is not None for k in classes)
        notes.append(
            f"{where}: accuracy is measured on the {known:,} of {counted(len(classes), 'picture')} whose class is known"
        )
    return tuple(notes)


def _listed(names: Sequence[str]) -> str:
    more = f" and {len(names) - _MOST_NAMED} more" if len(names) > _MOST_NAMED else ""
    return ", ".join(names[:_MOST_NAMED]) + more
