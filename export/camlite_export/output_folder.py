"""Write files of one export so that each appears whole or not at all, and in place of older ones of their names.

Files of other names stay: they may be of another classifier, or of an export of other precisions that somebody wants to
keep. `left` names those that are easily taken for files of this export.
"""

from __future__ import annotations

import errno
import tempfile
from collections.abc import Collection, Iterable, Mapping
from pathlib import Path

from camlite.errors import CamliteError
from camlite.system.files import alone_in, folder_for, part_of, remove_leftovers, write_durably


def check(folder: Path, names: Iterable[str] = ()) -> None:
    """Tell before long work that files cannot be written into a folder; nothing of the try is left.

    Args:
        folder: see `write_all`; it may be missing.
        names: of the files.

    Raises:
        CamliteError: the folder cannot be made or written to, or a folder has the name of a file.
    """
    try:
        with folder_for(folder, keep=False):
            with tempfile.TemporaryFile(dir=folder):
                pass
            _no_folder_has_the_name(folder, names)
    except OSError as error:
        raise _refusal(folder, error) from None


def write_all(folder: Path, files: Mapping[str, bytes]) -> None:
    """Write files into a folder: first all of them beside their places, then each moved to its place.

    Older files of these names are removed before the first is moved: whenever the process is killed, those that are
    there under these names are of one export. One process at a time does so in a folder.

    Raises:
        CamliteError: the folder cannot be made or written to; then no file has changed.
    """
    try:
        with folder_for(folder):
            _write_and_move(folder, files)
    except OSError as error:
        raise _refusal(folder, error) from None


def _write_and_move(folder: Path, files: Mapping[str, bytes]) -> None:
    remove_leftovers(folder, files.keys())
    _no_folder_has_the_name(folder, files)
    parts: dict[Path, Path] = {}
    try:
        for name, content in files.items():
            part = part_of(folder / name)
            parts[part] = folder / name
            write_durably(part, content)
        with alone_in(folder):
            try:
                _move(parts)
            except KeyboardInterrupt:
                _move(parts)  # what has begun is ended, in a moment
                raise
    finally:
        for part in parts:
            part.unlink(missing_ok=True)


def _no_folder_has_the_name(folder: Path, names: Iterable[str]) -> None:
    for name in names:
        if (folder / name).is_dir():
            raise IsADirectoryError(errno.EISDIR, f"{name} is a folder")


def _refusal(folder: Path, error: OSError) -> CamliteError:
    return CamliteError(f"{folder}: cannot write there ({error.strerror}); choose another --output")


def left(folder: Path, made: Collection[str], names: Iterable[str]) -> tuple[str, ...]:
    """Which files of an earlier export lie beside those that were made now.

    Args:
        folder: see `write_all`; made: what was written there.
        names: what an export may write there.
    """
    return tuple(name for name in names if name not in made and (folder / name).is_file())


def _move(parts: Mapping[Path, Path]) -> None:
    waiting = {part: place for part, place in parts.items() if part.exists()}
    for place in waiting.values():
        place.unlink(missing_ok=True)
    for part, place in waiting.items():
        part.replace(place)
