"""`camlite.system.files`: what killed processes have left is cleared, and nothing else."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

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
