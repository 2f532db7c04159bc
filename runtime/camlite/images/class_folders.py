"""Which class the pictures of a folder belong to: by the names of the folders that they lie in."""

from __future__ import annotations

import re
import unicodedata
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import PurePath

from camlite.errors import ImageError

# People write "With Mask", "with_mask" and "with-mask" for the same; a slash cannot stand in a folder's name.
_BETWEEN_WORDS = re.compile(r"[\s_\-/]+")
_MOST_NAMED = 5


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
    underscores, hyphens and slashes. Only where no label is a number is a folder's number the index of a class.
    A label may hold a slash: then its folder may lie in another (``T-shirt/top``).

    Args:
        pictures: their paths, relative to the folder.
        labels: one a class, in the order of the scores.
        where: the folder, for messages.

    Raises:
        ImageError: two folders have the name of the same label.
    """
    names = _Names(labels)
    found = [_folder_of(picture, names) for picture in pictures]
    by_class: dict[int, str] = {}
    for folder, index in filter(None, found):
        if by_class.setdefault(index, folder) != folder:
            raise ImageError(
                f"{where}: folders {by_class[index]!r} and {folder!r} both stand for label {labels[index]!r}; "
                f"put their pictures into one"
            )
    classes = tuple(one[1] if one else None for one in found)
    return Matched(classes, _notes(pictures, classes, labels, where))


def top_folders(pictures: Sequence[PurePath]) -> list[str]:
    """The folders right below, as Keras's `image_dataset_from_directory` sorts them: 0, 1, 10, 11, 2."""
    return sorted({picture.parts[0] for picture in pictures if len(picture.parts) > 1})


def plain(name: str) -> str:
    """A name without what people write differently."""
    return _BETWEEN_WORDS.sub(" ", unicodedata.normalize("NFKC", name).casefold()).strip()


class _Names:
    """Looks up the class that a folder's name stands for."""

    def __init__(self, labels: Sequence[str]) -> None:
        self._exact = {label: index for index, label in enumerate(labels)}
        self._plain = _unique({index: plain(label) for index, label in enumerate(labels)})
        numbers = {index: str(int(label)) for index, label in enumerate(labels) if label.isdecimal()}
        self._numbers = _unique(numbers) if numbers else {str(index): index for index in range(len(labels))}

    def index(self, name: str) -> int | None:
        if name in self._exact:
            return self._exact[name]
        number = str(int(name)) if name.isdecimal() and len(name) < 20 else None
        return self._plain.get(plain(name), self._numbers.get(number) if number else None)


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
        notes.append(f"{where}: {loose} pictures lie in no folder that is named after a label")
    if empty:
        notes.append(f"{where}: no folder has the name of these labels: {empty}")
    if folders or loose:
        notes.append(f"{where}: so the classes of the pictures are not known, and no accuracy is measured")
    return tuple(notes)


def _listed(names: Sequence[str]) -> str:
    more = f" and {len(names) - _MOST_NAMED} more" if len(names) > _MOST_NAMED else ""
    return ", ".join(names[:_MOST_NAMED]) + more
