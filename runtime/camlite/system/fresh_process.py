"""A Python process that has imported nothing of this one's, to run functions in: an interpreter by itself.

`multiprocessing` would import the caller's main module in the new process, and with it run a script that has no
``if __name__ == "__main__"`` a second time.
"""

from __future__ import annotations

import contextlib
import os
import pickle
import select
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Mapping
from concurrent.futures import BrokenExecutor, Executor, Future, ThreadPoolExecutor
from types import TracebackType
from typing import Any, ParamSpec, TypeVar

_P = ParamSpec("_P")
_T = TypeVar("_T")

_CHILD = "import sys; sys.path[:] = sys.argv[1:]; from camlite.system.fresh_process import serve; serve()"

_GRACE = 5.0  # seconds to end by itself in


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
        return self.submit_within(None, function, *arguments, **options)

    def submit_within(
        self, seconds: float | None, function: Callable[_P, _T], /, *arguments: _P.args, **options: _P.kwargs
    ) -> Future[_T]:
        """Begin to run a function that may hang.

        Args:
            seconds: the most that it may take from its own start, after those that were submitted before it. Then the
                process is ended, and the future's result raises TimeoutError. None where there is no limit.
            function, arguments, options: see `submit`.
        """
        return self._waiting.submit(self._call, seconds, pickle.dumps((function, arguments, options)))

    def wait_for(
        self, seconds: float | None, function: Callable[_P, _T], /, *arguments: _P.args, **options: _P.kwargs
    ) -> _T:
        """Run a function and wait for it. Where nobody waits any more, as after Ctrl-C, the process is ended.

        Args:
            seconds: the most to wait; None where there is no limit.
            function, arguments, options: see `submit`.

        Raises:
            TimeoutError: it takes longer.
            BaseException: what the function raises, or BrokenExecutor.
        """
        future = self.submit_within(seconds, function, *arguments, **options)
        try:
            return future.result()
        except BaseException:
            if not future.done():
                self.kill()  # it may hang, and whoever waits for its thread would, too
            raise

    def kill(self) -> None:
        """End the process, whatever it does; what was submitted raises BrokenExecutor. Any thread may call this."""
        self._process.kill()

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
            self.kill()
        self.shutdown(cancel_futures=kind is not None)

    def _call(self, seconds: float | None, request: bytes) -> Any:
        requests, replies = self._process.stdin, self._process.stdout
        if requests is None or replies is None:
            raise BrokenExecutor("no pipes")
        late = threading.Event()

        def stop() -> None:
            late.set()
            self.kill()

        limit = threading.Timer(seconds or 0, stop)
        limit.daemon = True
        if seconds is not None:
            limit.start()
        try:
            requests.write(request)
            requests.flush()
            succeeded, result = pickle.load(replies)  # noqa: S301 - of a process of ours
        except (OSError, EOFError, pickle.UnpicklingError):  # the last one: it died in the middle of its answer
            ended = self._process.wait()
            if late.is_set():
                raise TimeoutError(f"no answer within {seconds:g} s") from None
            raise BrokenExecutor(f"process {self._process.pid} ended with {ended}") from None
        finally:
            limit.cancel()
        if not succeeded:
            raise result
        return result


def serve() -> None:
    """The new process: functions come on standard input, results go to standard output, until the input ends."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Control-C is for the process that waits
    requests, replies = os.fdopen(os.dup(0), "rb"), os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)  # what a function prints must not get between
    _end_with_the_caller(requests.fileno())
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


def _end_with_the_caller(requests: int) -> None:
    """End this process, whatever it does, when the one that started it has been killed: nobody else would."""
    if not hasattr(select, "poll"):  # Windows
        return
    caller = select.poll()
    caller.register(requests, 0)  # of a pipe whose writer is gone it tells without being asked to

    def wait() -> None:
        caller.poll()
        time.sleep(_GRACE)  # it may have nothing left to do, and end by itself
        os._exit(1)

    threading.Thread(target=wait, name="caller", daemon=True).start()


def _failure(error: Exception) -> bytes:
    try:
        pickle.loads(pickle.dumps(error))  # noqa: S301 - our own
        return pickle.dumps((False, error))
    except Exception:  # an exception of native code that cannot be rebuilt
        return pickle.dumps((False, RuntimeError(f"{type(error).__name__}: {error}")))
