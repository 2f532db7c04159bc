"""Xplique, on the Keras classifier. Runs in an environment of its own.

python rival_xplique.py FOLDER NAME=COUNT... CLASSIFIER
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import turns

Explain = Callable[[np.ndarray, int], np.ndarray]


def _class_map(method: str, layer: int) -> Callable[[Any, turns.Task], Explain]:
    def made(model: Any, task: turns.Task) -> Explain:
        from xplique import attributions

        return _explain(getattr(attributions, method)(model, conv_layer=task.layers[layer]), model)

    return made


def _explain(explainer: Any, model: Any) -> Explain:
    classes = model.output_shape[1]

    def explain(image: np.ndarray, k: int) -> np.ndarray:
        wanted = np.zeros((1, classes), np.float32)
        wanted[0, k] = 1
        return np.asarray(explainer(image[np.newaxis], wanted)).squeeze()

    return explain


_CONTENDERS = {
    "xplique.gradcam": _class_map("GradCAM", 0),
    "xplique.gradcampp": _class_map("GradCAMPP", 0),
    "xplique.gradcampp.finer": _class_map("GradCAMPP", 1),
}


def main() -> None:
    """Each contender that is named."""
    import keras
    import tensorflow as tf

    tf.config.threading.set_intra_op_parallelism_threads(1)
    tf.config.threading.set_inter_op_parallelism_threads(1)
    folder, classifier = Path(sys.argv[1]), sys.argv[-1]
    task = turns.read_task(folder)
    model = keras.models.load_model(classifier, compile=False)
    compiled = tf.function(lambda image: model(image, training=False), autograph=False)
    worst = turns.check_scores(
        task, np.concatenate([np.asarray(compiled(one[np.newaxis])) for one in task.inputs[:20]])
    )
    model.layers[-1].activation = keras.activations.linear  # of logits, as Xplique asks for
    logits = tf.function(lambda image: model(image, training=False), autograph=False)
    for one in sys.argv[2:-1]:
        name, _, count = one.partition("=")
        indices = range(0, len(task.inputs), max(1, len(task.inputs) // int(count)))[: int(count)]
        explain = _CONTENDERS[name](model, task)
        maps, seconds = turns.run(task, lambda image: np.asarray(logits(image[np.newaxis])), explain, indices)
        turns.save(folder, name, maps, seconds, indices, worst)
        print(name, flush=True)


if __name__ == "__main__":
    main()
