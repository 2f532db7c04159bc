"""What each rival does: bare pass and explanation turn by turn. numpy only, for any environment.

A rival is a function from one prepared picture and a class to a heatmap; its own bare forward pass of the same picture
runs before it, so that both meet the same machine.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import NamedTuple

import numpy as np

Heat = np.ndarray
Bare = Callable[[np.ndarray], object]
Explain = Callable[[np.ndarray, int], Heat]

_WARM_UP = 2


class Task(NamedTuple):
    """What all rivals are given.

    Attributes:
        inputs: float32 (N, H, W, channels), prepared as the network wants it.
        classes: whose maps are wanted, those that the original names, (N,).
        scores: of the original, (N, K).
        layers: names of those to explain at: the last features, the next finer ones, the finest.
    """

    inputs: np.ndarray
    classes: np.ndarray
    scores: np.ndarray
    layers: tuple[str, str, str]


def read_task(folder: Path) -> Task:
    """As `prepare` wrote it."""
    with np.load(folder / "task.npz") as stored:
        inputs = (stored["images"].astype(np.float32) - stored["mean"]) / stored["std"]
        return Task(inputs, stored["classes"], stored["scores"], tuple(stored["layers"].tolist()))


def check_scores(task: Task, found: np.ndarray) -> float:
    """The largest difference between the original's scores and those of a rival's copy of it.

    Raises:
        ValueError: it is more than 1e-4: it would not be the same network.
    """
    worst = float(np.abs(found - task.scores[: len(found)]).max())
    if not worst < 1e-4:
        raise ValueError(f"its scores differ from the original's by {worst:.2g}: it is not the same network")
    return worst


def softmax(logits: np.ndarray) -> np.ndarray:
    """Of (N, K)."""
    powers = np.exp(logits - logits.max(axis=1, keepdims=True))
    return powers / powers.sum(axis=1, keepdims=True)


def run(task: Task, bare: Bare, explain: Explain, indices: Iterable[int]) -> tuple[np.ndarray, np.ndarray]:
    """Maps of some pictures, float32 (n, H, W) in 0..1, and seconds of the processor, (n, 2): bare, explained.

    Maps are of the size of the input: one that is smaller is enlarged bilinearly; what is below 0 is no heat.
    """
    indices = list(indices)
    for index in indices[:_WARM_UP]:
        bare(task.inputs[index])
    if len(indices) > _WARM_UP:
        explain(task.inputs[indices[0]], int(task.classes[indices[0]]))
    heats, seconds = [], []
    for index in indices:
        bare(task.inputs[index])  # what comes first after other work finds caches cold and threads asleep
        start = time.process_time()
        bare(task.inputs[index])
        between = time.process_time()
        heat = explain(task.inputs[index], int(task.classes[index]))
        seconds.append((between - start, time.process_time() - between))
        heats.append(_finished(np.asarray(heat, np.float64), task.inputs.shape[1:3]))
    return np.stack(heats), np.array(seconds)


def save(folder: Path, name: str, maps: np.ndarray, seconds: np.ndarray, indices: Iterable[int], worst: float) -> None:
    """Keep them."""
    path = folder / "maps" / f"{name}.npz"
    path.parent.mkdir(exist_ok=True)
    np.savez(path, maps=maps.astype(np.float32), seconds=seconds, index=np.array(list(indices)), worst=worst)


def _finished(heat: np.ndarray, shape: tuple[int, ...]) -> np.ndarray:
    heat = heat.reshape(heat.shape[-2:])
    if heat.shape != shape:
        rows, columns = (_bilinear(own, wanted) for own, wanted in zip(heat.shape, shape, strict=True))
        heat = rows @ heat @ columns.T
    heat = np.nan_to_num(np.maximum(heat, 0))
    return (heat / heat.max() if heat.max() > 0 else heat).astype(np.float32)


def _bilinear(own: int, wanted: int) -> np.ndarray:
    """Enlarging as a matrix (wanted, own), centres of pixels on centres of cells."""
    places = ((np.arange(wanted) + 0.5) * own / wanted - 0.5).clip(0, own - 1)
    before = np.floor(places).astype(int)
    matrix = np.zeros((wanted, own))
    rows = np.arange(wanted)
    matrix[rows, before] = 1 - (places - before)
    matrix[rows, np.minimum(before + 1, own - 1)] += places - before
    return matrix
