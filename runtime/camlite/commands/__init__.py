"""The program ``camlite``: one file a command, loaded when it is called.

A command is a module with `add_arguments` and `run`. Those of the exporter live in `camlite_export.commands`
and are named here as text, so that the device never imports them.
"""

from __future__ import annotations

import argparse
import importlib
import io
import os
import sys
from collections.abc import Mapping, Sequence
from typing import NamedTuple, NoReturn

from camlite.errors import CamliteError


class Command(NamedTuple):
    """Where a command is, and its line in ``camlite --help``."""

    module: str
    summary: str


COMMANDS: Mapping[str, Command] = {
    "explain": Command("camlite.commands.explain", "classify images and draw where the classifier looked"),
    "inspect": Command("camlite.commands.inspect", "show what an artifact, or a Keras model, is made of"),
    "bench": Command("camlite.commands.bench", "measure what an explanation costs beside the bare interpreter"),
    "check": Command("camlite.commands.check", "run an artifact's golden samples on this device"),
    "export": Command("camlite_export.commands.export", "turn a trained Keras classifier into artifacts"),
    "parity": Command("camlite_export.commands.parity", "measure artifacts against the Keras classifier"),
}

_EXPORTER_PACKAGES = frozenset(
    {
        "camlite_export",
        "tensorflow",
        "keras",
        "tf_keras",
        "tf2onnx",
        "onnx",
        "onnxruntime",
        "matplotlib",
        "tqdm",
        "jinja2",
    }
)
_FAILURE = 2
_INTERRUPTED = 130


class _Parser(argparse.ArgumentParser):
    """Bad usage is one line."""

    def error(self, message: str) -> NoReturn:
        self.exit(_FAILURE, f"{self.prog}: {' '.join(message.split())}; see {self.prog} --help\n")


def main(arguments: Sequence[str] | None = None) -> int:
    """Run a command; exit 0 fine, 1 a check failed, 2 bad usage or bad input in one line on standard error."""
    arguments = sys.argv[1:] if arguments is None else list(arguments)
    if isinstance(sys.stdout, io.TextIOWrapper):
        # A file name or a label that the terminal's encoding lacks is escaped; it must not fail the command.
        sys.stdout.reconfigure(errors="backslashreplace")
    try:
        options = _parser(arguments).parse_args(arguments)
        status: int = options.run(options)
        print(end="", flush=True)  # fails here, not at exit; sys.stdout is None where it was closed
        return status
    except CamliteError as error:
        return _complain(str(error))
    except ModuleNotFoundError as error:
        if error.name is None or error.name.partition(".")[0] not in _EXPORTER_PACKAGES:
            raise
        return _complain(f"`{' '.join(arguments[:1])}` needs {error.name}: pip install 'camlite[export]'")
    except BrokenPipeError:
        # The reader (head, less) has gone; keep Python from failing again when it flushes at exit.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0
    except KeyboardInterrupt:
        print("camlite: interrupted", file=sys.stderr)
        return _INTERRUPTED


def _parser(arguments: Sequence[str]) -> argparse.ArgumentParser:
    from camlite import __version__

    parser = _Parser(prog="camlite", description="Image classifiers on the edge, with their explanation.")
    parser.add_argument("--version", action="version", version=f"camlite {__version__}")
    commands = parser.add_subparsers(metavar="COMMAND", required=True, parser_class=_Parser)
    called = next((argument for argument in arguments if not argument.startswith("-")), None)
    for name, (module, summary) in COMMANDS.items():
        subparser = commands.add_parser(name, help=summary, description=f"{summary[0].upper()}{summary[1:]}.")
        if name == called:
            command = importlib.import_module(module)
            command.add_arguments(subparser)
            subparser.set_defaults(run=command.run)
    return parser


def _complain(message: str) -> int:
    print(f"camlite: {' '.join(message.split())}", file=sys.stderr)
    return _FAILURE
