"""What tests share where several workers run them: `support.room` and `support.made_once`."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from support.made_once import made_once

# Goes in when it is told to, says so, and leaves when it is told to.
VISITOR = """
import sys
from pathlib import Path
from support.room import Room
room = Room(Path(sys.argv[1]))
sys.stdin.readline()
print("waits", flush=True)
with room.entered(alone=sys.argv[2] == "alone"):
    print("in", flush=True)
    sys.stdin.readline()
"""


class Visitor:
    def __init__(self, room: Path, kind: str) -> None:
        pipes: Any = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "text": True}
        self.process = subprocess.Popen([sys.executable, "-c", VISITOR, room, kind], **pipes)

    def goes(self) -> Visitor:
        self._say()
        assert self._hear() == "waits"
        return self

    def is_in(self) -> bool:
        return self._hear() == "in"

    def leaves(self) -> None:
        self._say()
        assert self.process.wait(60) == 0
        self.process.stdin.close()
        self.process.stdout.close()

    def still_waits(self) -> bool:
        """Nothing more is heard of it for a while."""
        import select

        return not select.select([self.process.stdout], [], [], 0.3)[0]

    def _say(self) -> None:
        self.process.stdin.write("\n")
        self.process.stdin.flush()

    def _hear(self) -> str:
        return self.process.stdout.readline().strip()


def test_others_are_in_together_and_a_quiet_one_is_in_when_all_have_left_and_before_those_who_came_later(tmp_path):
    first, second, quiet, last = (Visitor(tmp_path / "room", kind) for kind in ("", "", "alone", ""))

    assert first.goes().is_in()
    assert second.goes().is_in()
    assert quiet.goes().still_waits()
    assert last.goes().still_waits()
    first.leaves()
    assert quiet.still_waits()
    second.leaves()
    assert quiet.is_in()
    assert last.still_waits()
    quiet.leaves()
    assert last.is_in()
    last.leaves()


def test_who_dies_in_the_room_leaves_it(tmp_path):
    dies, quiet = (Visitor(tmp_path / "room", kind) for kind in ("", "alone"))
    assert dies.goes().is_in()
    dies.process.kill()
    dies.process.communicate()

    assert quiet.goes().is_in()
    quiet.leaves()


def test_a_folder_that_workers_share_is_made_once_and_again_where_that_failed(tmp_path_factory, monkeypatch):
    made = []

    def make(folder: Path) -> None:
        (folder / "half").touch()
        made.append(folder)
        if len(made) == 1:
            raise ValueError("the first of them fails")

    monkeypatch.setattr(tmp_path_factory, "_basetemp", tmp_path_factory.mktemp("run"))
    for worker in ("gw0", "gw1", "gw2"):
        monkeypatch.setenv("PYTEST_XDIST_WORKER", worker)
        monkeypatch.setattr(tmp_path_factory, "_basetemp", tmp_path_factory.getbasetemp().parent / worker)
        if worker == "gw0":
            with pytest.raises(ValueError, match="fails"):
                made_once(tmp_path_factory, "one", make)
        else:
            folder = made_once(tmp_path_factory, "one", make)

    assert len(made) == 2
    assert [file.name for file in folder.iterdir()] == ["half"]
