"""Make artifacts that are wrong on purpose: ``python wrong_artifacts.py CLASSIFIER LABELS CALIBRATION FOLDER``.

FOLDER/right has what `camlite export` makes; FOLDER/wrong/FAULT.PRECISION.FORMAT is sealed as well as those are, with
the right card and golden samples, so that no digest gives it away: only what it computes, or says, is wrong.
"""

from __future__ import annotations

import copy
import dataclasses
import hashlib
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from camlite import artifact, cli
from camlite.artifact import Artifact

if TYPE_CHECKING:
    import keras

    from camlite_export.cutting.two_output import TwoOutputModel

KINDS = ("float32.tflite", "int8.tflite", "float32.onnx", "int8.onnx")

# Faults in the graph that are tried in int8 as well.
_GRAPHS_IN_INT8 = ("features-transposed", "another-classifier")


def main(classifier: Path, labels: Path, calibration: Path, folder: Path) -> None:
    right = folder / "right"
    options = [
        "--labels",
        labels,
        "--calibration",
        calibration,
        "--preprocess",
        "unit",
        "--name",
        "right",
        "--output",
        right,
    ]
    status = cli.main(["export", *map(str, [classifier, *options, "--maps", "cam", "--precisions", "float32", "int8"])])
    if status:
        raise SystemExit(status)
    originals = {kind: artifact.read(right / f"right.{kind}") for kind in KINDS}
    (folder / "wrong").mkdir()
    for kind, original in originals.items():
        for fault, wrong in _wrong_cards(original):
            _write(folder / "wrong" / f"{fault}.{kind}", wrong)
    for kind, move in (("int8.tflite", _move_zero_point_of_tflite), ("int8.onnx", _move_zero_point_of_onnx)):
        wrong_model = move(originals[kind].model)
        _write(folder / "wrong" / f"zero-point.{kind}", _with_model(originals[kind], wrong_model))
    images = np.load(calibration)["images"]
    prepared = images.reshape(len(images), 28, 28, 1).astype(np.float32) / 255
    for fault, tampered in _wrong_graphs(classifier, prepared):
        for kind, model in _convert(tampered, prepared, [k for k in KINDS if _wanted(fault, k)]):
            _write(folder / "wrong" / f"{fault}.{kind}", _with_model(originals[kind], model))


def _write(path: Path, wrong: Artifact) -> None:
    path.write_bytes(artifact.pack(wrong.container, wrong.model, wrong.card, wrong.arrays))


def _with_model(right: Artifact, model: bytes) -> Artifact:
    card = right.card._replace(model_sha256=hashlib.sha256(model).hexdigest())
    return right._replace(model=model, card=card)


def _wrong_cards(right: Artifact) -> Iterator[tuple[str, Artifact]]:
    """The model is right; what is sealed with it is not."""
    card, arrays = right.card, right.arrays
    assert arrays.weights is not None

    def weighing(weights: np.ndarray) -> Artifact:
        return right._replace(arrays=arrays._replace(weights=weights.astype(np.float32)))

    yield "class-weights-in-another-order", weighing(np.roll(arrays.weights, 1, axis=-1))
    yield "class-weights-5-percent", weighing(arrays.weights * 1.05)
    yield "another-digest", right._replace(card=card._replace(classifier_sha256="0" * 64))
    labels = card._replace(labels=(*card.labels[1:], card.labels[0]))
    yield "labels-permuted", right._replace(card=labels)
    signed = card.preprocessing._replace(scale=(1 / 127.5,), offset=(-1.0,))
    yield "preprocessing", right._replace(card=card._replace(preprocessing=signed))


def _move_zero_point_of_tflite(model: bytes, by: int = 8) -> bytes:
    """The features are read with another zero point than they were written with.

    An operator writes with the zero point of its output, so that changing this alone changes nothing. RESHAPE copies.
    """
    from tensorflow.lite.python import schema_py_generated as schema
    from tensorflow.lite.tools import flatbuffer_utils

    content = flatbuffer_utils.convert_bytearray_to_object(bytearray(model))
    (graph,) = content.subgraphs
    (output,) = (output for output in content.signatureDefs[0].outputs if output.name == b"features")
    features = output.tensorIndex
    moved = copy.deepcopy(graph.tensors[features])
    moved.name = b"moved"
    moved.quantization.zeroPoint[0] += by
    graph.tensors.append(moved)
    code = schema.OperatorCodeT()
    code.builtinCode = code.deprecatedBuiltinCode = schema.BuiltinOperator.RESHAPE
    content.operatorCodes.append(code)
    reshape = schema.OperatorT()
    reshape.opcodeIndex = len(content.operatorCodes) - 1
    reshape.inputs, reshape.outputs = [features], [len(graph.tensors) - 1]
    reshape.builtinOptionsType = schema.BuiltinOptions.ReshapeOptions
    reshape.builtinOptions = schema.ReshapeOptionsT()
    reshape.builtinOptions.newShape = list(moved.shape)
    graph.operators.append(reshape)
    output.tensorIndex = reshape.outputs[0]
    graph.outputs = [reshape.outputs[0] if index == features else index for index in graph.outputs]
    return bytes(flatbuffer_utils.convert_object_to_bytearray(content))


def _move_zero_point_of_onnx(model: bytes, by: int = 8) -> bytes:
    """The last convolution, which sums in integers, takes another number for 0 than its input was rounded with."""
    import onnx
    from onnx import numpy_helper

    content = onnx.load_from_string(model)
    (last,) = (node for node in content.graph.node if node.op_type == "ConvInteger")
    (old,) = (one for one in content.graph.initializer if one.name == last.input[2])
    moved = numpy_helper.to_array(old) + np.asarray(by, numpy_helper.to_array(old).dtype)
    content.graph.initializer.append(numpy_helper.from_array(moved, "moved"))
    last.input[2] = "moved"
    return content.SerializeToString(deterministic=True)


def _wrong_graphs(path: Path, prepared: np.ndarray) -> Iterator[tuple[str, TwoOutputModel]]:
    """The card is right; the model is not."""
    import keras

    from camlite_export.cutting import two_output

    classifier = keras.saving.load_model(path, compile=False)

    def with_outputs(change: Callable[[Any, Any], dict[str, Any]]) -> TwoOutputModel:
        cut = two_output.cut(classifier)
        outputs = change(cut.model.output["features"], cut.model.output["scores"])
        return dataclasses.replace(cut, model=keras.Model(cut.model.inputs, outputs))

    def with_weights(change: Callable[[keras.Model], None]) -> TwoOutputModel:
        twin = keras.models.clone_model(classifier)
        twin.set_weights(classifier.get_weights())
        change(twin)
        return two_output.cut(twin)

    yield "outputs-swapped", with_outputs(lambda features, scores: {"features": scores, "scores": features})
    yield (
        "features-transposed",
        with_outputs(
            lambda features, scores: {"features": keras.ops.transpose(features, (0, 2, 1, 3)), "scores": scores}
        ),
    )
    yield "features-of-another-layer", with_outputs(_before_the_activation)
    yield "NaN-in-the-features", with_outputs(_not_a_number)
    yield "another-classifier", with_weights(_other_weights)
    yield "features-in-another-order", with_weights(_other_channel_order)
    features = np.asarray(two_output.cut(classifier).model(prepared, training=False)["features"])
    yield "head-weight-5-percent", with_weights(lambda twin: _one_weight(twin, features))
    yield "head-column-5-percent", with_weights(_one_class)


def _before_the_activation(features: Any, scores: Any) -> dict[str, Any]:
    """The same convolution without its ReLU: the shape is right."""
    layer = features._keras_history.operation
    (before,) = layer._inbound_nodes[features._keras_history.node_index].input_tensors
    linear = type(layer).from_config({**layer.get_config(), "activation": "linear", "name": "linear"})
    output = linear(before)
    linear.set_weights(layer.get_weights())
    return {"features": output, "scores": scores}


def _not_a_number(features: Any, scores: Any) -> dict[str, Any]:
    """In one channel at one place, and the scores are right all the same."""
    hole = np.zeros((1, *features.shape[1:]), np.float32)
    hole[0, 0, 0, 5] = np.nan
    return {"features": features + hole, "scores": scores}


def _other_weights(twin: keras.Model) -> None:
    random = np.random.default_rng(0)
    twin.set_weights([random.permuted(weight.ravel()).reshape(weight.shape) for weight in twin.get_weights()])


def _other_channel_order(twin: keras.Model) -> None:
    """Features and head in another order: the scores stay right, the card's class weights are of other channels."""
    *others, kernel, bias, weights, logits = twin.get_weights()
    twin.set_weights([*others, kernel[..., ::-1], bias[::-1], weights[::-1], logits])


def _one_weight(twin: keras.Model, features: np.ndarray) -> None:
    """The one that adds most to the scores of features (N, h, w, C)."""
    *others, weights, bias = twin.get_weights()
    share = np.abs(weights) * features.mean(axis=(0, 1, 2))[:, np.newaxis]
    weights[np.unravel_index(share.argmax(), weights.shape)] *= 1.05
    twin.set_weights([*others, weights, bias])


def _one_class(twin: keras.Model) -> None:
    *others, weights, bias = twin.get_weights()
    weights[:, 0] *= 1.05
    twin.set_weights([*others, weights, bias])


def _wanted(fault: str, kind: str) -> bool:
    return kind.startswith("float32") or fault in _GRAPHS_IN_INT8


def _convert(tampered: TwoOutputModel, prepared: np.ndarray, kinds: list[str]) -> Iterator[tuple[str, bytes]]:
    from camlite_export.targets import onnx_target, tflite_target

    for kind in kinds:
        precision, container = kind.split(".")
        convert = tflite_target.convert if container == "tflite" else onnx_target.convert
        yield kind, convert(tampered, precision, prepared if precision == "int8" else None)


if __name__ == "__main__":
    main(*map(Path, sys.argv[1:]))
