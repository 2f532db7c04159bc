"""Write docs/devices.md: a section for each command that measures, replaced by that command alone."""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from pathlib import Path

from devices.examination import TOLERANCES
from devices.machine import PROJECT
from devices.matrix import Row

PAGE = PROJECT / "docs/devices.md"
_HEAD = """# Devices

Written by the commands below. A cell is one environment: the built wheel, one backend and Pillow. Of the artifacts that
the backend runs, those pass that `camlite explain` explains as on the workstation and that pass their own
`camlite check`.
"""


def write_section(command: str, place: str, rows: Sequence[Row], page: Path = PAGE) -> None:
    """Replace the section of one command; those of others stay as they are."""
    sections = _sections(page.read_text()) if page.exists() else {}
    sections[f"`{command}`"] = "\n\n".join([place, table(*_matrix(rows)), table(*_differences(rows))])
    page.parent.mkdir(exist_ok=True)
    parts = [f"## {title}\n\n{sections[title]}\n" for title in sorted(sections, reverse=True)]
    page.write_text("\n".join([_HEAD, *parts]))


def table(header: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """A Markdown table whose columns are aligned in the source as well."""
    widths = [max(map(len, column)) for column in zip(header, *rows, strict=True)]
    rule = ["-" * width for width in widths]
    lines = (" | ".join(map(str.ljust, row, widths)) for row in (header, rule, *rows))
    return "\n".join(f"| {line} |" for line in lines)


def _sections(text: str) -> dict[str, str]:
    parts = re.split(r"^## (.*)\n", text, flags=re.MULTILINE)[1:]
    return {title: body.strip() for title, body in zip(parts[::2], parts[1::2], strict=True)}


def _matrix(rows: Sequence[Row]) -> tuple[list[str], list[list[str]]]:
    """A line a backend and version, a column a place; a missing wheel stands in its release's last line."""
    columns = list(dict.fromkeys(row.column for row in rows))
    lines = []
    for release in dict.fromkeys(row.release for row in rows):
        members = [row for row in rows if row.release == release]
        versions = list(dict.fromkeys(row.version for row in members if row.version)) or [""]
        for version in versions:
            shown = [row for row in members if (row.version or versions[-1]) == version]
            cells = {row.column: row.cell for row in shown}
            lines.append([f"{release.package} {version}".strip(), *(cells.get(column, "") for column in columns)])
    return ["backend", *columns], sorted(lines, key=lambda line: line[0])


def _differences(rows: Sequence[Row]) -> tuple[list[str], list[list[str]]]:
    """How far from the workstation the worst image of each precision was, over all environments."""
    lines = []
    for precision, tolerance in TOLERANCES.items():
        findings = [finding for row in rows for finding in row.findings if finding.precision == precision]
        if findings:
            line: list[str] = [precision]
            for name, most in tolerance._asdict().items():
                figures = [getattr(finding, name) for finding in findings]
                known = [figure for figure in figures if not math.isnan(figure)]  # NaN: it failed before that
                line += [f"{max(known):.1e}" if known else "", f"{most:g}"]
            lines.append(line)
    return ["precision", "largest score difference", "allowed", "largest evidence difference", "allowed"], lines
