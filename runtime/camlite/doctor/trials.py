"""Which artifacts run here, and on which backend: each backend in a process of its own, which may crash."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import NamedTuple

import camlite
from camlite import artifact, backends
from camlite.artifact import Container
from camlite.backends.own_processes import OwnProcesses
from camlite.errors import CamliteError
from camlite.texts import one_line


class Trial(NamedTuple):
    """An artifact on a backend.

    Attributes:
        artifact: its path.
        precision, container: empty where it cannot be read.
        backend: None where it was not tried, because it cannot be read or no backend for it works here.
        milliseconds: of a golden sample, mean of all; None where it did not run.
        failures: a line for each thing that is wrong; empty where it runs and its golden samples come out right.
    """

    artifact: Path
    precision: str
    container: Container | None
    backend: str | None
    milliseconds: float | None
    failures: tuple[str, ...]

    @property
    def works(self) -> bool:
        """Whether it runs here as it ran where it was made."""
        return not self.failures


def run(paths: Sequence[Path], working: Sequence[str], progress: Callable[[str], None]) -> list[Trial]:
    """Try each artifact on each backend that works here and runs its container.

    Args:
        paths: of artifacts.
        working: names of the backends that can be imported, see `camlite.backends`.
        progress: called with what is tried next.
    """
    found: list[Trial] = []
    with OwnProcesses() as processes:
        for path in paths:
            progress(f"trying {path.name}")
            found += _trials(path, working, processes)
    return found


def _trials(path: Path, working: Sequence[str], processes: OwnProcesses) -> list[Trial]:
    try:
        read = artifact.read(path)
    except (CamliteError, MemoryError) as error:
        return [Trial(path, "", None, None, None, (str(error) or "needs more memory than there is",))]
    container, precision = read.container, read.card.precision
    del read
    able = [name for name in backends.installed(container) if name in working]
    if not able:
        why = f"{path}: no backend for {container} artifacts works here"
        return [Trial(path, precision, container, None, None, (why,))]
    return [Trial(path, precision, container, name, *_checked(path, name, processes)) for name in able]


def _checked(path: Path, backend: str, processes: OwnProcesses) -> tuple[float | None, tuple[str, ...]]:
    """Milliseconds and failures of an artifact on a backend."""
    try:
        return processes.run(backend, path, checked, path, backend)
    except CamliteError as error:
        return None, (str(error),)
    except Exception as error:  # the others are tried all the same
        return None, (f"{path}: {one_line(f'{type(error).__name__}: {error}')[:300]}",)


def checked(path: Path, backend: str) -> tuple[float | None, tuple[str, ...]]:
    """The same in this process.

    Raises:
        CamliteError: the backend cannot load it.
    """
    found = camlite.check(camlite.load(path, backend))
    samples = len(found.samples)
    milliseconds = 1000 * found.seconds / samples if samples else None
    return milliseconds, tuple(f"{path}: {failure}" for failure in found.failures)
