"""C programs for Linux on aarch64: compiled here, translated by QEMU, with the libraries of Debian and PyPI.

Nothing is installed for it: the packages are unpacked into a folder of their own, which is what QEMU shows the program
of a file system. It needs Debian, and the network where the folder is new.
"""

from __future__ import annotations

import shutil
import sys
import zipfile
from importlib.metadata import version
from pathlib import Path

import pytest

from devices import userland
from support import c_programs

_CROSS = Path("/usr/aarch64-linux-gnu/lib")  # the C library that the cross compiler brings
_DEBIAN = ("libturbojpeg0", "libturbojpeg0-dev")


def system(folder: Path) -> Path:
    """The folder, filled with what programs need: headers, libturbojpeg, libLiteRt.so and what tells the processor."""
    for program in ("aarch64-linux-gnu-gcc", "qemu-aarch64-static", "apt-get", "dpkg"):
        if shutil.which(program) is None:
            pytest.skip(f"{program} is not installed; on Debian: gcc-aarch64-linux-gnu qemu-user-static")
    complete = folder / ".complete"
    if not complete.exists():
        shutil.rmtree(folder, ignore_errors=True)
        (folder / "lists" / "partial").mkdir(parents=True)
        _unpack_debian(folder)
        _unpack_litert(folder)
        (folder / "lib").symlink_to(_CROSS)
        (folder / "proc").mkdir()
        userland.furnish(folder, userland.RASPBERRY_PI_4)
        complete.touch()
    return folder


def _unpack_debian(folder: Path) -> None:
    """Lists of its own, so that this computer's packages stay as they are."""
    own = {"APT::Architecture": "arm64", "APT::Architectures": "arm64", "APT::Sandbox::User": "root"}
    own |= {"Dir::State::lists": str(folder / "lists"), "Dir::Cache": str(folder)}
    options = [word for name, value in own.items() for word in ("-o", f"{name}={value}")]
    for command in (["update"], ["download", *_DEBIAN]):
        c_programs.run(["apt-get", *options, *command], cwd=folder)
    for package in folder.glob("*.deb"):
        c_programs.run(["dpkg", "-x", package, folder])


def _unpack_litert(folder: Path) -> None:
    wanted = f"ai-edge-litert=={version('ai-edge-litert')}"
    options = ["--no-deps", "--only-binary=:all:", "--python-version=3.11", "--platform=manylinux_2_27_aarch64"]
    c_programs.run([sys.executable, "-m", "pip", "download", *options, "-d", folder, wanted])
    (wheel,) = folder.glob("ai_edge_litert-*.whl")
    with zipfile.ZipFile(wheel) as held:
        held.extract("ai_edge_litert/libLiteRt.so", folder)


def compiled(target: Path, folder: Path, *options: str | Path) -> Path:
    """Compile and link a program, as strictly as can be."""
    libraries = folder / "usr/lib/aarch64-linux-gnu", folder / "ai_edge_litert"
    found = [f"-L{one}" for one in libraries] + [f"-Wl,-rpath,/{one.relative_to(folder)}" for one in libraries]
    command = ["aarch64-linux-gnu-gcc", *c_programs.STRICT, f"-I{folder / 'usr/include'}", *options, *found]
    c_programs.run([*command, "-o", target])
    return target


def command(folder: Path, program: Path) -> list[str | Path]:
    """What runs a program; its arguments come after it."""
    processor = userland.RASPBERRY_PI_4.model
    return ["qemu-aarch64-static", "-cpu", processor, "-L", folder, program]


def is_for_aarch64(program: Path) -> bool:
    """Whether a program is what it should be: e_machine of its ELF header is 183."""
    return program.read_bytes()[18:20] == bytes([183, 0])
