"""`camlite.system.files`: what killed processes and failures have left is cleared, and nothing else."""

from __future__ import annotations

import contextlib
import os
import subprocess
import sys
from pathlib import Path

import pytest

from camlite.system import files


def number_of_a_process_that_has_ended() -> int:
    with subprocess.Popen([sys.executable, "-c", ""]) as process:
        pass
    return process.pid


def test_folders_and_files_of_processes_that_have_ended_are_cleared(tmp_path: Path) -> None:
    gone = number_of_a_process_that_has_ended()
    (tmp_path / f".report.{gone}.part").mkdir()
    (tmp_path / f".report.{gone}.part" / "index.html").write_text("half")
    (tmp_path / f".a.png.{gone}.part").write_text("half")
    kept = {f".report.{os.getpid()}.part", f".b.png.{gone}.part", "a.png"}
    for name in kept:
        (tmp_path / name).write_text("whole")

    files.remove_leftovers(tmp_path, {"report", "a.png"})

    assert {path.name for path in tmp_path.iterdir()} == kept


def test_a_folder_that_is_not_there_has_no_leftovers(tmp_path: Path) -> None:
    files.remove_leftovers(tmp_path / "none", {"a.png"})


def test_a_folder_that_was_made_for_what_could_not_be_written_goes_again(tmp_path):
    (tmp_path / "there").mkdir()
    with pytest.raises(OSError, match="full"), files.folder_for(tmp_path / "there" / "a" / "b"):
        raise OSError("full")
    with pytest.raises(OSError, match="full"), files.folder_for(tmp_path / "there"):
        raise OSError("full")

    assert sorted(tmp_path.rglob("*")) == [tmp_path / "there"]


def test_a_folder_that_was_made_stays_with_what_is_in_it(tmp_path):
    with files.folder_for(tmp_path / "a" / "b"):
        pass
    with contextlib.suppress(OSError), files.folder_for(tmp_path / "a" / "c"):
        (tmp_path / "a" / "c" / "of another process").touch()
        raise OSError("full")
    with files.folder_for(tmp_path / "d" / "e", keep=False):
        assert (tmp_path / "d" / "e").is_dir()

    assert sorted(path.name for path in tmp_path.rglob("*")) == ["a", "b", "c", "of another process"]
