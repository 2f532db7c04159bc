"""`.tflite` files as people have them: what TensorFlow's converter makes of small classifiers.

Each is a classifier of Keras with seeded weights, converted in one of the ways that people convert.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from camlite.artifact.evidence_methods import EvidenceMethod
from camlite.artifact.precisions import Precision
from camlite.errors import ClassifierError
from camlite_export.sources.tflite import flatbuffer
from support import classifier_kinds
from support.classifier_kinds import CLASSES, SIDE

if TYPE_CHECKING:
    import keras

HIDDEN = 600

Build = Callable[[Any, Any], "keras.Model"]
Change = Callable[[Any], None]


@dataclass(frozen=True, eq=False)
class TfliteKind:
    """A `.tflite` file that is explained.

    Attributes:
        title: as the page says it.
        build: makes the classifier that it was converted from.
        precision: the word for it, and how it is converted.
        evidence: how it is made.
        ends: of the image and the scores, where the converter is told: ``uint8``, ``int8`` or ``float32``.
        change: what somebody did to the file, a model of the schema's objects.
        exact: whether its evidence must be that of the Keras classifier.
    """

    title: str
    build: Build
    precision: Precision = "float32"
    evidence: EvidenceMethod = "device"
    ends: str = "float32"
    change: Change = lambda _: None
    exact: bool = True

    def __str__(self) -> str:
        return self.title


def _body(ls: Any, *head: Any, image: Any = None) -> keras.Model:
    import keras

    front = [keras.Input((SIDE, SIDE, 3))] if image is None else list(image)
    conv = {"padding": "same", "activation": "relu"}
    parts = [ls.Conv2D(6, 3, **conv), ls.MaxPooling2D(2), ls.Conv2D(8, 3, **conv), *head]
    return keras.Sequential([*front, *parts], name="classifier")


def _pooled(_: Any, ls: Any) -> keras.Model:
    return _body(ls, ls.GlobalAveragePooling2D(), ls.Dense(CLASSES, activation="softmax"))


def _hidden(_: Any, ls: Any) -> keras.Model:
    hidden = ls.Dense(HIDDEN, activation="relu")
    return _body(ls, ls.GlobalAveragePooling2D(), hidden, ls.Dense(CLASSES, activation="softmax"))


def _many_classes(_: Any, ls: Any) -> keras.Model:
    return _body(ls, ls.GlobalAveragePooling2D(), ls.Dense(7, activation="relu"), ls.Dense(70, activation="softmax"))


def _dense_layers_of_a_map(_: Any, ls: Any) -> keras.Model:
    """Behind a window as wide as the map, so that what a place sees does not say which place it is."""
    wide = ls.DepthwiseConv2D(15, padding="same")
    dense = (ls.LayerNormalization(), ls.Dense(12, activation="gelu"), ls.Dense(8))
    return _body(ls, wide, *dense, ls.GlobalAveragePooling2D(), ls.Dense(CLASSES, activation="softmax"))


def _in_groups(_: Any, ls: Any) -> keras.Model:
    options = {"padding": "same", "activation": "relu"}
    pairs, each = ls.Conv2D(12, 3, groups=4, **options), ls.Conv2D(24, 3, groups=12, **options)
    down = ls.Conv2D(24, 3, groups=12, strides=2, **options)
    return _body(ls, pairs, each, down, ls.GlobalAveragePooling2D(), ls.Dense(CLASSES, activation="softmax"))


def _as_old_files(model: Any) -> None:
    """No signature, no metadata, and operators by the first field that they had."""
    model.signatureDefs = model.metadata = None
    for code in model.operatorCodes:
        code.deprecatedBuiltinCode, code.builtinCode = code.builtinCode, 0


def _stripped(model: Any) -> None:
    """As TensorFlow's own tool (strip_strings) does it for a microcontroller; one name is left, and is no text."""
    model.signatureDefs = model.metadata = model.description = None
    (graph,) = model.subgraphs
    graph.name = None
    for tensor in graph.tensors:
        tensor.name = None
    graph.tensors[-1].name = b"sch\xf6n"


def _as_person_detect(model: Any) -> None:
    """The axis of a bias is that of its weights, which it has not."""
    for tensor in model.subgraphs[0].tensors:
        if tensor.shape is not None and len(tensor.shape) == 1 and tensor.quantization.scale is not None:
            tensor.quantization.quantizedDimension = 3


KINDS = (
    TfliteKind("float32, global pooling and a dense layer", _pooled),
    TfliteKind("old: no signature, operators in the schema's first field", _pooled, change=_as_old_files),
    TfliteKind("tensors without names, stripped for a microcontroller", _pooled, change=_stripped),
    TfliteKind(
        "a dense layer of all places (Flatten), whose shape is computed in the file",
        lambda _, ls: _body(ls, ls.Flatten(), ls.Dense(CLASSES, activation="softmax")),
    ),
    TfliteKind(
        "dense layers of a map for a batch of any size, whose shapes are computed in the file, as ConvNeXt has them",
        _dense_layers_of_a_map,
    ),
    TfliteKind("convolutions in groups", _in_groups),
    TfliteKind("weights in float16", _pooled, "float16", exact=False),
    TfliteKind(
        "weights in 8 bits (dynamic range)",
        lambda _, ls: _body(ls, ls.Conv2D(32, 3, activation="relu"), ls.GlobalAveragePooling2D(), _softmax(ls)),
        "dynamic",
        exact=False,
    ),
    TfliteKind("int8 throughout, a scale per channel", _pooled, "int8", ends="int8", exact=False),
    TfliteKind("uint8 pixels and scores", _pooled, "int8", ends="uint8", exact=False),
    TfliteKind("int8 inside, float32 at both ends", _pooled, "int8", exact=False),
    TfliteKind("int16 with weights in 8 bits", _pooled, "int16x8", exact=False),
    TfliteKind(
        "biases with an axis of quantization that they have not",
        _pooled, "int8", ends="int8", change=_as_person_detect, exact=False,
    ),
    TfliteKind(
        "pixels as they are (uint8 without a scale), and floats behind them",
        lambda k, ls: _body(
            ls, ls.GlobalAveragePooling2D(), _softmax(ls),
            image=[k.Input((SIDE, SIDE, 3), dtype="uint8"), ls.Rescaling(1 / 255)],
        ),
    ),
    TfliteKind(
        "grey images without an axis of channels",
        lambda k, ls: _body(
            ls, ls.GlobalAveragePooling2D(), _softmax(ls), image=[k.Input((SIDE, SIDE)), ls.Reshape((SIDE, SIDE, 1))]
        ),
    ),
    TfliteKind(
        "one sigmoid for two classes",
        lambda _, ls: _body(ls, ls.GlobalAveragePooling2D(), ls.Dense(1, activation="sigmoid")),
    ),
    TfliteKind(
        "one sigmoid for two classes, in 8 bits",
        lambda _, ls: _body(ls, ls.GlobalAveragePooling2D(), ls.Dense(1, activation="sigmoid")),
        "int8", ends="uint8", exact=False,
    ),
    TfliteKind(
        "several sigmoids",
        lambda _, ls: _body(ls, ls.GlobalAveragePooling2D(), ls.Dense(CLASSES, activation="sigmoid")),
    ),
    TfliteKind("logits", lambda _, ls: _body(ls, ls.GlobalAveragePooling2D(), ls.Dense(CLASSES))),
    TfliteKind("a hidden layer in front of the scores, as Teachable Machine has", _hidden, evidence="gradient"),
    TfliteKind(
        "the same in 8 bits", _hidden, "int8", "gradient", "uint8", exact=False,
    ),
    TfliteKind(
        "a hidden layer with hard swish",
        lambda _, ls: _body(ls, ls.GlobalAveragePooling2D(), ls.Dense(7, activation="hard_swish"), _softmax(ls)),
        evidence="gradient",
    ),
    TfliteKind(
        "the maxima of the places (GlobalMaxPooling2D)",
        lambda _, ls: _body(ls, ls.GlobalMaxPooling2D(), _softmax(ls)),
        evidence="gradient",
    ),
    TfliteKind(
        "a hidden layer, and more than 64 classes: of the top class only",
        _many_classes,
        evidence="gradient_top",
    ),
)  # fmt: skip


def _softmax(ls: Any) -> Any:
    return ls.Dense(CLASSES, activation="softmax")


@cache
def classifier(kind: TfliteKind) -> keras.Model:
    """What the file was converted from, built once a process."""
    import keras

    return classifier_kinds.lively(kind.build(keras, keras.layers))


@cache
def file(kind: TfliteKind) -> bytes:
    """The file, converted once a process."""
    model = flatbuffer.read(converted(classifier(kind), kind.precision, kind.ends))
    kind.change(model)
    return flatbuffer.write(model)


def converted(model: keras.Model, precision: Precision = "float32", ends: str = "float32") -> bytes:
    """A classifier as TensorFlow's converter makes a file of it."""
    import tensorflow as tf

    from camlite_export import workarounds

    converter = tf.lite.TFLiteConverter.from_keras_model(model)
    if precision != "float32":
        converter.optimizations = [tf.lite.Optimize.DEFAULT]
    if precision == "float16":
        converter.target_spec.supported_types = [tf.float16]
    if precision in ("int8", "int16x8"):
        converter.representative_dataset = lambda: ([one[np.newaxis]] for one in images(model, 20))
        sets = {
            "int8": tf.lite.OpsSet.TFLITE_BUILTINS_INT8,
            "int16x8": tf.lite.OpsSet.EXPERIMENTAL_TFLITE_BUILTINS_ACTIVATIONS_INT16_WEIGHTS_INT8,
        }
        converter.target_spec.supported_ops = [sets[precision]]
        if ends != "float32":
            converter.inference_input_type = converter.inference_output_type = tf.dtypes.as_dtype(ends)
    with workarounds.silent_native_code(), warnings.catch_warnings():
        warnings.simplefilter("ignore")  # it misses statistics that it finds by itself
        made: bytes = converter.convert()
    return made


def images(model: keras.Model, count: int) -> np.ndarray:
    """Seeded inputs (N, ...) of a classifier: 0..1, or pixels where it takes integers."""
    entrance = model.inputs[0]
    found = np.random.default_rng(1).uniform(0, 1, (count, *entrance.shape[1:]))
    if "int" in str(entrance.dtype):
        return np.rint(255 * found).astype(np.uint8)
    return found.astype(np.float32)


@dataclass(frozen=True, eq=False)
class TfliteRefusal:
    """A `.tflite` file that is refused; `why` is part of the reason that is given."""

    title: str
    why: str
    change: Change = lambda _: None
    build: Build = _pooled

    def __str__(self) -> str:
        return self.title


def _with_custom_operator(name: bytes) -> Change:
    def change(model: Any) -> None:
        code = model.operatorCodes[0]
        code.builtinCode = code.deprecatedBuiltinCode = 32
        code.customCode = name

    return change


def _giving_its_features_too(model: Any) -> None:
    (graph,) = model.subgraphs
    graph.outputs = np.array([*graph.outputs, graph.operators[0].outputs[0]], np.int32)


def _giving_its_logits_too(model: Any) -> None:
    (graph,) = model.subgraphs
    graph.outputs = np.array([graph.operators[-1].inputs[0], *graph.outputs], np.int32)


def _logits(k: Any, ls: Any) -> tuple[Any, Any]:
    image = k.Input((SIDE, SIDE, 3))
    features = ls.Conv2D(4, 3, activation="relu", name="features")(image)
    return image, ls.Dense(CLASSES, name="logits")(ls.GlobalAveragePooling2D(name="pooled")(features))


def _named(k: Any, ls: Any) -> keras.Model:
    """The page shows names, which are not to depend on what was built before."""
    image, logits = _logits(k, ls)
    return k.Model(image, ls.Softmax(name="scores")(logits), name="classifier")


def _two_heads(k: Any, ls: Any) -> keras.Model:
    image, logits = _logits(k, ls)
    (pooled,) = logits._keras_history.operation._inbound_nodes[0].input_tensors
    other = ls.Dense(CLASSES, activation="softmax", name="other")(pooled)
    return k.Model(image, [ls.Softmax(name="scores")(logits), other], name="classifier")


def _best_class(k: Any, ls: Any) -> keras.Model:
    import tensorflow as tf

    image, logits = _logits(k, ls)
    return k.Model(image, ls.Lambda(lambda values: tf.argmax(values, axis=-1), name="best")(logits), name="classifier")


def _above_a_limit(k: Any, ls: Any) -> keras.Model:
    image, logits = _logits(k, ls)
    return k.Model(image, k.ops.cast(k.ops.sigmoid(logits) > 0.5, "float32"), name="classifier")


def _with_a_shortcut(k: Any, ls: Any) -> keras.Model:
    image = k.Input((SIDE, SIDE, 3))
    pooled = ls.GlobalAveragePooling2D()(ls.Conv2D(4, 3, activation="relu", name="features")(image))
    both = ls.Concatenate(name="both")([pooled, ls.GlobalAveragePooling2D(name="colour")(image)])
    return k.Model(image, _softmax(ls)(both), name="classifier")


def _giving_a_map(model: Any) -> None:
    (graph,) = model.subgraphs
    graph.outputs = graph.operators[0].outputs


def _taking_two_images(model: Any) -> None:
    (graph,) = model.subgraphs
    graph.inputs = np.array([*graph.inputs, graph.inputs[0]], np.int32)


def _of_shape(*sides: int) -> Change:
    def change(model: Any) -> None:
        (graph,) = model.subgraphs
        graph.tensors[int(graph.inputs[0])].shape = np.array(sides, np.int32)

    return change


def _twice(model: Any) -> None:
    model.subgraphs = [*model.subgraphs, model.subgraphs[0]]


def _transformer(k: Any, ls: Any) -> keras.Model:
    image = k.Input((SIDE, SIDE, 3))
    tokens = ls.Reshape((16, 8))(ls.Conv2D(8, 4, strides=4, name="patches")(image))
    mixed = ls.MultiHeadAttention(2, 4, name="attention")(tokens, tokens)
    return k.Model(image, _softmax(ls)(ls.GlobalAveragePooling1D()(mixed)), name="classifier")


REFUSALS = (
    TfliteRefusal("compiled for an Edge TPU", "compiled for an Edge TPU", _with_custom_operator(b"edgetpu-custom-op")),
    TfliteRefusal("compiled for an Arm Ethos-U", "compiled for an Arm Ethos-U", _with_custom_operator(b"ethos-u")),
    TfliteRefusal(
        "a detector with its own operator", "a detector", _with_custom_operator(b"TFLite_Detection_PostProcess")
    ),
    TfliteRefusal("TensorFlow's own operators", "TFLITE_BUILTINS", _with_custom_operator(b"FlexErf")),
    TfliteRefusal("an operator of somebody's own", "an operator of somebody's own", _with_custom_operator(b"mine")),
    TfliteRefusal("several classifiers in one", "a detector, or several heads", build=_two_heads),
    TfliteRefusal("its features besides its scores", "they are of one classifier", _giving_its_features_too, _named),
    TfliteRefusal("logits and probabilities", "they are of one classifier", _giving_its_logits_too, _named),
    TfliteRefusal("the number of the best class only", "gives a decision (ARG_MAX)", build=_best_class),
    TfliteRefusal("whether a score is above a limit", "gives a decision (GREATER)", build=_above_a_limit),
    TfliteRefusal("a shortcut from the image to the scores", "which has not passed it", build=_with_a_shortcut),
    TfliteRefusal("a segmenter", "a segmenter", _giving_a_map),
    TfliteRefusal("several inputs", "takes 2 inputs", _taking_two_images),
    TfliteRefusal("sound", "expected an image", _of_shape(1, 15600)),
    TfliteRefusal("a signal of six channels", "expected an image of 1 or 3 channels", _of_shape(1, 16, 16, 6)),
    TfliteRefusal("several images at once", "takes 8 images at once", _of_shape(8, 16, 16, 3)),
    TfliteRefusal("several graphs", "holds 2 graphs", _twice),
    TfliteRefusal("a transformer", "stands attention", build=_transformer),
    TfliteRefusal(
        "one number without a sigmoid",
        "gives one number that is no probability",
        build=lambda _, ls: _body(ls, ls.GlobalAveragePooling2D(), ls.Dense(1)),
    ),
    TfliteRefusal(
        "an embedding, without `--labels`", "an embedding", build=lambda _, ls: _body(ls, ls.GlobalAveragePooling2D())
    ),
)


@cache
def _plain(build: Build) -> bytes:
    import keras

    return converted(classifier_kinds.lively(build(keras, keras.layers)))


def refused_file(kind: TfliteRefusal) -> bytes:
    """The file."""
    model = flatbuffer.read(_plain(kind.build))
    kind.change(model)
    return flatbuffer.write(model)


def refusal(kind: TfliteRefusal, path: Path) -> str:
    """Write the file to an empty place, and try to export it."""
    import camlite_export

    path.write_bytes(refused_file(kind))
    try:
        camlite_export.export(path, path.with_suffix(""), preprocess="unit")
    except ClassifierError as error:
        return str(error).removeprefix(f"{path}: ").removeprefix(f"{path.name}: ")
    raise AssertionError(f"{kind.title} was exported")
