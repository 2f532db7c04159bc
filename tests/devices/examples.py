"""The programs of examples/devices where a device runs them: the wheel with the extras that each names, and no more."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path

from devices import environments
from devices.machine import CACHE, PROJECT, succeed

EXAMPLES = PROJECT / "examples" / "devices"
_SECONDS = 300


@dataclass(frozen=True)
class Place:
    """An environment that has what an example names."""

    python: Path

    def run(self, name: str, *arguments: str | Path, cwd: Path) -> subprocess.CompletedProcess[str]:
        """Run an example in a folder that is not the project's, by a copy that is not there either."""
        program = Path(shutil.copy(EXAMPLES / name, cwd))
        clean = {key: value for key, value in os.environ.items() if not key.startswith("PYTHON")}
        command = [str(self.python), "-I", str(program), *map(str, arguments)]
        return subprocess.run(
            command, cwd=cwd, env=clean, capture_output=True, text=True, timeout=_SECONDS, check=False
        )


def named_extras(name: str) -> str:
    """``litert,image`` of an example that says `Needs camlite[litert,image]`; nothing where it needs no camlite."""
    head = (EXAMPLES / name).read_text("utf-8").split('"""')[1]
    found = re.search(r"Needs camlite\[([a-z,]+)\]", head)
    return found[1] if found else ""


def place(version: str, wheel: Path, extras: str) -> Place:
    """An environment with these extras and nothing else, kept under `.environments/`.

    Raises:
        UnavailableError: there is no such Python here.
        DeviceError: pip failed.
    """
    machine = environments.here()
    if extras == "litert,image":  # the matrix has it already
        return Place(environments.make(machine, version, environments.NEWEST[1], wheel).bin / "python")
    interpreter = environments.find_python(machine, version)
    folder = CACHE / f"examples-{extras.replace(',', '-') or 'bare'}-{version}"
    python = folder / "bin" / "python"
    wanted = [f"{wheel}[{extras}]"] if extras else ["ai-edge-litert"]
    if not python.exists():
        succeed(machine.run(interpreter, "-m", "venv", folder))
    succeed(machine.run(python, "-m", "pip", "install", "--only-binary", ":all:", "--no-compile", *wanted))
    if extras:  # a wheel of the same version is else left as it was
        again = ("install", "--no-compile", "--force-reinstall", "--no-deps", wheel)
        succeed(machine.run(python, "-m", "pip", *again))
    return Place(python)
