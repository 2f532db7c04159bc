"""The program ``camlite``: what holds for every command. What a user can mend is one line and exit 2."""

from __future__ import annotations

import collections
import contextlib
import json
import os
import re
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest

import camlite
from camlite.cli import all_commands
from camlite.images import picture_files
from camlite.system.installing import how_to_install
from support.fresh_process import one_line, run_camlite, run_python

STRIPES = np.tile(np.arange(24) // 2 % 2 * 255, (16, 1)).astype(np.uint8)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Where a command runs: two pictures and some files that are none."""
    picture_files.write(tmp_path / "picture.png", STRIPES)
    picture_files.write(tmp_path / "other.png", STRIPES.T)
    (tmp_path / "broken.png").write_bytes((tmp_path / "picture.png").read_bytes()[:60])
    (tmp_path / "text.txt").write_text("neither a picture nor an artifact")
    (tmp_path / "empty").touch()
    (tmp_path / "nothing").mkdir()
    (tmp_path / "classes" / "plain").mkdir(parents=True)
    picture_files.write(tmp_path / "classes" / "plain" / "1.png", STRIPES)
    return tmp_path


@pytest.fixture
def artifact(tiny: Path, folder: Path) -> str:
    """An artifact in that folder, and two that are damaged."""
    content = (tiny / "stripes" / "stripes.int8.tflite").read_bytes()
    (folder / "a.tflite").write_bytes(content)
    (folder / "truncated.tflite").write_bytes(content[: len(content) // 4])
    (folder / "flipped.tflite").write_bytes(content[:1000] + bytes([content[1000] ^ 1]) + content[1001:])
    return "a.tflite"


BAD_USAGE = {
    "": "the following arguments are required: COMMAND",
    "explian a.tflite": "invalid choice: 'explian'",
    "--sideways": "required: COMMAND",
    "-- inspect": "invalid choice: '--'",
    "explain": "the following arguments are required: artifact, image",
    "explain a.tflite": "the following arguments are required: image",
    "explain a.tflite picture.png --sideways": "unrecognized arguments: --sideways",
    "explain a.tflite picture.png --backend tensorrt": "invalid choice: 'tensorrt'",
    "explain a.tflite picture.png --threads 0": "invalid whole number from 1 to 256 value: '0'",
    "explain a.tflite picture.png --threads 99999999999999999999": "invalid whole number from 1 to 256",
    "explain a.tflite picture.png --threads two": "invalid whole number from 1 to 256 value: 'two'",
    "inspect": "the following arguments are required: file",
    "inspect a.tflite b.tflite": "unrecognized arguments: b.tflite",
}

BAD_INPUT = {
    "explain none.tflite picture.png": "none.tflite: cannot read it (No such file or directory); check the path",
    "explain . picture.png": ".: is a folder; expected the file of one artifact in it",
    "explain text.txt picture.png": "text.txt: neither a TFLite nor an ONNX file",
    "explain empty picture.png": "empty: neither a TFLite nor an ONNX file",
    "explain truncated.tflite picture.png": "truncated.tflite: no camlite card at its end; it is truncated, or",
    "explain flipped.tflite picture.png": "flipped.tflite: damaged artifact: ",
    "explain a.tflite none.png": "none.png: no such file; check the path",
    "explain a.tflite text.txt": "text.txt: cannot read it as an image (not a picture that Pillow knows)",
    "explain a.tflite broken.png": "broken.png: cannot read it as an image (",
    "explain a.tflite new": "new: no such file; check the path",
    "explain a.tflite nothing": "nothing: no pictures in this folder; expected files such as",
    "explain a.tflite classes": (
        "classes: no pictures in this folder; for those in the folders below it, give 'classes/**/*.png'"
    ),
    "explain a.tflite *.jpg": "*.jpg: no file matches this pattern; check it",
    "explain a.tflite picture.png --classes diagonal": "class 'diagonal' is unknown; expected 0 to 2 or a label",
    "explain a.tflite picture.png --classes 3": "class 3 is unknown; expected 0 to 2 or a label",
    "explain a.tflite picture.png --output text.txt": "text.txt: cannot make this folder (File exists)",
    "explain a.tflite picture.png --output text.txt/in": "text.txt/in: cannot make this folder (Not a directory)",
    "explain a.tflite picture.png --backend onnxruntime": "a.tflite: backend 'onnxruntime' does not run tflite",
    "explain a.tflite broken.png --output new/folder": "broken.png: cannot read it as an image (",
    "check nothing": "nothing: no artifacts in this folder; expected files of `camlite export`, such as NAME.int8",
    "inspect none.tflite": "none.tflite: cannot read it (No such file or directory); check the path",
    "inspect picture.png": "picture.png: neither a TFLite nor an ONNX file",
    "inspect truncated.tflite": "truncated.tflite: damaged, or no TFLite model (",
    "inspect flipped.tflite --json": "flipped.tflite: damaged artifact: ",
}


def everything_in(folder: Path) -> dict[str, bytes]:
    return {str(path): path.read_bytes() if path.is_file() else b"" for path in folder.rglob("*")}


@pytest.mark.parametrize("line", BAD_USAGE)
def test_bad_usage_is_one_line_that_points_to_help(line, folder):
    before = everything_in(folder)

    complaint = one_line(run_camlite(*line.split(), cwd=folder))

    assert BAD_USAGE[line] in complaint
    assert complaint.endswith(" --help\n")
    assert everything_in(folder) == before


@pytest.mark.usefixtures("artifact")
@pytest.mark.parametrize("line", BAD_INPUT)
def test_bad_input_is_one_line_that_says_what_and_where_and_nothing_is_written(line, folder):
    before = everything_in(folder)

    complaint = one_line(run_camlite(*line.split(), cwd=folder))

    assert complaint.startswith(f"camlite: {BAD_INPUT[line]}")
    assert everything_in(folder) == before


def test_a_line_stays_one_line_whatever_the_user_has_typed(folder):
    for arguments in (["inspect", "no\nsuch\nfile"], ["explain", "a", "b", "--no\nsuch"], ["\n"]):
        one_line(run_camlite(*arguments, cwd=folder))


def test_help_lists_every_command():
    finished = run_camlite("--help")

    assert (finished.returncode, finished.stderr) == (0, "")
    for name, command in all_commands().items():
        assert re.search(rf"^    {name}\s", finished.stdout, re.MULTILINE)
        assert command.summary.split()[0] in finished.stdout


def test_a_command_has_help_of_its_own():
    finished = run_camlite("explain", "--help")

    assert (finished.returncode, finished.stderr) == (0, "")
    assert "--backend" in finished.stdout


def test_the_version_is_that_of_the_package():
    assert run_camlite("--version").stdout == f"camlite {camlite.__version__}\n"


def test_camlite_is_also_a_program_of_its_own():
    program = Path(sys.executable).with_name("camlite")
    if not program.exists():
        pytest.skip("the package is not installed")
    finished = subprocess.run([program, "--version"], capture_output=True, text=True, timeout=300, check=True)

    assert finished.stdout == f"camlite {camlite.__version__}\n"


@pytest.mark.parametrize("line", ["export model.keras", "inspect model.keras"])
def test_a_command_of_the_exporter_says_how_to_install_it_where_it_is_missing(line, folder):
    (folder / "model.keras").write_bytes(b"PK\3\4")

    complaint = one_line(run_camlite(*line.split(), cwd=folder, without=("h5py", "tensorflow", "keras", "tf_keras")))

    assert complaint.startswith(f"camlite: `{line.split()[0]}` needs ")
    assert complaint.endswith(f": {how_to_install('export')}\n")


def test_explain_without_pillow_says_how_to_install_it(artifact, folder):
    complaint = one_line(run_camlite("explain", artifact, "picture.png", cwd=folder, without=("PIL",)))

    assert complaint == f"camlite: image files need Pillow: {how_to_install('image')}\n"


def test_explain_without_an_interpreter_says_how_to_install_one(artifact, folder):
    without = ("ai_edge_litert", "tflite_runtime", "onnxruntime")

    complaint = one_line(run_camlite("explain", artifact, "picture.png", cwd=folder, without=without))

    assert complaint.startswith("camlite: a.tflite: no backend for tflite artifacts installed; pip install ")


def test_inspect_needs_numpy_alone(artifact, folder):
    without = ("ai_edge_litert", "tflite_runtime", "onnxruntime", "PIL", "camlite_export", "tensorflow", "keras")

    finished = run_camlite("inspect", artifact, cwd=folder, without=without)

    assert (finished.returncode, finished.stderr) == (0, "")


def start(*arguments: str, cwd: Path) -> subprocess.Popen[str]:
    command = [sys.executable, "-m", "camlite", *arguments]
    return subprocess.Popen(command, cwd=cwd, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


def test_a_reader_that_has_seen_enough_ends_the_command_quietly(artifact, folder):
    """As in ``camlite explain --json ... | head -1``."""
    with start("explain", artifact, *["picture.png"] * 200, "--json", cwd=folder) as process:
        first = json.loads(process.stdout.readline())
        process.stdout.close()
        assert process.stderr.read() == ""

    assert first["label"] == "vertical"
    assert process.returncode == 0
    assert len(list(folder.glob("*.overlay.png"))) < 200


def test_a_command_may_have_no_standard_output(artifact, folder):
    command = f"{sys.executable} -m camlite inspect {artifact} >&-"

    finished = subprocess.run(["sh", "-c", command], cwd=folder, capture_output=True, text=True, timeout=300)

    assert (finished.returncode, finished.stderr) == (0, "")


def test_control_c_ends_the_command_in_one_line(artifact, folder):
    os.mkfifo(folder / "camera.png")  # a picture that never comes
    with start("explain", artifact, "camera.png", cwd=folder) as process:
        writer = opened_for_writing_when_it_is_read(folder / "camera.png")
        try:
            output, errors = interrupted(process)
        finally:
            process.kill()
            os.close(writer)

    assert (process.returncode, output, errors) == (130, "", "camlite: interrupted\n")


@pytest.mark.parametrize("milliseconds", range(0, 20, 2))
def test_control_c_while_numpy_is_imported_ends_the_command_in_one_line(milliseconds, artifact, folder):
    """numpy makes ten lines of it that tell of a source directory."""
    os.mkfifo(folder / "camera.png")
    with start("explain", artifact, "camera.png", cwd=folder) as process:
        try:
            while "_multiarray_umath" not in Path(f"/proc/{process.pid}/maps").read_text():
                assert process.poll() is None
            time.sleep(milliseconds / 1000)
            output, errors = interrupted(process)
        finally:
            process.kill()

    assert (process.returncode, output, errors) == (130, "", "camlite: interrupted\n")


def test_control_c_stays_ignored_where_it_was(artifact, folder):
    """As under ``nohup``."""
    os.mkfifo(folder / "camera.png")
    command = f"trap '' INT; exec {sys.executable} -m camlite explain {artifact} camera.png"
    with subprocess.Popen(["sh", "-c", command], cwd=folder, stderr=subprocess.PIPE, text=True) as process:
        try:
            while "_multiarray_umath" not in Path(f"/proc/{process.pid}/maps").read_text():
                assert process.poll() is None
            process.send_signal(signal.SIGINT)
            writer = opened_for_writing_when_it_is_read(folder / "camera.png")
            process.send_signal(signal.SIGINT)
            os.write(writer, (folder / "picture.png").read_bytes())
            os.close(writer)
            errors = process.communicate(timeout=300)[1]
        finally:
            process.kill()

    assert (process.returncode, errors) == (0, "")


@pytest.mark.endurance
def test_control_c_at_random_moments_is_never_met_by_a_traceback_of_camlite(artifact, folder):
    random, outcomes = np.random.default_rng(0), collections.Counter()
    for _ in range(100):
        with start("explain", artifact, "picture.png", cwd=folder) as process:
            time.sleep(random.uniform(0, 0.3))
            process.send_signal(signal.SIGINT)
            _, errors = process.communicate(timeout=300)
        in_one_line = (process.returncode, errors) == (130, "camlite: interrupted\n")
        # Until its first module is found Python has the word, and before that the system: a death by this signal.
        outcomes["one line" if in_one_line else "nothing" if not errors else "Python's own start"] += 1
        if not in_one_line:
            assert process.returncode in (0, 1, -signal.SIGINT), errors
            assert str(Path(camlite.__file__).parent) not in errors

    print(dict(outcomes))


def interrupted(process: subprocess.Popen[str]) -> tuple[str, str]:
    """What it says; a signal between the pipe's opening and its reading is seen with the next one."""
    for _ in range(3):
        process.send_signal(signal.SIGINT)
        with contextlib.suppress(subprocess.TimeoutExpired):
            return process.communicate(timeout=10)
    raise TimeoutError(process.args)


def opened_for_writing_when_it_is_read(pipe: Path) -> int:
    for _ in range(1500):
        with contextlib.suppress(OSError):  # nobody reads it yet
            return os.open(pipe, os.O_WRONLY | os.O_NONBLOCK)
        time.sleep(0.02)
    raise TimeoutError(pipe)


def test_names_that_the_terminal_cannot_show_are_escaped(artifact, folder):
    name = os.fsdecode(b"caf\xe9.png")  # Latin-1, as old cameras and memory sticks have it
    (folder / name).write_bytes((folder / "picture.png").read_bytes())

    in_utf8 = run_camlite("explain", artifact, name, cwd=folder, env={"PYTHONIOENCODING": "utf-8"})
    in_ascii = run_camlite("inspect", "närrisch", cwd=folder, env={"PYTHONIOENCODING": "ascii"})

    assert (in_utf8.returncode, in_utf8.stderr) == (0, "")
    assert r"caf\udce9.png" in in_utf8.stdout
    assert (folder / os.fsdecode(b"caf\xe9.overlay.png")).exists()
    assert one_line(in_ascii).startswith(r"camlite: n\xe4rrisch: cannot read it")


@pytest.mark.parametrize("debug", ["", "1"])
def test_a_mistake_of_camlite_itself_is_one_line_that_says_how_to_report_it_and_has_an_exit_code_of_its_own(debug):
    source = (
        "import sys, camlite.artifact, camlite.cli\n"
        "def read(path, trusted): raise KeyError('a \\x1b[31mbug')\n"
        "camlite.artifact.read = read\n"
        "sys.exit(camlite.cli.main(['inspect', 'a.tflite']))"
    )

    finished = run_python(source, env={"CAMLITE_DEBUG": debug})

    *before, line = finished.stderr.splitlines()
    assert finished.returncode == 70
    assert line.startswith(r"camlite: KeyError: 'a \x1b[31mbug' (<string>:2), a bug of camlite ")
    assert line.endswith("; report it with these lines" if debug else "CAMLITE_DEBUG=1, and report what it prints")
    assert before[:1] == (["Traceback (most recent call last):"] if debug else [])
    assert "\x1b" not in finished.stderr


@pytest.mark.parametrize("enabled", [True, False])
def test_a_program_that_calls_a_command_collects_its_garbage_as_before(enabled):
    source = (
        "import gc, sys; from camlite.cli import main\n"
        f"gc.{'enable' if enabled else 'disable'}()\n"
        "try: main(['--version'])\n"
        "except SystemExit: print(gc.isenabled())"
    )

    assert run_python(source).stdout.split()[-1] == str(enabled)


def test_a_package_that_no_extra_brings_is_no_mistake_of_the_user(folder):
    finished = run_camlite("inspect", "a.tflite", cwd=folder, without=["json"])

    assert finished.returncode == 70
    assert finished.stderr.startswith("camlite: ModuleNotFoundError: ")
    assert "json" in finished.stderr
