"""`camlite watch` killed again and again while files arrive."""

from __future__ import annotations

import json
import random
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import numpy as np

from camlite.images import picture_files

STRIPES = {
    "vertical": np.tile(np.arange(24) // 2 % 2 * 255, (16, 1)).astype(np.uint8),
    "horizontal": np.repeat(np.arange(16) // 2 % 2 * 255, 24).reshape(16, 24).astype(np.uint8),
}


def start(artifact: Path, *arguments: str | Path, log: Path | None = None) -> subprocess.Popen[str]:
    """``camlite watch``; what it prints is appended to the log."""
    command = [sys.executable, "-m", "camlite", "watch", str(artifact), *map(str, arguments)]
    if log is None:
        return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    with log.open("a") as out, log.with_suffix(".errors").open("a") as errors:
        return subprocess.Popen(command, stdout=out, stderr=errors, text=True)


def feed(folder: Path, files: int, seconds: float) -> dict[str, str]:
    """Write so many files over so long, each in two halves with a pause between; what is on each, by name."""
    expected = {}
    for number in range(files):
        label = list(STRIPES)[number % 2]
        content = picture_files.encode(STRIPES[label])
        path = folder / f"{number:04d}.png"
        with path.open("wb") as file:
            file.write(content[: len(content) // 2])
            file.flush()
            time.sleep(seconds / files / 2)
            file.write(content[len(content) // 2 :])
        time.sleep(seconds / files / 2)
        expected[path.name] = label
    return expected


def kill_again_and_again(artifact: Path, folder: Path, files: int, kills: int) -> list[str]:
    """Kill the watcher at random moments while files arrive; then let it finish. What is wrong after that, in lines."""
    source, output, log = folder / "in", folder / "out", folder / "log"
    source.mkdir()
    chance, expected = random.Random(0), dict[str, str]()
    # A start takes about half a second, and then a file some milliseconds: most kills meet a watcher at work.
    feeder = threading.Thread(target=lambda: expected.update(feed(source, files, kills * 0.8)))
    feeder.start()
    for _ in range(kills):
        process = start(artifact, source, "--output", output, "--settle", "0.1", log=log)
        time.sleep(chance.uniform(0.1, 1.5))
        assert process.poll() is None, log.with_suffix(".errors").read_text()
        process.send_signal(signal.SIGKILL)
        process.wait()
    feeder.join()
    finished = start(artifact, source, "--output", output, "--once", log=log)
    wrong = [] if finished.wait(timeout=600) == 0 else ["the last run failed"]
    return wrong + examine(output, expected) + _repeated(log)


def examine(output: Path, expected: dict[str, str]) -> list[str]:
    """Whether there is one whole result and one whole picture for each file, of the right class, and nothing else."""
    wanted = {f"{name}{suffix}" for name in expected for suffix in (".json", ".overlay.png")}
    found = {path.name for path in output.iterdir()}
    wrong = [f"{name} is missing" for name in sorted(wanted - found)]
    wrong += [f"{name} is too many" for name in sorted(found - wanted)]
    return wrong + [line for name, label in expected.items() for line in _faults(output, name, label)]


def _faults(output: Path, name: str, label: str) -> list[str]:
    try:
        text = (output / f"{name}.json").read_text()
        picture_files.read_image(output / f"{name}.overlay.png")
        said = json.loads(text)
    except (OSError, ValueError) as error:
        return [f"{name}: {error}"]
    whole = text.count("\n") == 1 and (said["image"], said.get("label")) == (name, label)
    return [] if whole else [f"{name}: {text[:200]}"]


def _repeated(log: Path) -> list[str]:
    """Files that were done twice: a line is printed after each result, so there is one at most."""
    names = [line.split()[0] for line in log.read_text().splitlines()]
    return [f"{name} was done {names.count(name)} times" for name in sorted(set(names)) if names.count(name) > 1]
