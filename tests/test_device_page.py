"""docs/device.md: its systemd unit is one. The other lines of the page are run by tests/docs."""

from __future__ import annotations

import re
import shlex
import shutil
import subprocess
from pathlib import Path

import pytest

from camlite import cli

PAGE = (Path(__file__).parents[1] / "docs" / "device.md").read_text(encoding="utf-8")
UNIT = re.search(r"```ini\n(.*?)```", PAGE, re.DOTALL)[1]


def test_the_command_of_the_unit_is_understood():
    command = re.search(r"ExecStart=\S*/(camlite .*)", UNIT)[1]

    assert cli._parse(shlex.split(command)[1:]).run


def test_systemd_takes_the_unit(tmp_path):
    if shutil.which("systemd-analyze") is None:
        pytest.skip("systemd-analyze is not installed")
    path = tmp_path / "camlite-watch.service"
    path.write_text(re.sub(r"(?<=ExecStart=)\S+", "/bin/true", UNIT))  # the program is not installed in /opt here

    finished = subprocess.run(
        ["systemd-analyze", "verify", "--man=no", path], capture_output=True, text=True, timeout=300
    )

    assert (finished.returncode, finished.stderr) == (0, "")
