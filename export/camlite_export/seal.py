"""Write files so that each appears whole or not at all."""

from __future__ import annotations

import errno
import os
from collections.abc import Mapping
from pathlib import Path

from camlite.errors import CamliteError


def write_all(folder: Path, files: Mapping[str, bytes]) -> None:
    """Write files into a folder: first all of them beside their places, then each moved to its place.

    Raises:
        CamliteError: the folder cannot be made or written to; then no file has changed.
    """
    parts: dict[Path, Path] = {}
    try:
        folder.mkdir(parents=True, exist_ok=True)
        for name in files:
            if (folder / name).is_dir():
                raise IsADirectoryError(errno.EISDIR, f"{name} is a folder")
        for name, content in files.items():
            part = folder / f".{name}.{os.getpid()}.part"
            parts[part] = folder / name
            with part.open("wb") as file:
                file.write(content)
                file.flush()
                os.fsync(file.fileno())
        for part, place in parts.items():
            part.replace(place)
    except OSError as error:
        raise CamliteError(f"{folder}: cannot write there ({error.strerror}); choose another --output") from None
    finally:
        for part in parts:
            part.unlink(missing_ok=True)
