"""openvino-xai, on the ONNX model. Runs in an environment of its own.

python rival_openvino.py FOLDER NAME=COUNT...
"""

from __future__ import annotations

import logging
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import openvino
import openvino_xai
import turns

_SETTINGS = {"INFERENCE_NUM_THREADS": 1, "PERFORMANCE_HINT": "LATENCY"}

Explain = Callable[[np.ndarray, int], np.ndarray]


def _white_box(method: str) -> Callable[[openvino.Model], Explain]:
    """A method that is put into the graph, at the layer that the library finds itself; it gives maps of 8 bits."""

    def made(model: openvino.Model) -> Explain:
        explaining = openvino_xai.insert_xai(
            model, task=openvino_xai.Task.CLASSIFICATION, explain_method=openvino_xai.Method[method]
        )
        request = openvino.Core().compile_model(explaining, "CPU", _SETTINGS).create_infer_request()

        def explain(image: np.ndarray, k: int) -> np.ndarray:
            found = request.infer([image[np.newaxis]])
            maps = next(found[one] for one in found if "saliency_map" in one.get_names())
            return maps[0] if maps.ndim == 3 else maps[0, k]

        return explain

    return made


_CONTENDERS = {
    "openvino.reciprocam": _white_box("RECIPROCAM"),
    "openvino.activationmap": _white_box("ACTIVATIONMAP"),
}


def read(folder: Path) -> openvino.Model:
    """The model with its scores as the only output."""
    model = openvino.Core().read_model(folder / "bare.onnx")
    for result in list(model.get_results()):
        names = result.get_output_tensor(0).get_names() | result.input(0).get_source_output().get_names()
        if "scores" not in names:
            model.remove_result(result)
    model.reshape([1, *[int(side) for side in list(model.input().partial_shape.get_min_shape())[1:]]])
    return model


def main() -> None:
    """Each contender that is named."""
    logging.getLogger("openvino_xai").setLevel(logging.ERROR)
    folder = Path(sys.argv[1])
    task = turns.read_task(folder)
    plain = openvino.Core().compile_model(read(folder), "CPU", _SETTINGS).create_infer_request()

    def bare(image: np.ndarray) -> np.ndarray:
        return plain.infer([image[np.newaxis]])[0]

    worst = turns.check_scores(task, np.concatenate([bare(one).copy() for one in task.inputs[:20]]))
    for one in sys.argv[2:]:
        name, _, count = one.partition("=")
        indices = range(0, len(task.inputs), max(1, len(task.inputs) // int(count)))[: int(count)]
        maps, seconds = turns.run(task, bare, _CONTENDERS[name](read(folder)), indices)
        turns.save(folder, name, maps, seconds, indices, worst)
        print(name, flush=True)


if __name__ == "__main__":
    main()
