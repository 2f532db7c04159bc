"""A file's own interpreter may crash or hang: that is one line, and the next file has another process."""

from __future__ import annotations

import os
import time
from pathlib import Path

import numpy as np
import pytest

from camlite import artifact
from camlite.backends import own_processes
from camlite.errors import ClassifierError
from camlite_export.sources import original_process


def hang(*_: object) -> None:
    time.sleep(600)


def crash(*_: object) -> None:
    os._exit(1)


@pytest.mark.parametrize(
    ("behaves", "told"),
    [
        (hang, r"x\.tflite: ai-edge-litert hangs on the file as it is \(no answer within 0\.5 s\), and was stopped"),
        (crash, r"x\.tflite: ai-edge-litert crashed on the file as it is"),
    ],
)
def test_an_interpreter_that_fails_on_a_file_is_one_line(
    behaves: object, told: str, tiny: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    model = artifact.read(tiny / "stripes" / "stripes.float32.tflite").model
    image = np.zeros((1, 16, 24, 1), np.float32)
    process = original_process.Process()
    try:
        with monkeypatch.context() as patched:
            patched.setattr(own_processes, "LONGEST", 0.5 if behaves is hang else own_processes.LONGEST)
            patched.setattr(original_process, "_answer", behaves)
            with pytest.raises(ClassifierError, match=told):
                process.answer("ai-edge-litert", model, (0,), image, "x.tflite")
        assert np.array_equal(process.answer("ai-edge-litert", model, (0,), image, "x.tflite")[0], image)
    finally:
        process.end()
