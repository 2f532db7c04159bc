"""docs/device.md: its commands are commands, and its systemd unit is one."""

from __future__ import annotations

import re
import shlex
import shutil
import subprocess
from pathlib import Path

import pytest

from camlite import cli

PAGE = (Path(__file__).parents[1] / "docs" / "device.md").read_text(encoding="utf-8")
LINES = re.findall(r"^ {4}(?:.*\| )?(camlite [^#\n]*)", PAGE, re.MULTILINE)
UNIT = re.search(r"```ini\n(.*?)```", PAGE, re.DOTALL)[1]


@pytest.mark.parametrize("line", [*LINES, re.search(r"ExecStart=\S*/(camlite .*)", UNIT)[1]])
def test_a_command_of_the_page_is_understood(line):
    arguments = shlex.split(line.strip())[1:]

    cli._parse(arguments)


def test_the_page_has_commands_of_each_kind():
    assert {line.split()[1] for line in LINES} >= {"explain", "watch", "serve"}


def test_systemd_takes_the_unit(tmp_path):
    if shutil.which("systemd-analyze") is None:
        pytest.skip("systemd-analyze is not installed")
    path = tmp_path / "camlite-watch.service"
    path.write_text(re.sub(r"(?<=ExecStart=)\S+", "/bin/true", UNIT))  # the program is not installed in /opt here

    finished = subprocess.run(
        ["systemd-analyze", "verify", "--man=no", path], capture_output=True, text=True, timeout=300
    )

    assert (finished.returncode, finished.stderr) == (0, "")
