"""Aligned tables for the terminal."""

from __future__ import annotations

from collections.abc import Sequence

from camlite.texts import printable


def table(header: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """Columns two spaces apart; a column of numbers is aligned to the right. Cells are escaped, see `camlite.texts`."""
    shown = [[printable(cell) for cell in row] for row in (header, *rows)]
    columns = list(zip(*shown, strict=True))
    widths = [max(map(len, column)) for column in columns]
    numeric = [all(cell[:1] in "0123456789-+." or not cell for cell in column[1:]) for column in columns]
    lines = []
    for row in shown:
        cells = (
            cell.rjust(width) if right else cell.ljust(width)
            for cell, width, right in zip(row, widths, numeric, strict=True)
        )
        lines.append("  ".join(cells).rstrip())
    return "\n".join(lines)
