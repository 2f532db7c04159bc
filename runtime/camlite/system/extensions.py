"""What other packages add to camlite, found through their entry points: the device's code never names the exporter.

=======================  ===========================================================================================
group                    an entry point is
=======================  ===========================================================================================
``camlite.commands``     a mapping, name of a command -> (name of its module, its line in ``camlite --help``)
``camlite.extensions``   a module; who asks for it by name says what it must have: ``inspect_classifier``,
                         ``audit_report``, ``coco``, ``faithful_report``, ``randomized_weights``, ``ray_audit``
=======================  ===========================================================================================
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from camlite.errors import CamliteError


def commands() -> Mapping[str, tuple[str, str]]:
    """Commands of other packages: name -> (module, summary)."""
    found: dict[str, tuple[str, str]] = {}
    for entry in _entry_points("camlite.commands"):
        found.update(entry.load())
    return found


def extension(name: str) -> Any:
    """The module that an installed package offers under this name.

    Raises:
        CamliteError: none does.
        ModuleNotFoundError: it needs a package that is not installed.
    """
    for entry in _entry_points("camlite.extensions"):
        if entry.name == name:
            return entry.load()
    raise CamliteError(f"no installed package offers {name}; install camlite again, whole")


def _entry_points(group: str) -> Any:
    import importlib.metadata  # 10 ms of each start, which commands of the device do without

    return importlib.metadata.entry_points(group=group)
