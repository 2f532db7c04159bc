"""The command that installs an extra of camlite, from where this camlite was installed.

camlite may come from a clone, a wheel or an index. Installers write down which (PEP 610, ``direct_url.json``), so an
error can give a line that works here. Only errors need it, so nothing is imported before it is asked.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

_CLONE = Path(__file__).parents[3]


def how_to_install(*extras: str) -> str:
    """The command line that adds these extras, such as ``pip install --editable '/home/me/camlite[audit]'``.

    Args:
        extras: names of ``[project.optional-dependencies]`` in pyproject.toml, such as ``"litert"``.
    """
    return f"{_command(extras)}{''.join(dict.fromkeys(map(_elsewhere, extras)))}"


def _elsewhere(extra: str) -> str:
    """Which Python an extra needs where this is another; empty where it will do."""
    if extra == "export" and sys.version_info < (3, 11):  # as Keras
        return ", on Python 3.11 or newer"
    if extra == "tflite" and sys.version_info >= (3, 12):  # there pip would install nothing, and say nothing
        return ", on Python 3.11 or older"
    return ""


def _command(extras: Sequence[str]) -> str:
    from shlex import quote
    from urllib.parse import unquote, urlsplit

    wanted = f"[{','.join(extras)}]"
    origin = _origin()
    if origin is None:
        return f"pip install {quote('camlite' + wanted)}"
    url, repository = str(origin["url"]), origin.get("vcs_info")
    if repository:
        return f"pip install {quote('camlite' + wanted + ' @ ' + repository['vcs'] + '+' + url)}"
    if urlsplit(url).scheme != "file":
        return f"pip install {quote(f'camlite{wanted} @ {url}')}"
    path = Path(unquote(urlsplit(url).path))
    if not path.exists():
        return f"pip install {quote(path.name + wanted)} in the folder where that file is"
    editable = "--editable " if origin.get("dir_info", {}).get("editable") else ""
    return f"pip install {editable}{quote(str(path) + wanted)}"


def remedy(error: ImportError, package: str, extra: str) -> str:
    """What to do where a package cannot be imported: install it; or see why it does not work, where it is there.

    On boards it is often there without a library of the system's: "libGL.so.1: cannot open shared object file".

    Args:
        error: what its import has raised.
        package: as it is imported, without its modules: ``PIL``.
        extra: what brings it.
    """
    from camlite.texts import one_line

    if isinstance(error, ModuleNotFoundError) and (error.name or "").partition(".")[0] == package:
        return how_to_install(extra)
    return f"it is installed, but cannot be imported ({one_line(str(error))[:200]}); run `camlite doctor`"


def _origin() -> dict[str, Any] | None:
    """What the installer wrote down; None for an index. Where nothing was installed, the clone that is being run."""
    import json
    from importlib import metadata

    try:
        written = metadata.distribution("camlite").read_text("direct_url.json")
    except metadata.PackageNotFoundError:
        is_clone = (_CLONE / "pyproject.toml").exists()
        return {"url": _CLONE.as_uri(), "dir_info": {"editable": True}} if is_clone else None
    return json.loads(written) if written else None
