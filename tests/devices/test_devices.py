"""The wheel as devices have it: each Python with each backend, in an environment of its own.

This Python with each of the newest backends always runs. `make test-devices` runs all (``-m ""``), examines the
reference classifier as well, and writes docs/devices.md.
"""

from __future__ import annotations

import platform
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from devices import environments, examination, matrix, page
from devices.environments import NEWEST, RELEASES
from devices.examination import Case
from devices.matrix import Row

PYTHONS = ("3.10", "3.11", "3.12", "3.13")
THIS_PYTHON = f"{sys.version_info.major}.{sys.version_info.minor}"

ENVIRONMENTS = [
    pytest.param(
        (python, release),
        id=f"{release}-{python}",
        marks=[] if python == THIS_PYTHON and release in NEWEST else [pytest.mark.devices],
    )
    for release in RELEASES
    for python in PYTHONS
]


@pytest.fixture(scope="session")
def whole(request: pytest.FixtureRequest) -> bool:
    """Whether the whole matrix runs."""
    return any(item.get_closest_marker("devices") for item in request.session.items)


@pytest.fixture(scope="session")
def cases(whole: bool, tiny: Path, tmp_path_factory: pytest.TempPathFactory) -> list[Case]:
    work = tmp_path_factory.mktemp("devices")
    return examination.tiny_cases(tiny, work) + (examination.reference_cases(work) if whole else [])


@pytest.fixture(scope="session")
def rows() -> Iterator[list[Row]]:
    """Gathers what is found; docs/devices.md shows it where the whole matrix has run."""
    gathered: list[Row] = []
    yield gathered
    if len(gathered) == len(ENVIRONMENTS):
        page.write_section("make test-devices", f"{platform.system()} on {platform.machine()}.", gathered)


@pytest.fixture(scope="session", params=ENVIRONMENTS)
def row(request: pytest.FixtureRequest, wheel: Path, cases: list[Case], rows: list[Row]) -> Row:
    """What is found in one environment."""
    python, release = request.param
    found = matrix.examine(environments.here(), python, release, wheel, cases, f"Python {python}")
    rows.append(found)
    return found


@pytest.fixture
def environment(row: Row) -> Row:
    """The same, where there is such an environment."""
    if row.unavailable:
        pytest.skip(f"{row.release} on {row.column}: {row.unavailable}")
    return row


def test_every_artifact_is_explained_as_on_the_workstation(environment: Row) -> None:
    assert environment.findings
    assert {finding.artifact: finding.explained for finding in environment.findings if finding.explained} == {}


def test_every_artifact_passes_its_own_check(environment: Row) -> None:
    assert {finding.artifact: finding.checked for finding in environment.findings if finding.checked} == {}


def test_three_lines_of_python_answer_as_the_command_does(environment: Row) -> None:
    assert environment.three_lines == ""


def test_nothing_of_the_workstation_is_installed(environment: Row) -> None:
    assert environment.installed == []


def test_the_search_for_the_workstation_finds_it_here() -> None:
    assert {"keras", "tensorflow"} <= set(matrix.installed(examination.workstation()))
