"""Make environments as devices have them: the built wheel, one backend, Pillow, and what these bring along.

An environment is kept under `.environments/`. Where the wheel's requirements have changed it is made anew; where
only its code has, the wheel alone is installed again.
"""

from __future__ import annotations

import email
import fcntl
import hashlib
import shutil
import subprocess
import sys
import zipfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from packaging.requirements import Requirement

from devices.machine import CACHE, PROJECT, Machine, succeed


@dataclass(frozen=True)
class Release:
    """A backend, and which version of it.

    Attributes:
        package: its name.
        extra: camlite's extra that installs it.
        oldest: the oldest version that the extra admits; else the newest that pip finds.
        beside: what a user must ask for besides.
    """

    package: str
    extra: str
    oldest: bool = False
    beside: tuple[str, ...] = ()

    def __str__(self) -> str:
        return f"{self.package}-{'oldest' if self.oldest else 'newest'}"


NEWEST = (Release("tflite-runtime", "tflite"), Release("ai-edge-litert", "litert"), Release("onnxruntime", "onnx"))
# tflite-runtime has one version only. The first onnxruntime of the list was built for numpy 1 and does not say so.
OLDEST = (
    Release("ai-edge-litert", "litert", oldest=True),
    Release("onnxruntime", "onnx", oldest=True, beside=("numpy<2",)),
)
RELEASES = (*NEWEST, *OLDEST)


class UnavailableError(Exception):
    """A combination that cannot be had, and why; nothing is broken."""


@dataclass(frozen=True)
class Device:
    """An environment, ready to run camlite.

    Attributes:
        python: its version, as ``3.11``.
        backend: the backend's name and installed version.
        bin: the folder of its programs, as seen on the machine.
    """

    machine: Machine
    python: str
    backend: str
    version: str
    bin: Path

    def run(self, program: str, *arguments: str | Path) -> subprocess.CompletedProcess[str]:
        """Run one of its programs."""
        return self.machine.run(self.bin / program, *arguments)


def here() -> Machine:
    """This computer."""
    return Machine("x86-64", CACHE)


def build_wheel(folder: Path = CACHE / "wheel") -> Path:
    """Build the wheel as a release does; the folder is made anew."""
    shutil.rmtree(folder, ignore_errors=True)
    command = [sys.executable, "-m", "build", "--wheel", "--no-isolation", "--outdir", str(folder), str(PROJECT)]
    succeed(subprocess.run(command, capture_output=True, text=True, check=False))
    (wheel,) = folder.glob("*.whl")
    return wheel


def find_python(machine: Machine, version: str) -> Path:
    """A Python of a version such as ``3.11``: on the path, of pyenv, or known to uv.

    Raises:
        UnavailableError: there is none.
    """
    candidates = [f"python{version}"]
    if not machine.enter:
        candidates += map(str, sorted(Path.home().glob(f".pyenv/versions/{version}.*/bin/python")))
        if uv := shutil.which("uv"):
            candidates.append(machine.run(uv, "python", "find", "--no-python-downloads", version).stdout.strip())
    for candidate in filter(None, candidates):
        # env: a program that is missing is then an exit status, as a shim of pyenv that leads nowhere is.
        found = machine.run("/usr/bin/env", candidate, "-c", "import sys; print(sys.executable)")
        if found.returncode == 0:
            return Path(found.stdout.strip())
    raise UnavailableError("no such Python")


def make(machine: Machine, python: str, release: Release, wheel: Path) -> Device:
    """Make an environment, or find it as it was made before.

    Raises:
        UnavailableError: there is no such Python here, or the backend has no wheel for it.
        DeviceError: pip failed for another reason.
    """
    interpreter = find_python(machine, python)
    folder = machine.folder / f"{release}-{python}"
    wanted = {
        "requirements": _digest("\n".join([*_requirements(wheel), str(interpreter), *release.beside]).encode()),
        "wheel": _digest(wheel.read_bytes()),
    }
    lock = machine.outside(folder).with_name(f".{folder.name}.lock")
    with _locked(lock), machine.copied(wheel) as files:
        stamps = {name: machine.outside(folder) / f".{name}" for name in wanted}
        inside = files / wheel.name
        if _stamp(stamps["requirements"]) != wanted["requirements"]:
            shutil.rmtree(machine.outside(folder), ignore_errors=True)
            _install(machine, interpreter, folder, release, inside, _oldest(wheel, release))
        elif _stamp(stamps["wheel"]) != wanted["wheel"]:
            succeed(machine.run(*_pip(folder), "install", *_QUICK, "--force-reinstall", "--no-deps", inside))
        for name, stamp in stamps.items():
            stamp.write_text(wanted[name])
    version = succeed(machine.run(folder / "bin/python", "-c", _VERSION, release.package)).strip()
    return Device(machine, python, release.package, version, folder / "bin")


# Of the thousands of modules that come along few are imported: Python compiles those when it does.
_QUICK = ("--only-binary", ":all:", "--no-compile")
_VERSION = "import importlib.metadata, sys; print(importlib.metadata.version(sys.argv[1]))"


def _install(machine: Machine, interpreter: Path, folder: Path, release: Release, wheel: Path, version: str) -> None:
    options = ["--system-site-packages"] if machine.system_packages else []
    succeed(machine.run(interpreter, "-m", "venv", *options, folder))
    install = (*_pip(folder), "install", *_QUICK)
    backend = f"{release.package}{version}"
    result = machine.run(*install, f"{wheel}[{release.extra},image]", backend, *release.beside)
    if result.returncode:
        probe = (*install, "--dry-run", "--no-deps", "--ignore-installed")
        # Pip says the same of a package without a wheel and of an index out of reach: its own wheel tells them apart.
        missing = machine.run(*probe, backend).returncode and not machine.run(*probe, "pip").returncode
        shutil.rmtree(machine.outside(folder))
        if missing:
            raise UnavailableError("no wheel")
    succeed(result)


def _pip(folder: Path) -> tuple[str, ...]:
    return (str(folder / "bin/python"), "-m", "pip")


def _requirements(wheel: Path) -> list[str]:
    return email.message_from_bytes(_metadata(wheel)).get_all("Requires-Dist", [])


def _metadata(wheel: Path) -> bytes:
    with zipfile.ZipFile(wheel) as archive:
        (name,) = (name for name in archive.namelist() if name.endswith(".dist-info/METADATA"))
        return archive.read(name)


def _oldest(wheel: Path, release: Release) -> str:
    """``==`` the oldest version that camlite's extra admits, or nothing."""
    if not release.oldest:
        return ""
    environment: Mapping[str, str] = {"extra": release.extra}
    wanted = [
        specifier.version
        for requirement in map(Requirement, _requirements(wheel))
        if requirement.name == release.package and requirement.marker and requirement.marker.evaluate(environment)
        for specifier in requirement.specifier
        if specifier.operator == ">="
    ]
    (version,) = wanted
    return f"=={version}"


def _digest(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


def _stamp(path: Path) -> str | None:
    return path.read_text() if path.exists() else None


@contextmanager
def _locked(path: Path) -> Iterator[None]:
    """One process at a time makes an environment."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield
