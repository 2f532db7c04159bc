"""The wheel, built once a run."""

from __future__ import annotations

from pathlib import Path

import pytest

from devices import environments
from support.made_once import made_once


@pytest.fixture(scope="session")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = made_once(tmp_path_factory, "wheel", lambda folder: environments.build_wheel(folder) and None)
    (built,) = folder.glob("*.whl")
    return built
