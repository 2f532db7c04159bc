"""Commands that take several artifacts: a folder means all in it, and a bad one never takes the others along."""

from __future__ import annotations

import json
import os
import shutil
from pathlib import Path

import pytest

from camlite.cli.several import Several
from support.fresh_process import one_line, run_camlite, run_python
from support.spec_vectors import FOLDER


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Two artifacts, a damaged one before, between and after them, and a model that is none."""
    for name in ("stripes.float32.onnx", "stripes.int8.tflite"):
        shutil.copy(FOLDER / name, tmp_path)
    for name in ("a.int8.tflite", "stripes.float32.tflite", "z.int8.onnx"):
        (tmp_path / name).write_bytes((FOLDER / "stripes.int8.tflite").read_bytes()[:999])
    (tmp_path / "model.tflite").write_bytes(b"    TFL3")
    return tmp_path


def test_check_of_a_folder_checks_all_that_can_be_opened_and_names_each_that_cannot(folder):
    finished = run_camlite("check", ".", "stripes.int8.tflite", "--json", cwd=folder)

    results = [json.loads(line) for line in finished.stdout.splitlines()]
    assert [one["artifact"] for one in results] == ["stripes.float32.onnx", "stripes.int8.tflite"]
    assert all(one["passed"] for one in results)
    assert finished.returncode == 2
    assert [line.split(":")[1].strip() for line in finished.stderr.splitlines()] == [
        *(".", "a.int8.tflite", "stripes.float32.tflite", "z.int8.onnx")
    ]


def test_bench_of_a_folder_leaves_none_out(folder):
    finished = run_camlite("bench", ".", "--json", "--backend", "onnxruntime", cwd=folder)

    assert [Path(json.loads(line)["artifact"]).name for line in finished.stdout.splitlines()] == [
        "stripes.float32.onnx"
    ]
    assert "backend 'onnxruntime' does not run tflite artifacts" in finished.stderr
    assert finished.returncode == 2


def test_a_path_that_cannot_be_looked_at_does_not_take_the_others_along(folder):
    too_long = "x" * 300

    finished = run_camlite("check", too_long, "stripes.int8.tflite", "--json", cwd=folder)

    assert [json.loads(line)["passed"] for line in finished.stdout.splitlines()] == [True]
    assert finished.returncode == 2
    assert finished.stderr == f"camlite: {too_long}: cannot read it (File name too long); check the path\n"


@pytest.mark.parametrize("command", ["check", "bench", "faithful", "to-web"])
def test_an_empty_path_is_not_the_current_folder(command, folder):
    """As of a variable of the shell that is not set."""
    assert "expected a path, received an empty one" in one_line(run_camlite(command, "", "data", cwd=folder))


# An onnxruntime that, when it opens a model,
_FAILS = {
    "hangs": "import time\nclass SessionOptions: pass\nclass InferenceSession:\n"
    "    def __init__(self, *_, **__): time.sleep(600)\n",
    "crashes": "import os\nclass SessionOptions: pass\nclass InferenceSession:\n"
    "    def __init__(self, *_, **__): os.abort()\n",
}
_SAID = {
    (
        "check",
        "hangs",
    ): "onnxruntime did not answer within 10 s and was stopped; update onnxruntime, or use another backend",
    (
        "check",
        "crashes",
    ): "onnxruntime crashes on it, and its process with it; update onnxruntime, or use another backend",
    ("bench", "hangs"): "onnxruntime hangs on it and was stopped; run `camlite check` on it",
    ("bench", "crashes"): "its interpreter crashed, and its process with it; run `camlite check` on it",
}


@pytest.mark.parametrize(
    ("command", "fault", "limit"),
    [
        ("check", "hangs", 10),
        ("check", "crashes", 300),
        # To measure the other one takes 10 s, or more beside other tests.
        pytest.param("bench", "crashes", 300, marks=pytest.mark.endurance),
        pytest.param("bench", "hangs", 60, marks=pytest.mark.endurance),
    ],
)
def test_an_interpreter_that_hangs_or_crashes_is_a_line_and_the_others_are_done(command, fault, limit, tmp_path):
    for name in ("stripes.float32.onnx", "stripes.int8.tflite"):
        shutil.copy(FOLDER / name, tmp_path)
    (tmp_path / "modules").mkdir()
    (tmp_path / "modules" / "onnxruntime.py").write_text(_FAILS[fault])
    limited = (
        "import sys; from camlite.backends import own_processes; own_processes.LONGEST = float(sys.argv[1]);"
        "from camlite.cli import main; sys.exit(main(sys.argv[2:]))"
    )
    path = os.pathsep.join([str(tmp_path / "modules"), os.environ["PYTHONPATH"]])
    bad, good = tmp_path / "stripes.float32.onnx", tmp_path / "stripes.int8.tflite"

    finished = run_python(limited, str(limit), command, str(bad), str(good), "--json", env={"PYTHONPATH": path})

    found = {Path(json.loads(line)["artifact"]).name for line in finished.stdout.splitlines()}
    assert found == {good.name}, finished.stderr
    lines = [line for line in finished.stderr.splitlines() if line.startswith("camlite: ")]
    assert lines == [f"camlite: {bad}: {_SAID[command, fault]}"]
    assert "Traceback" not in finished.stderr
    assert finished.returncode == 2


def test_what_nobody_expects_of_one_artifact_does_not_take_the_others_along(capsys):
    several = Several([Path("first"), Path("second")])
    done = []

    for path in several.each("trying"):
        with several.one(path):
            if path.name == "first":
                raise KeyError("a bug")
            done.append(path.name)

    assert (done, several.status) == (["second"], 70)
    assert "first: KeyError: 'a bug'" in capsys.readouterr().err


def test_a_standard_output_that_takes_no_more_ends_it():
    several = Several([Path("first"), Path("second")])

    with pytest.raises(BrokenPipeError), several.one(Path("first")):
        raise BrokenPipeError
