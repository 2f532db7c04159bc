"""Figures of Quantus (PyPI, 0.6.0) for the measures that it has, for tests/runtime/faithfulness/test_quantus.py.

Quantus is no dependency of camlite, and brings PyTorch; it runs in an environment of its own:

    python -m venv /tmp/quantus && /tmp/quantus/bin/pip install quantus==0.6.0 torch
    PYTHONPATH=tests /tmp/quantus/bin/python -m support.quantus_figures tests/support/quantus_figures.json

The inputs are made here, by numpy, on both sides.
"""

from __future__ import annotations

import json
import sys
import warnings
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

FIGURES = Path(__file__).with_suffix(".json")
PERCENTAGES = (10, 30, 50, 70, 90)
STEPS = 9
_PICTURES, _SIDE, _CLASSES = 40, 12, 5


class Inputs(NamedTuple):
    """Pictures (N, H, W, 1) and heat (N, H, W), another heat, masks, and a linear classifier (H * W, K)."""

    images: NDArray[np.float64]
    heats: NDArray[np.float64]
    others: NDArray[np.float64]
    masks: NDArray[np.bool_]
    weights: NDArray[np.float64]

    def score(self, images: NDArray[Any]) -> NDArray[np.float64]:
        """Probabilities of pictures (n, H, W, 1): (n, K)."""
        logits = images.reshape(len(images), -1) @ self.weights
        exponentials = np.exp(logits - logits.max(axis=1, keepdims=True))
        return exponentials / exponentials.sum(axis=1, keepdims=True)

    @property
    def classes(self) -> NDArray[np.intp]:
        """The classes that are named, (N,)."""
        return self.score(self.images).argmax(axis=1)


def inputs() -> Inputs:
    """The same numbers on every machine: they are drawn as 32-bit integers."""
    random = np.random.default_rng(16)

    def draw(*shape: int) -> NDArray[np.float64]:
        return random.integers(0, 1 << 32, shape, dtype=np.uint64) / float(1 << 32)

    images, heats = draw(_PICTURES, _SIDE, _SIDE, 1), draw(_PICTURES, _SIDE, _SIDE)
    rows, columns = np.mgrid[:_SIDE, :_SIDE]
    middles = draw(_PICTURES, 2, 1, 1) * _SIDE
    masks = np.hypot(rows - middles[:, 0], columns - middles[:, 1]) < 4
    heats += 0.02 * masks
    others = 0.5 * heats + draw(_PICTURES, _SIDE, _SIDE)
    return Inputs(images, heats / heats.max(), others, masks, draw(_SIDE * _SIDE, _CLASSES) - 0.5)


def main() -> None:
    """Write them."""
    import quantus
    import torch

    warnings.simplefilter("ignore")
    given = inputs()
    linear = torch.nn.Linear(*given.weights.shape, bias=False)
    linear.weight.data = torch.from_numpy(given.weights.T.astype(np.float32))
    model = torch.nn.Sequential(torch.nn.Flatten(), linear).eval()
    options = {"disable_warnings": True, "display_progressbar": False}

    def measured(metric: Any, **more: Any) -> Any:
        return metric(
            model=model,
            x_batch=np.moveaxis(given.images, -1, 1).copy(),
            y_batch=given.classes,
            a_batch=given.heats[:, np.newaxis].copy(),
            s_batch=given.masks[:, np.newaxis].copy(),
            channel_first=True,
            **more,
        )

    flipping = quantus.PixelFlipping(features_in_step=_SIDE * _SIDE // STEPS, perturb_baseline=0.0, **options)
    road = measured(quantus.ROAD(percentages=list(PERCENTAGES), noise=0.0, **options), batch_size=_PICTURES)
    flat = [array.reshape(_PICTURES, -1) for array in (np.abs(given.heats), np.abs(given.others))]
    found = {
        "quantus": quantus.__version__,
        "sparsity": measured(quantus.Sparseness(**options)),
        "complexity": measured(quantus.Complexity(**options)),
        "pointing": measured(quantus.PointingGame(**options)),
        "inside": measured(quantus.RelevanceMassAccuracy(**options)),
        "deletion": measured(flipping, softmax=True),
        "road": [road[percentage] for percentage in PERCENTAGES],
        "spearman": quantus.similarity_func.correlation_spearman(*flat, batched=True),
    }
    content = {
        name: value if isinstance(value, str) else np.asarray(value, float).tolist() for name, value in found.items()
    }
    Path(sys.argv[1]).write_text(json.dumps(content, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
