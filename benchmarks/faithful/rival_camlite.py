"""Camlite's own maps, from its artifacts, beside a plain loop over the bare interpreter. Runs without TensorFlow.

python rival_camlite.py FOLDER NAME...
"""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path

import numpy as np
import turns

from camlite import artifact
from camlite import explainer as explainers
from camlite.bench import plain_loop

BACKEND = "ai-edge-litert"


def explain(folder: Path, name: str, limit: int | None = None) -> tuple[np.ndarray, np.ndarray]:
    """Maps and seconds of an artifact, ``plain.float32``; of the first pictures only where there is a limit."""
    task = turns.read_task(folder)
    with np.load(folder / "task.npz") as stored:
        images, mean, std = stored["images"], float(stored["mean"]), float(stored["std"])
    precision = name.split(".")[1]
    explainer = explainers.load(folder / f"{name}.tflite", backend=BACKEND, threads=1)
    with tempfile.TemporaryDirectory() as temporary:
        bare = Path(temporary) / "bare.tflite"
        bare.write_bytes(artifact.read(folder / f"plain.{precision}.tflite").model)
        classify = plain_loop.classifier(bare, BACKEND, 1, 1 / std, -mean / std)
    # Both begin with the picture's bytes.
    return turns.run(
        task._replace(inputs=np.ascontiguousarray(images)),
        classify,
        lambda image, _: explainer.explain(image).heatmap,
        range(len(images) if limit is None else min(limit, len(images))),
    )


def main() -> None:
    """Each artifact that is named."""
    folder = Path(sys.argv[1])
    for name in sys.argv[2:]:
        maps, seconds = explain(folder, name)
        turns.save(folder, f"camlite.{name}", maps, seconds, range(len(maps)), np.nan)
        print(name, flush=True)


if __name__ == "__main__":
    main()
