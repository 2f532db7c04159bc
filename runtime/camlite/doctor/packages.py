"""Which packages are installed and can be imported, each tried in a process of its own: a broken one may crash."""

from __future__ import annotations

import importlib.util
import signal
import subprocess
import sys
from collections.abc import Sequence
from typing import Literal, NamedTuple

from camlite.doctor import requirements
from camlite.texts import one_line

State = Literal["ok", "missing", "too old", "broken"]


class Package(NamedTuple):
    """A package that camlite can use.

    Attributes:
        name: as its installers call it; module: as it is imported.
        use: what camlite does with it.
        extra: of camlite, that brings it; empty for numpy, which every installation brings.
        others: distributions that bring the same module.
    """

    name: str
    module: str
    use: str
    extra: str
    others: tuple[str, ...] = ()


NUMPY = Package("numpy", "numpy", "everything", "")
PACKAGES = (
    NUMPY,
    Package("ai-edge-litert", "ai_edge_litert.interpreter", "runs .tflite artifacts", "litert"),
    Package("tflite-runtime", "tflite_runtime.interpreter", "runs .tflite artifacts", "tflite"),
    Package("onnxruntime", "onnxruntime", "runs .onnx artifacts", "onnx"),
    Package("pillow", "PIL.Image", "reads and writes picture files", "image"),
    Package(
        *("opencv-python-headless", "cv2", "reads video files and cameras", "camera"),
        ("opencv-python", "opencv-contrib-python-headless", "opencv-contrib-python"),
    ),
    Package("tornado", "tornado", "camlite serve", "serve"),
    Package("cryptography", "cryptography.hazmat.primitives.asymmetric.ed25519", "verifies signatures", "sign"),
)

_LONGEST = 120  # seconds that an import may take: a slow card with a cold cache
_PROBE = """
import importlib, sys
sys.path[:] = sys.argv[2:]
importlib.import_module(sys.argv[1])
print(getattr(sys.modules[sys.argv[1].partition(".")[0]], "__version__", ""))
"""
_NUMPYS_REASON = "Original error was:"  # numpy hides it among thirty lines of advice


class Found(NamedTuple):
    """What was found of a package.

    Attributes:
        package: which one.
        version: None where it is missing; "" where nothing tells it.
        state: whether it works.
        reason: why it does not; empty where it does, or is missing.
    """

    package: Package
    version: str | None
    state: State
    reason: str = ""


def find(package: Package) -> Found:
    """Whether a package is installed, new enough, and can be imported."""
    top = package.module.partition(".")[0]
    if importlib.util.find_spec(top) is None:
        return Found(package, None, "missing")
    names = (package.name, *package.others)
    version = next(filter(None, map(requirements.version, names)), "")
    printed, reason = _imported(package.module)
    version = version or printed
    if reason:
        return Found(package, version, "broken", reason)
    least = requirements.least_version(package.name)
    if version and least and requirements.is_older(version, least):
        return Found(package, version, "too old", f"expected {least} or newer")
    return Found(package, version, "ok")


def _imported(module: str) -> tuple[str, str]:
    """The version that it prints when it is imported, and why it cannot be."""
    command = [sys.executable, "-c", _PROBE, module, *sys.path]
    try:
        finished = subprocess.run(  # noqa: S603
            command, stdin=subprocess.DEVNULL, capture_output=True, text=True, errors="replace", timeout=_LONGEST
        )
    except (subprocess.TimeoutExpired, OSError) as error:
        return "", one_line(str(error))[:200]
    if finished.returncode == 0:
        return (finished.stdout.split() or [""])[-1], ""
    if finished.returncode < 0:
        return "", f"its import crashes with {_signal_name(-finished.returncode)}"
    return "", _reason(finished.stderr.splitlines())


def _signal_name(number: int) -> str:
    try:
        return signal.Signals(number).name
    except ValueError:
        return f"signal {number}"


def _reason(lines: Sequence[str]) -> str:
    said = [line.strip() for line in lines if line.strip()]
    own = [line.partition(_NUMPYS_REASON)[2].strip() for line in said if _NUMPYS_REASON in line]
    return one_line((own or said or ["it ends without a word"])[-1])[:200]
