"""The artifacts that a command line means: files, and folders of them."""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import NamedTuple, get_args

from camlite import artifact
from camlite.artifact.container import SUFFIXES
from camlite.artifact.precisions import Precision
from camlite.errors import ArtifactError
from camlite.system import files

_NAME = re.compile(rf"\.(?:{'|'.join(get_args(Precision))})(?:{'|'.join(map(re.escape, SUFFIXES.values()))})$", re.I)
_MOST_NAMED = 3  # files of a folder that a message names
_MOST_SEARCHED = 100  # folders in a folder that are looked into for a hint


class Folder(NamedTuple):
    """What a folder holds.

    Attributes:
        artifacts: its artifacts, in order of their names.
        others: its ``.tflite`` and ``.onnx`` files that are none.
    """

    artifacts: tuple[Path, ...]
    others: tuple[Path, ...]

    @property
    def note(self) -> str:
        """That there are others, in one line; empty where there are none."""
        if not self.others:
            return ""
        named = ", ".join(path.name for path in self.others[:_MOST_NAMED])
        more = ", ..." if len(self.others) > _MOST_NAMED else ""
        return f"{named}{more}: no artifact, because `camlite export` did not make it; left out"


def in_folder(folder: Path) -> Folder:
    """The artifacts of a folder, without those of the folders in it and without hidden files.

    An artifact is a file that ``camlite export`` has named (``NAME.int8.tflite``), whatever it holds, so that a
    damaged one is not passed over in silence; and every other ``.tflite`` or ``.onnx`` file that ends with camlite's
    seal.

    Raises:
        ArtifactError: the folder cannot be read.
    """
    try:
        with os.scandir(folder) as entries:
            names = sorted(entry.name for entry in entries if not files.is_folder(entry.path))
    except OSError as error:
        raise ArtifactError(f"{folder}: cannot read this folder ({error.strerror}); check its permissions") from None
    models = [folder / name for name in names if not name.startswith(".") and _is_model(name)]
    ours = [_NAME.search(path.name) is not None or artifact.has_seal(path) for path in models]
    return Folder(
        tuple(path for path, is_ours in zip(models, ours, strict=True) if is_ours),
        tuple(path for path, is_ours in zip(models, ours, strict=True) if not is_ours),
    )


def _is_model(name: str) -> bool:
    return Path(name).suffix.lower() in SUFFIXES.values()


def expand(argument: Path) -> Folder:
    """What an argument of the command line stands for: a file for itself, a folder for the artifacts in it.

    Raises:
        ArtifactError: the folder cannot be read, or has no artifacts.
    """
    if not files.is_folder(argument):
        return Folder((argument,), ())
    found = in_folder(argument)
    if not found.artifacts:
        raise ArtifactError(f"{argument}: no artifacts in this folder; {_hint(argument, found.others)}")
    return found


def _hint(folder: Path, others: tuple[Path, ...]) -> str:
    below = next(folders_with_artifacts(folder), None)
    if below is not None:
        return f"{below} has some"
    if others:
        return f"make one with: camlite export {others[0]}"
    return "expected files of `camlite export`, such as NAME.int8.tflite"


def folders_with_artifacts(folder: Path) -> Iterator[Path]:
    """Folders directly in this one that have artifacts, in order; of many folders the first `_MOST_SEARCHED`."""
    try:
        with os.scandir(folder) as entries:
            names = sorted(
                entry.name for entry in entries if not entry.name.startswith(".") and files.is_folder(entry.path)
            )
    except OSError:
        return
    for name in names[:_MOST_SEARCHED]:
        try:
            if in_folder(folder / name).artifacts:
                yield folder / name
        except ArtifactError:  # noqa: PERF203 - it is only a hint
            continue


def once(paths: Iterable[Path]) -> list[Path]:
    """Without those that were there before."""
    return list(dict.fromkeys(paths))


def told_apart(paths: Iterable[Path]) -> dict[Path, str]:
    """What tables and pages call artifacts: their file names; their paths if two of the names are the same."""
    paths = list(paths)
    distinct = len({path.name for path in paths}) == len(set(paths))
    return {path: path.name if distinct else str(path) for path in paths}
