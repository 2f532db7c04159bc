"""Runs the blocks of a page in a folder, as a reader would type them."""

from __future__ import annotations

import os
import re
import socket
import subprocess
import sys
import time
from collections.abc import Iterable, Mapping
from pathlib import Path

from support.code_blocks import ROOT, Block

# What no test can run, and why. A pattern is looked for in the line, or in a whole block of Python.
NOT_RUN: Mapping[str, str] = {
    r"\bpip install\b": "installs from the network; test_install_lines.py does so, with the marker endurance",
    r"^npm install": "downloads from npm; support/npm_packages.py has a stand-in",
    r"^sudo ": "installs packages of the system",
    r"^pip download|^unzip ai_edge": "downloads from the network",
    r"example_linux\.c|^\./explain photo": "needs LiteRT's library from there; test_linux.py runs the program",
    r"^(scp|ssh) ": "needs another computer",
    r"--camera 0": "needs a camera; tests/runtime/serve shows a video file live",
    r"^camlite serve .*--runtime": "needs npm's package; tests/runtime/serve/test_page_in_browser.py opens that page",
    r"^python3 -m venv ": "makes an environment; test_install_lines.py does so, with the marker endurance",
    r"^\. \S+/bin/activate": "only changes the reader's own shell",
    r"^(systemctl|journalctl) ": "changes this machine; tests/test_device_page.py asks systemd about the unit",
    r"^libcamera-still ": "needs the camera of a Raspberry Pi",
    r" picamera ": "needs the camera of a Raspberry Pi",
    r"^make($| )": "works in the clone itself; `.ci/run` and `make release-check` run make's targets",
    r"^\.venv/bin/python -m pytest": "are tests themselves",
    r"^model_signing ": "needs packages of 94 MB that camlite does not; support/doors.py runs it",
    r"from mediapipe": "needs MediaPipe; support/doors.py runs it",
    r"import torch": "needs PyTorch, 2 GB; support/torch_models.py made the files of the other tests",
    r"--engine ray": "needs Ray's cluster; test_ray_audit.py starts one, with the marker ray",
}
# What takes longer than seconds: with the marker endurance.
SLOW = (
    r"^camlite (export|parity) ",
    r"^camlite (audit|faithful) .*--(report|model)",
    r"--trusted|trusted=",
    r"^python -m pytest test_parity",
    r"^python train\.py",
    r"^cc -std|^\./explain features",
    r"\.tofile\(",
)
# What runs until it is stopped: the next lines talk to it.
BACKGROUND = (r"^camlite serve ", r"^python -m http\.server")
# Places of the reader's machine, and what they are here.
_HERE = {
    "/srv/camera": "examples/pictures",
    "/var/lib/camlite": "results",
    "python3 ": "python ",
    " ...": " http://127.0.0.1:8080/health",
}
_ONCE = r"^camlite watch "


def matching(patterns: Iterable[str], line: str) -> str | None:
    """The first of the patterns that is found in a line."""
    return next((pattern for pattern in patterns if re.search(pattern, line)), None)


class Runner:
    """The shell of one page. Programs that it leaves running are ended with it."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._left_running: list[tuple[subprocess.Popen[bytes], str]] = []
        programs = folder / ".programs"
        programs.mkdir(exist_ok=True)
        for place in (programs / "camlite", folder / ".venv/bin/camlite", folder / "camlite/bin/camlite"):
            _script(place, f'exec {sys.executable} -m camlite "$@"')
        _script(programs / "python", f'exec {sys.executable} "$@"')
        paths = os.pathsep.join([str(ROOT / "runtime"), str(ROOT / "export"), os.environ.get("PYTHONPATH", "")])
        self._environment = {
            **os.environ,
            "HOME": str(folder),
            "PATH": f"{programs}{os.pathsep}{os.environ['PATH']}",
            "PYTHONPATH": paths,
            "CUDA_VISIBLE_DEVICES": "-1",
            "MPLBACKEND": "agg",
        }

    def __enter__(self) -> Runner:
        return self

    def __exit__(self, *_: object) -> None:
        for process, _port in self._left_running:
            process.terminate()
            process.wait(timeout=60)

    def run(self, block: Block, slow: bool) -> None:
        """Run a block, without the lines of `NOT_RUN`, and without those of `SLOW` unless asked for.

        Raises:
            AssertionError: a line has failed.
        """
        if block.language == "python":
            self._run_python(block, slow)
        elif block.language == "sh":
            for command in block.commands:
                if matching(NOT_RUN, command) or (matching(SLOW, command) and not slow):
                    continue
                self._run_command(block, command)

    def _run_python(self, block: Block, slow: bool) -> None:
        compile(block.text, block.place, "exec")
        if matching(NOT_RUN, block.text) or (matching(SLOW, block.text) and not slow):
            return
        if block.file:
            (self._folder / block.file).write_text(block.text)
        else:
            self._finish(block, [sys.executable, "-c", block.text], block.text)

    def _run_command(self, block: Block, command: str) -> None:
        for place, here in _HERE.items():
            command = command.replace(place, here)
        if re.search(_ONCE, command):
            command += " --once"
        if matching(BACKGROUND, command):
            self._start(command)
            return
        for _process, port in self._left_running:
            command = command.replace("8080", port)
        self._finish(block, ["bash", "-euo", "pipefail", "-c", command], command)

    def _finish(self, block: Block, command: list[str], shown: str) -> None:
        finished = subprocess.run(
            command, cwd=self._folder, env=self._environment, capture_output=True, timeout=600, stdin=subprocess.DEVNULL
        )
        said = (finished.stdout + finished.stderr).decode(errors="replace")
        assert finished.returncode == 0, f"{block.place}: {shown}\nexit code {finished.returncode}\n{said}"

    def _start(self, command: str) -> None:
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            port = str(free.getsockname()[1])
        command += f" --port {port}" if command.startswith("camlite") else f" {port}"
        process = subprocess.Popen(
            ["bash", "-c", f"exec {command}"],
            cwd=self._folder,
            env=self._environment,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        self._left_running.insert(0, (process, port))
        _wait_for(process, int(port), command)


def _wait_for(process: subprocess.Popen[bytes], port: int, command: str) -> None:
    for _ in range(600):
        assert process.poll() is None, f"{command}: ended with {process.returncode}"
        with socket.socket() as connection:
            if connection.connect_ex(("127.0.0.1", port)) == 0:
                return
        time.sleep(0.1)
    raise AssertionError(f"{command}: nobody listens on port {port}")


def _script(path: Path, line: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(f"#!/bin/sh\n{line}\n")
    path.chmod(0o755)
