"""Run the wheel in Debian's userlands for ARM, under emulation, and write their section of docs/devices.md."""

from __future__ import annotations

import argparse
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from devices import environments, examination, matrix, page, userland
from devices.environments import NEWEST
from devices.machine import CACHE, PROJECT, DeviceError, succeed
from devices.matrix import Row

_PLACE = """The userlands that Raspberry Pi OS is built on, their programs translated by QEMU {qemu}: this runs the
wheels' own code for ARM, and says nothing of its speed."""


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--userlands", type=Path, default=CACHE / "userlands", metavar="FOLDER", help="kept here")
    arguments = parser.parse_args()
    try:
        userland.require_tools()
        rows = _examine_all(arguments.userlands)
    except DeviceError as error:
        print(f"aarch64: {error}", file=sys.stderr)
        return 2
    qemu = succeed(subprocess.run(["qemu-aarch64-static", "--version"], capture_output=True, text=True, check=False))
    page.write_section("make test-aarch64", _PLACE.format(qemu=" ".join(qemu.split()[2:3])), rows)
    return int(any(row.problems for row in rows))


def _examine_all(folder: Path) -> list[Row]:
    wheel = environments.build_wheel()
    with tempfile.TemporaryDirectory(prefix="camlite-") as work:
        script = PROJECT / "tests/support/tiny_classifiers.py"
        succeed(subprocess.run([sys.executable, script, work], capture_output=True, text=True, check=False))
        cases = [*examination.tiny_cases(Path(work), Path(work)), *examination.reference_cases(Path(work))]
        rows = []
        for one in userland.USERLANDS:
            print(f"{one.name}: building, or as built before in {folder}", flush=True)
            machine = userland.build(one, folder)
            for release in NEWEST:
                start = time.monotonic()
                column = f"{one.name}, Python {one.python}"
                rows.append(matrix.examine(machine, one.python, release, wheel, cases, column))
                _print(rows[-1], time.monotonic() - start)
    return rows


def _print(row: Row, seconds: float) -> None:
    print(f"{row.column}, {row.release.package} {row.version}: {row.cell}, {seconds:.0f} s", flush=True)
    for problem in row.problems:
        print(f"  {problem}", file=sys.stderr, flush=True)


if __name__ == "__main__":
    raise SystemExit(main())
