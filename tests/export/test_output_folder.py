"""`camlite_export.output_folder`: files appear whole or not at all, whatever happens in between."""

from __future__ import annotations

import errno
import os
import re
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from camlite.errors import CamliteError
from camlite_export import output_folder
from support.small_disk import small_disk

FILES = {"a.tflite": b"first", "b.onnx": b"second"}


def content(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.iterdir()}


def test_all_files_are_written_and_nothing_else(tmp_path: Path) -> None:
    output_folder.write_all(tmp_path / "new" / "folder", FILES)
    assert content(tmp_path / "new" / "folder") == FILES


def test_files_that_were_there_are_replaced_and_others_stay(tmp_path: Path) -> None:
    (tmp_path / "a.tflite").write_bytes(b"an older and longer one")
    (tmp_path / "notes.txt").write_bytes(b"mine")
    output_folder.write_all(tmp_path, FILES)
    assert content(tmp_path) == {**FILES, "notes.txt": b"mine"}


def test_what_is_left_of_an_earlier_export_is_known(tmp_path: Path) -> None:
    output_folder.write_all(tmp_path, {**FILES, "c.onnx": b"third"})
    output_folder.write_all(tmp_path, FILES)
    assert output_folder.left(tmp_path, FILES, [*FILES, "c.onnx", "d.onnx"]) == ("c.onnx",)
    assert output_folder.left(tmp_path, FILES, FILES) == ()


def test_a_file_where_the_folder_should_be(tmp_path: Path) -> None:
    (tmp_path / "taken").write_bytes(b"mine")
    with pytest.raises(CamliteError, match=r"taken: cannot write there .*; choose another --output"):
        output_folder.write_all(tmp_path / "taken", FILES)
    assert content(tmp_path) == {"taken": b"mine"}


def test_a_folder_that_cannot_be_made() -> None:
    with pytest.raises(CamliteError, match="cannot write there"):
        output_folder.write_all(Path("/proc/camlite"), FILES)


def test_a_folder_is_tried_before_and_nothing_of_the_try_is_left(tmp_path: Path) -> None:
    output_folder.check(tmp_path)
    output_folder.check(tmp_path / "new" / "folder", FILES)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("below", ["", "folder", "folder/of/folders"])
def test_a_try_below_a_file_says_so(tmp_path: Path, below: str) -> None:
    (tmp_path / "taken").write_bytes(b"mine")
    with pytest.raises(
        CamliteError, match=r"cannot write there \((Not a directory|File exists)\); choose another --out"
    ):
        output_folder.check(tmp_path / "taken" / below)
    assert content(tmp_path) == {"taken": b"mine"}


def test_a_try_finds_a_folder_where_a_file_should_be(tmp_path: Path) -> None:
    (tmp_path / "b.onnx").mkdir()
    with pytest.raises(CamliteError, match=r"cannot write there \(b\.onnx is a folder\)"):
        output_folder.check(tmp_path, FILES)


_TRY = """
import os, sys
from pathlib import Path
from camlite_export import output_folder
if os.geteuid() == 0:
    os.setuid(65534)  # nobody
output_folder.check(Path(sys.argv[1]))
"""


@pytest.mark.parametrize("below", [".", "new/folder"])
def test_a_try_where_this_user_may_not_write_says_so(tmp_path: Path, below: str) -> None:
    private = tmp_path / "private"
    private.mkdir()
    private.chmod(0o555)
    command = [sys.executable, "-c", _TRY, below]
    finished = subprocess.run(command, cwd=private, capture_output=True, text=True, check=False)
    private.chmod(0o755)
    assert finished.returncode == 1
    assert "cannot write there (Permission denied); choose another --output" in finished.stderr
    assert list(private.iterdir()) == []


def test_a_folder_where_a_file_should_be_leaves_every_file_as_it_was(tmp_path: Path) -> None:
    (tmp_path / "a.tflite").write_bytes(b"older")
    (tmp_path / "b.onnx").mkdir()
    with pytest.raises(CamliteError, match="cannot write there"):
        output_folder.write_all(tmp_path, FILES)
    assert {path.name for path in tmp_path.iterdir()} == {"a.tflite", "b.onnx"}
    assert (tmp_path / "a.tflite").read_bytes() == b"older"


def test_a_full_disk_leaves_every_file_as_it_was(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The disk is full when the second file is to reach it."""
    (tmp_path / "a.tflite").write_bytes(b"older")
    flushed = []

    def fsync(number: int) -> None:
        flushed.append(number)
        if len(flushed) == len(FILES):
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(os, "fsync", fsync)
    with pytest.raises(CamliteError, match="No space left on device"):
        output_folder.write_all(tmp_path, FILES)
    assert content(tmp_path) == {"a.tflite": b"older"}


def test_a_disk_that_is_really_full_is_left_without_the_folder(tmp_path: Path) -> None:
    with small_disk(tmp_path / "disk") as disk:
        with pytest.raises(CamliteError, match=re.escape(f"{disk / 'a' / 'b'}: cannot write there (No space left")):
            output_folder.write_all(disk / "a" / "b", {"one": b"1", "two": bytes(1_000_000)})
        assert list(disk.iterdir()) == []


def test_an_interruption_leaves_every_file_as_it_was(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupt(_: int) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(os, "fsync", interrupt)
    with pytest.raises(KeyboardInterrupt):
        output_folder.write_all(tmp_path, FILES)
    assert content(tmp_path) == {}


_WRITE_FOR_EVER = """
import sys
from pathlib import Path
from camlite_export import output_folder
print("ready", flush=True)
number = 0
while True:
    output_folder.write_all(Path(sys.argv[1]), {name: bytes([number % 256]) * 3_000_000 for name in ("a", "b")})
    number += 1
"""


def test_a_kill_leaves_whole_files_under_their_names(tmp_path: Path) -> None:
    """Killed at ten moments; each file under its own name is of one piece. Parts that are left have other names."""
    for moment in range(10):
        with subprocess.Popen(
            [sys.executable, "-c", _WRITE_FOR_EVER, str(tmp_path)], stdout=subprocess.PIPE, text=True
        ) as writer:
            assert writer.stdout is not None
            assert writer.stdout.readline() == "ready\n"
            time.sleep(0.02 + 0.013 * moment)
            writer.send_signal(signal.SIGKILL)
        for name in ("a", "b"):
            path = tmp_path / name
            if path.exists():
                written = path.read_bytes()
                assert len(written) == 3_000_000
                assert len(set(written)) == 1
    others = {path.name for path in tmp_path.iterdir()} - {"a", "b"}
    assert all(name.startswith(".") and name.endswith(".part") for name in others)
