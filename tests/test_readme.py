"""README.md: its commands are such as camlite and make take."""

from __future__ import annotations

import re
import shlex
from pathlib import Path

import pytest

from camlite import cli

ROOT = Path(__file__).parents[1]
README = (ROOT / "README.md").read_text()
INDENTED = re.findall(r"^    (\S.*)$", README, re.MULTILINE)


@pytest.mark.parametrize("command", [line for line in INDENTED if line.startswith("camlite ")])
def test_a_command_is_understood_as_it_is_written(command: str) -> None:
    _, *arguments = shlex.split(command, comments=True)
    assert cli._parse(arguments).run


@pytest.mark.parametrize("target", sorted({*re.findall(r"(?:^    |`)make ([a-z-]+)", README, re.MULTILINE)}))
def test_a_target_of_make_is_there(target: str) -> None:
    assert re.search(rf"^{target}:", (ROOT / "Makefile").read_text(), re.MULTILINE)


def test_the_environment_with_the_command_is_where_it_says() -> None:
    assert "`. .venv/bin/activate`" in README
    assert (
        "VENV := .venv\nPYTHON := $(VENV)/bin/python\nCAMLITE := $(VENV)/bin/camlite\n"
        in (ROOT / "Makefile").read_text()
    )


def test_every_command_of_the_table_is_one() -> None:
    named = re.findall(r"^\| `camlite ([a-z-]+)", README, re.MULTILINE)
    assert len(named) > 5
    assert set(named) <= set(cli.all_commands())
