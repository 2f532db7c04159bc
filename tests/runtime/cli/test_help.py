"""The examples of every ``--help`` are command lines that run as they stand."""

from __future__ import annotations

import shlex
import shutil
from pathlib import Path

import numpy as np
import pytest

from camlite import cli
from camlite.cli import all_commands, parser_of
from camlite.images import picture_files
from support import npm_packages
from support.fresh_process import run_camlite
from support.spec_vectors import FOLDER

COMMANDS = all_commands()


def examples(name: str) -> list[str]:
    """What stands below "examples:" in a command's help."""
    return [line.strip() for line in parser_of(name, COMMANDS[name]).format_help().split("examples:\n")[1].splitlines()]


EXAMPLES = [example for name in COMMANDS for example in examples(name)]
# Those that open the classifier, take seconds, or never end. Their commands have tests of their own.
DEAR = ("export", "parity", "serve", "inspect flowers.keras", "watch flowers/flowers.int8.tflite 0", "bench", "doctor")
REPORT = " --report "
CHEAP = [one for one in EXAMPLES if REPORT not in one and not one.startswith(tuple(f"camlite {dear}" for dear in DEAR))]


@pytest.mark.parametrize("name", COMMANDS)
def test_each_command_has_an_example_of_its_own(name):
    assert examples(name)
    assert all(example.startswith(f"camlite {name}") for example in examples(name))


@pytest.mark.parametrize("example", EXAMPLES)
def test_each_example_is_understood(example):
    _, name, *arguments = shlex.split(example)

    parser_of(name, COMMANDS[name]).parse_args(arguments)


def test_those_of_the_overview_are_understood_too(capsys):
    with pytest.raises(SystemExit):
        cli.main(["--help"])

    shown = capsys.readouterr().out.split("examples:\n")[1].splitlines()
    for _, name, *arguments in map(shlex.split, shown):
        if arguments != ["--help"]:
            parser_of(name, COMMANDS[name]).parse_args(arguments)
    assert shown


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What the examples name: two artifacts, pictures, packages of npm."""
    folder = tmp_path_factory.mktemp("examples")
    (folder / "flowers").mkdir()
    for kind in ("int8.tflite", "float32.onnx"):
        shutil.copy(FOLDER / f"stripes.{kind}", folder / "flowers" / f"flowers.{kind}")
    stripes = np.tile(np.arange(24) // 2 % 2 * 255, (16, 1)).astype(np.uint8)
    (folder / "photos").mkdir()
    for name, picture in (("photo", stripes), ("photos/one", stripes), ("photos/two", stripes.T)):
        picture_files.write(folder / f"{name}.jpg", picture, picture_files.FORMS[".jpg"])
    npm_packages.node_modules(folder / "node_modules")
    return folder


@pytest.mark.parametrize("example", CHEAP)
def test_the_cheap_ones_run(example, folder):
    finished = run_camlite(*shlex.split(example)[1:], cwd=folder)

    assert finished.returncode == 0, finished.stderr
    assert finished.stderr == ""
    assert finished.stdout
