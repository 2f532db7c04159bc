"""How a notebook shows results."""

from __future__ import annotations

import html
from collections.abc import Sequence

from camlite.texts import printable


def table(header: Sequence[str], rows: Sequence[Sequence[str]], *below: str) -> str:
    """A table as HTML, and lines of text below it; everything in it is escaped."""
    head = "".join(f"<th>{_text(cell)}</th>" for cell in header)
    body = "".join(f"<tr>{''.join(f'<td>{_text(cell)}</td>' for cell in row)}</tr>" for row in rows)
    lines = "".join(f"<p>{_text(line)}</p>" for line in below)
    return f"<table><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>{lines}"


def _text(text: str) -> str:
    return html.escape(printable(text))
