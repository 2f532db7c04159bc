"""Which artifacts run here, and on which backend: each backend in a process of its own, which may crash."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from concurrent.futures import BrokenExecutor
from pathlib import Path
from typing import NamedTuple

import camlite
from camlite import artifact, backends
from camlite.artifact import Container
from camlite.errors import CamliteError
from camlite.system.fresh_process import FreshProcess
from camlite.texts import one_line

# Seconds that the golden samples of an artifact may take: a large network on a slow board needs minutes.
_LONGEST = 300.0


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
    with _Processes() as processes:
        for path in paths:
            progress(f"trying {path.name}")
            found += _trials(path, working, processes)
    return found


def _trials(path: Path, working: Sequence[str], processes: _Processes) -> list[Trial]:
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
    return [Trial(path, precision, container, name, *processes.check(path, name)) for name in able]


class _Processes:
    """One process a backend, begun again where it has died."""

    def __init__(self) -> None:
        self._of: dict[str, FreshProcess] = {}
        self._answered: set[str] = set()
        self._hung: dict[str, Path] = {}

    def __enter__(self) -> _Processes:
        return self

    def __exit__(self, *_: object) -> None:
        for process in self._of.values():
            process.shutdown()

    def check(self, path: Path, backend: str) -> tuple[float | None, tuple[str, ...]]:
        """Milliseconds and failures of an artifact on a backend."""
        if backend in self._hung and backend not in self._answered:  # each would take as long again
            return None, (f"{path}: not tried, because {backend} never answered on {self._hung[backend]}",)
        try:
            if backend not in self._of:
                self._of[backend] = FreshProcess()
            found = self._of[backend].wait_for(_LONGEST, checked, path, backend)
        except TimeoutError:
            self._of.pop(backend).shutdown()
            self._hung[backend] = path
            return None, (f"{path}: {backend} did not answer within {_LONGEST:g} s and was stopped",)
        except BrokenExecutor:
            self._of.pop(backend).shutdown()
            return None, (f"{path}: {backend} crashes on it, and its process with it",)
        except CamliteError as error:
            return None, (str(error),)
        except Exception as error:  # the others are tried all the same
            return None, (f"{path}: {one_line(f'{type(error).__name__}: {error}')[:300]}",)
        self._answered.add(backend)
        return found


def checked(path: Path, backend: str) -> tuple[float | None, tuple[str, ...]]:
    """The same in this process.

    Raises:
        CamliteError: the backend cannot load it.
    """
    found = camlite.check(camlite.load(path, backend))
    samples = len(found.samples)
    milliseconds = 1000 * found.seconds / samples if samples else None
    return milliseconds, tuple(f"{path}: {failure}" for failure in found.failures)
