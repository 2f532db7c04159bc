"""``camlite doctor``: what it says of this environment, and of broken ones."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest

from camlite.cli import doctor
from camlite.doctor import packages
from camlite.doctor.packages import NUMPY, PACKAGES, Found
from camlite.doctor.trials import Trial
from support.fresh_process import run_camlite, run_python
from support.spec_vectors import FOLDER

INTERPRETERS = ("ai_edge_litert", "tflite_runtime", "onnxruntime")
OTHERS = ("PIL", "cv2", "tornado", "cryptography")


@pytest.fixture
def artifacts(tmp_path: Path) -> Path:
    """A project's folder with the folder that an export made in it."""
    folder = tmp_path / "stripes"
    folder.mkdir()
    for name in ("stripes.float32.onnx", "stripes.int8.tflite"):
        shutil.copy(FOLDER / name, folder)
    return tmp_path


def test_it_tries_the_artifacts_of_this_folder_and_of_those_in_it(artifacts):
    finished = run_camlite("doctor", "--json", cwd=artifacts, without=OTHERS)

    report = json.loads(finished.stdout)
    assert (finished.returncode, finished.stderr) == (0, "")
    tried = {(Path(one["artifact"]).name, one["backend"]) for one in report["artifacts"]}
    assert {("stripes.float32.onnx", "onnxruntime"), ("stripes.int8.tflite", "ai-edge-litert")} <= tried
    assert all(one["works"] and one["milliseconds"] > 0 for one in report["artifacts"])
    assert {one["name"] for one in report["packages"] if one["state"] == "missing"} == {
        *("pillow", "opencv-python-headless", "tornado", "cryptography")
    }
    assert report["to_do"] == []


def test_a_device_with_numpy_only_is_told_how_to_install_an_interpreter(artifacts):
    finished = run_camlite("doctor", cwd=artifacts, without=(*INTERPRETERS, *OTHERS, "tensorflow"))

    assert finished.returncode == 1
    assert "nothing here runs artifacts; pip install " in finished.stdout
    assert "[litert]" in finished.stdout
    assert finished.stdout.count("does not run") == 2


def test_a_numpy_that_cannot_be_imported_is_said_and_stops_nothing(tmp_path):
    (tmp_path / "numpy.py").write_text("raise ImportError('libopenblas.so.0: cannot open shared object file')")

    finished = run_camlite(
        "doctor", cwd=tmp_path, without=(*INTERPRETERS, *OTHERS), env={"PYTHONPATH": _with_front(tmp_path)}
    )

    assert finished.returncode == 1
    assert " does not work: ImportError: libopenblas.so.0: cannot open shared object file" in finished.stdout
    assert "install the system's package that has libopenblas.so.0 (Debian: apt-file search" in finished.stdout
    assert "pip install --force-reinstall numpy" in finished.stdout


_HANGS = """
import time
class SessionOptions:
    pass
class InferenceSession:
    def __init__(self, *_, **__):
        time.sleep(600)
"""


def test_an_interpreter_that_hangs_is_stopped_and_not_waited_for_again(artifacts, monkeypatch):
    (artifacts / "onnxruntime.py").write_text(_HANGS)
    shutil.copy(FOLDER / "stripes.float32.onnx", artifacts / "stripes" / "again.float32.onnx")
    (artifacts / "stripes" / "stripes.int8.tflite").unlink()  # which may not be done in two seconds, either
    limited = (
        "import sys; from camlite.backends import own_processes; own_processes.LONGEST = 2;"
        "from camlite.cli import main; sys.exit(main(['doctor', '--json', 'stripes']))"
    )
    monkeypatch.chdir(artifacts)

    finished = run_python(limited, env={"PYTHONPATH": _with_front(artifacts)})

    report = json.loads(finished.stdout)
    failures = {Path(one["artifact"]).name: one["failures"] for one in report["artifacts"] if not one["works"]}
    assert finished.returncode == 1, finished.stderr
    assert failures == {
        "again.float32.onnx": [
            "stripes/again.float32.onnx: onnxruntime did not answer within 2 s and was stopped; "
            "update onnxruntime, or use another backend"
        ],
        "stripes.float32.onnx": [
            "stripes/stripes.float32.onnx: not tried, because onnxruntime never answered on stripes/again.float32.onnx"
        ],
    }


def _with_front(folder: Path) -> str:
    import os

    return os.pathsep.join([str(folder), os.environ["PYTHONPATH"]])


def test_a_path_without_artifacts_is_one_line_and_the_others_are_tried(artifacts, capsys, monkeypatch):
    monkeypatch.setattr(doctor, "PACKAGES", (NUMPY,))
    monkeypatch.setattr(doctor, "_of_packages", lambda _: iter(()))
    damaged = artifacts / "a.int8.tflite"
    damaged.write_bytes((FOLDER / "stripes.int8.tflite").read_bytes()[:999])

    from camlite import cli

    status = cli.main(["doctor", str(artifacts / "none"), str(damaged)])

    told = capsys.readouterr()
    assert status == 1
    assert f"{artifacts / 'none'}: cannot read it (No such file" in told.out
    assert f"{damaged}: no camlite card at its end" in told.out


def test_a_broken_package_says_how_to_install_it_again():
    one = Found(PACKAGES[-1], "50.0", "broken", "ImportError: no")

    (line,) = doctor._of_packages([Found(NUMPY, "1.26", "ok"), Found(PACKAGES[1], "2.3", "ok"), one])

    assert line.startswith("cryptography 50.0 does not work: ImportError: no; pip install ")
    assert line.endswith(" --force-reinstall")


def test_many_artifacts_that_lack_the_same_backend_are_one_line():
    trials = [Trial(Path(f"{k}.onnx"), "int8", "onnx", None, None, ("no backend",)) for k in range(5)]

    lines = list(doctor._of_trials(trials, [Found(PACKAGES[1], "2.3", "ok")]))

    assert len(lines) == 1
    assert lines[0].startswith("5 .onnx artifacts cannot run, because no backend for .onnx works here; pip install ")


def test_an_artifact_that_fails_on_one_backend_names_that_backend():
    bad = Trial(Path("a.tflite"), "int8", "tflite", "tflite-runtime", 1.0, ("a.tflite: evidence error is 3",))

    assert list(doctor._of_trials([bad], [])) == ["a.tflite: evidence error is 3 (tflite-runtime)"]


def test_every_interpreter_of_the_backends_is_tried():
    from camlite.backends import BACKENDS

    assert set(BACKENDS) <= {package.name for package in packages.PACKAGES}
    assert set(doctor._BACKENDS) == set(BACKENDS)
