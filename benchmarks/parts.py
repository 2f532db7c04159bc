"""What an explanation is made of, step by step, and what a stream of camera frames costs. Prints JSON."""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np

from camlite import artifact
from camlite.bench import benchmark, plain_loop
from camlite.explainer import Explainer, Explanation
from camlite.system.fresh_process import FreshProcess

_TURNS = 4000
_FRAME = (720, 1280, 3)


def main() -> None:
    """Take the artifact and the backend that the command line names."""
    path, backend = Path(sys.argv[1]), sys.argv[2]
    with FreshProcess({"OPENBLAS_NUM_THREADS": "1", "OMP_NUM_THREADS": "1"}) as process:
        found = {
            "parts": process.submit(steps, path, backend).result(),
            "frames": process.submit(frames, path, backend).result(),
        }
    print(json.dumps(found))


def steps(path: Path, backend: str) -> dict[str, float]:
    """Median microseconds of each step of `Explainer.explain` and `heatmap`, in their order, without the clock's."""
    explainer = Explainer(artifact.read(path), backend)
    target = explainer.artifact.card.preprocessing
    shape = (target.height, target.width, target.channels)
    pixels = np.random.default_rng(0).integers(0, 256, shape).astype(np.uint8)
    state: dict[str, object] = {}
    parts: dict[str, Callable[[], object]] = {
        "copy, check and prepare the image": lambda: explainer._prepare(pixels),
        "the interpreter's run": explainer._invoke,
        "top class and its evidence": lambda: explainer._evidence.one(int(explainer._scores.argmax())),
        "keep scores and features": lambda: (explainer._scores.copy(), explainer._features.copy()),
        "make the explanation": lambda: Explanation(explainer, pixels, *state["kept"], None, (0,), state["maps"]),
        "heatmap": lambda: state["made"].heatmap,
    }
    stored = {"top class and its evidence": "maps", "keep scores and features": "kept", "make the explanation": "made"}
    taken = np.zeros((_TURNS, len(parts) + 1))
    for turn in range(_TURNS):
        for column, (name, part) in enumerate({**parts, "clock": lambda: None}.items()):
            start = time.perf_counter_ns()
            result = part()
            taken[turn, column] = time.perf_counter_ns() - start
            if name in stored:
                state[stored[name]] = result
    medians = np.median(taken, axis=0) / 1000
    return {name: float(median - medians[-1]) for name, median in zip(parts, medians, strict=False)}


def frames(path: Path, backend: str) -> dict[str, float]:
    """Median microseconds a 1280 x 720 frame takes: classified by the bare loop, explained, and drawn."""
    from PIL import Image

    read = artifact.read(path)
    explainer, target = Explainer(read, backend), read.card.preprocessing
    model = path.with_suffix(".bare")
    model.write_bytes(read.model)
    classify = plain_loop.classifier(model, backend, 1, target.scale[0], target.offset[0])
    model.unlink()
    frame = np.random.default_rng(0).integers(0, 256, _FRAME).astype(np.uint8)
    size, mode = (target.width, target.height), "L" if target.channels == 1 else "RGB"

    def with_pillow() -> int:
        small = np.asarray(Image.fromarray(frame).resize(size, Image.Resampling.BILINEAR).convert(mode))
        return classify(small.reshape(target.height, target.width, target.channels))

    contenders = {
        "bare loop, Pillow's resize": with_pillow,
        "explain": lambda: explainer.explain(frame).heatmap,
        "explain and overlay": lambda: explainer.explain(frame).overlay(),
    }
    timings, _ = benchmark.interleave(contenders, "explain")
    return {name: timing.median for name, timing in timings.items()}


if __name__ == "__main__":
    import parts  # by its name, so that other processes find its functions

    parts.main()
