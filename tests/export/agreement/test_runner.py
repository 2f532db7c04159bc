"""Batches are bounded, and an interpreter that fails is one line."""

from __future__ import annotations

import os
import time
from pathlib import Path

import numpy as np
import pytest

from camlite import ArtifactError, BackendError, ImageError, artifact
from camlite.artifact.card import Preprocessing
from camlite.backends import own_processes
from camlite.images.labelled_images import LabelledImages
from camlite_export.agreement.runner import batches, runners

SMALL_INPUT = Preprocessing(28, 28, 1, (1.0,), (0.0,), "stretch")
LARGE_INPUT = Preprocessing(512, 512, 3, (1.0,) * 3, (0.0,) * 3, "stretch")


def images(count: int, side: int, seen: list[int] | None = None) -> LabelledImages:
    """Black images, made when they are read; `seen` is told which."""

    def read(index: int) -> np.ndarray:
        if seen is not None:
            seen.append(index)
        return np.zeros((side, side, 1), np.uint8)

    return LabelledImages([str(i) for i in range(count)], None, read)


@pytest.mark.parametrize("count", [1, 255, 256, 257, 1000])
def test_every_image_is_in_one_batch_in_order(count: int) -> None:
    found = list(batches(images(count, 28), SMALL_INPUT))
    assert [index for batch in found for index in batch.indices] == list(range(count))
    assert all(len(batch.indices) == len(batch.images) for batch in found)


def test_a_batch_is_no_longer_than_256_images() -> None:
    assert max(len(batch.images) for batch in batches(images(1000, 28), SMALL_INPUT)) == 256


def test_large_images_come_in_small_batches() -> None:
    """33 MB of photographs of 4 MB each."""
    assert max(len(batch.images) for batch in batches(images(30, 2048), SMALL_INPUT)) == 8


def test_a_large_input_makes_small_batches_of_small_images() -> None:
    assert max(len(batch.images) for batch in batches(images(100, 28), LARGE_INPUT)) == 11


def test_images_are_read_as_batches_are_asked_for() -> None:
    seen: list[int] = []
    next(batches(images(10_000, 28, seen), SMALL_INPUT))
    assert len(seen) == 256


def test_an_image_that_cannot_be_read_is_left_out_and_told() -> None:
    def read(index: int) -> np.ndarray:
        if index in (0, 300):
            raise ImageError(f"{index} is damaged")
        return np.zeros((28, 28, 1), np.uint8)

    found = list(batches(LabelledImages([str(i) for i in range(301)], None, read), SMALL_INPUT))
    assert [index for batch in found for index in batch.indices] == list(range(1, 300))
    assert {i: why for batch in found for i, why in batch.unread.items()} == {
        0: "0 is damaged",
        300: "300 is damaged",
    }


def test_an_interpreter_that_dies_is_one_line(tiny: Path) -> None:
    with runners([artifact.read(tiny / "stripes" / "stripes.float32.tflite")], None) as (runner,):
        with pytest.raises(BackendError, match="ai-edge-litert crashed, and its process with it"):
            runner.begin(0, os._exit, 1)()
        assert runner.check()().passed  # in another process


def test_an_interpreter_that_hangs_is_stopped_and_takes_no_others_along(
    tiny: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tiny / "stripes" / "stripes.float32.tflite"
    with runners([artifact.read(path), artifact.read(path)], None) as (hanging, other):
        assert other.check()().passed
        with monkeypatch.context() as patched:
            patched.setattr(own_processes, "LONGEST", 0.5)
            hangs = hanging.begin(0, time.sleep, 600)
        lives = other.check()
        with pytest.raises(BackendError, match=r"ai-edge-litert did not answer within 0\.5 s and was stopped; update"):
            hangs()
        assert lives().passed


def test_images_may_take_as_long_as_golden_samples() -> None:
    assert own_processes.longest(0) == own_processes.longest(4) == own_processes.LONGEST
    assert own_processes.longest(256) == 64 * own_processes.LONGEST


def test_an_artifact_that_kills_the_process_does_not_take_others_along(tiny: Path) -> None:
    """Both wait in one process; the second is answered by another."""
    path = tiny / "stripes" / "stripes.float32.tflite"
    with runners([artifact.read(path), artifact.read(path)], None) as (deadly, other):
        assert deadly.process is other.process
        dies, lives = deadly.begin(0, os._exit, 1), other.answer([np.zeros((28, 28, 1), np.uint8)], np.array([0]))
        with pytest.raises(BackendError):
            dies()
        assert lives().scores.shape == (1, 3)


def test_a_model_with_an_operator_that_nobody_knows_is_one_line(tmp_path: Path, tiny: Path) -> None:
    import hashlib

    right = artifact.read(tiny / "stripes" / "stripes.float32.onnx")
    model = right.model.replace(b"Softmax", b"Hardmux")
    assert model != right.model
    card = right.card._replace(model_sha256=hashlib.sha256(model).hexdigest())
    path = tmp_path / "unknown.onnx"
    path.write_bytes(artifact.pack("onnx", model, card, right.arrays))
    with runners([artifact.read(path)], None) as (runner,), pytest.raises(ArtifactError, match="no sound onnx model"):
        runner.tensors()()


def test_artifacts_of_one_backend_share_a_process(tiny: Path) -> None:
    read = [
        artifact.read(tiny / "stripes" / f"stripes.{kind}") for kind in ("int8.tflite", "int8.onnx", "float32.tflite")
    ]
    with runners(read, None) as (one, onnx, other):
        assert one.process is other.process
        assert one.process is not onnx.process
        assert one.tensors()()[1].keys() == onnx.tensors()()[1].keys() == {"features", "scores"}
