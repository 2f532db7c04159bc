"""A Debian userland of another kind of processor, under emulation: what the Raspberry Pi's system is built on.

debootstrap makes it from Debian's packages; qemu-user translates its programs as they run. Both need root.
"""

from __future__ import annotations

import dataclasses
import os
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path

from devices.machine import DeviceError, Machine, succeed

_INSTALL = "apt-get install debootstrap qemu-user-static debian-archive-keyring"
_MIRROR = "http://deb.debian.org/debian"
_KERNEL = Path("/proc/sys/fs/binfmt_misc")
_CERTIFICATES = Path("/etc/ssl/certs/ca-certificates.crt")

# What a Raspberry Pi says of its processor. Without it the interpreters do not know theirs, and leave their fast
# kernels (XNNPACK) unused; with this computer's own /proc and /sys mounted, ai-edge-litert 2.3 crashes.
_CPUINFO = """processor\t: {number}
BogoMIPS\t: 108.00
Features\t: {features}
CPU implementer\t: 0x41
CPU architecture: {architecture}
CPU variant\t: 0x0
CPU part\t: {part}
CPU revision\t: {revision}
"""
_CORES = 4


@dataclass(frozen=True)
class Processor:
    """A processor, by QEMU's names of its kind and model, and by the fields of /proc/cpuinfo that tell it."""

    kind: str
    model: str
    architecture: int
    part: str
    revision: int
    features: str


RASPBERRY_PI_4 = Processor("aarch64", "cortex-a72", 8, "0xd08", 3, "fp asimd evtstrm crc32 cpuid")
RASPBERRY_PI_2 = Processor(
    "arm",
    "cortex-a7",
    7,
    "0xc07",
    5,
    "half thumb fastmult vfp edsp neon vfpv3 tls vfpv4 idiva idivt vfpd32 lpae evtstrm",
)


@dataclass(frozen=True)
class Userland:
    """What to build.

    Attributes:
        name: as the table shows it.
        suite, architecture: Debian's names.
        python: the version that the suite has.
        packages: what is installed besides Python.
    """

    name: str
    suite: str
    architecture: str
    processor: Processor
    python: str
    packages: tuple[str, ...] = ()


USERLANDS = (
    Userland("Debian 12, aarch64", "bookworm", "arm64", RASPBERRY_PI_4, "3.11"),
    Userland("Debian 13, aarch64", "trixie", "arm64", RASPBERRY_PI_4, "3.13"),
    # PyPI has no numpy and no Pillow for 32 bits: they come from Debian.
    Userland("Debian 12, armhf", "bookworm", "armhf", RASPBERRY_PI_2, "3.11", ("python3-numpy", "python3-pil")),
)


def require_tools() -> None:
    """Raise a DeviceError that says what is missing on this computer; nothing is missing: do nothing."""
    if os.geteuid():
        raise DeviceError("debootstrap and chroot need root: run this with sudo, or in a container as root")
    for program in ("debootstrap", *(f"qemu-{userland.processor.kind}-static" for userland in USERLANDS)):
        if shutil.which(program) is None:
            raise DeviceError(f"{program} not found: {_INSTALL} (Debian, Ubuntu)")


def build(userland: Userland, folder: Path) -> Machine:
    """Build a userland under a folder, or find it as it was built before.

    Raises:
        DeviceError: the kernel does not hand its programs to the emulator, or debootstrap fails.
    """
    _register(userland.processor.kind)
    root = folder.resolve() / f"{userland.suite}-{userland.architecture}"
    complete = root / ".complete"
    wanted = ",".join(("python3", "python3-venv", *userland.packages))
    if not complete.exists() or complete.read_text() != wanted:
        shutil.rmtree(root, ignore_errors=True)
        root.mkdir(parents=True)
        options = [f"--arch={userland.architecture}", "--variant=minbase", f"--include={wanted}"]
        _run("debootstrap", *options, userland.suite, str(root), _MIRROR)
        complete.write_text(wanted)
    furnish(root, userland.processor)
    environment = ("PATH=/usr/bin:/bin", "HOME=/root", "LANG=C.UTF-8", f"QEMU_CPU={userland.processor.model}")
    certificates = (f"PIP_CERT={_CERTIFICATES}",) if _CERTIFICATES.exists() else ()
    enter = ("chroot", str(root), "env", "-i", *environment, *certificates)
    return Machine(userland.name, Path("/var/lib/camlite"), root, enter, system_packages=bool(userland.packages))


def furnish(root: Path, processor: Processor) -> None:
    """Give a userland a network, and what its programs look for to know the processor."""
    for file in (Path("/etc/resolv.conf"), _CERTIFICATES):
        if file.exists():
            place = root / file.relative_to("/")
            place.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(file, place)
    fields = dataclasses.asdict(processor)
    cores = "\n".join(_CPUINFO.format(number=number, **fields) for number in range(_CORES))
    (root / "proc/cpuinfo").write_text(cores)
    folder = root / "sys/devices/system/cpu"
    folder.mkdir(parents=True, exist_ok=True)
    for name in ("possible", "present"):
        (folder / name).write_text(f"0-{_CORES - 1}\n")


def _register(kind: str) -> None:
    """Make the kernel hand programs of this kind to QEMU, as systemd does where it runs."""
    if not (_KERNEL / "register").exists():
        _run("mount", "-t", "binfmt_misc", "binfmt_misc", str(_KERNEL))
    if (_KERNEL / f"qemu-{kind}").exists():
        return
    rule = Path(f"/usr/lib/binfmt.d/qemu-{kind}.conf")
    try:
        (_KERNEL / "register").write_text(rule.read_text())
    except OSError as error:
        raise DeviceError(f"{rule}: cannot hand it to the kernel ({error.strerror}): {_INSTALL}") from None


def _run(*command: str) -> None:
    succeed(subprocess.run(command, capture_output=True, text=True, check=False))
