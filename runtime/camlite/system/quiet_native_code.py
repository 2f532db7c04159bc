"""Native code that talks on standard error."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator


@contextlib.contextmanager
def without_notices() -> Iterator[None]:
    """Keep native code's notices off standard error, where commands promise one line; failures are exceptions.

    LiteRT 2.3 announces its XNNPACK delegate there with every process's first model, and libtiff what it thinks of a
    damaged file; neither has a setting against it.
    """
    try:
        kept = os.dup(2)
    except OSError:  # standard error is closed
        yield
        return
    try:
        nowhere = os.open(os.devnull, os.O_WRONLY)
        os.dup2(nowhere, 2)
        os.close(nowhere)
        yield
    finally:
        os.dup2(kept, 2)
        os.close(kept)
