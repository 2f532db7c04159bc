"""The scripts of `camlite completion`, in the shells themselves."""

from __future__ import annotations

import contextlib
import os
import pty
import shutil
import subprocess
import time
from pathlib import Path

import pytest

from camlite.cli import all_commands, completion
from camlite.completion import bash, fish, zsh
from camlite.show.drawing import STYLES

# What is typed -> what the Tab key offers; every shell says the same.
OFFERED = {
    "camlite exp": ["explain", "export"],
    "camlite explain a.tflite --sty": ["--style"],
    "camlite explain a.tflite --style ": list(STYLES),
    "camlite explain a.tflite --backend onn": ["onnxruntime"],
    "camlite export --formats tflite o": ["onnx"],
    "camlite check --st": [],
    "camlite completion ": ["bash", "fish", "zsh"],
}


def in_shell(name: str) -> str:
    path = shutil.which(name)
    if path is None:
        pytest.skip(f"{name} is not installed")
    return path


@pytest.fixture(scope="module")
def tree() -> completion.Tree:
    return completion.tree()


@pytest.fixture(params=["bash", "zsh", "fish"])
def script(request: pytest.FixtureRequest, tree: completion.Tree) -> str:
    text: str = {"bash": bash, "zsh": zsh, "fish": fish}[request.param].script(tree)
    return text


def test_every_command_and_option_is_there(script, tree):
    assert set(tree) == set(all_commands())
    for name, line in tree.items():
        assert name in script
        assert line.options, name
        for option in line.options:
            assert all(word.lstrip("-") in script for word in option.names)


@pytest.fixture(scope="module")
def bash_script(tree, tmp_path_factory) -> Path:
    path = tmp_path_factory.mktemp("bash") / "camlite"
    path.write_text(bash.script(tree))
    return path


def of_bash(script: Path, words: list[str]) -> list[str]:
    quoted = " ".join(f"'{word}'" for word in words)
    source = (
        f"source {script}; COMP_WORDS=({quoted}); COMP_CWORD={len(words) - 1}; _camlite; printf '%s\\n' $COMPREPLY_"
    )
    source = source.replace("$COMPREPLY_", '"${COMPREPLY[@]}"')
    finished = subprocess.run(
        [in_shell("bash"), "--norc", "--noprofile", "-u", "-c", source], capture_output=True, text=True, timeout=60
    )
    assert (finished.returncode, finished.stderr) == (0, "")
    return finished.stdout.split()


@pytest.mark.parametrize("typed", OFFERED)
def test_bash_offers(typed, bash_script):
    assert sorted(of_bash(bash_script, typed.split(" "))) == sorted(OFFERED[typed])


@pytest.mark.parametrize(
    ("words", "offered"),
    [
        (["camlite", "export", "--maps", "=", "sh"], ["sharp"]),
        (["camlite", "export", "--maps", "="], ["auto", "cam", "sharp"]),
        (["camlite", "export", "--maps", "sharp", "mod"], []),
        (["camlite", "export", "a.keras", "--output", "c"], []),
        (["camlite", "nonsense", "--"], []),
        (["camlite", ""], None),
    ],
)
def test_bash_knows_where_values_begin_and_end(words, offered, bash_script):
    """Where it offers nothing, readline offers files."""
    found = of_bash(bash_script, words)

    assert sorted(found) == sorted([*all_commands(), "--help", "--version"] if offered is None else offered)


def test_bash_offers_files_where_nothing_else_fits(bash_script):
    told = subprocess.run(
        [in_shell("bash"), "--norc", "-c", f"source {bash_script}; complete -p camlite"], capture_output=True, text=True
    )

    assert told.stdout.split() == ["complete", "-o", "bashdefault", "-o", "default", "-F", "_camlite", "camlite"]


@pytest.mark.parametrize("typed", OFFERED)
def test_fish_offers(typed, tree, tmp_path):
    assert of_fish(fish.script(tree), typed, tmp_path) - {"photo.png", "photos here/"} == set(OFFERED[typed])


def of_fish(script: str, typed: str, folder: Path) -> set[str]:
    """What fish offers in a folder with a file and a folder whose names begin alike."""
    photos_in(folder)
    path = folder / "camlite.fish"
    path.write_text(script)
    source = f"source {path}; complete -C '{typed}'"

    finished = subprocess.run(
        [in_shell("fish"), "--no-config", "-c", source],
        capture_output=True,
        text=True,
        timeout=60,
        cwd=folder,
        env={**os.environ, "HOME": str(folder)},
    )
    path.unlink()
    assert finished.stderr == ""
    return {line.split("\t")[0] for line in finished.stdout.splitlines()} - {"camlite.fish"}


COMPLETED = {
    "camlite expla\t": "camlite explain ",
    "camlite explain a.tflite --sty\t ov\t": "camlite explain a.tflite --style overlay ",
    "camlite explain a.tflite --sty\tov\t": "camlite explain a.tflite --style=overlay ",
    "camlite explain a.tflite --backend onn\t": "camlite explain a.tflite --backend onnxruntime ",
    "camlite export --formats tflite o\t": "camlite export --formats tflite onnx ",
    "camlite completion fi\t": "camlite completion fish ",
    "camlite check photo.\t": "camlite check photo.png ",
}
# A folder is wanted: none of these is the file `photo.png`.
FOLDERS = {
    "camlite export a.keras --output pho\t": "camlite export a.keras --output photos\\ here/",
    "camlite export a.keras --output photo.\t": "camlite export a.keras --output photo.",
    "camlite export a.keras --labels pho\t": "camlite export a.keras --labels photo",
}


JOINED = {
    "camlite explain a.tflite --style=ov\t": "camlite explain a.tflite --style=overlay ",
    "camlite export a.keras --output=pho\t": "camlite export a.keras --output=photos\\ here/",
    "camlite export a.keras --labels=photo.\t": "camlite export a.keras --labels=photo.png ",
}


@pytest.mark.parametrize("typed", [*COMPLETED, *FOLDERS, *JOINED])
def test_zsh_completes(typed, tree, tmp_path):
    (tmp_path / "_camlite").write_text(zsh.script(tree))
    start = (
        "PS1='ready> '; autoload -Uz compinit; compinit -D -u; source ./_camlite; rm _camlite\n"
        f'show() {{ print -rn -- "$BUFFER" > {tmp_path / "typed"} }}; zle -N show; bindkey "^X" show\n'
    )

    becomes = {**COMPLETED, **FOLDERS, **JOINED}[typed]
    assert typed_into([in_shell("zsh"), "-f", "-i"], start, typed, tmp_path) == becomes


@pytest.mark.parametrize(
    ("typed", "becomes"),
    [
        *FOLDERS.items(),
        ("camlite export a.keras --output=pho\t", "camlite export a.keras --output=photos\\ here/"),
    ],
)
def test_bash_completes_folders(typed, becomes, bash_script, tmp_path):
    start = (
        f"PS1='ready> '; bind 'set bell-style none'; source {bash_script}\n"
        f'show() {{ printf %s "$READLINE_LINE" > {tmp_path / "typed"}; }}; bind -x \'"\\C-g": show\'\n'
    )
    shell = [in_shell("bash"), "--norc", "--noprofile", "-i"]

    assert typed_into(shell, start, typed, tmp_path, key="\x07") == becomes


def test_fish_completes_folders(tree, tmp_path):
    assert of_fish(fish.script(tree), "camlite export a.keras --output pho", tmp_path) == {"photos here/"}
    assert of_fish(fish.script(tree), "camlite export a.keras --labels pho", tmp_path) == {"photos here/", "photo.png"}


def typed_into(shell: list[str], start: str, typed: str, folder: Path, key: str = "\x18") -> str:
    """What the line has become in a shell at a terminal. `key` writes the line to the file `typed`."""
    photos_in(folder)
    child, terminal = pty.fork()
    if child == 0:
        os.chdir(folder)
        os.execve(shell[0], shell, {**os.environ, "TERM": "dumb", "HOME": str(folder)})
    try:
        os.write(terminal, f"{start}{typed}{key}".encode())
        return when_written(folder / "typed", terminal)
    finally:
        os.kill(child, 9)
        os.waitpid(child, 0)
        os.close(terminal)


def photos_in(folder: Path) -> None:
    """A file and a folder whose names begin alike."""
    (folder / "photo.png").touch()
    (folder / "photos here").mkdir(exist_ok=True)


def when_written(path: Path, terminal: int) -> str:
    os.set_blocking(terminal, False)
    for _ in range(1500):
        with contextlib.suppress(OSError):
            os.read(terminal, 1 << 16)  # or the shell waits for a reader
        if path.exists() and (text := path.read_text()):
            return text
        time.sleep(0.02)
    raise TimeoutError(path)
