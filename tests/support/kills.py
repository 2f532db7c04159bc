"""Commands killed with SIGKILL: at random moments, and just before each step that changes a file."""

from __future__ import annotations

import atexit
import importlib
import os
import random
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, Protocol

from camlite import cli
from camlite.system.fresh_process import FreshProcess

# What Python tells of as it changes files: https://docs.python.org/3/library/audit_events.html.
_CHANGES = {"os.link", "os.mkdir", "os.remove", "os.rename", "os.rmdir", "os.truncate", "os.utime"}
_WRITING = os.O_WRONLY | os.O_RDWR | os.O_CREAT


class Process(Protocol):
    """What `start` gives, or `Forked`."""

    pid: int
    returncode: Any

    def kill(self) -> None: ...

    def communicate(self) -> tuple[str, str]: ...


def start(*arguments: str | Path, **environment: str | Path) -> subprocess.Popen[str]:
    """A command in a group of processes of its own, as a terminal starts it."""
    return subprocess.Popen(
        [sys.executable, "-m", "camlite", *map(str, arguments)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env={**os.environ, "CUDA_VISIBLE_DEVICES": "-1", **{name: str(value) for name, value in environment.items()}},
        process_group=0,
    )


class Forked:
    """A command in a fork of a process that has imported what it needs, as `start` starts it; it has no output."""

    def __init__(self, warm: FreshProcess, log: Path, *arguments: str | Path, **environment: str | Path) -> None:
        """`warm` is one of `warm_process`; `log` gets what the command says."""
        texts = {name: str(value) for name, value in environment.items()}
        self._warm, self._log = warm, log
        self.pid = warm.submit(_fork, log, list(map(str, arguments)), texts).result()
        self.returncode: int | None = None

    def kill(self) -> None:
        os.kill(self.pid, signal.SIGKILL)

    def communicate(self) -> tuple[str, str]:
        self.returncode = self._warm.submit(_end_of, self.pid).result()
        return "", self._log.read_text()


def warm_process(*modules: str) -> FreshProcess:
    """A process that has imported modules, so that commands in its forks need not."""
    process = FreshProcess({"CUDA_VISIBLE_DEVICES": "-1"})
    process.submit(_import, modules).result()
    return process


def _import(modules: Sequence[str]) -> None:
    for module in modules:
        importlib.import_module(module)


def _fork(log: Path, arguments: list[str], environment: Mapping[str, str]) -> int:
    child = os.fork()
    if child == 0:
        try:
            os.setpgid(0, 0)
            output = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_TRUNC)
            for stream in (1, 2):
                os.dup2(output, stream)
            os.environ.update(environment)
            tempfile.tempdir = None  # it has been looked for before
            status = cli.main(arguments)
            atexit._run_exitfuncs()  # TensorFlow clears away temporary files there
            os._exit(status)
        except BaseException as error:
            print(f"{type(error).__name__}: {error}", file=sys.stderr, flush=True)
            os._exit(99)
    return child


def _end_of(child: int) -> int:
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])


def complete(process: Process) -> None:
    """Let it end well."""
    _, errors = process.communicate()
    assert process.returncode == 0, errors


def members(group: int) -> list[int]:
    """Processes of a group that still run."""
    found = []
    for status in Path("/proc").glob("[0-9]*/stat"):
        try:
            fields = status.read_text().rpartition(")")[2].split()
        except OSError:
            continue
        if int(fields[2]) == group and fields[0] != "Z":
            found.append(int(status.parent.name))
    return found


def wait_for_the_end_of(group: int) -> None:
    """What a command has started must follow it by itself."""
    deadline = time.monotonic() + 120
    while members(group):
        assert time.monotonic() < deadline, members(group)
        time.sleep(0.1)


def at_random_moments(
    starts: Sequence[Callable[[], Process]],
    times: int,
    check: Callable[[], object],
    check_complete: Callable[[], object],
) -> None:
    """Start commands in turn and kill each at a moment drawn evenly from the time that a whole run takes.

    Args:
        starts: of commands that write to one place.
        times: so many kills; runs that ended before theirs do not count.
        check: what holds after each kill.
        check_complete: what holds after a run that ends well, as one in ten is let.
    """
    chance, killed, runs, took = random.Random(0), 0, 0, 0.0
    while killed < times:
        start = starts[runs % len(starts)]
        if runs % 10 == 0:
            before = time.monotonic()
            complete(start())
            took = time.monotonic() - before
            check_complete()
        process = start()
        time.sleep(chance.uniform(0, took))
        process.kill()
        process.communicate()
        wait_for_the_end_of(process.pid)
        check()
        killed += process.returncode == -signal.SIGKILL
        runs += 1
    complete(starts[-1]())
    check_complete()
    print(f"{killed} times killed in {runs} runs; the last run that was measured took {took:.1f} s")


def at_each_step(
    module: str,
    function: str,
    arguments: Sequence[Any],
    folder: Path,
    check: Callable[[], object],
    imports: Sequence[str] = (),
) -> int:
    """Call a function again and again, killed just before the first, second, ... step that changes something there.

    Args:
        module, function, arguments: what is called, in forks of one fresh process.
        folder: a change of something in it, or of itself, is a step.
        check: what holds after each kill.
        imports: modules that the fresh process imports once.

    Returns:
        How many steps there are; the last call has made them all.
    """
    with warm_process(*imports) as process:
        step = 0
        while process.submit(_killed_before, step, module, function, arguments, folder).result():
            check()
            step += 1
    return step


def _killed_before(step: int, module: str, function: str, arguments: Sequence[Any], folder: Path) -> bool:
    call = getattr(importlib.import_module(module), function)
    child = os.fork()
    if child == 0:
        try:
            _die_before(step, folder)
            os._exit(call(*arguments) or 0)
        except BaseException as error:
            print(f"{type(error).__name__}: {error}", file=sys.stderr)
            os._exit(99)
    status = os.waitpid(child, 0)[1]
    assert os.WIFSIGNALED(status) or os.WEXITSTATUS(status) == 0, status
    return os.WIFSIGNALED(status)


def _die_before(step: int, folder: Path) -> None:
    seen = 0

    def hear(event: str, arguments: tuple[Any, ...]) -> None:
        nonlocal seen
        changes = event in _CHANGES or (event == "open" and arguments[2] & _WRITING)
        if not changes or not isinstance(arguments[0], str | Path):
            return
        path = Path(arguments[0]).absolute()  # of rmtree, which names what is in a folder by its name alone
        if path == folder or folder in path.parents or event in ("os.remove", "os.rmdir"):
            if seen == step:
                os.kill(os.getpid(), signal.SIGKILL)
            seen += 1

    sys.addaudithook(hear)
