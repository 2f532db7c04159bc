"""A Python process that has imported nothing of this one's, to run functions in: an interpreter by itself.

`multiprocessing` would import the caller's main module in the new process, and with it run a script that has no
``if __name__ == "__main__"`` a second time.
"""

from __future__ import annotations

import contextlib
import os
import pickle
import signal
import subprocess
import sys
from collections.abc import Callable, Mapping
from concurrent.futures import BrokenExecutor, Executor, Future, ThreadPoolExecutor
from types import TracebackType
from typing import Any, ParamSpec, TypeVar

_P = ParamSpec("_P")
_T = TypeVar("_T")

_CHILD = "import sys; sys.path[:] = sys.argv[1:]; from camlite.system.fresh_process import serve; serve()"


class FreshProcess(Executor):
    """Runs functions of importable modules one after another; arguments and results are pickled."""

    def __init__(self, environment: Mapping[str, str] | None = None) -> None:
        """Start it, with some more environment variables."""
        command = [sys.executable, "-c", _CHILD, *sys.path]
        self._process = subprocess.Popen(  # noqa: S603
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, env={**os.environ, **(environment or {})}
        )
        self._waiting = ThreadPoolExecutor(1)

    def submit(self, function: Callable[_P, _T], /, *arguments: _P.args, **options: _P.kwargs) -> Future[_T]:
        """Begin to run a function; the future's result raises what the function raises, or BrokenExecutor."""
        return self._waiting.submit(self._call, pickle.dumps((function, arguments, options)))

    @property
    def died(self) -> bool:
        """Whether it has ended already; whatever is submitted then raises BrokenExecutor."""
        return self._process.poll() is not None

    def shutdown(self, wait: bool = True, *, cancel_futures: bool = False) -> None:
        """End the process, when the functions that were submitted are done."""
        self._waiting.shutdown(wait, cancel_futures=cancel_futures)
        for pipe in (self._process.stdin, self._process.stdout):
            if pipe:
                with contextlib.suppress(OSError):  # what it did not read before it died
                    pipe.close()
        self._process.wait()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        """Where the block failed, nobody waits for results any more."""
        if kind is not None:
            self._process.kill()
        self.shutdown(cancel_futures=kind is not None)

    def _call(self, request: bytes) -> Any:
        requests, replies = self._process.stdin, self._process.stdout
        if requests is None or replies is None:
            raise BrokenExecutor("no pipes")
        try:
            requests.write(request)
            requests.flush()
            succeeded, result = pickle.load(replies)  # noqa: S301 - of a process of ours
        except (OSError, EOFError):
            raise BrokenExecutor(f"process {self._process.pid} ended with {self._process.wait()}") from None
        if not succeeded:
            raise result
        return result


def serve() -> None:
    """The new process: functions come on standard input, results go to standard output, until the input ends."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Control-C is for the process that waits
    requests, replies = os.fdopen(os.dup(0), "rb"), os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)  # what a function prints must not get between
    while True:
        try:
            function, arguments, options = pickle.load(requests)  # noqa: S301 - of the process that started this one
        except EOFError:
            return
        try:
            reply = pickle.dumps((True, function(*arguments, **options)))
        except Exception as error:  # whatever it is, the caller gets it
            reply = _failure(error)
        try:
            replies.write(reply)
            replies.flush()
        except BrokenPipeError:  # nobody waits any more
            os._exit(1)


def _failure(error: Exception) -> bytes:
    try:
        pickle.loads(pickle.dumps(error))  # noqa: S301 - our own
        return pickle.dumps((False, error))
    except Exception:  # an exception of native code that cannot be rebuilt
        return pickle.dumps((False, RuntimeError(f"{type(error).__name__}: {error}")))
