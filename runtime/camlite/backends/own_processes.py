"""Interpreters in processes of their own, where one may crash or hang: the others go on."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import BrokenExecutor
from pathlib import Path
from typing import ParamSpec, TypeVar

from camlite.errors import BackendError
from camlite.system.fresh_process import FreshProcess

_P = ParamSpec("_P")
_T = TypeVar("_T")

# Seconds that the golden samples of an artifact may take: a large network on a slow board needs minutes.
LONGEST = 300.0
# How many they are, at the most.
_SAMPLES = 4


def longest(images: int) -> float:
    """Seconds that an interpreter may take for so many images: as long for each as for a golden sample."""
    return LONGEST * max(1, images / _SAMPLES)


def did_not_answer(path: object, interpreter: str, seconds: float) -> str:
    """What is told of an artifact on which an interpreter hung."""
    return (
        f"{path}: {interpreter} did not answer within {seconds:g} s and was stopped; "
        f"update {interpreter}, or use another backend"
    )


class OwnProcesses:
    """One process for each interpreter, begun again where it has died. A context: its end ends them."""

    def __init__(self) -> None:
        self._of: dict[str, FreshProcess] = {}
        self._answered: set[str] = set()
        self._hung: dict[str, Path] = {}

    def __enter__(self) -> OwnProcesses:
        return self

    def __exit__(self, kind: object, *_: object) -> None:
        for process in self._of.values():
            if kind is not None:
                process.kill()
            process.shutdown()

    def run(
        self, interpreter: str, path: Path, function: Callable[_P, _T], /, *arguments: _P.args, **options: _P.kwargs
    ) -> _T:
        """Do something with an artifact in the process of its interpreter.

        Args:
            interpreter: its name in errors, the same for all artifacts that it runs.
            path: the artifact.
            function, arguments, options: see `FreshProcess.submit`.

        Raises:
            BackendError: the interpreter crashes on it or takes longer than `LONGEST`; or it has never answered, and
                hung before.
            BaseException: what the function raises.
        """
        if interpreter in self._hung and interpreter not in self._answered:  # each would take as long again
            raise BackendError(f"{path}: not tried, because {interpreter} never answered on {self._hung[interpreter]}")
        if interpreter not in self._of:
            self._of[interpreter] = FreshProcess()
        try:
            found = self._of[interpreter].wait_for(LONGEST, function, *arguments, **options)
        except TimeoutError:
            self._of.pop(interpreter).shutdown()
            self._hung[interpreter] = path
            raise BackendError(did_not_answer(path, interpreter, LONGEST)) from None
        except BrokenExecutor:
            self._of.pop(interpreter).shutdown()
            raise BackendError(
                f"{path}: {interpreter} crashes on it, and its process with it; "
                f"update {interpreter}, or use another backend"
            ) from None
        self._answered.add(interpreter)
        return found
