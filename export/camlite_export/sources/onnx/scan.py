"""What kind of `.onnx` file somebody gives, told before anything is made of it; what is refused has its remedy."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from camlite.errors import ClassifierError
from camlite.soundness.onnx_operator import DTYPES
from camlite.texts import printable
from camlite_export.sources import class_scores
from camlite_export.sources.class_scores import Output, sides_text
from camlite_export.sources.operations import Operation

_FLOAT, _UINT8, _FLOAT16 = 1, 2, 10
_DETECTING = frozenset({"NonMaxSuppression", "RoiAlign", "MaxRoiPool", "EfficientNMS_TRT"})
_BY_CHANCE = frozenset({"Bernoulli", "RandomNormal", "RandomNormalLike", "RandomUniform", "RandomUniformLike"})
_LOOPING = frozenset({"If", "Loop", "Scan"})
_CHANNELS = (1, 3)

Sides = tuple[int | str, ...]
"""A shape in the file; a side that is free is a text."""


def sides_of(value: Any) -> Sides:
    """The shape of an input or output."""
    return tuple(_side(one) for one in value.type.tensor_type.shape.dim)


def _side(dimension: Any) -> int | str:
    return int(dimension.dim_value) if dimension.dim_value > 0 else str(dimension.dim_param or "any")


def operations_of(graph: Any) -> list[Operation]:
    """The nodes of a graph, as they stand in the file."""
    return [
        Operation(
            printable((node.name or next(iter(node.output), ""))[:80]),
            node.op_type,
            list(node.input),
            list(node.output),
        )
        for node in graph.node
    ]


def examine(model: Any, where: str) -> None:
    """See that a model holds one classifier of one image, whatever the image's size.

    Args:
        model: an `onnx.ModelProto`.

    Raises:
        ClassifierError: it does not; says what to do.
    """
    if any(one.key == "camlite.seal" for one in model.metadata_props):
        raise ClassifierError(
            f"{where}: an artifact of camlite, which is explained already (camlite explain); "
            f"give the classifier that it was made from"
        )
    graph = model.graph
    kinds = {node.op_type for node in graph.node}
    if found := sorted(kinds & _DETECTING):
        raise ClassifierError(
            f"{where}: a detector (operator {found[0]!r}), which gives boxes; camlite explains classifiers, which "
            f"give one score per class: give its backbone with a classifier's head"
        )
    if found := sorted(kinds & _LOOPING):
        raise ClassifierError(
            f"{where}: its operators depend on what it sees ({found[0]}); export it again for one fixed size "
            f"(torch.onnx.export(..., dynamo=True), or onnxsim)"
        )
    _refuse_no_onnx(graph, where)
    _refuse_training(graph, where)
    if any(node.domain == "ai.onnx.ml" for node in graph.node):
        raise ClassifierError(f"{where}: a model of tables (ai.onnx.ml), no classifier of images")
    constants = {one.name for one in graph.initializer}
    given = [one for one in graph.input if one.name not in constants]
    if len(given) != 1:
        names = printable(", ".join(one.name for one in given)[:80])
        raise ClassifierError(
            f"{where}: takes {len(given)} inputs ({names}), expected one image; export it with the others as constants"
        )
    _refuse_no_image(given[0], where)
    _refuse_no_scores(graph, given[0].name, where)


def _refuse_no_onnx(graph: Any, where: str) -> None:
    """What no interpreter of ONNX loads: operators under its name that it does not have."""
    import onnx

    kinds = {node.op_type for node in graph.node if node.domain in ("", "ai.onnx")}
    foreign = sorted(kind for kind in kinds if not onnx.defs.has(kind))
    if foreign:
        raise ClassifierError(
            f"{where}: ONNX has no operator {printable(', '.join(foreign)[:120])}, so that onnxruntime cannot load it "
            f"either; tf2onnx leaves operators of TensorFlow where it knows no other, as of ConvNeXt: "
            f"give the Keras model itself (camlite export MODEL.keras), or its .tflite"
        )


def _refuse_training(graph: Any, where: str) -> None:
    """What only a network in training has: chance, or statistics of what it is given."""
    for node in graph.node:
        if node.op_type in _BY_CHANCE or (node.op_type == "Dropout" and _is_on(graph, node)):
            raise ClassifierError(
                f"{where}: was exported in training mode (operator {node.op_type!r}), so that it answers by chance; "
                f"call eval() of the very module that is exported, and export it again"
            )
        if any(one.name == "training_mode" and one.i for one in node.attribute):
            raise ClassifierError(
                f"{where}: normalizes by statistics that it computes while it runs ({node.op_type}, training_mode), "
                f"which onnxruntime does not; call eval() of the very module that is exported and, where weights are "
                f"normalized, use torch.onnx.export(..., dynamo=True)"
            )


def _is_on(graph: Any, dropout: Any) -> bool:
    """Whether its third input, a constant, says that it drops."""
    from onnx import numpy_helper

    wanted = dropout.input[2] if len(dropout.input) > 2 else ""
    found = [one for one in graph.initializer if one.name == wanted]
    found += [one.t for node in graph.node if wanted and wanted in node.output for one in node.attribute]
    return any(bool(numpy_helper.to_array(one).any()) for one in found)


def _refuse_no_image(value: Any, where: str) -> None:
    sides = sides_of(value)
    stored = value.type.tensor_type.elem_type
    if stored == _FLOAT16:
        raise ClassifierError(
            f"{where}: its input is float16, expected float32 or uint8; give the file in float32 that it was made of, "
            f"or keep float32 at both ends: onnxruntime.transformers.float16.convert_float_to_float16(MODEL, "
            f"keep_io_types=True)"
        )
    if stored not in (_FLOAT, _UINT8):
        known = DTYPES.get(stored)
        raise ClassifierError(
            f"{where}: its input is {'no tensor of numbers' if known is None else known.name}, expected float32 or "
            f"uint8; export the classifier itself in float32, without what prepares pixels"
        )
    if len(sides) != 4:
        raise ClassifierError(
            f"{where}: its input is {sides_text(sides)}, expected an image (1 x 3 x height x width): sound, its "
            f"spectrogram, text or tables are not explained by maps; camlite explains classifiers of images"
        )
    if isinstance(sides[0], int) and sides[0] != 1:
        raise ClassifierError(
            f"{where}: takes {sides[0]} images at once, expected one; export it again with a batch of 1"
        )
    if sides[1] not in _CHANNELS and sides[3] not in _CHANNELS:
        raise ClassifierError(
            f"{where}: its input is {sides_text(sides)}, expected an image of 1 or 3 channels; "
            f"spectrograms and other signals are not explained"
        )
    if 1 in sides[2:] and 1 in sides[1:3]:
        raise ClassifierError(
            f"{where}: its input is {sides_text(sides)}, one value high or wide: a signal, no image; "
            f"camlite explains classifiers of images"
        )


def _refuse_no_scores(graph: Any, image: str, where: str) -> None:
    outputs = graph.output
    if len(outputs) != 1:
        several = [Output(one.name, one.name, sides_of(one)) for one in outputs]
        made = operations_of(graph)
        remedy = f"onnx.utils.extract_model({Path(where).name!r}, 'scores.onnx', [{image!r}], ['{{name}}'])"
        class_scores.refuse_several(several, made, where, remedy)
