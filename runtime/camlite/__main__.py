"""``camlite`` and ``python -m camlite``: Ctrl-C ends the process in one line, whatever is being imported."""

from __future__ import annotations

import _signal  # type: ignore[import-not-found]  # `signal` imports enum: 2 ms in which nothing is caught yet
import os


def program() -> int:
    """Run a command as all that a process does."""
    _open_standard_streams()
    # Inside an import, KeyboardInterrupt becomes what each package makes of it: an ImportError of ten lines in numpy.
    # Where Ctrl-C is ignored, as under nohup, it stays so.
    catching = _signal.getsignal(_signal.SIGINT) is _signal.default_int_handler
    if catching:
        _signal.signal(_signal.SIGINT, _leave)
    from camlite.cli import program as run

    def prepared() -> None:
        if catching:
            _signal.signal(_signal.SIGINT, _signal.default_int_handler)

    return run(prepared)


def _open_standard_streams() -> None:
    """Where one was closed, the next file that is opened would take its place, and notices would go into that file."""
    for descriptor in range(3):
        try:
            os.fstat(descriptor)
        except OSError:  # noqa: PERF203
            os.open(os.devnull, os.O_RDWR)  # takes the lowest number that is free


def _leave(*_: object) -> None:
    try:
        os.write(2, b"camlite: interrupted\n")
    finally:
        os._exit(130)


if __name__ == "__main__":
    raise SystemExit(program())
