"""Files that do not take float32, or do not compute in it: their artifacts, from pixels to the explanation."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

import camlite
import camlite_export
from camlite import artifact
from support import onnx_files
from support.fresh_process import fresh_process
from support.onnx_originals import scores_of

pytest.importorskip("onnxruntime")


def explained(path: Path) -> tuple[bool, str, float | None]:
    """Whether it passes its own check; the input's dtype; and how far the evidence of a large picture adds up."""
    explainer = camlite.load(path)
    picture = np.random.default_rng(1).integers(0, 256, (50, 40, 3)).astype(np.uint8)
    found = explainer.explain(picture)
    return camlite.check(explainer).passed, explainer._interpreter.input.dtype.name, found.completeness


@pytest.mark.parametrize(
    ("title", "precision", "dtype", "options"),
    [
        ("16 bits inside, float32 at both ends", "float16", "float32", {"preprocess": "unit"}),
        ("images in uint8, scaled in the file", "float32", "uint8", {}),
    ],
)
def test_an_artifact_says_what_the_file_says(
    title: str, precision: str, dtype: str, options: dict[str, str], tmp_path: Path
) -> None:
    (kind,) = (one for one in onnx_files.KINDS if one.title == title)
    path = onnx_files.write(kind, tmp_path / "model.onnx")

    (made,) = camlite_export.export(path, tmp_path / "made", **options).artifacts

    card = artifact.read(made.path).card
    assert (made.verdict, card.precision) == ("checked", precision)
    side = onnx_files.SIDE
    images = np.random.default_rng(0).integers(0, 256, (4, side, side, 3)).astype(np.uint8)
    with fresh_process() as process:
        passed, received_dtype, completeness = process.submit(explained, made.path).result()
        expected, received = process.submit(scores_of, path, made.path, images).result()
    assert (passed, received_dtype) == (True, dtype)
    assert completeness is not None
    assert completeness <= 2e-3
    np.testing.assert_array_equal(received, expected)  # to the bit
