"""What can be typed: commands, their options, and what an option or an argument takes."""

from __future__ import annotations

import argparse
import re
from collections.abc import Mapping, Sequence
from typing import Literal, NamedTuple

Values = Literal["none", "one", "many"]
"""How many values an option takes."""

_WORD = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.:@%+-]*")  # what no shell takes apart
_FOLDER = "DIR"  # what the help calls the value of an option that takes a folder


class Option(NamedTuple):
    """An option of a command.

    Attributes:
        names: ``--output``, or ``-h`` and ``--help``.
        values: how many it takes.
        choices: which they can be; empty where files or folders are offered.
        folder: whether it takes a folder, so that no files are offered.
        repeats: whether it may be given several times.
        help: what it does, in one line.
    """

    names: tuple[str, ...]
    values: Values
    choices: tuple[str, ...]
    folder: bool
    repeats: bool
    help: str


class CommandLine(NamedTuple):
    """A command: what it does, its options, and what its arguments can be; files where `choices` is empty."""

    summary: str
    options: tuple[Option, ...]
    choices: tuple[str, ...]


Tree = Mapping[str, CommandLine]


def of_parser(summary: str, parser: argparse.ArgumentParser) -> CommandLine:
    """What a command's parser accepts."""
    actions = parser._actions
    options = tuple(_option(action, parser) for action in actions if action.option_strings)
    choices = [word for action in actions if not action.option_strings for word in _choices(action)]
    return CommandLine(_one_line(summary), options, tuple(choices))


def _option(action: argparse.Action, parser: argparse.ArgumentParser) -> Option:
    values: Values = "one"
    if action.nargs == 0:
        values = "none"
    elif action.nargs in ("+", "*"):
        values = "many"
    repeats = isinstance(action, argparse._AppendAction)
    text = parser._get_formatter()._expand_help(action) if action.help else ""
    folder = action.metavar == _FOLDER
    return Option(tuple(action.option_strings), values, _choices(action), folder, repeats, _one_line(text))


def _choices(action: argparse.Action) -> tuple[str, ...]:
    """Those of its choices that are plain words."""
    choices: Sequence[object] = tuple(action.choices or ())
    return tuple(word for word in map(str, choices) if _WORD.fullmatch(word))


def _one_line(text: str) -> str:
    return " ".join(text.split())
