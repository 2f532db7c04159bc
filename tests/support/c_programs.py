"""The C runtime, compiled: for this machine by two compilers, with sanitizers, and for boards that QEMU emulates."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

import pytest

RUNTIME = Path(__file__).parents[2] / "runtime" / "c"
PROGRAMS = Path(__file__).parents[1] / "c"
STRICT = ("-std=c99", "-Wall", "-Wextra", "-Werror", "-pedantic")
SANITIZED = ("-g", "-O1", "-fsanitize=address,undefined", "-fno-sanitize-recover=all")
COMPILERS = ("gcc", "clang")


class Board(NamedTuple):
    """A board of QEMU: how programs for it are compiled and linked."""

    machine: str
    options: tuple[str, ...]
    ram: int  # where it begins; vectors and code lie at 0


# Cortex-M3 has no floating point unit, Cortex-M4F one for float, Cortex-M7 one for double as well.
BOARDS: Mapping[str, Board] = {
    "m3": Board("mps2-an385", ("-mcpu=cortex-m3",), 0x20000000),
    "m4f": Board("mps2-an386", ("-mcpu=cortex-m4", "-mfloat-abi=hard", "-mfpu=fpv4-sp-d16"), 0x20000000),
    "m7": Board("mps2-an500", ("-mcpu=cortex-m7", "-mfloat-abi=hard", "-mfpu=fpv5-d16"), 0x20000000),
}


def tool(name: str) -> str:
    """The path of a program of the system; the test is skipped where it is not installed."""
    found = shutil.which(name)
    if found is None:
        pytest.skip(f"{name} is not installed: .ci/run installs it on Debian")
    return found


def run(command: Sequence[str | Path], **options: object) -> subprocess.CompletedProcess[str]:
    """Run a program; what it says."""
    finished = subprocess.run([str(one) for one in command], capture_output=True, text=True, timeout=300, **options)  # type: ignore[call-overload]
    assert finished.returncode == 0, f"{command}\n{finished.stdout[-2000:]}\n{finished.stderr[-4000:]}"
    return finished  # type: ignore[no-any-return]


def compiled(target: Path, sources: Sequence[Path], *options: str, compiler: str = "gcc") -> Path:
    """Compile a program for this machine, as strictly as can be."""
    folders = [f"-I{one}" for one in dict.fromkeys(source.parent for source in sources)]
    run([tool(compiler), *STRICT, *options, *folders, "-o", target, *sources])
    return target


def for_board(target: Path, sources: Sequence[Path], board: str, *options: str) -> Path:
    """Compile and link a program for a board; it prints through QEMU (semihosting)."""
    made = BOARDS[board]
    folders = [f"-I{one}" for one in dict.fromkeys(source.parent for source in sources)]
    command = [tool("arm-none-eabi-gcc"), *STRICT, "-mthumb", *made.options, "-ffunction-sections", "-fdata-sections"]
    command += [*options, *folders, "--specs=rdimon.specs", "-nostartfiles", "-Wl,--gc-sections"]
    run([*command, "-T", PROGRAMS / "board.ld", "-o", target, PROGRAMS / "board.c", *sources])
    return target


def on_board(program: Path, board: str, *options: str) -> str:
    """What a program prints on an emulated board."""
    command = [tool("qemu-system-arm"), "-machine", BOARDS[board].machine, "-nographic", "-monitor", "none"]
    command += ["-serial", "none", "-semihosting-config", "enable=on,target=native", *options, "-kernel", str(program)]
    return run(command, stdin=subprocess.DEVNULL).stdout


def code(source: Path, board: str, *options: str) -> dict[str, int]:
    """Bytes of code of each function of a source file, for a board."""
    made = source.with_suffix(".o")
    command = [tool("arm-none-eabi-gcc"), *STRICT, "-mthumb", *BOARDS[board].options, "-ffunction-sections", *options]
    run([*command, "-c", "-o", made, source])
    said = run([tool("arm-none-eabi-nm"), "--print-size", "--radix=d", made]).stdout
    rows = [line.split() for line in said.splitlines()]
    return {row[3]: int(row[1]) for row in rows if len(row) == 4 and row[2] in "tT"}


class Cost(NamedTuple):
    """What a call takes on a board: instructions, and bytes of stack."""

    status: int
    instructions: int
    stack: int


def costs(program: Path, board: str) -> dict[str, Cost]:
    """What tests/c/cost.c has measured: name of a call -> cost."""
    said = on_board(program, board, "-icount", "shift=6")
    rows = [line.split() for line in said.splitlines()]
    return {name: Cost(*map(int, numbers)) for name, *numbers in rows}


def sanitizing() -> dict[str, str]:
    """The environment of a sanitized program: it ends at the first finding."""
    return {**os.environ, "ASAN_OPTIONS": "detect_leaks=0:abort_on_error=0", "UBSAN_OPTIONS": "print_stacktrace=1"}
