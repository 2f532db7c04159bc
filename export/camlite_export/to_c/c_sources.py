"""The text of NAME.c and NAME.h: an artifact as constants, and where its class weights lie in them."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Mapping
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from camlite.artifact import Artifact
from camlite.artifact.arrays import Arrays
from camlite.backends.interpreter import Tensor
from camlite_export.to_c.c_text import numbers, real, string
from camlite_export.to_c.model_tensors import ModelTensors

_TYPES: Mapping[str, str] = {
    "int8": "CAMLITE_INT8",
    "uint8": "CAMLITE_UINT8",
    "int16": "CAMLITE_INT16",
    "float32": "CAMLITE_FLOAT32",
}


class Golden(NamedTuple):
    """The golden samples that go along: N of them.

    Attributes:
        inputs: as the model takes them, (N, height, width, channels).
        scores: float32 (N, K); evidence: float32 (N, h, w); tolerances: float32 (N, 3).
        evidence_size: what an evidence error is a share of.
    """

    inputs: NDArray[np.generic]
    scores: NDArray[np.float32]
    evidence: NDArray[np.float32]
    tolerances: NDArray[np.float32]
    evidence_size: float


def header(name: str, artifact: Artifact, model: ModelTensors, arena: int) -> str:
    """The text of NAME.h."""
    card, upper = artifact.card, name.upper()
    pixels = card.preprocessing
    channels = pixels.channels
    features = model.outputs["features"]
    defined = {
        "HEIGHT": (pixels.height, "of the model's input"),
        "WIDTH": (pixels.width, ""),
        "CHANNELS": (channels, f"{pixels.order.upper()}" if channels == 3 else "grey"),
        "BGR": (int(channels == 3 and pixels.order == "bgr"), "1: blue is the first of them"),
        "CHANNELS_FIRST": (
            int(card.image_layout == "chw"),
            "1: (channels, height, width)",
        ),
        "FIT_CROP": (
            int(pixels.fit == "crop"),
            "1: the largest centred window of these proportions; 0: all",
        ),
        "INPUT_BYTES": (_bytes_of(model.input), f"{model.input.dtype}"),
        "CLASSES": (len(card.labels), "floats that camlite_completeness needs"),
        "PLACES": (card.head.height * card.head.width, "floats of a map"),
        "FEATURES_BYTES": (_bytes_of(features), f"{features.dtype}"),
        "SCORES_BYTES": (_bytes_of(model.outputs["scores"]), f"{model.outputs['scores'].dtype}"),
        "FEATURES_OUTPUT": (model.places["features"], "which output of the interpreter the features are"),
        "SCORES_OUTPUT": (model.places["scores"], ""),
        "ARENA_BYTES": (arena, "to begin with; interpreter.arena_used_bytes() tells what it takes"),
    }
    lines = [
        f"/* {name}: an artifact of camlite as C. Written by `camlite to-c`; change the artifact instead. */",
        "",
        f"#ifndef {upper}_H",
        f"#define {upper}_H",
        "",
        '#include "camlite.h"',
        "",
        "#ifdef __cplusplus",
        'extern "C" {',
        "#endif",
        "",
        *(_define(f"{upper}_{one}", *said) for one, said in defined.items()),
        "",
        "/* How a pixel becomes an input: real = pixel * scale + offset, of each channel; */",
        f"extern const float {name}_pixel_scale[{channels}], {name}_pixel_offset[{channels}];",
        *_quantization("/* then", "input", f"{upper}_INPUT", model.input),
        "/* A camlite_tensor of it. */",
        f"#define {upper}_INPUT(DATA) {_tensor('DATA', model.input)}",
        "",
        "/* For the interpreter; most class weights are in it. */",
        f"extern const uint8_t {name}_model[{len(artifact.model)}];",
        f"extern const camlite_artifact {name};",
        "",
        "/* A camlite_outputs of where the interpreter has left the two. */",
        f"#define {upper}_OUTPUTS(FEATURES, SCORES) "
        f"{{{_tensor('FEATURES', features)}, {_tensor('SCORES', model.outputs['scores'])}}}",
        "",
        "#ifdef __cplusplus",
        "}",
        "#endif",
        "",
        "#endif",
        "",
    ]
    return "\n".join(lines)


def _define(name: str, value: int, said: str) -> str:
    return f"#define {name} {value}" + (f" /* {said} */" if said else "")


def _quantization(begin: str, what: str, prefix: str, tensor: Tensor) -> list[str]:
    if tensor.dtype.kind == "f" or not tensor.scale:
        return [f"{begin} the {what} takes it as {'it is' if tensor.dtype.kind == 'f' else 'a whole number'}. */"]
    limits = np.iinfo(tensor.dtype)
    return [
        f"{begin} stored = round(real / scale + zero_point), from {limits.min} to {limits.max}. */",
        f"#define {prefix}_SCALE {real(tensor.scale)}",
        f"#define {prefix}_ZERO_POINT ({tensor.zero_point})",
    ]


def _tensor(data: str, tensor: Tensor) -> str:
    return f"{{({data}), {_bytes_of(tensor)}, {_TYPES[tensor.dtype.name]}, {real(tensor.scale)}, {tensor.zero_point}}}"


def _bytes_of(tensor: Tensor) -> int:
    return tensor.dtype.itemsize * math.prod(tensor.shape)


def source(name: str, artifact: Artifact, golden: Golden) -> Iterator[str]:
    """The text of NAME.c, piece by piece."""
    card, arrays = artifact.card, artifact.arrays
    yield from (f'#include "{name}.h"\n\n', "#if defined(__GNUC__)\n", "#define ALIGNED __attribute__((aligned(16)))\n")
    yield from ("#else\n", "#define ALIGNED\n", "#endif\n\n")
    yield f"const uint8_t {name}_model[{len(artifact.model)}] ALIGNED = {{\n"
    yield from (*numbers(bytes(artifact.model)), "};\n\n")
    for part, values in (("scale", card.preprocessing.scale), ("offset", card.preprocessing.offset)):
        listed = ", ".join(real(one) for one in values)
        yield f"const float {name}_pixel_{part}[{len(values)}] = {{{listed}}};\n"
    yield f"\nstatic const char *const labels[{len(card.labels)}] = {{\n"
    yield from (f"    {string(label)},\n" for label in card.labels)
    yield "};\n\n"
    yield from _array("float", "bias", _there(arrays.bias))
    yield from _array("int8_t", "rest", arrays.weights_rest)
    if arrays.stored_weights is None:
        yield from _array("float", "weights", arrays.weights)
    if len(golden.inputs):
        yield from _array("uint8_t", "golden_inputs", np.frombuffer(golden.inputs.tobytes(), np.uint8), "ALIGNED ")
        yield from _array("float", "golden_scores", golden.scores)
        yield from _array("float", "golden_evidence", golden.evidence)
        yield from _array("float", "golden_tolerances", golden.tolerances)
    yield from _artifact(name, artifact, golden)


def _there(array: NDArray[np.float32] | None) -> NDArray[np.float32]:
    assert array is not None  # noqa: S101  (evidence is made on the device, so weights and bias are there)
    return array


def _array(kind: str, name: str, values: NDArray[np.generic] | None, aligned: str = "") -> Iterator[str]:
    if values is not None:
        yield f"static const {kind} {name}[{values.size}] {aligned}= {{\n"
        yield from (*numbers(values), "};\n\n")


def _artifact(name: str, artifact: Artifact, golden: Golden) -> Iterable[str]:
    card, head = artifact.card, artifact.card.head
    has_golden = len(golden.inputs) > 0
    arrays = ["golden_inputs", "golden_scores", "golden_evidence", "golden_tolerances"] if has_golden else ["NULL"] * 4
    each = golden.inputs[0].nbytes if has_golden else 0
    samples = ", ".join([str(len(golden.inputs)), arrays[0], str(each), *arrays[1:], real(golden.evidence_size)])
    fields = {
        "name": string(card.name),
        "unfit": string(card.unfit),
        "labels": "labels",
        "classes": len(card.labels),
        "height": head.height,
        "width": head.width,
        "channels": head.channels,
        "channels_first": int(card.features_layout == "chw"),
        "activation": f"CAMLITE_{head.activation.upper()}",
        **{side: real(getattr(head.window, side)) for side in ("top", "left", "bottom", "right")},
        "weights": _weights(name, artifact.arrays),
        "bias": "bias",
        "bias_count": len(card.labels),
        "golden": f"{{{samples}}}",
    }
    yield f"const camlite_artifact {name} = {{\n"
    yield from (f"    .{field} = {value},\n" for field, value in fields.items())
    yield "};\n"


def _weights(name: str, arrays: Arrays) -> str:
    """Where class weights are, as a `camlite_weights`."""
    weights, stored = _there(arrays.weights), arrays.stored_weights
    if stored is None:
        per_place = int(weights.ndim == 4)
        return f"{{{{weights, sizeof weights, CAMLITE_FLOAT32, 1.0f, 0}}, 0, {per_place}, NULL, 0, NULL, 0}}"
    size = weights.size * np.dtype(stored.dtype).itemsize
    rest = "NULL, 0" if arrays.weights_rest is None else "rest, sizeof rest"
    scales = "NULL, 0"
    if stored.scales_offset >= 0:
        scales = f"{name}_model + {stored.scales_offset}, {4 * weights.shape[-1]}"
    place = f"{name}_model + {stored.offset}, {size}"
    tensor = f"{{{place}, {_TYPES[stored.dtype]}, {real(stored.scale)}, {stored.zero_point}}}"
    return f"{{{tensor}, {int(stored.classes_first)}, 0, {rest}, {scales}}}"
