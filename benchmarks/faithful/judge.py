"""Judge everybody's maps with camlite's measures, by the same original. Runs in camlite's own environment.

python judge.py FOLDER NAME...
"""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np

from camlite.faithfulness import controls, one_picture
from camlite.faithfulness.measures import NAMES

CONTROLS = ("control.random", "control.centre")

_RANDOM_MAP = 0


class Original:
    """The original on onnxruntime: probabilities of uint8 pictures, see `camlite.faithfulness.score.Score`."""

    def __init__(self, model: Path, mean: float, std: float) -> None:
        import onnxruntime

        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = 1
        self._session = onnxruntime.InferenceSession(str(model), options, providers=["CPUExecutionProvider"])
        self._name = self._session.get_inputs()[0].name
        self._mean, self._std = np.float32(mean), np.float32(std)

    def __call__(self, images: np.ndarray, /) -> np.ndarray:
        """Of (N, H, W, channels): (N, K)."""
        inputs = (images.astype(np.float32) - self._mean) / self._std
        (scores,) = self._session.run(["scores"], {self._name: inputs})
        return scores


def judge(folder: Path, name: str) -> np.ndarray:
    """Figures of a contender, or of a control, float64 (N, F), NaN where it has no map of a picture.

    F as in `camlite.faithfulness.measures.MEASURES`.
    """
    with np.load(folder / "task.npz") as stored:
        task = dict(stored)
    images, masks, classes = task["images"], task["masks"], task["classes"]
    original = Original(folder / "bare.onnx", float(task["mean"]), float(task["std"]))
    indices, maps = _maps(folder, name, images)
    found = np.full((len(images), len(NAMES)), np.nan)
    for index, heat in zip(indices.tolist(), maps, strict=True):
        mask = masks[index] if len(masks) else None
        k = int(classes[index])
        (found[index],) = one_picture.measure(original, images[index], heat[np.newaxis], k, mask, road_too=False).values
    return found


def _maps(folder: Path, name: str, images: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    height, width = images.shape[1:3]
    if name == CONTROLS[0]:
        maps = np.stack([controls.random(height, width, (_RANDOM_MAP, index)) for index in range(len(images))])
    elif name == CONTROLS[1]:
        maps = np.repeat(controls.centred(height, width)[np.newaxis], len(images), axis=0)
    else:
        with np.load(folder / "maps" / f"{name}.npz") as stored:
            return stored["index"], stored["maps"]
    return np.arange(len(images)), maps


def main() -> None:
    """Each that is named; figures land in FOLDER/judged."""
    folder = Path(sys.argv[1])
    (folder / "judged").mkdir(exist_ok=True)
    for name in sys.argv[2:]:
        if not (folder / "judged" / f"{name}.npz").exists():
            np.savez_compressed(folder / "judged" / f"{name}.npz", values=judge(folder, name))
            print(folder.name, name, flush=True)


if __name__ == "__main__":
    main()
