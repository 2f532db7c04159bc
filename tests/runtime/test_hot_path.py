"""What stands around the interpreter's run stays as short as it was measured to be: calls are counted, not timed."""

from __future__ import annotations

import sys
from collections import Counter
from pathlib import Path

import numpy as np
import pytest

import camlite
from support.fresh_process import BACKENDS
from support.spec_vectors import FOLDER


def calls(path: Path, backend: str) -> dict[str, int]:
    """How many Python functions (`call`) and native ones (`c_call`) one explanation with its heatmap takes."""
    explainer = camlite.load(path, backend)
    target = explainer.artifact.card.preprocessing
    shape = (target.height, target.width, target.channels)  # another size is resized, which is another way
    pixels = np.random.default_rng(0).integers(0, 256, shape).astype(np.uint8)
    _ = explainer.explain(pixels).heatmap  # the first one looks up the weights of its class
    counted: Counter[str] = Counter()
    sys.setprofile(lambda _frame, event, _argument: counted.update([event]))
    try:
        _ = explainer.explain(pixels).heatmap
    finally:
        sys.setprofile(None)
    return dict(counted)


def test_fine_evidence_takes_few_calls_more():
    """Measured beside a like artifact without a guide: 6 Python functions and 16 native ones more."""
    pytest.importorskip("onnxruntime")

    fine, plain = (calls(FOLDER / f"{name}.float32.onnx", "onnxruntime") for name in ("guided", "stripes"))

    assert fine["call"] <= plain["call"] + 6
    assert fine["c_call"] <= plain["c_call"] + 16


@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize("precision", ["float32", "int8"])
def test_an_explanation_takes_few_calls(backend, precision, run, tiny):
    path = tiny / "stripes" / f"stripes.{precision}.{BACKENDS[backend]}"

    counted = run(backend, calls, path, backend)

    # Measured: 8 and 14 on TFLite, `setprofile` among them, before answers were looked at for NaN, which takes three of
    # the maps and two of float scores; onnxruntime 1.32 runs through Python of its own, 2 and 1.
    of_its_own = backend == "onnxruntime"
    assert counted["call"] <= 8 + 2 * of_its_own
    is_int8 = precision == "int8"
    assert counted["c_call"] <= 14 + of_its_own + is_int8 + 5  # the pixels of int8 are looked up in a table
