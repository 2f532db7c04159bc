"""``camlite completion``: the Tab key completes commands, options and their values."""

from __future__ import annotations

import argparse
import importlib
from typing import TYPE_CHECKING

from camlite.show import say

if TYPE_CHECKING:
    from camlite.completion.tree import Tree

SHELLS = ("bash", "zsh", "fish")
EXAMPLES = ("camlite completion bash", "camlite completion fish")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the command line."""
    parser.add_argument("shell", choices=SHELLS, help="your shell")
    parser.epilog = (
        "Save the script where your shell looks for it. bash: ~/.local/share/bash-completion/completions/camlite; "
        "zsh: a file _camlite in a folder of $fpath; fish: ~/.config/fish/completions/camlite.fish. "
        'To try it in this bash: eval "$(camlite completion bash)"'
    )


def run(arguments: argparse.Namespace) -> int:
    """Print the script."""
    shell = importlib.import_module(f"camlite.completion.{arguments.shell}")
    say.line(*shell.script(tree()).splitlines())
    return 0


def tree() -> Tree:
    """What all commands accept; the options of one whose packages are not installed here are not known."""
    from camlite.cli import all_commands, parser_of
    from camlite.completion.tree import CommandLine, of_parser

    found: dict[str, CommandLine] = {}
    for name, command in all_commands().items():
        try:
            found[name] = of_parser(command.summary, parser_of(name, command))
        except ImportError:  # noqa: PERF203
            found[name] = CommandLine(command.summary, (), ())
    return found
