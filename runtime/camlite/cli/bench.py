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
from camlite.cli import options, several
from camlite.cli.several import Several
from camlite.errors import BackendError
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

EXAMPLES = (
    "camlite bench flowers/flowers.int8.tflite",
    "camlite bench flowers --threads 2",
)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the command line."""
    several.add_artifacts(parser)
    parser.add_argument("--json", action="store_true", help="print one JSON object per line instead of the table")
    options.add_interpreter(parser)


def run(arguments: argparse.Namespace) -> int:
    """Benchmark each artifact on each backend that is installed for it, or on the one asked for.

    One that cannot be benchmarked is a line, and 2 in the end; the others are all the same.
    """
    artifacts = Several(arguments.artifacts)
    found: list[Benchmark] = []
    for path in artifacts.each("measuring"):
        with artifacts.one(path):
            for backend in _backends(path, arguments):
                found.append(_measured(path, backend, arguments.threads))
                if arguments.json:
                    say.record(dataclasses.asdict(found[-1]))
    if found and not arguments.json:
        say.table(_HEADER, benchmark.rows(found))
    return artifacts.status


def _measured(path: Path, backend: str, threads: int) -> Benchmark:
    try:
        return benchmark.run(path, backend, threads)
    except (BrokenExecutor, subprocess.CalledProcessError):
        crashed = f"{path}: its interpreter crashed, and its process with it; run `camlite check` on it"
        raise BackendError(crashed) from None
    except TimeoutError:
        raise BackendError(f"{path}: {backend} hangs on it and was stopped; run `camlite check` on it") from None


def _backends(path: Path, arguments: argparse.Namespace) -> list[str]:
    container = artifact.read(path, arguments.trusted).container
    if arguments.backend:
        return [arguments.backend]
    able = list(backends.installed(container))
    if not able:
        raise backends.none_installed(path, container)
    return able
