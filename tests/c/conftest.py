"""What the tests of the C runtime share."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest

from support import c_programs, fresh_process
from support.c_library import Library


@pytest.fixture(scope="session")
def library(tmp_path_factory: pytest.TempPathFactory) -> Library:
    """camlite.c as a shared library of this process."""
    target = tmp_path_factory.mktemp("c") / "camlite.so"
    options = ("-O2", "-shared", "-fPIC", "-fsanitize=undefined", "-fno-sanitize-recover=all", "-static-libubsan")
    return Library(c_programs.compiled(Path(target), [c_programs.RUNTIME / "camlite.c"], *options))


@pytest.fixture(scope="session")
def run() -> Iterator[Callable[..., Any]]:
    """Call a function in the process of a backend, which is started where it is first needed."""
    with ExitStack() as stack:
        processes = {}

        def call(backend: str, function: Callable[..., Any], *arguments: Any) -> Any:
            if backend not in processes:
                processes[backend] = stack.enter_context(fresh_process.fresh_process())
            return processes[backend].submit(function, *arguments).result()

        yield call
