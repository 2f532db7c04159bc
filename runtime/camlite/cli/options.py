"""Options that several commands share."""

from __future__ import annotations

import argparse
from pathlib import Path

from camlite.backends import BACKENDS, MOST_THREADS
from camlite.class_choice import Choice
from camlite.explainer import Explainer, load
from camlite.show.colours import COLOUR_MAPS
from camlite.show.drawing import STYLES, Drawing

_YEAR = 365 * 24 * 3600.0


def add_interpreter(parser: argparse.ArgumentParser) -> None:
    """``--backend``, ``--threads`` and ``--trusted``; `open_explainer` opens with them."""
    parser.add_argument(
        "--backend", choices=BACKENDS, help="the interpreter (default: the first one that is installed)"
    )
    parser.add_argument(
        "--threads", type=threads, default=1, metavar="N", help="threads of the interpreter (default: 1)"
    )
    add_trusted(parser)


def add_trusted(parser: argparse.ArgumentParser) -> None:
    """``--trusted``."""
    parser.add_argument(
        "--trusted",
        action="append",
        type=Path,
        metavar="KEY",
        help="require a signature by this public key; may be given several times",
    )


def open_explainer(arguments: argparse.Namespace, artifact: Path) -> Explainer:
    """Open an artifact as `add_interpreter`'s options say.

    Raises:
        CamliteError: see `camlite.load`.
    """
    return load(artifact, arguments.backend, arguments.threads, arguments.trusted)


def add_classes(parser: argparse.ArgumentParser) -> None:
    """``--classes``, ``--top`` and ``--against``."""
    chosen = parser.add_mutually_exclusive_group()
    chosen.add_argument(
        "--classes",
        nargs="+",
        metavar="CLASS",
        help="explain these classes, by label or index (default: the class with the highest score)",
    )
    chosen.add_argument("--top", type=positive, metavar="N", help="explain the N classes with the highest scores")
    parser.add_argument(
        "--against",
        metavar="CLASS",
        help="explain why not this class: the evidence of the others minus its own; a label or an index",
    )


def add_drawing(parser: argparse.ArgumentParser) -> None:
    """``--style``, ``--colours`` and ``--no-text``."""
    parser.add_argument(
        "--style", choices=STYLES, default=STYLES[0], help=f"how to draw the map (default: {STYLES[0]})"
    )
    parser.add_argument(
        "--colours",
        choices=COLOUR_MAPS,
        default="inferno",
        help="colours of the map (default: inferno); cividis looks the same to colour-blind people",
    )
    parser.add_argument("--no-text", action="store_true", help="draw neither label nor score")


def drawing(arguments: argparse.Namespace) -> Drawing:
    """What `add_drawing` has read."""
    return Drawing(arguments.style, arguments.colours, not arguments.no_text)


def choice(arguments: argparse.Namespace) -> Choice:
    """What `add_classes` has read."""
    return Choice(tuple(arguments.classes or ()), arguments.top, arguments.against)


def add_engine(parser: argparse.ArgumentParser) -> None:
    """``--engine``: who computes batches of images."""
    parser.add_argument(
        "--engine", choices=("local", "ray"), default="local", help="ray: run on a Ray cluster (default: local)"
    )


def positive(text: str) -> int:
    """An argument that must be a whole number above 0."""
    number = int(text)
    if number < 1:
        raise ValueError
    return number


def threads(text: str) -> int:
    """How many threads."""
    number = positive(text)
    if number > MOST_THREADS:
        raise ValueError
    return number


def seconds(text: str) -> float:
    """A time above 0, and below a year: the system's clocks count no further than some."""
    number = float(text)
    if not 0 < number < _YEAR:
        raise ValueError
    return number


# argparse puts these into its messages
positive.__name__ = "whole number above 0"
threads.__name__ = f"whole number from 1 to {MOST_THREADS}"
seconds.__name__ = "time in seconds, above 0 and below a year"
