"""What is being done, for who waits: said where it begins, shown by whoever listens, which nobody does by default."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from contextvars import ContextVar

Listener = Callable[[str], object]

_listener: ContextVar[Listener] = ContextVar("listener", default=lambda _: None)


def begin(stage: str) -> None:
    """Say what begins now, as "opening flowers.keras"."""
    _listener.get()(stage)


@contextlib.contextmanager
def told_to(listener: Listener) -> Iterator[None]:
    """While it lasts, tell somebody what begins."""
    token = _listener.set(listener)
    try:
        yield
    finally:
        _listener.reset(token)
