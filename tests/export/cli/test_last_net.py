"""No input of any command needs the last net: damaged files, odd files, hostile arguments (support/damaged_inputs.py).

The whole share, 2,000 damaged inputs of each kind, is that of ``make endurance``.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

import pytest

pytest.importorskip("tensorflow")
pytest.importorskip("cryptography")
pytest.importorskip("cv2")
pytest.importorskip("pycocotools")

from support import damaged_inputs
from support.damaged_inputs import KINDS, LINES

TESTS = Path(damaged_inputs.__file__).parents[1]
OF_DEVICE = [name for name, kind in KINDS.items() if not kind.tensorflow]
OF_WORKSTATION = [name for name, kind in KINDS.items() if kind.tensorflow]


@pytest.fixture(scope="module")
def world(tiny: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("world")
    source = (
        "import sys; from pathlib import Path; from support import damaged_inputs as inputs\n"
        "tiny, world = map(Path, sys.argv[1:])\n"
        "inputs.make_world(tiny, world), inputs.add_keys(world), inputs.add_video(world)"
    )
    call(["-c", source, str(tiny), str(folder)])
    return folder


@pytest.fixture(scope="module")
def world_of_keras(world: Path) -> Path:
    """The same with classifiers in HDF5, which take TensorFlow to write."""
    source = (
        "import sys; from pathlib import Path; from support import damaged_inputs as i; i.add_hdf5(Path(sys.argv[1]))"
    )
    call(["-c", source, str(world)])
    return world


def call(arguments: Sequence[str]) -> subprocess.CompletedProcess[str]:
    path = os.pathsep.join([str(TESTS), os.environ.get("PYTHONPATH", "")])
    environment = {**os.environ, "PYTHONPATH": path, "CUDA_VISIBLE_DEVICES": "-1"}
    finished = subprocess.run(
        [sys.executable, *arguments], capture_output=True, text=True, env=environment, stdin=subprocess.DEVNULL
    )
    assert finished.returncode == 0, finished.stderr[-3000:]
    return finished


def run(world: Path, mode: str, count: int, seed: int, kinds: Sequence[str]) -> dict[str, dict]:
    """What `damaged_inputs` has found: nothing wrong, and how the commands ended."""
    script = str(Path(damaged_inputs.__file__))
    found = json.loads(call([script, str(world), mode, str(count), str(seed), *kinds]).stdout)
    assert list(found) == list(kinds)
    for kind, ends in found.items():
        assert ends["wrong"] == [], kind
    return found


def test_damaged_inputs_of_every_kind_end_each_command_of_the_device_as_promised(world):
    found = run(world, "damaged", 12, 1, [kind for kind in OF_DEVICE if kind != "bench artifact"])

    assert all(ends["ends"].get("2") for kind, ends in found.items() if kind != "watch result")  # they are damaged


def test_damaged_inputs_of_every_kind_end_each_command_of_the_workstation_as_promised(world_of_keras):
    run(world_of_keras, "damaged", 2, 1, OF_WORKSTATION)


def test_whatever_stands_where_a_file_is_expected_is_refused_at_once(world):
    """Folders, pipes, devices, links in a circle, sparse files of three gigabytes, nothing at all."""
    found = run(world, "odd", 0, 0, OF_DEVICE)

    assert max(ends["slowest"] for ends in found.values()) < 2


def test_hostile_arguments_end_each_command_of_the_device_as_promised(world):
    run(world, "arguments", 25, 1, [name for name, line in LINES.items() if not line.tensorflow])


@pytest.mark.endurance
@pytest.mark.parametrize("kind", KINDS)
def test_two_thousand_damaged_inputs(kind, world_of_keras):
    print(json.dumps(run(world_of_keras, "damaged", 2000, 2, [kind])))


@pytest.mark.endurance
@pytest.mark.parametrize("command", LINES)
def test_two_thousand_hostile_arguments(command, world_of_keras):
    print(json.dumps(run(world_of_keras, "arguments", 2000, 2, [command])))


@pytest.mark.parametrize(
    ("status", "output", "errors", "fault"),
    [
        (70, "", "camlite: KeyError: ...", "the last net was needed"),
        (3, "", "camlite: x", "exit status 3"),
        (0, "a \x1b[31m b\n", "", "printed 'a \\x1b[31m b'"),
        (2, "", "", "no word of what is wrong"),
        (2, "", "Exception ignored in: x\n", "standard error has 'Exception ignored in: x'"),
        (1, "", "camlite: a\nTraceback (most recent call last):\n", "a traceback"),
    ],
)
def test_the_look_at_a_run_finds_what_is_not_as_promised(status, output, errors, fault):
    assert fault in damaged_inputs.faults(status, output, errors)
    assert damaged_inputs.faults(2, "a\n", "camlite: b\n") == []
