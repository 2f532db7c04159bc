"""An artifact carries how far from Keras it was where it was exported."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from camlite import artifact
from camlite.artifact import Artifact
from camlite_export import golden_samples
from camlite_export.agreement.interpreter_process import interpreter_processes


@pytest.fixture(scope="module")
def unmeasured(tiny: Path) -> Artifact:
    """As it is before it has been run."""
    read = artifact.read(tiny / "stripes" / "stripes.float32.tflite")
    return read._replace(arrays=read.arrays._replace(golden_errors=None))


def packed(one: Artifact) -> dict[str, bytes]:
    return {"a.float32.tflite": artifact.pack(one.container, one.model, one.card, one.arrays)}


def carried(files: dict[str, bytes]) -> dict[str, bytes]:
    with interpreter_processes() as process_of:
        return golden_samples.carry_errors(files, process_of)


def read_back(files: dict[str, bytes], folder: Path) -> Artifact:
    ((name, content),) = files.items()
    (folder / name).write_bytes(content)
    return artifact.read(folder / name)


def test_an_artifact_carries_how_far_it_is_from_keras_and_is_else_the_same(
    unmeasured: Artifact, tmp_path: Path
) -> None:
    before, after = unmeasured, read_back(carried(packed(unmeasured)), tmp_path)
    assert after.model == before.model
    assert after.card == before.card
    errors = after.arrays.golden_errors
    assert errors is not None
    assert errors.shape == (len(before.arrays.golden_images), 3)
    assert 0 < errors.max() < 1e-5
    assert np.array_equal(after.arrays.golden_scores, before.arrays.golden_scores)


def test_two_measurements_give_the_same_bytes(unmeasured: Artifact) -> None:
    assert carried(packed(unmeasured)) == carried(packed(unmeasured))


def test_an_artifact_that_answers_no_numbers_is_left_as_it_is(unmeasured: Artifact) -> None:
    assert unmeasured.arrays.weights is not None
    weights = np.full_like(unmeasured.arrays.weights, 3e38)
    wrong = unmeasured._replace(arrays=unmeasured.arrays._replace(weights=weights))
    assert carried(packed(wrong)) == packed(wrong)
