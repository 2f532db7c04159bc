"""Options that several commands share."""

from __future__ import annotations

import argparse

from camlite.backends import BACKENDS

_MOST_THREADS = 256


def add_interpreter(parser: argparse.ArgumentParser) -> None:
    """``--backend`` and ``--threads``."""
    parser.add_argument("--backend", choices=BACKENDS, help="default: whichever is installed")
    parser.add_argument("--threads", type=threads, default=1, metavar="N", help="threads of one run (default: 1)")


def positive(text: str) -> int:
    """An argument that must be a whole number above 0."""
    number = int(text)
    if number < 1:
        raise ValueError
    return number


def threads(text: str) -> int:
    """How many threads: an interpreter starts as many as it is told, until it crashes."""
    number = positive(text)
    if number > _MOST_THREADS:
        raise ValueError
    return number


# argparse puts these into its messages
positive.__name__ = "whole number above 0"
threads.__name__ = f"whole number from 1 to {_MOST_THREADS}"
