"""An artifact to the files of a C program."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from camlite import self_check
from camlite.artifact import Artifact
from camlite.artifact.card import WHOLE
from camlite.artifact.precisions import Precision
from camlite.backends import verify
from camlite.backends.interpreter import Tensor
from camlite.errors import CamliteError
from camlite.images import preprocessing
from camlite.soundness import card_shapes
from camlite.texts import counted
from camlite_export.to_c import c_sources, model_tensors
from camlite_export.to_c.c_sources import Golden
from camlite_export.to_c.c_text import identifier
from camlite_export.to_c.model_tensors import ModelTensors

RUNTIME = Path(__file__).parent / "runtime"
HEADER, CODE = "camlite.h", "camlite.c"
EXAMPLES = ("example_features.c", "example_tflm.cpp", "example_linux.c", "example_litert.h")

# What TensorFlow Lite Micro computes.
_PRECISIONS: tuple[Precision, ...] = ("float32", "int8", "int16x8")
_MOST_PLACES, _MOST_CELLS = 16_384, 1024  # CAMLITE_MOST_PLACES, CAMLITE_MOST_CELLS
# TensorFlow Lite Micro keeps so much for each tensor and operator, and for itself; measured is what it says itself.
_ARENA_PER_OPERATOR, _ARENA_BASE = 512, 8192


class Converted(NamedTuple):
    """An artifact as C.

    Attributes:
        name: what it is called in C.
        files: name -> content.
        flash: what lies in read-only memory, besides code: name -> bytes.
        ram: what is written while it runs: name -> bytes.
        without_kernel: operators that TensorFlow Lite Micro does not have.
    """

    name: str
    files: Mapping[str, bytes]
    flash: Mapping[str, int]
    ram: Mapping[str, int]
    without_kernel: tuple[str, ...]


def convert(artifact: Artifact, most_samples: int | None = None) -> Converted:
    """Turn an artifact into C.

    Args:
        artifact: what was read.
        most_samples: how many golden samples go along, at the most; all of them by default.

    Raises:
        CamliteError: it is of a kind that microcontrollers do not run, or its model is not sound.
    """
    _refuse(artifact)
    model = _model(artifact)
    name = identifier(artifact.card.name)
    golden = _golden(artifact, model.input, most_samples)
    calls = {one: model_tensors.resolver_call(one) for one in model.operators}
    arena = _ARENA_BASE + _ARENA_PER_OPERATOR * len(model.operators) + model.tensors * 5 // 4
    arena = -(-arena // 1024) * 1024
    words = {
        "camlite_name": name,
        "CAMLITE_NAME": name.upper(),
        "CAMLITE_OPERATOR_COUNT": str(len(model.operators)),
        "    CAMLITE_OPERATORS": "\n".join(
            f"    resolver.{call}();" if call else f"    /* {one}: there is no kernel for it */"
            for one, call in calls.items()
        ),
    }
    files = {
        f"{name}.h": c_sources.header(name, artifact, model, arena),
        f"{name}.c": "".join(c_sources.source(name, artifact, golden)),
        **{one: _filled(RUNTIME / one, words) for one in EXAMPLES},
        HEADER: (RUNTIME / HEADER).read_text("utf-8"),
        CODE: _needed(artifact, model) + (RUNTIME / CODE).read_text("utf-8"),
    }
    return Converted(
        name,
        {one: text.encode() for one, text in files.items()},
        _flash(artifact, golden),
        {
            "a map": 4 * artifact.card.head.height * artifact.card.head.width,
            "sums, for completeness": 4 * len(artifact.card.labels),
            "tensors of the model, at least": model.tensors,
        },
        tuple(one for one, call in calls.items() if call is None),
    )


def _needed(artifact: Artifact, model: ModelTensors) -> str:
    """What goes before camlite.c: only what this artifact needs is compiled."""
    card, arrays = artifact.card, artifact.arrays
    stored = arrays.stored_weights
    dtypes = {str(one.dtype) for one in model.outputs.values()} | {"float32" if stored is None else stored.dtype}
    needs = {
        "FLOAT32": "float32" in dtypes,
        "INT16": "int16" in dtypes,
        "UINT8": "uint8" in dtypes,
        "PLACES": arrays.weights is not None and arrays.weights.ndim == 4,
        "REST": arrays.weights_rest is not None,
        "SCALES": stored is not None and stored.scales_offset >= 0,
        "LAYOUTS": stored is None or not stored.classes_first or card.features_layout == "chw",
        "WINDOW": card.head.window != WHOLE,
        "SIGMOID": card.head.activation == "sigmoid",
        "SOFTMAX": card.head.activation == "softmax",
    }
    lines = [f"#define CAMLITE_WITH_{name} 0" for name, needed in needs.items() if not needed]
    said = "/* What this artifact does not need. Without these lines, any artifact can be explained. */"
    return "\n".join([said, *lines, "", ""])


def _filled(template: Path, words: Mapping[str, str]) -> str:
    text = template.read_text("utf-8")
    for word, value in words.items():
        text = text.replace(word, value)
    return text


def _refuse(artifact: Artifact) -> None:
    card, where = artifact.card, artifact.path
    if artifact.container != "tflite":
        raise CamliteError(f"{where}: an ONNX artifact; microcontrollers run .tflite: choose one of the same export")
    if card.precision not in _PRECISIONS:
        raise CamliteError(
            f"{where}: precision {card.precision}, which no interpreter for microcontrollers computes; "
            f"expected {', '.join(_PRECISIONS)}: export with --precisions int8"
        )
    if not card.head.evidence_traits.has_weights:
        raise CamliteError(
            f"{where}: its evidence ({card.head.evidence}) comes out of the model's own graph, which the C runtime "
            f"does not read; expected evidence from class weights (device)"
        )
    if artifact.arrays.guide is not None:
        raise CamliteError(f"{where}: it has fine maps, which the C runtime does not make; export with --maps cam")
    stored = artifact.arrays.stored_weights
    if stored is not None and stored.dtype == "float16":
        raise CamliteError(f"{where}: its class weights are float16, which the C runtime does not read; export as int8")
    sides = card.head.height, card.head.width
    if max(sides) > _MOST_CELLS or sides[0] * sides[1] > _MOST_PLACES:
        raise CamliteError(
            f"{where}: features of {sides[0]} x {sides[1]} places, expected at most {_MOST_CELLS} a side, and "
            f"{_MOST_PLACES} in all; cut the classifier later (--layer)"
        )


def _model(artifact: Artifact) -> ModelTensors:
    try:
        card_shapes.check(verify("tflite", artifact.model), artifact.card, artifact.arrays.guide)
    except ValueError as error:
        raise CamliteError(f"{artifact.path}: no sound tflite model: {error}; export it again") from None
    return model_tensors.read(artifact.model)


def _golden(artifact: Artifact, tensor: Tensor, most: int | None) -> Golden:
    arrays, target = artifact.arrays, artifact.card.preprocessing
    size = float(np.abs(arrays.golden_evidence).max(axis=(1, 2)).mean()) if len(arrays.golden_evidence) else 0.0
    images = arrays.golden_images[:most]
    inputs = [tensor.quantize(_prepared(image, artifact)) for image in images]
    shape = (0, target.height, target.width, target.channels)
    tolerances = np.array(self_check.tolerances(artifact), np.float32).reshape(-1, 3)
    return Golden(
        np.stack(inputs) if inputs else np.zeros(shape, tensor.dtype),
        arrays.golden_scores[:most],
        arrays.golden_evidence[:most],
        tolerances[:most],
        size or 1.0,
    )


def _prepared(image: NDArray[np.uint8], artifact: Artifact) -> NDArray[np.float32]:
    real = preprocessing.prepare(preprocessing.check(image), artifact.card.preprocessing)
    return real.transpose(2, 0, 1) if artifact.card.image_layout == "chw" else real


def _flash(artifact: Artifact, golden: Golden) -> dict[str, int]:
    arrays = artifact.arrays
    weights = 0 if arrays.stored_weights is not None or arrays.weights is None else arrays.weights.nbytes
    rest = 0 if arrays.weights_rest is None else arrays.weights_rest.nbytes
    samples = sum(one.nbytes for one in golden[:4] if isinstance(one, np.ndarray))
    labels = sum(len(label.encode()) + 1 for label in artifact.card.labels) + 4 * len(artifact.card.labels)
    return {
        "model": len(artifact.model),
        "class weights beside it": weights + rest,
        "bias, labels and card": 4 * len(artifact.card.labels) + labels,
        counted(len(golden.inputs), "golden sample"): samples,
    }
