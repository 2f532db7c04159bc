"""A fresh process runs functions of modules, and nothing of the script that started it."""

from __future__ import annotations

import math
import os
import signal
import subprocess
import sys
import threading
import time
from concurrent.futures import BrokenExecutor
from pathlib import Path

import numpy as np
import pytest

from camlite import ArtifactError, artifact
from camlite.system.fresh_process import FreshProcess
from support.fresh_process import imported_modules, run_python


@pytest.fixture(scope="module")
def process():
    with FreshProcess() as process:
        yield process


def test_it_is_another_process_that_stays_the_same(process):
    first, second = (process.submit(os.getpid).result() for _ in range(2))

    assert first == second != os.getpid()


def test_arrays_go_there_and_back(process):
    array = np.arange(1 << 20, dtype=np.float32)  # more than a pipe holds

    assert np.array_equal(process.submit(np.negative, array).result(), -array)


def test_it_has_imported_nothing_of_this_process(process):
    assert "pytest" in sys.modules
    assert "pytest" not in process.submit(imported_modules).result()


def test_what_a_function_raises_is_raised_here(process):
    with pytest.raises(ArtifactError, match="cannot read it"):
        process.submit(artifact.read, Path("nowhere.tflite")).result()

    assert process.submit(math.sqrt, 4).result() == 2


def test_what_a_function_prints_does_not_get_between(process):
    assert process.submit(print, "text").result() is None
    assert process.submit(os.write, 1, b"text\n").result() == 5


def test_a_process_that_dies_is_an_error_of_its_own():
    with FreshProcess() as process:
        with pytest.raises(BrokenExecutor, match="ended with 3"):
            process.submit(os._exit, 3).result()
        with pytest.raises(BrokenExecutor):
            process.submit(os.getpid).result()


def test_a_script_without_a_main_guard_is_not_run_again(tmp_path):
    script = tmp_path / "script.py"
    script.write_text(
        "import os\nfrom camlite.system.fresh_process import FreshProcess\nprint('started', flush=True)\n"
        "with FreshProcess() as process:\n    print(process.submit(os.getpid).result() != os.getpid())\n"
    )

    finished = run_python(f"import runpy; runpy.run_path({str(script)!r}, run_name='__main__')")

    assert finished.stdout.split() == ["started", "True"], finished.stderr


def test_a_function_that_takes_too_long_is_ended_with_its_process():
    with FreshProcess() as process:
        start = time.monotonic()
        with pytest.raises(TimeoutError, match=r"no answer within 0\.5 s"):
            process.wait_for(0.5, time.sleep, 600)
        process.shutdown()

        assert process.died
        assert time.monotonic() - start < 30


def test_a_limit_is_on_the_function_and_not_on_those_before_it():
    with FreshProcess() as process:
        process.submit(time.sleep, 1.5)
        assert process.submit_within(1.0, math.sqrt, 4).result() == 2

        hangs, behind = process.submit_within(0.5, time.sleep, 600), process.submit(math.sqrt, 4)
        with pytest.raises(TimeoutError):
            hangs.result()
        with pytest.raises(BrokenExecutor):
            behind.result()


def test_control_c_ends_a_function_that_hangs():
    with FreshProcess() as process:
        process.submit(os.getpid).result()
        threading.Timer(0.5, os.kill, (os.getpid(), signal.SIGINT)).start()
        start = time.monotonic()
        with pytest.raises(KeyboardInterrupt):
            process.wait_for(None, time.sleep, 600)
        process.shutdown()

        assert time.monotonic() - start < 30


def test_what_a_function_raises_ends_no_process():
    with FreshProcess() as process:
        with pytest.raises(ValueError, match="math domain error"):
            process.wait_for(60, math.sqrt, -1)

        assert process.wait_for(60, math.sqrt, 4) == 2


_STARTS_ONE_THAT_HANGS = """
import os, signal, time
from camlite.system.fresh_process import FreshProcess
process = FreshProcess()
print(process.submit(os.getpid).result(), flush=True)
process.submit(time.sleep, 600)
time.sleep(0.2)
os.kill(os.getpid(), signal.SIGKILL)
"""


def test_a_process_ends_when_the_one_that_started_it_is_killed():
    killed = subprocess.run([sys.executable, "-c", _STARTS_ONE_THAT_HANGS], stdout=subprocess.PIPE, timeout=60)
    number = int(killed.stdout)
    assert killed.returncode == -signal.SIGKILL

    end = time.monotonic() + 30
    while _runs(number) and time.monotonic() < end:
        time.sleep(0.1)

    assert not _runs(number)


def _runs(number: int) -> bool:
    """Whether a process runs; one that has ended may wait to be asked for its end by nobody."""
    try:
        return Path(f"/proc/{number}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False
