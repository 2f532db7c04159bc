"""openvino-xai on the reference classifier's ONNX model: its map inside the graph, over the plain model.

Runs in an environment of its own; prints JSON.
"""

from __future__ import annotations

import json
import sys

import numpy as np
import openvino
import openvino_xai
from racing import against


def main() -> None:
    """Race the model with the map in it against the model alone."""
    core = openvino.Core()
    plain = core.read_model(sys.argv[1])
    plain.reshape([1, *[int(side) for side in list(plain.input().partial_shape.get_min_shape())[1:]]])
    _drop_other_outputs(plain)
    image = np.random.default_rng(0).random(tuple(plain.input().shape), np.float32)
    explaining = openvino_xai.insert_xai(
        plain.clone(), task=openvino_xai.Task.CLASSIFICATION, explain_method=openvino_xai.Method.RECIPROCAM
    )
    settings = {"INFERENCE_NUM_THREADS": 1, "PERFORMANCE_HINT": "LATENCY"}
    requests = [core.compile_model(one, "CPU", settings).create_infer_request() for one in (plain, explaining)]
    plain_pass, explained = (lambda one=one: one.infer([image]) for one in requests)
    print(json.dumps({"openvino-xai": against(plain_pass, explained)}))


def _drop_other_outputs(model: openvino.Model) -> None:
    for result in list(model.get_results()):
        if "scores" not in result.get_output_tensor(0).get_names() | result.input(0).get_source_output().get_names():
            model.remove_result(result)


if __name__ == "__main__":
    main()
