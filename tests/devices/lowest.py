"""Run the tests at the lowest versions that pyproject.toml admits of every dependency: a device's, a workstation's.

``python -m devices.lowest [device|workstation [what pytest takes, instead of all their tests]]``; needs uv.
"""

from __future__ import annotations

import argparse
import os
import shutil
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path

from devices.environments import UnavailableError, find_python, here
from devices.machine import CACHE, PROJECT, DeviceError, succeed


@dataclass(frozen=True)
class Bounds:
    """What is installed together at its lowest versions, and which tests it must pass.

    Attributes:
        python: the lowest that these versions have wheels for.
        extras: camlite's.
        tools: what the tests need besides, at any version.
        tests: folders.
    """

    python: str
    extras: tuple[str, ...]
    tools: tuple[str, ...]
    tests: tuple[str, ...]


# The tests of the runtime take it for granted that both formats can run.
BOUNDS = {
    "device": Bounds(
        "3.10",
        ("camera", "image", "litert", "onnx", "serve", "sign", "tflite"),
        ("hypothesis", "pytest"),
        ("tests/runtime",),
    ),
    "workstation": Bounds(
        "3.11",
        ("audit", "camera", "export", "image", "serve", "sign"),
        ("build", "hatchling", "hypothesis", "pytest", "scikit-image"),
        ("tests/export", "tests/parity"),
    ),
}


def main() -> int:
    """Run the tests of one or both; the largest exit status of pytest."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("name", nargs="?", choices=BOUNDS, help="one alone")
    named, options = parser.parse_known_args()
    try:
        names = [named.name] if named.name else BOUNDS
        return max([_run_tests(name, BOUNDS[name], options) for name in names])
    except (DeviceError, UnavailableError) as error:
        print(f"lowest: {error}", file=sys.stderr)
        return 2


def _run_tests(name: str, bounds: Bounds, options: list[str]) -> int:
    python = _install(CACHE / f"lowest-{name}", bounds)
    with tempfile.TemporaryDirectory(prefix="camlite-") as work:
        # Made with the versions of this environment; a workstation makes its own.
        made = [] if "export" in bounds.extras else ["--artifacts", _artifacts(work)]
        # Old packages warn of what newer ones beside them will no longer do.
        pytest = [python, "-m", "pytest", "-W", "default", "-p", "no:cacheprovider", *made]
        environment = {**os.environ, "CUDA_VISIBLE_DEVICES": "-1"}
        return subprocess.run([*pytest, *(options or bounds.tests)], cwd=PROJECT, env=environment).returncode


def _install(folder: Path, bounds: Bounds) -> Path:
    """An environment made anew; its Python."""
    uv = shutil.which("uv") or str(Path(sys.prefix, "bin", "uv"))
    interpreter = find_python(here(), bounds.python)
    shutil.rmtree(folder, ignore_errors=True)
    succeed(here().run(uv, "venv", "--quiet", "--python", interpreter, folder))
    python, pinned = folder / "bin/python", folder / "lowest.txt"
    extras = [part for extra in bounds.extras for part in ("--extra", extra)]
    wheels = ("--quiet", "--only-binary", ":all:", "--python", python)
    lowest = ("--resolution", "lowest-direct", "--no-annotate", "--no-header", "--output-file", pinned)
    succeed(here().run(uv, "pip", "compile", *wheels, *lowest, *extras, PROJECT / "pyproject.toml"))
    print(f"{folder.name}, Python {bounds.python}: {' '.join(pinned.read_text().split())}", flush=True)
    succeed(here().run(uv, "pip", "install", *wheels, "--requirement", pinned, *bounds.tools))
    succeed(here().run(uv, "pip", "install", "--quiet", "--python", python, "--no-deps", "--editable", PROJECT))
    return python


def _artifacts(folder: str) -> str:
    script = PROJECT / "tests/support/tiny_classifiers.py"
    succeed(subprocess.run([sys.executable, script, folder], capture_output=True, text=True, check=False))
    return folder


if __name__ == "__main__":
    raise SystemExit(main())
