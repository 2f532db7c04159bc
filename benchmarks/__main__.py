"""`make bench`: every figure that camlite promises, measured on this machine, with its goal beside it.

Prints the table; writes docs/performance.md and its plot. The peers run in environments of their own, which are made
in .environments/ where they are missing: about 3 GB and ten minutes at the first time.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import page

from camlite import artifact
from camlite.bench import benchmark
from camlite.images import picture_files

ROOT = Path(__file__).resolve().parents[1]
TOOLS = Path(__file__).resolve().parent
REFERENCE = ROOT / "artifacts" / "fashion_mnist"
WORK = ROOT / "artifacts" / "bench"
PASSES = 3

# What installs together, on the processor alone.
PEERS: Mapping[str, Sequence[str]] = {
    "torch": ("torch==2.13.0", "torchvision==0.28.0", "torchcam==0.5.0", "grad-cam==1.5.7"),
    "openvino": ("openvino-xai==1.1.0", "openvino==2024.4.0"),
}
SEED = (
    ("float32.tflite", "ai-edge-litert"),
    ("int8.tflite", "ai-edge-litert"),
    ("float32.tflite", "tflite-runtime"),
    ("int8.tflite", "tflite-runtime"),
    ("float32.onnx", "onnxruntime"),
    ("int8.onnx", "onnxruntime"),
)


def main() -> None:
    """Measure, keep what was found in artifacts/bench/results.json, write the page."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--only", nargs="*", choices=_PARTS, help="measure these parts again; none: write the page")
    os.environ.pop("PYTHONDONTWRITEBYTECODE", None)  # compiling in each process takes time, and memory
    only, results = parser.parse_args().only, WORK / "results.json"
    WORK.mkdir(parents=True, exist_ok=True)
    if only is None:
        found = measure()
    else:
        found = json.loads(results.read_text())
        for part in only:
            _PARTS[part](found)
    results.write_text(json.dumps(found, indent=1))
    print(page.write(found, ROOT / "docs"))


def measure() -> dict[str, Any]:
    """All figures. What is compared runs turn by turn, and the short ones three times, minutes apart."""
    if not (WORK / "mobilenet_graph.int8.tflite").exists():
        _python(TOOLS / "mobilenet.py", WORK)
    found: dict[str, Any] = {"date": time.strftime("%Y-%m-%d"), "machine": _machine(), "races": {}}
    others = [part for part in _PARTS.values() if part is not _races]
    for turn in range(PASSES):
        _races(found)
        for other in others[turn::PASSES]:
            other(found)
    return found


def _races(found: dict[str, Any]) -> None:
    """One pass of `camlite bench`."""
    for name, backend in SEED:
        _race(found, REFERENCE / f"fashion_mnist.{name}", backend)
    for precision in ("float32", "int8"):
        for backend in ("ai-edge-litert", "tflite-runtime"):
            _race(found, WORK / f"mobilenet.{precision}.tflite", backend)
            _all_classes(found, precision, backend)


def _race(found: dict[str, Any], path: Path, backend: str) -> None:
    _say(f"{path.name} on {backend}")
    one = benchmark.run(path, backend)
    entry = found["races"].setdefault(f"{path.name} {backend}", {"artifact": path.name, "backend": backend})
    for name in ("explain_ratio", "all_classes_ratio", "memory_ratio"):
        entry.setdefault(name, []).append(getattr(one, name))
    entry.setdefault("classify", []).append(one.classify.median)
    entry.setdefault("explain", []).append(one.explain.median)


def _all_classes(found: dict[str, Any], precision: str, backend: str) -> None:
    _say(f"mobilenet_graph.{precision}.tflite on {backend}")
    paths = [WORK / f"{name}.{precision}.tflite" for name in ("mobilenet", "mobilenet_graph")]
    ratio = _json(_python(TOOLS / "all_classes.py", *paths, backend))["ratio"]
    found["races"][f"mobilenet.{precision}.tflite {backend}"].setdefault("graph_ratio", []).append(ratio)


def _export(found: dict[str, Any]) -> None:
    """`camlite export` of all eight beside the converters alone, and the sizes of what both make."""
    keras, calibration = REFERENCE.with_suffix(".keras"), REFERENCE.with_suffix(".calibration.npz")
    seconds: dict[str, list[float]] = {"converters": [], "camlite export": []}
    with tempfile.TemporaryDirectory() as folder:
        options = [
            "--labels",
            REFERENCE.with_suffix(".labels.txt"),
            "--calibration",
            calibration,
            "--preprocess",
            "unit",
            "--layer=-3",
            "--maps",
            "cam",
        ]
        for _ in range(5):
            _say("converters")
            start = time.perf_counter()
            sizes = _json(_python(TOOLS / "converters.py", keras, calibration))
            seconds["converters"].append(time.perf_counter() - start)
            _say("camlite export")
            start = time.perf_counter()
            _python("-m", "camlite", "export", keras, *options, "--output", folder)
            seconds["camlite export"].append(time.perf_counter() - start)
    found["export"] = seconds
    paths = {
        f"{name}.{container}": REFERENCE / f"fashion_mnist.{name}.{container}"
        for name, _, container in (key.partition(".") for key in sizes)
    }
    found["sizes"] = {name: [path.stat().st_size, sizes[name]] for name, path in paths.items()}
    mobilenet = WORK / "mobilenet.int8.tflite"
    bare = _json(_python(TOOLS / "converters.py", WORK / "mobilenet.keras", WORK / "images.npz", "int8.tflite"))
    found["sizes"]["MobileNetV2 int8.tflite"] = [mobilenet.stat().st_size, bare["int8.tflite"]]


def _cold_start(found: dict[str, Any]) -> None:
    """Whole processes turn by turn, with compiled modules in the cache, as on a device."""
    _say("cold start")
    path = REFERENCE / "fashion_mnist.int8.tflite"
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        (folder / "model.tflite").write_bytes(artifact.read(path).model)
        picture_files.write(folder / "picture.png", page.example())
        bare = [TOOLS / "cold_start.py", folder / "model.tflite", folder / "picture.png"]
        program = Path(sys.executable).with_name("camlite")
        camlite = [program, "explain", path, folder / "picture.png", "--output", folder, "--backend", "ai-edge-litert"]
        environment = {"PYTHONPYCACHEPREFIX": str(folder / "cache")}
        taken: dict[str, list[float]] = {"bare script": [], "camlite explain": []}
        for turn in range(22):
            for times, command in zip(taken.values(), (bare, camlite), strict=True):
                start = time.perf_counter()
                _python(*command, environment=environment)
                if turn > 1:
                    times.append(time.perf_counter() - start)
    found["cold start"] = taken


def _peers(found: dict[str, Any]) -> None:
    model, keras = WORK / "plain.onnx", REFERENCE.with_suffix(".keras")
    model.write_bytes(artifact.read(REFERENCE / "fashion_mnist.float32.onnx").model)
    found["peers"] = {name: _peer(name, packages, model) for name, packages in PEERS.items()}
    _say("peers: Keras")
    found["peers"]["keras"] = _json(_python(TOOLS / "peers_keras.py", keras))


def _peer(name: str, packages: Sequence[str], model: Path) -> dict[str, Any]:
    """What a peer's script measures; where it does not install or run on this machine, the page says so."""
    try:
        python = _environment(name, packages)
        _say(f"peers: {name}")
        measured: dict[str, Any] = _json(_run(python, TOOLS / f"peers_{name}.py", model))
    except subprocess.CalledProcessError as error:
        return {"failed": (error.stderr or "").strip().splitlines()[-1:]}
    return measured


def _growth(found: dict[str, Any]) -> None:
    _say("growth")
    with tempfile.TemporaryDirectory() as folder:
        found["growth"] = _json(_python(TOOLS / "growth.py", folder))


def _details(found: dict[str, Any]) -> None:
    found["details"] = {}
    for name, backend in SEED:
        _say(f"parts: {name} on {backend}")
        path = REFERENCE / f"fashion_mnist.{name}"
        found["details"][f"{name} {backend}"] = _json(_python(TOOLS / "parts.py", path, backend))


def _environment(name: str, packages: Sequence[str]) -> Path:
    folder = ROOT / ".environments" / name
    python, stamp = folder / "bin" / "python", folder / ".ready"
    if not stamp.exists():
        _say(f"environment {name}: {' '.join(packages)}")
        shutil.rmtree(folder, ignore_errors=True)
        subprocess.run([sys.executable, "-m", "venv", folder], check=True)
        # One after another: the first brings what the others would take in another build.
        for package in packages:
            _run(python, "-m", "pip", "install", "--quiet", package)
        stamp.touch()
    return python


def _python(*arguments: object, environment: Mapping[str, str] | None = None) -> str:
    return _run(Path(sys.executable), *arguments, environment=environment)


def _run(python: Path, *arguments: object, environment: Mapping[str, str] | None = None) -> str:
    command = [str(python), *map(str, arguments)]
    quiet = {"TF_CPP_MIN_LOG_LEVEL": "3", "OPENBLAS_NUM_THREADS": "1", "OMP_NUM_THREADS": "1"}
    kept = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
    finished = subprocess.run(
        command, capture_output=True, text=True, check=True, env={**kept, **quiet, **(environment or {})}
    )
    return finished.stdout


def _json(output: str) -> Any:
    """What a script found is its last line that can be one: TensorFlow prints, too."""
    return json.loads(next(line for line in reversed(output.splitlines()) if line.startswith("{")))


def _machine() -> str:
    lines = Path("/proc/cpuinfo").read_text().splitlines() if Path("/proc/cpuinfo").exists() else []
    model = next((line.partition(": ")[2] for line in lines if line.startswith("model name")), "an unknown processor")
    return f"{model}, {os.cpu_count()} cores, Python {sys.version.split()[0]}"


def _say(text: str) -> None:
    print(text, file=sys.stderr, flush=True)


_PARTS: Mapping[str, Callable[[dict[str, Any]], None]] = {
    "races": _races,
    "export": _export,
    "cold-start": _cold_start,
    "peers": _peers,
    "growth": _growth,
    "details": _details,
}

if __name__ == "__main__":
    main()
