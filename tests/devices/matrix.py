"""One cell of the matrix: make the environment, examine it, and keep what was found."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from devices import environments, examination
from devices.environments import Device, Release, UnavailableError
from devices.examination import Case, Finding
from devices.machine import DeviceError, Machine, succeed

WORKSTATION_ONLY = ("keras", "matplotlib", "onnx", "sklearn", "tensorflow", "tf2onnx", "tf_keras")

_FIND = """
import importlib.util, sys
print(*(name for name in sys.argv[1:] if importlib.util.find_spec(name)))
"""


@dataclass(frozen=True)
class Row:
    """One environment.

    Attributes:
        column: where it is, as ``Python 3.11``.
        release: the backend, and which version was asked for.
        version: the one that was installed; nothing where the environment cannot be had.
        unavailable: why the environment cannot be had.
        installed: what of the workstation is installed there.
        three_lines: what is wrong with the three lines of Python; empty where nothing is.
        findings: one an artifact.
    """

    column: str
    release: Release
    version: str = ""
    unavailable: str = ""
    installed: Sequence[str] = ()
    three_lines: str = ""
    findings: Sequence[Finding] = ()

    @property
    def cell(self) -> str:
        """How many of the artifacts passed."""
        if self.unavailable:
            return self.unavailable
        passed = f"{sum(finding.passed for finding in self.findings)} of {len(self.findings)}"
        return f"{passed}, Python fails" if self.three_lines else passed

    @property
    def problems(self) -> list[str]:
        """All that is wrong, a line each."""
        named = {"three lines": self.three_lines, "installed": ", ".join(self.installed)}
        for finding in self.findings:
            named |= {f"explain {finding.artifact}": finding.explained, f"check {finding.artifact}": finding.checked}
        return [f"{name}: {problem}" for name, problem in named.items() if problem]


def examine(machine: Machine, python: str, release: Release, wheel: Path, cases: Sequence[Case], column: str) -> Row:
    """Make one environment and run all cases in it.

    Raises:
        DeviceError: it cannot be made, and not for want of a wheel or of a Python.
    """
    try:
        device = environments.make(machine, python, release, wheel)
    except UnavailableError as reason:
        return Row(column, release, unavailable=str(reason))
    return Row(
        column,
        release,
        version=device.version,
        installed=installed(device),
        three_lines=_three_lines(device, cases),
        findings=examination.examine(device, cases),
    )


def _three_lines(device: Device, cases: Sequence[Case]) -> str:
    """What is wrong with them: not a digit may differ from what the command says of the same pixels."""
    case = next(case for case in cases if case.artifact.suffix == f".{examination.RUNS[device.backend]}")
    try:
        answer = examination.three_lines(device, case.artifact, case.pixels)
        (said,) = examination.explain(device, case.artifact, case.pictures[:1])
    except DeviceError as error:
        return str(error)
    expected = {key: said[key] for key in answer}
    return "" if answer == expected else f"{answer}, expected {expected}"


def installed(device: Device) -> list[str]:
    """Which of the workstation's packages are there."""
    return succeed(device.run("python", "-c", _FIND, *WORKSTATION_ONLY)).split()
