"""The reference classifier, from Python alone: ``PYTHONPATH=examples python -m fashion_mnist.in_python FOLDER``.

Exports it, holds the artifacts against it, and explains one image. In a notebook each of the three results shows
itself: a table, a table, a picture.
"""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np

import camlite
import camlite_export

ARTIFACTS = Path(__file__).parents[2] / "artifacts"


def main(folder: Path) -> int:
    """Print what is found, and save ``explained.png``; 1 where an artifact does not agree."""
    classifier = ARTIFACTS / "fashion_mnist.keras"
    prototypes = ARTIFACTS / "fashion_mnist.calibration.npz"
    exported = camlite_export.export(
        classifier,
        folder,
        labels=ARTIFACTS / "fashion_mnist.labels.txt",
        calibration=prototypes,
        formats="onnx",
        precisions=["float32", "int8"],
        preprocess="unit",
    )
    print(exported)
    compared = camlite_export.parity(classifier, list(exported.paths.values()), prototypes)
    print(compared)
    explanation = camlite.load(exported.paths["int8.onnx"]).explain(np.load(prototypes)["images"][0])
    print(explanation, explanation.save(folder / "explained.png"))
    return 0 if compared.passed else 1


if __name__ == "__main__":
    raise SystemExit(main(Path(sys.argv[1])))
