"""What opening and running a model takes: ``python tests/support/interpreter_memory.py BACKEND PATH``.

Prints one JSON object: resident memory at its peak above what it was before, what `limits.most_memory` allows, and
seconds. The process may not have more memory than that.
"""

from __future__ import annotations

import importlib
import json
import resource
import sys
import time
from pathlib import Path

from camlite import backends
from camlite.soundness import limits

# Beside resident memory: address space for the heaps of threads and for libraries, of which little is touched.
_ADDRESSES = 1 << 30


def status(field: str) -> int:
    """A line of this process's status, in bytes."""
    lines = Path("/proc/self/status").read_text().splitlines()
    return 1024 * int(next(line for line in lines if line.startswith(field)).split()[1])


def main(backend: str, path: Path) -> None:
    """Open and run a model that is not an artifact."""
    names = {"ai-edge-litert": "ai_edge_litert.interpreter", "tflite-runtime": "tflite_runtime.interpreter"}
    importlib.import_module(names.get(backend, backend))
    module = importlib.import_module(f"camlite.backends.{backend.replace('-', '_')}_backend")
    model = path.read_bytes()
    proof = backends.verify("onnx" if path.suffix == ".onnx" else "tflite", model)
    most = limits.most_memory(len(model), proof.cost)
    Path("/proc/self/clear_refs").write_text("5")
    before = status("VmRSS")
    resource.setrlimit(resource.RLIMIT_AS, (status("VmSize") + most + _ADDRESSES,) * 2)
    start = time.perf_counter()
    interpreter = module.open_model(model, 1)
    interpreter.invoke()
    seconds = time.perf_counter() - start
    print(json.dumps({"peak": status("VmHWM") - before, "most": most, "cost": proof.cost, "seconds": seconds}))


if __name__ == "__main__":
    main(sys.argv[1], Path(sys.argv[2]))
