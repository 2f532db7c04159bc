"""Broken machines: a full disk, a folder that cannot be written, two at once, Ctrl-C. Kills are in test_kills.py.

What is in the folder is always whole, and of one export.
"""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from PIL import Image

from camlite import artifact
from camlite.errors import CamliteError
from camlite_export import output_folder
from support import tiny_classifiers
from support.fresh_process import one_line, run_camlite
from support.kills import complete, start, wait_for_the_end_of
from support.striped_patches import write_folder

EXPORT = ["--maps", "cam", "--preprocess", "unit", "--formats", "tflite", "onnx", "--precisions", "float32"]
FILES = ["stripes.float32.onnx", "stripes.float32.tflite"]


@pytest.fixture(scope="module")
def models(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    """The same classifier with other weights, under the same name in two folders."""
    return tiny_classifiers.save_two(tmp_path_factory.mktemp("models"))


def export(model: Path, folder: Path) -> subprocess.Popen[str]:
    return start("export", model, "--output", folder, *EXPORT)


def whole(folder: Path) -> set[str]:
    """The artifacts in a folder, each read and verified; the classifiers that they are of."""
    found = [artifact.read(path) for path in folder.glob("*.*") if path.suffix in (".tflite", ".onnx")]
    return {one.card.classifier_sha256 for one in found}


@pytest.mark.endurance
def test_two_exports_into_one_folder_at_once_leave_one_of_them(models: list[Path], tmp_path: Path) -> None:
    folder = tmp_path / "out"
    processes = [export(model, folder) for model in models]
    for process in processes:
        complete(process)

    assert sorted(path.name for path in folder.iterdir()) == FILES
    assert len(whole(folder)) == 1


_RACE = """
import sys
from pathlib import Path
from camlite_export.reports import page
from camlite_export import output_folder
folder, first = Path(sys.argv[1]), int(sys.argv[2])
page._render = lambda template, values: values["text"]
for number in range(first, first + 60):
    output_folder.write_all(folder / "export", {name: bytes([number]) * 100_000 for name in "abcdefgh"})
    page.write(folder / "report", "parity", {"number": number}, text=str(number))
"""


def test_two_writers_at_once_never_mix_what_they_write(tmp_path: Path) -> None:
    writers = [
        subprocess.Popen([sys.executable, "-c", _RACE, str(tmp_path), str(first)], stderr=subprocess.PIPE, text=True)
        for first in (0, 128)
    ]
    assert [writer.communicate() for writer in writers] == [(None, "")] * 2
    assert {path.name for path in (tmp_path / "export").iterdir()} == set("abcdefgh")
    assert len({path.read_bytes()[:1] for path in (tmp_path / "export").iterdir()}) == 1
    assert {path.name for path in tmp_path.iterdir()} == {"export", "report"}
    number = (tmp_path / "report" / "index.html").read_text()
    assert (tmp_path / "report" / "parity.json").read_text() == f'{{\n "number": {number}\n}}\n'


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A disk of 64 kB."""
    folder = tmp_path / "disk"
    folder.mkdir()
    mounted = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=64k", "tmpfs", folder], capture_output=True)
    if mounted.returncode:
        pytest.skip("needs root, to mount a small disk")
    yield folder
    subprocess.run(["umount", folder], check=True)


def test_a_full_disk_is_one_line_and_leaves_what_was_there(tiny: Path, small_disk: Path) -> None:
    older = {path.name: path.read_bytes() for path in (tiny / "stripes").glob("stripes.float32.*")}
    output_folder.write_all(small_disk, older)
    room = shutil.disk_usage(small_disk).free
    (small_disk / "filling").write_bytes(bytes(room - 8192))

    with pytest.raises(CamliteError, match="No space left on device"):
        output_folder.write_all(small_disk, {name: content[::-1] for name, content in older.items()})

    assert {path.name: path.read_bytes() for path in small_disk.glob("stripes*")} == older
    assert {path.name for path in small_disk.iterdir()} == {*older, "filling"}


def test_a_full_disk_is_one_line_for_a_picture(tiny: Path, small_disk: Path) -> None:
    photo = small_disk.parent / "photo.png"
    Image.effect_noise((640, 480), 90).save(photo)

    explained = run_camlite("explain", tiny / "stripes/stripes.float32.tflite", photo, "--output", small_disk)

    assert explained.returncode == 2
    assert explained.stderr.count("\n") == 1
    assert not list(small_disk.iterdir())


def test_a_folder_on_a_read_only_disk_is_one_line(small_disk: Path) -> None:
    subprocess.run(["mount", "-o", "remount,ro", small_disk], check=True)

    with pytest.raises(CamliteError, match="Read-only file system"):
        output_folder.write_all(small_disk / "out", {"a": b""})


def test_a_full_disk_under_standard_output_is_one_line(tiny: Path) -> None:
    with Path("/dev/full").open("w") as full:
        command = [sys.executable, "-m", "camlite", "inspect", str(tiny / "stripes/stripes.float32.tflite")]
        finished = subprocess.run(command, stdout=full, stderr=subprocess.PIPE, text=True)

    assert finished.returncode == 2
    assert finished.stderr == "camlite: standard output: No space left on device; make room there\n"


@pytest.mark.endurance
@pytest.mark.parametrize("trouble", ["No space left on device", "Read-only file system"])
@pytest.mark.parametrize(
    "command",
    [
        ["export", "{models}/0/stripes.keras", "--output", "{disk}/out", *EXPORT],
        ["parity", "{tiny}/stripes.keras", "{tiny}/stripes/stripes.float32.onnx", "--report", "{disk}/out"],
        ["audit", "{tiny}/stripes/stripes.float32.onnx", "{data}", "--report", "{disk}/out"],
        ["audit", "{tiny}/stripes/stripes.float32.onnx", "{data}", "--resume", "{disk}/out"],
        ["watch", "{tiny}/stripes/stripes.float32.onnx", "{data}/images/vertical", "--output", "{disk}/out"],
        ["explain", "{tiny}/stripes/stripes.float32.onnx", "{data}/images/vertical/1.png", "--output", "{disk}/out"],
        ["keygen", "{disk}/key"],
    ],
    ids=" ".join,
)
def test_a_command_on_a_disk_in_trouble_says_so_in_one_line(
    command: list[str], trouble: str, models: list[Path], tiny: Path, tmp_path: Path, small_disk: Path
) -> None:
    """All but `watch` on a full disk, which waits: see test_watch.py."""
    if trouble.startswith("Read-only"):
        subprocess.run(["mount", "-o", "remount,ro", small_disk], check=True)
    elif command[0] == "watch":
        pytest.skip("waits")
    else:
        left = 8192 if command[0] == "export" else 0  # there, for one of two artifacts
        (small_disk / "filling").write_bytes(bytes(shutil.disk_usage(small_disk).free - left))
    before = list(small_disk.iterdir())
    data = write_folder(tmp_path / "patches", 64, beside=False)
    places = {"models": models[0].parents[1], "tiny": tiny, "data": data, "disk": small_disk}

    process = start(*(one.format(**places) for one in command))
    said, errors = process.communicate()

    complaint = one_line(subprocess.CompletedProcess([], process.returncode, said, errors))
    assert trouble in complaint
    assert str(small_disk) in complaint
    assert [path for path in small_disk.iterdir() if not path.is_dir()] == before
    assert not any(any(path.iterdir()) for path in small_disk.iterdir() if path.is_dir())


def test_control_c_while_tensorflow_is_loaded_ends_with_130_and_one_line(models: list[Path], tmp_path: Path) -> None:
    process = export(models[0], tmp_path / "out")
    while "tensorflow" not in Path(f"/proc/{process.pid}/maps").read_text():
        assert process.poll() is None, process.communicate()
        time.sleep(0.05)
    os.killpg(process.pid, signal.SIGINT)
    _, errors = process.communicate(timeout=300)

    assert (process.returncode, errors) == (130, "camlite: interrupted\n")
    wait_for_the_end_of(process.pid)
    assert not (tmp_path / "out").exists()


@pytest.mark.endurance
@pytest.mark.parametrize("share", [0.1, 0.4, 0.7, 0.95])
def test_control_c_ends_an_export_with_130_without_a_traceback_and_with_all_its_processes(
    share: float, models: list[Path], tmp_path: Path
) -> None:
    before = time.monotonic()
    complete(export(models[0], tmp_path / "measured"))
    took = time.monotonic() - before

    process = export(models[0], tmp_path / "out")
    time.sleep(share * took)
    os.killpg(process.pid, signal.SIGINT)
    _, errors = process.communicate(timeout=300)

    assert process.returncode in (130, 0), errors  # 0: the machine was faster this time
    if process.returncode:
        assert errors == "camlite: interrupted\n"
    wait_for_the_end_of(process.pid)
    left = [path.name for path in (tmp_path / "out").glob("*")] if (tmp_path / "out").exists() else []
    assert not any(name.endswith(".part") for name in left)
    assert len(whole(tmp_path / "out")) <= 1
