"""``camlite bench``: what an explanation costs beside the bare interpreter, on this machine."""

from __future__ import annotations

import argparse
import dataclasses
import subprocess
from concurrent.futures import BrokenExecutor
from pathlib import Path

from camlite import artifact, backends
from camlite.bench import benchmark
from camlite.bench.benchmark import Benchmark
from camlite.cli import complain, options
from camlite.errors import BackendError, CamliteError
from camlite.show import say

_HEADER = [
    "artifact",
    "backend",
    "classify us (5 to 95 %)",
    "explain us (5 to 95 %)",
    "explain / classify",
    "all classes / one",
    "size / model",
    "memory",
]


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the command line."""
    parser.add_argument("artifacts", type=Path, nargs="+", metavar="artifact", help="files of `camlite export`")
    parser.add_argument("--json", action="store_true", help="one JSON object a line instead of the table")
    options.add_interpreter(parser)


def run(arguments: argparse.Namespace) -> int:
    """Benchmark each artifact on each backend that is installed for it, or on the one asked for.

    One that cannot be benchmarked is a line, and 2 in the end; the others are all the same.
    """
    found: list[Benchmark] = []
    status = 0
    for path in arguments.artifacts:
        try:
            for backend in _backends(path, arguments):
                found.append(benchmark.run(path, backend, arguments.threads))
                if arguments.json:
                    say.record(dataclasses.asdict(found[-1]))
        except CamliteError as error:  # noqa: PERF203 - measuring takes longer
            status = complain(str(error))
        except (BrokenExecutor, subprocess.CalledProcessError):
            status = complain(f"{path}: its interpreter crashed, and its process with it; run `camlite check` on it")
    if found and not arguments.json:
        say.table(_HEADER, benchmark.rows(found))
    return status


def _backends(path: Path, arguments: argparse.Namespace) -> list[str]:
    container = artifact.read(path, arguments.trusted).container
    if arguments.backend:
        return [arguments.backend]
    able = list(backends.installed(container))
    if not able:
        raise BackendError(f"{path}: no interpreter for {container} is installed here")
    return able
