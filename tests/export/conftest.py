"""What the exporter's tests share: TensorFlow in the process of the tests, each interpreter in one of its own."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from concurrent.futures import Executor
from contextlib import ExitStack

import pytest

from camlite import backends
from camlite_export.interpreter_process import interpreter_process
from fresh_process import BACKENDS

# Before the test modules import TensorFlow.
os.environ["CUDA_VISIBLE_DEVICES"] = "-1"
os.environ["TF_CPP_MIN_LOG_LEVEL"] = "3"


@pytest.fixture(scope="session")
def interpreters() -> Iterator[Mapping[str, Executor]]:
    """A process for each installed backend that loads no other."""
    with ExitStack() as stack:
        yield {
            backend: stack.enter_context(interpreter_process())
            for backend, format_ in BACKENDS.items()
            if backend in backends.installed(format_)
        }
