"""What the tests of the C runtime share."""

from __future__ import annotations

from pathlib import Path

import pytest

from support import c_programs
from support.c_library import Library


@pytest.fixture(scope="session")
def library(tmp_path_factory: pytest.TempPathFactory) -> Library:
    """camlite.c as a shared library of this process."""
    target = tmp_path_factory.mktemp("c") / "camlite.so"
    options = ("-O2", "-shared", "-fPIC", "-fsanitize=undefined", "-fno-sanitize-recover=all", "-static-libubsan")
    return Library(c_programs.compiled(Path(target), [c_programs.RUNTIME / "camlite.c"], *options))
