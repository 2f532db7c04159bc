"""The wheel, built once a session."""

from __future__ import annotations

from pathlib import Path

import pytest

from devices import environments


@pytest.fixture(scope="session")
def wheel() -> Path:
    return environments.build_wheel()
