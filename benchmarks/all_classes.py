"""Evidence of all classes that the graph gives, over evidence of one that the device makes. Prints JSON."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import numpy as np

import camlite
from camlite.bench import benchmark
from camlite.system.fresh_process import FreshProcess


def main() -> None:
    """Take an artifact with class weights, one with evidence in the graph, and the backend."""
    with FreshProcess({"OPENBLAS_NUM_THREADS": "1", "OMP_NUM_THREADS": "1"}) as process:
        ratio = process.submit(all_over_one, Path(sys.argv[1]), Path(sys.argv[2]), sys.argv[3]).result()
    print(json.dumps({"ratio": ratio}))


def all_over_one(on_the_device: Path, in_the_graph: Path, backend: str) -> float:
    """Median of the rounds' ratios."""
    device, graph = camlite.load(on_the_device, backend), camlite.load(in_the_graph, backend)
    target = device.artifact.card.preprocessing
    pixels = np.random.default_rng(0).integers(0, 256, (target.height, target.width, target.channels), np.uint8)
    everything = range(len(graph.labels))
    contenders = {"one": lambda: device.explain(pixels), "all": lambda: graph.explain(pixels, everything)}
    _, ratios = benchmark.interleave(contenders, "one")
    return ratios["all"]


if __name__ == "__main__":
    import all_classes  # by its name, so that the other process finds its function

    all_classes.main()
