"""`camlite.soundness.limits`: what a sound model takes is counted beforehand, and interpreters take no more."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from camlite import artifact
from camlite.soundness import limits
from camlite.soundness.limits import Account, Cost
from support import interpreter_memory, onnx_models
from support.fresh_process import BACKENDS
from support.onnx_models import node


def test_tensors_count_for_as_long_as_they_are_needed():
    account = Account()
    for key, sides in (("image", 1), ("a", 10), ("b", 100), ("c", 10)):
        account.add(key, (sides,), 4)
    account.run(["image"], ["a"])
    account.run(["a"], ["b"], workspace=50)
    account.run(["b"], ["c"])

    cost = account.close(["image"], ["c"])

    assert cost == Cost(constants=0, tensors=4 * 111 + 50, work=8 * (11 + 110 + 110))


def test_what_is_made_of_constants_is_one_and_an_element_counts_4_bytes():
    account = Account()
    account.add("image", (1,), 4)
    account.add("w", (10,), 1, fixed=True)
    account.add("d", (10,), 2)
    account.run(["w"], ["d"])
    account.add("out", (10,), 4)
    account.run(["image", "d"], ["out"], work=7)

    assert account.close(["image"], ["out"]) == Cost(constants=80, tensors=44, work=8 * (20 + 21) + 7)


@pytest.mark.parametrize(
    ("sides", "fixed", "said"),
    [
        ((1 << 26) + 1, False, "a tensor of 256 MB"),
        (1 << 60, False, "a tensor of"),
        (1 << 29, True, "constants of 2048"),
    ],
)
def test_more_than_the_limits_is_told(sides, fixed, said):
    def take() -> None:
        account = Account()
        account.add("a", (sides,), 4, fixed=fixed)
        account.close([], [])

    with pytest.raises(ValueError, match=said):
        take()


@pytest.mark.parametrize("shape", [(0,), (3, -1), (1,) * 9])
def test_a_shape_that_is_none_is_told(shape):
    with pytest.raises(ValueError, match="has shape"):
        limits.check_shape(shape)


ROW, MAP = (1, 12288), (1, 3, 64, 64)
LONG = {"times": np.array([1, 2700])}  # a tensor of 133 MB, so that two of them are at the limit

AT_THE_LIMIT = {
    "tensors": (
        [node("Tile", "image times", "a"), node("Sigmoid", "a", "b"), node("ReduceMean", "b", "out", axes=[1])],
        ROW,
        LONG,
    ),
    "tensors in float16": (
        [
            node("Tile", "image times", "a"),
            node("Cast", "a", "h", to=10),
            node("Sigmoid", "h", "s"),
            node("Cast", "s", "f", to=1),
            node("ReduceMean", "f", "out", axes=[1]),
        ],
        ROW,
        LONG,
    ),
    "tensors that grow, so that no gap fits": (
        [
            one
            for k in range(40)
            for one in (
                node("Tile", f"image t{k}", f"a{k}"),
                node("Relu", f"a{k}", f"b{k}"),
                node("ReduceMean", f"b{k}", f"m{k}", axes=[1]),
            )
        ]
        + [node("Concat", " ".join(f"m{k}" for k in range(40)), "out", axis=1)],
        ROW,
        {f"t{k}": np.array([1, 100 + 64 * k]) for k in range(40)},
    ),
    "constants that are made": (
        [
            node("ConstantOfShape", "shape", "c"),
            node("ReduceMean", "c", "m", axes=[0]),
            node("Mul", "image m", "out"),
        ],
        (1, 8),
        {"shape": np.array([16_000_000])},
    ),
    "patches": (
        [node("Resize", "image - by", "x"), node("Conv", "x w", "y", pads=[1] * 4), node("GlobalMaxPool", "y", "out")],
        MAP,
        {"by": np.array([1, 1, 14, 14], np.float32), "w": np.ones((15, 3, 3, 3), np.float32)},
    ),
    "patches, transposed": (
        [node("ConvTranspose", "image w", "y", strides=[8, 8]), node("GlobalMaxPool", "y", "out")],
        MAP,
        {"w": np.ones((3, 80, 11, 11), np.float32)},
    ),
}


def taken(backend: str, path: Path) -> dict:
    command = [sys.executable, interpreter_memory.__file__, backend, str(path)]
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    finished = subprocess.run(command, capture_output=True, text=True, timeout=300, env=environment)
    assert finished.returncode == 0, finished.stderr
    return json.loads(finished.stdout)


@pytest.mark.parametrize("name", AT_THE_LIMIT)
def test_onnxruntime_takes_no_more_for_a_model_at_the_limits(name, tmp_path):
    pytest.importorskip("onnxruntime")
    pytest.importorskip("onnx")
    nodes, shape, constants = AT_THE_LIMIT[name]
    path = tmp_path / "model.onnx"
    path.write_bytes(onnx_models.model(nodes, shape, {"out": None}, constants))

    found = taken("onnxruntime", path)

    print(name, found)
    assert found["peak"] <= found["most"]
    assert found["most"] < 900 << 20


@pytest.mark.parametrize("name", ["stripes/stripes.float32", "hidden/hidden.float32", "colours/colours.int8"])
def test_no_interpreter_takes_more_for_what_the_exporter_writes(name, backend, tiny, tmp_path):
    path = tmp_path / f"model.{BACKENDS[backend]}"
    path.write_bytes(artifact.read(tiny / f"{name}.{BACKENDS[backend]}").model)

    found = taken(backend, path)

    assert found["peak"] <= found["most"]
