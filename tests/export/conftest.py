"""What the exporter's tests share: TensorFlow in the process of the tests, each interpreter in one of its own."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import Executor
from contextlib import ExitStack
from pathlib import Path

import pytest

from camlite import backends
from camlite_export.agreement.interpreter_process import interpreter_process
from support.fresh_process import BACKENDS

# Before the test modules import TensorFlow.
os.environ["CUDA_VISIBLE_DEVICES"] = "-1"
os.environ["TF_CPP_MIN_LOG_LEVEL"] = "3"


@pytest.fixture(scope="session")
def interpreters() -> Iterator[Mapping[str, Executor]]:
    """A process for each installed backend that loads no other."""
    with ExitStack() as stack:
        yield {
            backend: stack.enter_context(interpreter_process())
            for backend, container in BACKENDS.items()
            if backend in backends.installed(container)
        }


@pytest.fixture
def little_memory() -> Callable[[], int]:
    """Resident memory, at the most, above that of the beginning; in bytes."""

    def status(field: str) -> int:
        lines = Path("/proc/self/status").read_text().splitlines()
        return 1024 * int(next(line for line in lines if line.startswith(field)).split()[1])

    Path("/proc/self/clear_refs").write_text("5")
    before = status("VmRSS")
    return lambda: status("VmHWM") - before
