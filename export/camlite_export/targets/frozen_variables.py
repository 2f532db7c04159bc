"""Variables that a layer changes as it runs: converters make constants of all variables, and stop at these.

TensorFlow then says that a node "was passed float from ... incompatible with expected resource", of a node that nobody
has written.
"""

from __future__ import annotations

import re

_CHANGED = re.compile(r"incompatible with expected resource")
_REMEDY = (
    "a layer changes a variable while it runs, or a recurrent layer's loop has variables; build it without (counters "
    "taken out, recurrent layers with unroll=True)"
)


def why(error: Exception) -> str | None:
    """What to tell of a converter's error; None where it is about something else."""
    return _REMEDY if _CHANGED.search(str(error)) else None
