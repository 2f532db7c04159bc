"""Where commands run: on this computer, or inside a userland of another kind of processor."""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

PROJECT = Path(__file__).parents[2]
CACHE = PROJECT / ".environments"

# Under emulation, installing a backend takes minutes.
_MOST_SECONDS = 1800


class DeviceError(RuntimeError):
    """A command on a device failed; the message holds the command and the end of what it said."""


@dataclass(frozen=True)
class Machine:
    """A file system with Pythons in it. Paths are as seen inside, unless another word says otherwise.

    Attributes:
        name: as the table shows it.
        folder: for environments and files.
        root: of its file system, as seen from here.
        enter: the command that runs another one inside; empty on this computer.
        system_packages: whether an environment also sees the packages of the distribution.
    """

    name: str
    folder: Path
    root: Path = Path("/")
    enter: tuple[str, ...] = ()
    system_packages: bool = False

    def run(self, *command: str | Path) -> subprocess.CompletedProcess[str]:
        """Run a command inside, in the root folder, so that nothing of this project is near it."""
        result = subprocess.run(
            [*self.enter, *map(str, command)],
            capture_output=True,
            text=True,
            cwd="/",
            env={name: value for name, value in os.environ.items() if not name.startswith("PYTHON")},
            timeout=_MOST_SECONDS,
            check=False,
        )
        result.args = command
        return result

    def outside(self, inside: Path) -> Path:
        """The same place, as seen from here."""
        return self.root / inside.relative_to("/")

    @contextmanager
    def copied(self, *files: Path) -> Iterator[Path]:
        """A folder inside that holds copies of files of ours, for as long as the body runs."""
        self.outside(self.folder).mkdir(parents=True, exist_ok=True)
        outside = Path(tempfile.mkdtemp(prefix="files-", dir=self.outside(self.folder)))
        try:
            for file in files:
                shutil.copyfile(file, outside / file.name)
            yield self.folder / outside.name
        finally:
            shutil.rmtree(outside)


def succeed(result: subprocess.CompletedProcess[str]) -> str:
    """What the command printed.

    Raises:
        DeviceError: it exited with another status than 0.
    """
    if result.returncode:
        said = (result.stderr or result.stdout).strip()[-1500:]
        raise DeviceError(f"{' '.join(map(str, result.args))}: exit {result.returncode}: {said}")
    return result.stdout
