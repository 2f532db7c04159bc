"""A report: a page for people and a record for scripts, in a folder that appears whole or not at all."""

from __future__ import annotations

import importlib
import shutil
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import camlite
from camlite.errors import CamliteError
from camlite.show import say
from camlite.system.files import alone_in, folder_for, part_of, remove_leftovers, write_durably
from camlite.texts import counted, printable

PAGE = "index.html"


def check_folder(folder: Path, kind: str, needed: Sequence[str] = ()) -> None:
    """Tell before a long run that a report cannot be written there.

    Args:
        folder: of the report.
        kind: of report: ``parity``, ``audit``.
        needed: libraries that it is made with.

    Raises:
        ModuleNotFoundError: a library is not installed.
        CamliteError: something else than a report of this kind is in its place, or its parent cannot be written to.
    """
    for name in needed:
        importlib.import_module(name)
    try:
        if not _names(folder) <= {PAGE, f"{kind}.json"}:
            raise CamliteError(f"{folder}: holds something else than a report of {kind}; choose another --report")
        with folder_for(folder.parent, keep=False):
            pass
    except OSError as error:
        raise CamliteError(f"{folder}: cannot make this folder ({error.strerror}); choose another --report") from None


def _names(folder: Path) -> set[str]:
    """What is in it, where it is there; a file's own name."""
    try:
        return {entry.name for entry in folder.iterdir()}
    except FileNotFoundError:  # also where another process has just moved it away, to put its own in its place
        return set()
    except NotADirectoryError:
        return {folder.name}


def write(folder: Path, kind: str, record: Mapping[str, Any], **values: Any) -> None:
    """Write ``index.html`` from the template ``KIND.html``, and ``KIND.json``, in place of an older report.

    Args:
        folder, kind: see `check_folder`.
        record: what stands in ``KIND.json``.
        values: what the template names.

    Raises:
        CamliteError: see `check_folder`, or the disk is full.
    """
    check_folder(folder, kind)
    files = {PAGE: _render(f"{kind}.html", values), f"{kind}.json": say.to_json(record, indent=1) + "\n"}
    part, older = part_of(folder), part_of(folder.with_name(f"{folder.name}.older"))
    remove_leftovers(folder.parent, {folder.name, f"{folder.name}.older"})
    try:
        with folder_for(folder.parent):
            try:
                part.mkdir()
                for name, content in files.items():
                    write_durably(part / name, content.encode())
                with alone_in(folder.parent):
                    if folder.exists():
                        folder.rename(older)
                    part.rename(folder)
            finally:
                shutil.rmtree(part, ignore_errors=True)
                shutil.rmtree(older, ignore_errors=True)
    except OSError as error:
        raise CamliteError(f"{folder}: cannot write there ({error.strerror}); choose another --report") from None


def _render(template: str, values: Mapping[str, Any]) -> str:
    import jinja2

    environment = jinja2.Environment(
        loader=jinja2.PackageLoader("camlite_export.reports"),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        finalize=_shown,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.globals["counted"] = counted
    return environment.get_template(template).render(version=camlite.__version__, **values)


def _shown(value: Any) -> Any:
    """What a page says of texts of others: without bidirectional controls and the like, see `camlite.texts`."""
    return printable(value) if type(value) is str else value  # not `Markup`, which the page itself is made of
