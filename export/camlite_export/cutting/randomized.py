"""The same classifier with more and more of what it has learned shuffled, from its scores down to the image.

That is the cascading randomization of Adebayo et al., Sanity checks for saliency maps (NeurIPS 2018), as the model
parameter randomization test of Quantus has it. Cascading, because it says two things at once: where a map loses what it
showed, and, at the last stage, what is left of it when nothing that was learned is left.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from camlite_export.cutting import evidence
from camlite_export.cutting.cut import Cut
from camlite_export.cutting.file_cut import FileCut
from camlite_export.cutting.two_output import TwoOutputModel
from camlite_export.sources.graph import Key
from camlite_export.sources.source import Floats

MOST_STAGES = 10
_BATCH = 16


class Stage(NamedTuple):
    """Evidence after some layers were randomized.

    Attributes:
        layer: the last one of them, the nearest to the image; None before the first.
        layers: how many they are.
        evidence: of the classes that were asked for, float32 (N, h, w), in logits.
    """

    layer: str | None
    layers: int
    evidence: Floats


def cascade(cut: Cut, inputs: Floats, classes: NDArray[np.int64], seed: int = 0) -> Iterator[Stage]:
    """Evidence of the classifier as it is, and after each of at most `MOST_STAGES` stages.

    A layer's weights are shuffled, array by array: all sizes stay as they were learned, and every place is random. The
    classifier is as it was when the iterator ends or is closed.

    Args:
        cut: of Keras, or of a file that ships: then its float twin is randomized.
        inputs: float32 (N, H, W, channels).
        classes: the class whose evidence it is, int64 (N,).
        seed: the same gives the same.
    """
    if isinstance(cut, FileCut):
        yield from _cascade_of_a_file(cut, inputs, classes, seed)
        return
    if not isinstance(cut, TwoOutputModel):
        raise TypeError(f"nobody here randomizes a {type(cut).__name__}")
    layers = _learned(cut)
    kept = [layer.get_weights() for layer in layers]
    random = np.random.default_rng(seed)
    ends = np.unique(np.linspace(0, len(layers), min(MOST_STAGES, len(layers)) + 1).round().astype(int)).tolist()
    try:
        yield Stage(None, 0, _evidence(cut, inputs, classes))
        for start, end in itertools.pairwise(ends):
            for layer in layers[start:end]:
                layer.set_weights([_shuffled(weights, random) for weights in layer.get_weights()])
            yield Stage(str(layers[end - 1].name), end, _evidence(cut, inputs, classes))
    finally:
        for layer, weights in zip(layers, kept, strict=True):
            layer.set_weights(weights)


def _cascade_of_a_file(cut: FileCut, inputs: Floats, classes: NDArray[np.int64], seed: int) -> Iterator[Stage]:
    graph = cut.source.graph
    nodes = [node for node in reversed(graph.nodes) if node.parameters]
    random, changed = np.random.default_rng(seed), dict[Key, NDArray[Any]]()
    ends = np.unique(np.linspace(0, len(nodes), min(MOST_STAGES, len(nodes)) + 1).round().astype(int)).tolist()
    yield Stage(None, 0, cut.twin_evidence(inputs, classes, changed))
    for start, end in itertools.pairwise(ends):
        for node in nodes[start:end]:
            for key in node.inputs:
                if key is not None and key in graph.constants and graph.constants[key].dtype == np.float32:
                    changed[key] = _shuffled(graph.constants[key], random)
        yield Stage(nodes[end - 1].name, end, cut.twin_evidence(inputs, classes, changed))


def _learned(cut: TwoOutputModel) -> list[Any]:
    """Layers with weights, those nearest to the scores first; each once. What was adapted to pixels is not learned.

    Behind the features those of the head, whose last layer is another one than the original's: without the activation.
    """
    front = [step.operation for step in cut.source.steps[: cut.source.steps.index(cut.step) + 1]]
    layers = [*front, *_layers(cut.head)]
    found = {
        id(layer): layer
        for layer in reversed(layers)
        if getattr(layer, "weights", None) and type(layer).__name__ != "Normalization"
    }
    return list(found.values())


def _layers(model: Any) -> Iterator[Any]:
    for layer in model.layers:
        if hasattr(layer, "layers"):
            yield from _layers(layer)
        else:
            yield layer


def _shuffled(weights: NDArray[Any], random: np.random.Generator) -> NDArray[Any]:
    return random.permutation(weights.ravel()).reshape(weights.shape)


def _evidence(cut: TwoOutputModel, inputs: Floats, classes: NDArray[np.int64]) -> Floats:
    """By the gradient, which asks the head as it is now; of an affine head that is features times class weights."""
    found = []
    for start in range(0, len(inputs), _BATCH):
        features = np.asarray(cut.model(inputs[start : start + _BATCH], training=False)["features"], np.float32)
        found.append(evidence.by_gradient(cut, features, classes[start : start + _BATCH]))
    return np.concatenate(found)
