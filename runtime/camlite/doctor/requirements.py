"""What camlite's own metadata says of the packages that it needs; nothing where camlite runs without being installed.

Only names and lower bounds are read, as ``tornado>=6.5.3``: pip has looked at the rest when it installed them.
"""

from __future__ import annotations

import importlib.metadata
import re
from collections.abc import Iterator
from typing import NamedTuple

_REQUIREMENT = re.compile(r"^([A-Za-z0-9][A-Za-z0-9._-]*)(?:\[[^\]]*\])?\s*\(?([^;)]*)\)?\s*(?:;(.*))?$")
_EXTRA = re.compile(r"""extra\s*==\s*['"]([^'"]+)['"]""")
_LEAST = re.compile(r">=\s*([0-9][0-9.]*)")


class Requirement(NamedTuple):
    """One requirement of camlite: of which extra ("" of none), and the least version ("" where any will do)."""

    name: str
    extra: str
    least: str


def version(name: str) -> str:
    """The installed version of a distribution; empty where it is not installed, or does not say."""
    try:
        return importlib.metadata.version(name) or ""
    except (importlib.metadata.PackageNotFoundError, ValueError, KeyError):
        return ""


def of_camlite() -> Iterator[Requirement]:
    """All of them, those of extras too."""
    try:
        lines = importlib.metadata.requires("camlite") or []
    except importlib.metadata.PackageNotFoundError:
        return
    for line in lines:
        found = _REQUIREMENT.match(line.strip())
        if found is None or found[1].lower() == "camlite":
            continue
        extra, least = _EXTRA.search(found[3] or ""), _LEAST.search(found[2])
        yield Requirement(found[1], extra[1] if extra else "", least[1] if least else "")


def least_version(name: str) -> str:
    """The least version of a distribution that camlite asks for on a device; empty where any will do.

    The exporter asks for newer ones, which is not this package's fault.
    """
    asked = [one.least for one in of_camlite() if _same(one.name, name) and one.extra not in ("export", "audit", "dev")]
    return max(filter(None, asked), key=_numbers, default="")


def of_extra(extra: str) -> list[Requirement]:
    """What an extra brings."""
    return [one for one in of_camlite() if one.extra == extra]


def is_older(installed: str, least: str) -> bool:
    """Whether a version is older than another: ``6.4.1`` than ``6.5``."""
    return _numbers(installed) < _numbers(least)


def _numbers(text: str) -> tuple[int, ...]:
    found = re.match(r"[0-9]+(?:\.[0-9]+)*", text)
    numbers = [int(number) for number in found[0].split(".")] if found else []
    while numbers and numbers[-1] == 0:
        numbers.pop()
    return tuple(numbers)


def _same(one: str, other: str) -> bool:
    return re.sub(r"[-_.]+", "-", one).lower() == re.sub(r"[-_.]+", "-", other).lower()
