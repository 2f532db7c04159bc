"""A fresh process runs functions of modules, and nothing of the script that started it."""

from __future__ import annotations

import math
import os
import sys
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
