"""Write a folder that appears whole or not at all."""

from __future__ import annotations

import contextlib
import json
import os
import shutil
from collections.abc import Mapping
from pathlib import Path

from camlite.errors import CamliteError
from camlite.system import files
from camlite.website.site import PAGE_FACTS

_MOST_FACTS = 1 << 24


def write(folder: Path, content: Mapping[str, bytes]) -> None:
    """Write a site; one that was written before is replaced, anything else is left alone.

    The files are written into a folder beside it, which then takes its name. A process that is killed leaves the old
    site or the new one; in the moment between, the old one stands beside its place under a hidden name.

    Args:
        folder: of the site; the folders above are made.
        content: path in the folder -> bytes.

    Raises:
        CamliteError: it cannot be written, or something else is there.
    """
    folder = Path(os.path.abspath(folder))  # noqa: PTH100  (`resolve` would follow a link that is to be replaced)
    _check_free(folder)
    part = files.part_of(folder)
    old = files.part_of(folder.with_name(f"{folder.name}.old"))
    try:
        with files.folder_for(folder.parent):
            files.remove_leftovers(folder.parent, (folder.name, f"{folder.name}.old"))
            try:
                for name, data in content.items():
                    path = part / name
                    path.parent.mkdir(parents=True, exist_ok=True)
                    files.write_durably(path, data)
                if folder.is_dir():
                    folder.replace(old)
                part.replace(folder)
            except OSError:
                if old.is_dir() and not folder.is_dir():
                    old.replace(folder)
                raise
            finally:
                for left in (part, old):
                    with contextlib.suppress(OSError):
                        shutil.rmtree(left)
    except OSError as error:
        in_the_way = isinstance(error, (FileExistsError, NotADirectoryError))
        reason = "a file is in the way" if in_the_way else error.strerror
        raise CamliteError(f"--output {folder}: {reason}; choose another folder, or make room") from None


def _check_free(folder: Path) -> None:
    if not os.path.lexists(folder):
        return
    with contextlib.suppress(OSError, ValueError):
        is_folder = folder.is_dir() and not folder.is_symlink()
        if is_folder and (not any(folder.iterdir()) or _is_site(folder)):
            return
    raise CamliteError(f"--output {folder}: something else than a site of camlite is there; choose another folder")


def _is_site(folder: Path) -> bool:
    return "artifacts" in json.loads(files.read(folder / PAGE_FACTS, _MOST_FACTS))
