"""The program ``camlite``: one file per command, loaded when it is called.

A command is a module with `add_arguments`, `run`, and `EXAMPLES`, command lines for its help. Here are those of the
device; other packages add theirs through entry points, see `camlite.system.extensions`.
"""

from __future__ import annotations

import argparse
import contextlib
import errno
import gc
import importlib
import io
import os
import sys
import warnings
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple, NoReturn

from camlite.errors import CamliteError
from camlite.show import say
from camlite.system import extensions
from camlite.system.installing import how_to_install
from camlite.texts import one_line


class Command(NamedTuple):
    """Where a command is, and its line in ``camlite --help``."""

    module: str
    summary: str


COMMANDS: Mapping[str, Command] = {
    "explain": Command("camlite.cli.explain", "classify pictures and draw where the classifier looked"),
    "watch": Command("camlite.cli.watch", "explain pictures as they arrive: a folder, a video or a camera"),
    "serve": Command("camlite.cli.serve", "explain pictures over HTTP and on a web page"),
    "to-web": Command("camlite.cli.to_web", "write a web site that explains pictures in the browser"),
    "inspect": Command("camlite.cli.inspect", "show the layers of a classifier, or what an artifact holds"),
    "bench": Command("camlite.cli.bench", "measure what an explanation costs compared with the bare interpreter"),
    "check": Command("camlite.cli.check", "check that artifacts answer on this device as on the workstation"),
    "audit": Command("camlite.cli.audit", "find out whether a classifier looks at the object or beside it"),
    "faithful": Command("camlite.cli.faithful", "measure how well maps show what the score depends on"),
    "completion": Command("camlite.cli.completion", "print a script for Tab completion in bash, zsh or fish"),
    "doctor": Command("camlite.cli.doctor", "show what is installed, which artifacts run here, and what to fix"),
}

# What a command of the workstation may miss, and the extra that brings it where that is not the exporter's.
_EXTRAS: Mapping[str, str] = {"pycocotools": "audit", "ray": "ray", "sklearn": "audit"}
_EXPORTER_PACKAGES = frozenset(
    {
        "h5py",
        "tensorflow",
        "keras",
        "tf_keras",
        "tf2onnx",
        "onnx",
        "onnxruntime",
        "matplotlib",
        "tqdm",
        "jinja2",
        "scipy",
    }
)
# A disk without room, or one that fails: where it is not said of which file, of standard output.
NO_ROOM = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EIO})
_PAGES = frozenset({"audit", "faithful"})  # commands of the device whose report needs some of them
_FAILURE = 2
_UNEXPECTED = 70  # EX_SOFTWARE of sysexits.h
_INTERRUPTED = 130
# From a trained classifier to its first explanation.
_EXAMPLES = (
    "camlite export flowers.keras --calibration photos",
    "camlite explain flowers/flowers.int8.tflite photo.jpg",
    "camlite explain --help",
)
_NARROWEST, _WIDEST = 20, 1000  # columns of the help


class _Formatter(argparse.HelpFormatter):
    """As wide as the terminal. argparse asks `shutil`, which brings three compressions: 1.2 ms of each start."""

    def __init__(self, prog: str) -> None:
        super().__init__(prog, width=_columns() - 2)

    def add_argument(self, action: argparse.Action) -> None:
        """Measure an argument. argparse forgets that the list of commands is indented once more."""
        super().add_argument(action)
        if isinstance(action, argparse._SubParsersAction):
            self._action_max_length += self._indent_increment


def _columns() -> int:
    columns = 0
    with contextlib.suppress(OSError):
        columns = os.get_terminal_size().columns
    with contextlib.suppress(ValueError):
        columns = int(os.environ.get("COLUMNS", ""))
    return min(max(_NARROWEST, columns), _WIDEST) if columns > 0 else 80


class _Parser(argparse.ArgumentParser):
    """Bad usage is one line. The help ends with examples, each on a line of its own, to be copied."""

    def __init__(self, examples: Sequence[str] = (), **options: Any) -> None:
        super().__init__(**options, formatter_class=_Formatter)
        self._positionals.title = "arguments"
        self._examples = examples

    def format_help(self) -> str:
        """The help."""
        return "\n  ".join([super().format_help() + "\nexamples:", *self._examples]) + "\n"

    def error(self, message: str) -> NoReturn:
        say.errors(f"{self.prog}: {one_line(message)}; see {self.prog} --help")
        raise SystemExit(_FAILURE)

    def _get_value(self, action: argparse.Action, arg_string: str) -> Any:
        """An empty path, as of a shell's variable that is not set, would be the current folder."""
        if action.type is Path and not arg_string:
            raise argparse.ArgumentError(action, "expected a path, received an empty one")
        return super()._get_value(action, arg_string)

    def _print_message(self, message: str, file: Any = None) -> None:
        if message and file is not None:  # argparse would say nothing of a disk that is full
            file.write(message)

    def exit(self, status: int = 0, message: str | None = None) -> NoReturn:
        _flush()  # here a full disk is one line; at the end of the process it would be Python's own
        super().exit(status, message)


def main(arguments: Sequence[str] | None = None, prepared: Callable[[], None] = lambda: None) -> int:
    """Run a command.

    Exit codes: 0 fine; 1 a check failed; 2 bad usage or bad input, in one line on standard error; 70 an exception that
    nobody expected, in one line that says how to report it (with ``CAMLITE_DEBUG=1`` its traceback stands before);
    130 interrupted.

    Args:
        arguments: those of the process by default.
        prepared: called when the command is imported and its arguments are understood, before it does anything.
    """
    arguments = sys.argv[1:] if arguments is None else list(arguments)
    if isinstance(sys.stdout, io.TextIOWrapper):
        # A file name or a label that the terminal's encoding lacks is escaped; it must not fail the command.
        sys.stdout.reconfigure(errors="backslashreplace")
    try:
        with _without_collections():
            options = _parse(arguments)
        prepared()
        status: int = options.run(options)
        _flush()
        return status
    except KeyboardInterrupt:
        say.notice("interrupted")
        return _INTERRUPTED
    except Exception as error:
        return _end(error, arguments)


def _end(error: Exception, arguments: Sequence[str]) -> int:
    """Say in one line why a command has ended; the exit status for it."""
    if isinstance(error, CamliteError):
        say.errors(*error.findings)
        return complain(str(error))
    if isinstance(error, BrokenPipeError):  # the reader (head, less) has gone
        _drop_standard_output()
        return 0
    if isinstance(error, OSError) and error.errno is not None and (error.filename or error.errno in NO_ROOM):
        if not error.filename:
            _drop_standard_output()
        where = "standard output" if error.filename is None else os.fsdecode(error.filename)
        remedy = "make room there" if error.errno in (errno.ENOSPC, errno.EDQUOT) else "check it"
        return complain(f"{where}: {error.strerror}; {remedy}")
    if isinstance(error, MemoryError):
        return complain(f"`{arguments[0]}` needs more memory than there is; give it less at once, or a larger device")
    if isinstance(error, ImportError):
        package = (error.name or "").partition(".")[0]
        extra = _extra(package, arguments[0])
        if isinstance(error, ModuleNotFoundError) and extra is not None:
            return complain(f"`{arguments[0]}` needs {error.name}: {how_to_install(extra)}")
        if not isinstance(error, ModuleNotFoundError) and not package.startswith("camlite"):
            reason = one_line(str(error))[:200]
            return complain(
                f"`{arguments[0]}` needs a package that cannot be imported ({reason}); run `camlite doctor`"
            )
    return unexpected(error)


def unexpected(error: Exception, where: str = "") -> int:
    """Say in one line that an exception is a bug of camlite and how to report it; the exit status for it.

    Args:
        error: the exception; its traceback is printed before where the variable ``CAMLITE_DEBUG`` is 1.
        where: what was worked on, if not all depends on it.
    """
    import traceback  # bugs are rare, and commands start sooner without

    from camlite import __version__

    debug = os.environ.get("CAMLITE_DEBUG") == "1"
    if debug:
        say.errors(*"".join(traceback.format_exception(error)).splitlines())
    frames = traceback.extract_tb(error.__traceback__)
    place = f" ({Path(frames[-1].filename).name}:{frames[-1].lineno})" if frames else ""
    what = f"{type(error).__name__}: {one_line(str(error))[:300]}{place}, a bug of camlite {__version__}"
    remedy = "report it with these lines" if debug else "run it again with CAMLITE_DEBUG=1, and report what it prints"
    say.notice(f"{where}{': ' if where else ''}{what}; {remedy}")
    return _UNEXPECTED


def _flush() -> None:
    """Write what is buffered; a failure is met here, not at exit. Standard output is None where it was closed."""
    if sys.stdout is not None:
        sys.stdout.flush()


def _drop_standard_output() -> None:
    """Keep Python from failing again when it flushes at exit."""
    with contextlib.suppress(OSError, ValueError, AttributeError):
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def program(prepared: Callable[[], None] = lambda: None) -> int:
    """`main` as all that a process does."""
    if not sys.warnoptions:
        warnings.simplefilter("ignore")  # what libraries warn programmers of; a command says in one line what fails
    status = main(prepared=prepared)
    # Before it ends, Python looks for garbage in all that was imported: 18 of the 160 ms that a picture takes.
    gc.freeze()
    return status


@contextlib.contextmanager
def _without_collections() -> Iterator[None]:
    """What is imported is no garbage, and looking for it again and again takes a twentieth of the time of a start."""
    enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if enabled:
            gc.enable()


def _parse(arguments: Sequence[str]) -> argparse.Namespace:
    known = COMMANDS if arguments and arguments[0] in COMMANDS else all_commands()
    if not arguments or arguments[0] not in known:
        _overview(arguments)
    # Only the parser of this command: argparse takes half a millisecond for each.
    return parser_of(arguments[0], known[arguments[0]]).parse_args(arguments[1:])


def parser_of(name: str, command: Command) -> argparse.ArgumentParser:
    """What reads a command's arguments; its `run` is the command's.

    Raises:
        ImportError: the command needs a package that is not installed.
    """
    module = importlib.import_module(command.module)
    parser = _Parser(prog=f"camlite {name}", description=_sentence(command.summary), examples=module.EXAMPLES)
    module.add_arguments(parser)
    parser.set_defaults(run=module.run)
    return parser


def _overview(arguments: Sequence[str]) -> NoReturn:
    """What answers where no command comes first: the help, the version, or what is wrong."""
    from camlite import __version__

    about = "Image classifiers on small devices, with a heatmap of where they looked."
    parser = _Parser(prog="camlite", description=about, examples=_EXAMPLES)
    parser.add_argument("--version", action="version", version=f"camlite {__version__}")
    parser._positionals.title = "commands"
    commands = parser.add_subparsers(metavar="COMMAND", required=True, parser_class=_Parser)
    for name, (_, summary) in all_commands().items():
        commands.add_parser(name, help=summary, description=_sentence(summary))
    parser.parse_args(arguments)
    parser.error("the command comes first")


def all_commands() -> Mapping[str, Command]:
    """The commands that other packages add, such as `export`, and those of the device."""
    return {**{name: Command(*added) for name, added in extensions.commands().items()}, **COMMANDS}


def _sentence(summary: str) -> str:
    return f"{summary[0].upper()}{summary[1:]}."


def _extra(package: str, command: str) -> str | None:
    """The extra that brings a package which a command misses; None where none does."""
    if package in _EXPORTER_PACKAGES:
        return "audit" if command in _PAGES else "export"
    return _EXTRAS.get(package)


def complain(message: str) -> int:
    """Say on standard error, in one line, what a user can mend; the exit status for it."""
    say.notice(message)
    return _FAILURE
