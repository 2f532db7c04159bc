"""The line on a terminal that says what is being done, from the first moment on; nothing where there is no terminal."""

from __future__ import annotations

import contextlib
import os
import sys
from collections.abc import Iterator
from typing import Any

from camlite_export import stages

STAGE = "{desc}"
STAGE_AND_BAR = "{desc:<40}{bar:30} {n_fmt}/{total_fmt}"


@contextlib.contextmanager
def waiting(shape: str) -> Iterator[Any]:
    """A bar of tqdm on standard error, which stages describe until it is gone.

    Args:
        shape: `STAGE`, or `STAGE_AND_BAR` where something is counted.
    """
    from tqdm import tqdm

    # mininterval: a stage may take long, and so must be seen when it begins.
    with (
        tqdm(desc="starting", bar_format=shape, leave=False, disable=None, mininterval=0, **_screen()) as bar,
        stages.told_to(bar.set_description_str),
    ):
        yield bar


def _screen() -> dict[str, int]:
    """Nothing lets tqdm find out; it would show nothing on a terminal that says that it has no columns."""
    with contextlib.suppress(OSError, ValueError, AttributeError):
        if os.get_terminal_size(sys.stderr.fileno()).columns == 0:
            return {"ncols": 80, "nrows": 24}
    return {}
