"""Options that several commands share."""

from __future__ import annotations

import argparse

from camlite.backends import BACKENDS


def add_interpreter(parser: argparse.ArgumentParser) -> None:
    """``--backend`` and ``--threads``."""
    parser.add_argument("--backend", choices=BACKENDS, help="default: whichever is installed")
    parser.add_argument("--threads", type=positive, default=1, metavar="N", help="threads of one run (default: 1)")


def positive(text: str) -> int:
    """An argument that must be a whole number above 0."""
    number = int(text)
    if number < 1:
        raise ValueError
    return number


positive.__name__ = "whole number above 0"  # argparse puts it into its message
