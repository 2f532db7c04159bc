"""Read mutants in a process of its own, whose memory and time are watched.

``python tests/support/hostile_files.py artifacts|images COUNT SEED PATH...``

Every interpreter is a trap here: importing one ends the process, unless the artifact was verified as a whole, model
structure included. Prints one JSON object; whoever started the process looks at its exit code, too.
"""

from __future__ import annotations

import collections
import json
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path

from camlite import artifact, backends
from camlite.errors import ArtifactError, BackendError, ImageError
from camlite.images import picture_files

RESET_PEAK = Path("/proc/self/clear_refs")
INTERPRETERS = ("ai_edge_litert", "tflite_runtime", "onnxruntime")


class Trap:
    """Stands in for every interpreter: what reaches a native parser ends here."""

    reached = 0

    def find_spec(self, name: str, path: object = None, target: object = None) -> None:  # noqa: ARG002
        if name.partition(".")[0] in INTERPRETERS:
            Trap.reached += 1
            raise ImportError("trapped")


def memory(field: str) -> int:
    """``VmRSS`` (now) or ``VmHWM`` (at the most, ever) of this process, in bytes."""
    lines = Path("/proc/self/status").read_text().splitlines()
    return 1024 * int(next(line for line in lines if line.startswith(field)).split()[1])


def run(cases: Iterator[tuple[str, bytes]], attempt: Callable[[Path], str]) -> dict[str, object]:
    """Give each case to `attempt` as a file; its answer is what has become of it."""
    counts: dict[str, collections.Counter[str]] = collections.defaultdict(collections.Counter)
    slowest, largest = (0.0, ""), (0, "")
    with tempfile.TemporaryDirectory(dir="/dev/shm" if Path("/dev/shm").is_dir() else None) as folder:
        path = Path(folder, "case")
        for number, (operator, content) in enumerate(cases):
            path.write_bytes(content)
            del content
            RESET_PEAK.write_text("5")
            before, start = memory("VmRSS"), time.process_time()
            counts[operator][attempt(path)] += 1
            slowest = max(slowest, (time.process_time() - start, operator))
            if number:  # the first one imports what all use
                largest = max(largest, (memory("VmHWM") - before, operator))
    return {"counts": counts, "seconds": slowest, "memory": largest, "reached": Trap.reached}


def read_artifact(path: Path) -> str:
    """Open an artifact up to the door of the interpreter."""
    try:
        read = artifact.read(path)
    except ArtifactError as error:
        return one_line(error, "refused")
    before = Trap.reached
    try:
        backends.open_interpreter(read)
    except ArtifactError as error:
        return one_line(error, "refused for its structure" if Trap.reached == before else "REACHED AN INTERPRETER")
    except BackendError as error:
        return one_line(error, "sound" if Trap.reached > before else "REFUSED BY NO INTERPRETER")
    return "OPENED"


def read_image(path: Path) -> str:
    """Read a picture."""
    try:
        picture_files.read_image(path)
    except ImageError as error:
        return one_line(error, "refused")
    return "decoded"


def one_line(error: Exception, answer: str) -> str:
    """The answer, where the error is one line."""
    return "SEVERAL LINES" if "\n" in str(error) else answer


def main(kind: str, count: int, seed: int, paths: list[Path]) -> None:
    """Read so many mutants of these files."""
    if kind == "images":
        from support import image_mutants

        cases = image_mutants.mutants({path.name: path.read_bytes() for path in paths}, count, seed)
        print(json.dumps(run(cases, read_image)))
        return
    from support import mutants

    parents = [mutants.parent(path) for path in paths]
    backends.installed = lambda container: list(backends._MODULES[container])  # type: ignore[assignment]
    sys.meta_path.insert(0, Trap())  # type: ignore[arg-type]
    assert not set(INTERPRETERS) & sys.modules.keys()
    print(json.dumps(run(mutants.mutants(parents, count, seed), read_artifact)))


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]), int(sys.argv[3]), [Path(argument) for argument in sys.argv[4:]])
