"""Run the fuzzer: ``PYTHONPATH=tests python -m fuzz SECONDS [TARGET...]``, each target in a process of its own.

What libFuzzer says goes to standard error; it ends with an error at the first case that fails, and leaves it as
``crash-*``, which belongs into the corpus once it is mended. What the corpus has grown to is kept in
``.fuzz/TARGET``, and the next run goes on from there.
"""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import atheris
import numpy  # noqa: F401, before the instrumenting of imports: all of it would take minutes

# What reads: the fuzzer is told where its branches lie, and what its strings are compared with.
_INSTRUMENTED = ["camlite", "zipfile", "PIL"]
_GROWN = Path(".fuzz")
# A case takes some ms, on a machine that may be busy; memory is numpy's and Pillow's own, 90 MB, and what an artifact
# of some kB may ask for, 24 MB.
_LIMITS = ("-timeout=10", "-rss_limit_mb=512", "-max_len=16384")


def main(arguments: list[str]) -> int:
    """Run each target as long; the first exit status that is not 0."""
    seconds, *names = arguments
    with atheris.instrument_imports(include=_INSTRUMENTED):
        from fuzz import targets

        targets.picture.pillow("PIL.Image").init()  # else it imports its formats when it first meets them
    if len(names) == 1:
        (name,) = names
        grown = _GROWN / name
        grown.mkdir(parents=True, exist_ok=True)
        options = [*_LIMITS, f"-max_total_time={seconds}", "-print_final_stats=1", f"-artifact_prefix={grown}-"]
        atheris.Setup([sys.argv[0], *options, str(grown), str(targets.CORPUS / name)], targets.TARGETS[name])
        atheris.Fuzz()
    for name in names or targets.TARGETS:
        status = subprocess.run([sys.executable, "-m", "fuzz", seconds, name]).returncode
        if status:
            return status
    return 0


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
