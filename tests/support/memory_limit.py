"""A limit on the memory of a process, as ``MemoryMax`` of systemd: a cgroup, or RLIMIT_DATA where none may be made."""

from __future__ import annotations

import contextlib
import os
import resource
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

_ROOTS = {Path("/sys/fs/cgroup/memory"): "memory.limit_in_bytes", Path("/sys/fs/cgroup"): "memory.max"}


@contextmanager
def memory_limit(most: int) -> Iterator[Callable[[], None]]:
    """Give a function that a process calls before it becomes another program (``preexec_fn``)."""
    group = _made(most)
    if group is None:
        yield lambda: resource.setrlimit(resource.RLIMIT_DATA, (most, most))
        return
    try:
        yield lambda: (group / "cgroup.procs").write_text(str(os.getpid())) and None
    finally:
        for _ in range(50):  # a process that has ended leaves its group a little later
            with contextlib.suppress(OSError):
                group.rmdir()
                break
            time.sleep(0.1)


def _made(most: int) -> Path | None:
    for root, name in _ROOTS.items():
        group = root / f"camlite-test-{os.getpid()}"
        with contextlib.suppress(OSError):
            group.mkdir()
            try:
                (group / name).write_text(str(most))
                return group
            except OSError:
                group.rmdir()
    return None
