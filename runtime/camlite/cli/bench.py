"""``camlite bench``: what an explanation costs beside the bare interpreter, on this machine."""

from __future__ import annotations

import argparse
import dataclasses
from pathlib import Path

from camlite import artifact, backends
from camlite.bench import benchmark
from camlite.cli import options
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
    """Benchmark each artifact on each backend that is installed for it, or on the one asked for."""
    found = []
    for path in arguments.artifacts:
        able = backends.installed(artifact.read(path, arguments.trusted).container)
        for backend in [arguments.backend] if arguments.backend else able:
            found.append(benchmark.run(path, backend, arguments.threads))
            if arguments.json:
                say.record(dataclasses.asdict(found[-1]))
    if not arguments.json:
        say.table(_HEADER, benchmark.rows(found))
    return 0
