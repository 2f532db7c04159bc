"""The kinds of classifiers that people have, each as a small one: what is explained, and what is refused.

The tests of the exporter run over these lists, and ``make classifiers-page`` writes them as
``docs/classifiers.md``, so that the page says what was tested.
"""

from __future__ import annotations

import inspect
import json
import tempfile
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from camlite.artifact.evidence_methods import EvidenceMethod
from camlite.errors import ClassifierError
from camlite_export.cutting import two_output
from camlite_export.cutting.two_output import TwoOutputModel
from camlite_export.targets import onnx_target, tflite_target

if TYPE_CHECKING:
    import keras

Build = Callable[[Any, Any], "keras.Model"]  # of the modules keras and keras.layers
CLASSES = 3
SIDE = 16

CONVERTED_FIGURES = Path(__file__).with_name("converted_networks.json")
APPLICATION_FIGURES = Path(__file__).with_name("applications.json")


@dataclass(frozen=True, eq=False)
class Kind:
    """A classifier that is explained.

    Attributes:
        title: as the page says it.
        build: makes it.
        evidence: how it is made, a word of `camlite.artifact.evidence_methods`.
        activation: what makes scores of logits.
        layer: where it is cut when nobody says where; None where the title does not depend on it.
        places: whether class weights differ from place to place.
        options: of `two_output.cut`.
    """

    title: str
    build: Build
    evidence: EvidenceMethod = "device"
    activation: str = "softmax"
    layer: str | None = None
    places: bool = False
    options: Mapping[str, Any] | None = None

    def __str__(self) -> str:
        return self.title


@dataclass(frozen=True, eq=False)
class Refusal:
    """A classifier that is refused; `why` is part of the reason that is given."""

    title: str
    build: Build
    why: str
    options: Mapping[str, Any] | None = None

    def __str__(self) -> str:
        return self.title


def _image(keras: Any, side: int | None = SIDE, channels: int = 3) -> Any:
    return keras.Input((side, side, channels), name="photo")


def _conv(layers: Any, name: str = "last_conv", filters: int = 6) -> Any:
    return layers.Conv2D(filters, 3, padding="same", activation="relu", name=name)


def _sequential(keras: Any, *parts: Any, channels: int = 3) -> keras.Model:
    return keras.Sequential([_image(keras, channels=channels), *parts], name="classifier")


def _softmax(layers: Any) -> Any:
    return layers.Dense(CLASSES, activation="softmax")


def _behind_features(keras: Any, layers: Any, *head: Any) -> keras.Model:
    """The same small backbone (8 x 8 x 6) in front of each head."""
    return _sequential(keras, _conv(layers, "first_conv"), layers.MaxPooling2D(2), _conv(layers), *head)


def _functional(keras: Any, head: Callable[[Any], Any]) -> keras.Model:
    image = _image(keras)
    features = _conv(keras.layers)(keras.layers.MaxPooling2D(2)(_conv(keras.layers, "first_conv")(image)))
    return keras.Model(image, head(features), name="classifier")


def _backbone(keras: Any, layers: Any, *, pooling: bool = False) -> keras.Model:
    image = keras.Input((SIDE, SIDE, 3))
    x = layers.Conv2D(6, 3, strides=2, padding="same", use_bias=False, name="stem")(image)
    x = layers.ReLU(6.0)(layers.BatchNormalization()(x))
    y = layers.DepthwiseConv2D(3, padding="same")(x)
    x = layers.Add()([x, y])
    x = layers.ReLU(name="top_activation")(layers.BatchNormalization()(layers.Conv2D(8, 1, name="top_conv")(x)))
    return keras.Model(image, layers.GlobalAveragePooling2D()(x) if pooling else x, name="backbone")


def _branches(keras: Any, layers: Any) -> keras.Model:
    image = _image(keras)
    x = _conv(layers, "first_conv")(image)
    left, right = _conv(layers, "left")(x), layers.Conv2D(4, 5, padding="same", name="right")(x)
    x = layers.Concatenate(name="together")([left, right])
    return keras.Model(image, _softmax(layers)(layers.GlobalAveragePooling2D()(x)), name="classifier")


def _two_scales(keras: Any, layers: Any) -> keras.Model:
    """The scores need two feature maps; the last one that they follow from alone stands in front of both."""
    image = _image(keras)
    x = _conv(layers, "shared")(image)
    fine = layers.GlobalAveragePooling2D()(_conv(layers, "fine")(x))
    coarse = layers.GlobalAveragePooling2D()(_conv(layers, "coarse")(layers.MaxPooling2D(2)(x)))
    return keras.Model(image, _softmax(layers)(layers.Concatenate()([fine, coarse])), name="classifier")


def _with_image_skip(keras: Any, layers: Any) -> keras.Model:
    image = _image(keras)
    x = layers.GlobalAveragePooling2D()(_conv(layers)(image))
    colour = layers.GlobalAveragePooling2D(name="colour")(image)
    return keras.Model(image, _softmax(layers)(layers.Concatenate(name="both")([x, colour])), name="classifier")


def _met_twice(keras: Any, layers: Any) -> keras.Model:
    image = _image(keras)
    shared = layers.Conv2D(3, 3, padding="same", activation="relu", name="shared")
    pooled = layers.GlobalAveragePooling2D()(shared(shared(image)))
    return keras.Model(image, _softmax(layers)(pooled), name="classifier")


def _arithmetic(keras: Any, layers: Any) -> keras.Model:
    image = _image(keras)
    x = _conv(layers)(image / 127.5 - 1)
    x = keras.ops.multiply(x, keras.ops.relu6(x + 3.0)) / 6.0
    return keras.Model(
        image, keras.ops.softmax(layers.Dense(CLASSES)(keras.ops.mean(x, axis=(1, 2)))), name="classifier"
    )


def _mixed_arithmetic(keras: Any, layers: Any) -> keras.Model:
    kept = keras.config.dtype_policy()
    keras.config.set_dtype_policy("mixed_float16")
    try:
        image = _image(keras)
        x = layers.Conv2D(6, 3, padding="same")(keras.ops.cast(image / 127.5 - 1, "float16"))
        x = x + layers.Conv2D(6, 3, padding="same", activation="relu", name="last_conv")(x)
        logits = layers.Dense(CLASSES)(layers.GlobalAveragePooling2D()(x))
        return keras.Model(image, keras.ops.softmax(keras.ops.cast(logits, "float32")), name="classifier")
    finally:
        keras.config.set_dtype_policy(kept)


def _batch_of_one(keras: Any, layers: Any) -> keras.Model:
    image = keras.Input((SIDE, SIDE, 3), batch_size=1, name="photo")
    x = keras.ops.reshape(_conv(layers)(image), (1, -1))
    return keras.Model(image, _softmax(layers)(x), name="classifier")


def _named_output(keras: Any, layers: Any) -> keras.Model:
    image = _image(keras)
    scores = _softmax(layers)(layers.GlobalAveragePooling2D()(_conv(layers)(image)))
    return keras.Model(image, {"scores": scores}, name="classifier")


def _both_classes(keras: Any, layers: Any) -> keras.Model:
    def head(features: Any) -> Any:
        p = layers.Dense(1, activation="sigmoid")(layers.GlobalAveragePooling2D()(features))
        return layers.Concatenate()([p, 1 - p])

    return _functional(keras, head)


def _written_out(keras: Any, layers: Any) -> keras.Model:
    def head(features: Any) -> Any:
        logits = layers.Dense(CLASSES)(layers.GlobalAveragePooling2D()(features))
        powers = keras.ops.exp(logits - keras.ops.max(logits, axis=-1, keepdims=True))
        return powers / keras.ops.sum(powers, axis=-1, keepdims=True)

    return _functional(keras, head)


def _in_precision(policy: str) -> Build:
    def build(keras: Any, layers: Any) -> keras.Model:
        kept = keras.config.dtype_policy()
        keras.config.set_dtype_policy(policy)
        try:
            parts = [_conv(layers), _normalized(keras, layers), layers.GlobalAveragePooling2D(), layers.Dense(CLASSES)]
            return _sequential(keras, layers.Rescaling(1 / 255), *parts, layers.Activation("softmax", dtype="float32"))
        finally:
            keras.config.set_dtype_policy(kept)

    return build


def _normalized(keras: Any, layers: Any) -> Any:
    return keras.Sequential([layers.Conv2D(6, 3, name="inner"), layers.BatchNormalization(name="normalized")])


def _transformer(keras: Any, layers: Any) -> keras.Model:
    image = _image(keras)
    tokens = layers.Reshape((16, 8))(layers.Conv2D(8, 4, strides=4, name="patches")(image))
    tokens = layers.Add()([tokens, layers.MultiHeadAttention(2, 4, name="attention")(tokens, tokens)])
    return keras.Model(image, _softmax(layers)(layers.GlobalAveragePooling1D()(tokens)), name="classifier")


def _normalized_tokens(keras: Any, layers: Any) -> keras.Model:
    tokens = [layers.Reshape((64, 6)), layers.LayerNormalization(), layers.Dense(8, activation="gelu")]
    convolutions = [
        _conv(layers, "first_conv"),
        layers.MaxPooling2D(2),
        layers.Conv2D(6, 3, padding="same", name="last_conv"),
    ]
    return _sequential(keras, *convolutions, *tokens, layers.GlobalAveragePooling1D(), _softmax(layers))


def _two_inputs(keras: Any, layers: Any) -> keras.Model:
    image, age = _image(keras), keras.Input((1,), name="age")
    x = layers.Concatenate()([layers.GlobalAveragePooling2D()(_conv(layers)(image)), age])
    return keras.Model([image, age], _softmax(layers)(x), name="classifier")


def _two_outputs(keras: Any, layers: Any) -> keras.Model:
    image = _image(keras)
    x = layers.GlobalAveragePooling2D()(_conv(layers)(image))
    return keras.Model(image, [_softmax(layers)(x), layers.Dense(1)(x)], name="classifier")


def _subclassed(keras: Any, layers: Any) -> keras.Model:
    class Subclassed(keras.Model):
        def __init__(self) -> None:
            super().__init__(name="classifier")
            self.parts = [_conv(layers), layers.GlobalAveragePooling2D(), _softmax(layers)]

        def call(self, inputs: Any) -> Any:
            for part in self.parts:
                inputs = part(inputs)
            return inputs

    model = Subclassed()
    model(np.zeros((1, SIDE, SIDE, 3), np.float32))
    return model


def _quantized(keras: Any, layers: Any) -> keras.Model:
    model = _pooled(keras, layers, layers.Dense(CLASSES, activation="softmax", name="scores"))
    model.layers[-1].quantize("int8")
    return model


def _channels_first(keras: Any, layers: Any) -> keras.Model:
    options = {"data_format": "channels_first"}
    parts = [layers.Conv2D(4, 3, **options, name="conv"), layers.GlobalAveragePooling2D(**options), _softmax(layers)]
    return keras.Sequential([keras.Input((3, SIDE, SIDE)), *parts], name="classifier")


def _damaged(keras: Any, layers: Any) -> keras.Model:
    model = _behind_features(keras, layers, layers.GlobalAveragePooling2D(), _softmax(layers))
    *others, bias = model.get_weights()
    model.set_weights([*others, np.full_like(bias, np.nan)])
    return model


def _pooled(keras: Any, layers: Any, *tail: Any) -> keras.Model:
    return _behind_features(keras, layers, layers.GlobalAveragePooling2D(), *tail)


SHAPES = (
    Kind("a Sequential model", lambda k, ls: _pooled(k, ls, _softmax(ls)), layer="last_conv"),
    Kind(
        "a functional model",
        lambda k, ls: _functional(k, lambda x: _softmax(ls)(ls.GlobalAveragePooling2D()(x))),
        layer="last_conv",
    ),
    Kind(
        "a Sequential model in a Sequential model",
        lambda k, ls: _sequential(
            k,
            k.Sequential([_conv(ls), ls.BatchNormalization(name="inner_normalization")]),
            k.Sequential([ls.GlobalAveragePooling2D(), _softmax(ls)]),
        ),
        layer="inner_normalization",
    ),
    Kind(
        "a functional backbone in a Sequential model",
        lambda k, ls: _sequential(k, _backbone(k, ls), ls.GlobalAveragePooling2D(), ls.Dropout(0.2), _softmax(ls)),
        layer="top_activation",
    ),
    Kind(
        "a functional backbone in a functional model",
        lambda k, ls: k.Model(
            image := _image(k),
            _softmax(ls)(ls.GlobalAveragePooling2D()(_backbone(k, ls)(image, training=False))),
            name="classifier",
        ),
        layer="top_activation",
    ),
    Kind(
        "layers of one name, in a model and in a model inside it; or of the name `image`",
        lambda k, ls: _sequential(
            k,
            k.Sequential([ls.Rescaling(1 / 255, name="image"), _conv(ls)], name="first"),
            k.Sequential([_conv(ls), ls.GlobalAveragePooling2D(name="image")], name="second"),
            _softmax(ls),
        ),
        layer="last_conv",
    ),
    Kind(
        'a backbone that pools by itself (`include_top=False, pooling="avg"`)',
        lambda k, ls: _sequential(k, _backbone(k, ls, pooling=True), _softmax(ls)),
        layer="top_activation",
    ),
    Kind(
        "rescaling and random augmentation in front",
        lambda k, ls: _sequential(
            k,
            k.Sequential([ls.RandomFlip(), ls.RandomRotation(0.1)]),
            ls.Rescaling(1 / 127.5, offset=-1),
            _conv(ls),
            ls.GlobalAveragePooling2D(),
            _softmax(ls),
        ),
        layer="last_conv",
    ),
    Kind(
        "Normalization in front, with the mean and variance of the pixels",
        lambda k, ls: _sequential(
            k,
            ls.Rescaling(1 / 255),
            ls.Normalization(mean=(0.485, 0.456, 0.406), variance=(0.0524, 0.0502, 0.0506)),
            _conv(ls),
            ls.GlobalAveragePooling2D(),
            _softmax(ls),
        ),
        layer="last_conv",
    ),
    Kind(
        "convolutions in groups, as ConvNeXt and ResNeXt have them",
        lambda k, ls: _sequential(
            k,
            ls.Conv2D(8, 3),
            ls.Conv2D(8, 3, groups=8),
            ls.Conv2D(6, 3, groups=2, name="last_conv"),
            ls.GlobalAveragePooling2D(),
            _softmax(ls),
        ),
        layer="last_conv",
    ),
    Kind(
        "axes moved behind a convolution (Permute): cut in front, where places are still those of the image",
        lambda k, ls: _behind_features(k, ls, ls.Permute((3, 1, 2)), ls.Flatten(), _softmax(ls)),
        layer="last_conv",
        places=True,
    ),
    Kind("branches that meet again", _branches, layer="together"),
    Kind(
        "scores from two feature maps: cut where all paths still go through one",
        _two_scales,
        "gradient",
        layer="shared",
    ),
    Kind(
        "several feature maps: the last before the spatial axes are lost",
        lambda k, ls: _sequential(
            k, _conv(ls, "first"), _conv(ls, "second"), ls.GlobalAveragePooling2D(), _softmax(ls)
        ),
        layer="second",
    ),
    Kind("a layer that is met twice: cut behind the second time", _met_twice, layer="shared"),
    Kind("arithmetic between the layers (`image / 127.5 - 1`)", _arithmetic),
    Kind(
        "a cut in front of depthwise convolutions, with `--layer`",
        lambda k, ls: _sequential(k, _backbone(k, ls), ls.GlobalAveragePooling2D(), _softmax(ls)),
        "gradient",
        layer="stem",
        options={"layer": "stem"},
    ),
    Kind(
        "grey images without an axis of channels (`Input((28, 28))`)",
        lambda k, ls: k.Sequential(
            [k.Input((SIDE, SIDE)), ls.Reshape((SIDE, SIDE, 1)), _conv(ls), ls.Flatten(), _softmax(ls)],
            name="classifier",
        ),
        layer="last_conv",
        places=True,
    ),
    Kind(
        "integer pixels (`Input(..., dtype='uint8')`)",
        lambda k, ls: k.Sequential(
            [
                k.Input((SIDE, SIDE, 3), dtype="uint8"),
                ls.Rescaling(1 / 255),
                _conv(ls),
                ls.GlobalAveragePooling2D(),
                _softmax(ls),
            ],
            name="classifier",
        ),
        layer="last_conv",
    ),
    Kind(
        "images of any size, with `--size`",
        lambda k, ls: k.Sequential(
            [_image(k, None), _conv(ls), ls.GlobalAveragePooling2D(), _softmax(ls)], name="classifier"
        ),
        layer="last_conv",
        options={"size": (SIDE, 20)},
    ),
    Kind("mixed precision (`mixed_float16`), computed in float32", _in_precision("mixed_float16"), layer="normalized"),
    Kind(
        "mixed precision (`mixed_bfloat16`), computed in float32", _in_precision("mixed_bfloat16"), layer="normalized"
    ),
    Kind("half precision (`float16`), computed in float32", _in_precision("float16"), layer="normalized"),
    Kind(
        "mixed precision (`mixed_float16`) with arithmetic (`x + z`, `image / 127.5 - 1`), computed in float32",
        _mixed_arithmetic,
    ),
    Kind("scores under a name (`keras.Model(image, {'scores': scores})`)", _named_output, layer="last_conv"),
    Kind("a fixed batch (`batch_size=1`, `ops.reshape(x, (1, -1))`)", _batch_of_one, layer="last_conv", places=True),
)

AFFINE_HEADS = (
    Kind("global average pooling, Dense", lambda k, ls: _pooled(k, ls, _softmax(ls))),
    Kind(
        "global average pooling, Dropout, BatchNormalization, Dense",
        lambda k, ls: _pooled(k, ls, ls.Dropout(0.3), ls.BatchNormalization(), _softmax(ls)),
    ),
    Kind(
        "convolution with a channel per class, global average pooling, Activation",
        lambda k, ls: _behind_features(
            k, ls, ls.Conv2D(CLASSES, 3), ls.GlobalAveragePooling2D(), ls.Activation("softmax")
        ),
    ),
    Kind(
        "AveragePooling2D, Flatten, Dense",
        lambda k, ls: _behind_features(k, ls, ls.AveragePooling2D(8), ls.Flatten(), _softmax(ls)),
    ),
    Kind(
        "AveragePooling2D to several places, Flatten, Dense",
        lambda k, ls: _behind_features(k, ls, ls.AveragePooling2D(4), ls.Flatten(), _softmax(ls)),
        places=True,
    ),
    Kind("Flatten, Dense", lambda k, ls: _behind_features(k, ls, ls.Flatten(), _softmax(ls)), places=True),
    Kind(
        "global average pooling that keeps its axes, 1 x 1 convolution, Flatten",
        lambda k, ls: _behind_features(
            k,
            ls,
            ls.GlobalAveragePooling2D(keepdims=True),
            ls.Conv2D(CLASSES, 1, activation="softmax"),
            ls.Flatten(),
        ),
    ),
    Kind(
        "Dense without bias",
        lambda k, ls: _pooled(k, ls, ls.Dense(CLASSES, activation="softmax", use_bias=False)),
    ),
    Kind("two Dense without an activation between", lambda k, ls: _pooled(k, ls, ls.Dense(5), _softmax(ls))),
    Kind(
        "sigmoid: several labels an image",
        lambda k, ls: _pooled(k, ls, ls.Dense(CLASSES, activation="sigmoid")),
        activation="sigmoid",
    ),
    Kind(
        "one sigmoid unit: two classes, 1 - p and p",
        lambda k, ls: _pooled(k, ls, ls.Dense(1, activation="sigmoid")),
        activation="sigmoid",
    ),
    Kind("linear: logits", lambda k, ls: _pooled(k, ls, ls.Dense(CLASSES)), activation="linear"),
    Kind(
        "softmax as a function (`keras.ops.softmax`, `tf.nn.softmax`, a Lambda layer with `--trust`)",
        lambda k, ls: _pooled(k, ls, ls.Dense(CLASSES), ls.Lambda(lambda z: k.ops.softmax(z))),
    ),
    Kind("softmax written out (`exp(z) / sum(exp(z))`)", _written_out),
    Kind("one sigmoid unit p beside its opposite: `[p, 1 - p]`", _both_classes, activation="sigmoid"),
    Kind("a Softmax layer of its own", lambda k, ls: _pooled(k, ls, ls.Dense(CLASSES), ls.Softmax())),
)

_HIDDEN = (
    ("relu",),
    ("gelu", "silu", "tanh"),
    ("elu", "leaky_relu", "relu6", "hard_silu"),
    ("selu", "softplus", "sigmoid"),
)

OTHER_HEADS = (
    *(
        Kind(
            f"global average pooling, Dense with {', with '.join(names)}, Dense",
            lambda k, ls, names=names: _pooled(k, ls, *(ls.Dense(8, activation=name) for name in names), _softmax(ls)),
            "gradient",
        )
        for names in _HIDDEN
    ),
    Kind(
        "Flatten, Dense with relu, Dense",
        lambda k, ls: _behind_features(k, ls, ls.Flatten(), ls.Dense(8, activation="relu"), _softmax(ls)),
        "gradient",
    ),
    Kind(
        "AveragePooling2D, Flatten, Dense with relu, Dropout, Dense",
        lambda k, ls: _behind_features(
            k, ls, ls.AveragePooling2D(7), ls.Flatten(), ls.Dense(8, activation="relu"), ls.Dropout(0.5), _softmax(ls)
        ),
        "gradient",
    ),
    Kind(
        "MaxPooling2D, Flatten, Dense",
        lambda k, ls: _behind_features(k, ls, ls.MaxPooling2D(8), ls.Flatten(), _softmax(ls)),
        "gradient",
    ),
    Kind(
        "global max pooling, Dense",
        lambda k, ls: _behind_features(k, ls, ls.GlobalMaxPooling2D(), _softmax(ls)),
        "gradient",
    ),
    Kind(
        "global average pooling, LayerNormalization, Dense",
        lambda k, ls: _pooled(k, ls, ls.LayerNormalization(), _softmax(ls)),
        "gradient",
    ),
    Kind(
        "average and max pooling side by side, Dense",
        lambda k, ls: _functional(
            k,
            lambda x: _softmax(ls)(ls.Concatenate()([ls.GlobalAveragePooling2D()(x), ls.GlobalMaxPooling2D()(x)])),
        ),
        "gradient",
    ),
    Kind(
        "global average pooling, PReLU, Dense with sigmoid",
        lambda k, ls: _pooled(k, ls, ls.Dense(8), ls.PReLU(), ls.Dense(CLASSES, activation="sigmoid")),
        "gradient",
        "sigmoid",
    ),
)

REFUSALS = (
    Refusal("a subclassed model", _subclassed, "neither a Sequential nor a functional model"),
    Refusal(
        "a Sequential model that was never built",
        lambda k, ls: k.Sequential([_conv(ls), ls.GlobalAveragePooling2D(), _softmax(ls)], name="classifier"),
        "was never built",
    ),
    Refusal("two inputs", _two_inputs, "2 inputs"),
    Refusal("several outputs", _two_outputs, "2 tensors"),
    Refusal(
        "a vector for an input",
        lambda k, ls: k.Sequential([k.Input((784,)), ls.Dense(9, activation="relu"), _softmax(ls)], name="classifier"),
        r"the input is \(batch, 784\)",
    ),
    Refusal(
        "images of four channels",
        lambda k, ls: _sequential(k, _conv(ls), ls.GlobalAveragePooling2D(), _softmax(ls), channels=4),
        "1 or 3 channels",
    ),
    Refusal("channels first", _channels_first, "channels first"),
    Refusal(
        "images of any size, without `--size`",
        lambda k, ls: k.Sequential(
            [_image(k, None), _conv(ls), ls.GlobalAveragePooling2D(), _softmax(ls)], name="classifier"
        ),
        "--size",
    ),
    Refusal(
        "`--size` for a classifier whose size is fixed",
        lambda k, ls: _pooled(k, ls, _softmax(ls)),
        "leave --size out",
        options={"size": (32, 32)},
    ),
    Refusal(
        "a classifier of dense layers alone",
        lambda k, ls: _sequential(k, ls.Rescaling(1 / 255), ls.Flatten(), ls.Dense(9, activation="relu"), _softmax(ls)),
        "no learned layer",
    ),
    Refusal("a transformer", _transformer, "attention"),
    Refusal(
        "lists of places, each normalized over its channels, behind the last map",
        _normalized_tokens,
        "its evidence cancels out",
    ),
    Refusal("scores that also come from the image itself", _with_image_skip, "no feature map"),
    Refusal(
        "an output that is a map",
        lambda k, ls: _sequential(k, _conv(ls), ls.Conv2D(CLASSES, 1, activation="softmax")),
        r"expected scores \(batch, classes\)",
    ),
    Refusal(
        "one output without a sigmoid",
        lambda k, ls: _pooled(k, ls, ls.Dense(1)),
        "names no class",
    ),
    Refusal("weights that Keras has quantized", _quantized, "quantized by Keras"),
    Refusal("weights that are not finite", _damaged, "not finite"),
    Refusal(
        "an unknown `--layer`",
        lambda k, ls: _pooled(k, ls, _softmax(ls)),
        "no layer is named",
        options={"layer": "conv_99"},
    ),
    Refusal(
        "a `--layer` that is no feature map",
        lambda k, ls: _pooled(k, ls, ls.Dense(4, name="hidden"), _softmax(ls)),
        "no feature map",
        options={"layer": "hidden"},
    ),
    Refusal("a `--layer` that the scores bypass", _branches, "do not follow", options={"layer": "left"}),
    Refusal(
        "a `--layer` whose axes are no longer those of the image",
        lambda k, ls: _behind_features(k, ls, ls.Permute((3, 1, 2), name="moved"), ls.Flatten(), _softmax(ls)),
        "not those of the image",
        options={"layer": "moved"},
    ),
)


@dataclass(frozen=True, eq=False)
class FileRefusal:
    """A file that is not opened; `write` makes it in a folder, `why` is part of the reason that is given."""

    title: str
    write: Callable[[Path], Path]
    why: str

    def __str__(self) -> str:
        return self.title


def _saved(folder: Path, name: str, *parts: Callable[[Any], Any]) -> Path:
    import keras

    ls = keras.layers
    made = [part(ls) for part in parts]
    _sequential(keras, *made, _conv(ls), ls.GlobalAveragePooling2D(), _softmax(ls)).save(folder / name)
    return folder / name


def _saved_model(folder: Path) -> Path:
    import tensorflow as tf

    tf.saved_model.save(tf.Module(), str(folder / "classifier"))
    return folder / "classifier"


def _weights_alone(folder: Path) -> Path:
    import keras

    _pooled(keras, keras.layers, _softmax(keras.layers)).save_weights(folder / "classifier.weights.h5")
    return folder / "classifier.weights.h5"


def _structure_alone(folder: Path) -> Path:
    import keras

    (folder / "classifier.json").write_text(_pooled(keras, keras.layers, _softmax(keras.layers)).to_json())
    return folder / "classifier.json"


def _own_class(folder: Path) -> Path:
    """Of a subclassed model, as any class of somebody's own."""
    import keras

    model = _subclassed(keras, keras.layers)
    type(model).__module__ = "own_layers"
    model.save(folder / "classifier.keras")
    return folder / "classifier.keras"


def _pointer(folder: Path) -> Path:
    (folder / "classifier.h5").write_text("version https://git-lfs.github.com/spec/v1\noid sha256:0\nsize 1\n")
    return folder / "classifier.h5"


def _no_model(folder: Path) -> Path:
    (folder / "classifier.h5").write_text("<!doctype html>")
    return folder / "classifier.h5"


FILE_REFUSALS = (
    FileRefusal("a SavedModel directory", _saved_model, "a SavedModel, which has no layers to cut"),
    FileRefusal("weights only, without `--structure`", _weights_alone, "holds weights only"),
    FileRefusal("a structure only", _structure_alone, "a structure without weights"),
    FileRefusal(
        "a Lambda layer, without `--trust`",
        lambda folder: _saved(folder, "classifier.h5", lambda ls: ls.Lambda(lambda x: x)),
        "carries code (a Lambda layer)",
    ),
    FileRefusal(
        "a class of one's own (a subclassed model, a custom layer), without `--trust`",
        _own_class,
        "carries code (own_layers.Subclassed)",
    ),
    FileRefusal("a pointer of Git LFS", _pointer, "fetch it with `git lfs pull`"),
    FileRefusal("anything else under the name of a model", _no_model, "no Keras model"),
)


def file_refusal(kind: FileRefusal, folder: Path) -> str:
    """Make the file in an empty folder, and try to open it."""
    from camlite_export.sources.keras_files import open_classifier

    path = kind.write(folder)
    try:
        open_classifier(path)
    except ClassifierError as error:
        return str(error).removeprefix(f"{path}: ").replace(str(path), path.name)
    raise AssertionError(f"{kind.title} was opened")


def lively(model: keras.Model, seed: int = 0) -> keras.Model:
    """Seeded random weights, such that every layer matters: normalizations, too, have statistics and gains."""
    random = np.random.default_rng(seed)
    for weight in model.weights:
        shape = tuple(weight.shape)
        if "seed" in weight.name or "int" in str(weight.dtype):
            continue
        if "variance" in weight.name or "gamma" in weight.name:
            weight.assign(random.uniform(0.5, 1.5, shape))
        else:
            spread = 0.2 if len(shape) < 2 else 1.5 / np.sqrt(np.prod(shape[:-1]))
            weight.assign(random.normal(0, spread, shape))
    return model


@cache
def classifier(kind: Kind | Refusal) -> keras.Model:
    """The classifier, built once a process."""
    import keras

    model = kind.build(keras, keras.layers)
    return lively(model) if isinstance(kind, Kind) else model


@cache
def cut(kind: Kind | Refusal) -> TwoOutputModel | str:
    """The two-output model, or the reason for a refusal."""
    try:
        return two_output.cut(classifier(kind), **(kind.options or {}))
    except ClassifierError as error:
        return str(error)


@cache
def converted(kind: Kind, container: str) -> bytes:
    """The float32 model in a container, converted once a process."""
    model = cut(kind)
    assert isinstance(model, TwoOutputModel), model
    return {"tflite": tflite_target, "onnx": onnx_target}[container].convert(model, "float32", None)


def images(two_output_model: TwoOutputModel, count: int = 8) -> np.ndarray:
    """Seeded uint8 images (N, H, W, channels) of the classifier's own size."""
    return np.random.default_rng(1).integers(0, 256, (count, *two_output_model.image_shape), np.uint8)


PAGE = Path(__file__).parents[2] / "docs" / "classifiers.md"


def page() -> str:
    """docs/classifiers.md."""
    return "\n".join(_page())


def _page() -> Any:
    yield "<!-- make classifiers-page wrote this page from the lists that the tests run over. -->"
    yield from inspect.cleandoc("""
        # Which classifiers camlite explains

        camlite cuts a classifier at its last feature map. The part after the cut is the *head*. Each line below is a
        small classifier that the tests cut, export, run on every backend and compare with Keras.

        `camlite inspect MODEL` prints the layers, where the cut is, how the evidence is computed, and which pixels
        camlite believes the classifier takes. `--layer` cuts at another layer.

        The tables call the ways to compute evidence as `inspect` does. `device`: camlite multiplies features by class
        weights. `gradient`: the artifact multiplies features by the gradient of the logit, for every class;
        `gradient_top` for the class with the highest score only.
    """).splitlines()
    yield ""
    yield "## What it may be made of"
    yield ""
    yield from (f"- {kind.title}" for kind in SHAPES)
    yield ""
    yield "## What is opened"
    yield ""
    yield from inspect.cleandoc("""
        - `.keras`, `.h5`, `.hdf5` and `.model` of Keras 3 and of Keras 2 (tf_keras), of all their versions.
          The content counts, not the name. A model of Keras 2 is rebuilt layer by layer in Keras 3, and its scores are
          compared with those in Keras 2.
        - Weights and their structure in two files: `camlite export weights.h5 --structure structure.json`. The first
          was written by `model.save_weights()`, the second by `model.to_json()`.
        - A SavedModel of Keras 2, with `--trust`, because it contains code.
        - Loss, metrics and optimizer in a file are ignored: nothing is compiled.
        - In Python, a model object of Keras 3 or of tf_keras: `camlite_export.export(model, folder)`.
    """).splitlines()
    yield ""
    yield from ("| file that is refused | what camlite says |", "|---|---|")
    for file in FILE_REFUSALS:
        with tempfile.TemporaryDirectory() as folder:
            yield f"| {file.title} | {file_refusal(file, Path(folder))} |"
    yield ""
    yield "## Heads that are affine: Class Activation Mapping"
    yield ""
    yield from inspect.cleandoc("""
        Evidence is features times class weights, and adds up to the logit (completeness). Class weights are the head's
        own Jacobian. camlite uses them only if random features of all magnitudes show that the head is affine.
    """).splitlines()
    yield ""
    yield from ("| head | class weights |", "|---|---|")
    yield from (f"| {kind.title} | {'one set per place' if kind.places else 'one set'} |" for kind in AFFINE_HEADS)
    yield ""
    yield "## Heads that are not: HiResCAM"
    yield ""
    yield from inspect.cleandoc("""
        Evidence is features times the gradient of the logit, computed inside the artifact with ordinary operators.
        With up to 64 classes any class can be explained, with more only the top class. There is no int16x8 artifact,
        because TFLite has no comparisons in int16x8, which gradients need.

        Where such a head is linear in pieces (ReLU, leaky ReLU, clips, max pooling), the artifact also gives the bias
        of the active pieces, and evidence with it adds up to the logit. In int8 it does not: evidence of all classes
        has one scale of 8 bits there.
    """).splitlines()
    yield ""
    yield from (f"- {kind.title}" for kind in OTHER_HEADS)
    yield ""
    yield from _applications()
    yield from _tflite_files()
    yield from _onnx_files()
    yield "## Classifiers in 8 bits"
    yield ""
    yield from inspect.cleandoc("""
        For int8, give a folder of photographs for calibration. camlite corrects biases for the average effect of
        rounding the kernels. How close the artifact comes depends on the classifier: some change their maps when pixels
        change by one level of 255, and no conversion of these to 8 bits can agree with Keras. `camlite export` and
        `camlite parity` round the tensors of the classifier itself, measure the effect, and relax their gates as long
        as the artifact is still [fit for use](parity.md#fit-for-use). If it is not, they say UNFIT. A Teachable Machine
        model, on 110 photographs:

        | artifact | kB | the original's class | evidence correlation, 5th percentile | same peak | verdict |
        |---|---|---|---|---|---|
        | float32.tflite | 2654.9 | 100 % | 1.0000 | 100 % | fit |
        | float16.tflite | 1390.3 | 100 % | 0.9988 | 97 % | fit |
        | dynamic.tflite | 840.3 | 96 % | 0.9904 | 86 % | fit |
        | int8.tflite | 915.0 | 94 % | 0.9373 | 75 % | UNFIT |
        | float32.onnx | 2647.0 | 100 % | 1.0000 | 100 % | fit |
        | float16.onnx | 1357.9 | 99 % | 0.9968 | 95 % | fit |
        | int8.onnx | 888.2 | 93 % | 0.9577 | 78 % | UNFIT |

        The original itself only reaches 94 %, 0.957 and 75 % if its tensors are rounded to 8 bits. Ship `dynamic` or
        `float16`.
    """).splitlines()
    yield ""
    yield "## What is refused, and why"
    yield ""
    yield from ("| classifier | what camlite says |", "|---|---|")
    for kind in REFUSALS:
        reason = str(cut(kind)).removeprefix("classifier: ").replace("|", r"\|")
        yield f"| {kind.title} | {reason} |"
    yield ""


def _onnx_files() -> Any:
    from support import onnx_files  # which imports sources only where it needs them

    with tempfile.TemporaryDirectory() as folder:
        yield from onnx_files.section(Path(folder))


def _tflite_files() -> Any:
    from support import tflite_files  # which builds on this module

    yield "## The file that ships: `.tflite`"
    yield ""
    yield from inspect.cleandoc("""
        `camlite export model.tflite` keeps that file as it is, with all operators and weights. It only adds the
        features as an output and, if the head is not affine, the operators of its gradient. So the scores are exactly
        those of the file, and `camlite parity model.tflite ARTIFACT` allows no difference. There is one artifact, in
        the file's own precision; `int8` means 8-bit integers, signed or not. Labels and the normalization of pixels
        come from the file's metadata, if it has any. If the input is of integers, these are the pixels. `--maps sharp`
        adds a guide, in float32.
    """).splitlines()
    yield ""
    yield from ("| file | precision | evidence |", "|---|---|---|")
    yield from (f"| {kind.title} | {kind.precision} | {kind.evidence} |" for kind in tflite_files.KINDS)
    yield ""
    yield from ("| file that is refused | what camlite says |", "|---|---|")
    for kind in tflite_files.REFUSALS:
        with tempfile.TemporaryDirectory() as folder:
            yield f"| {kind.title} | {tflite_files.refusal(kind, Path(folder) / 'model.tflite')} |"
    yield ""


def _applications() -> Any:
    yield "## Networks of keras.applications"
    yield ""
    yield from inspect.cleandoc("""
        With random weights, normalizations that normalize and 1,000 classes, at their own input size; four images.
        The largest differences from Keras in float32, over three backends: of a score, of evidence (of the image's
        largest), and of what evidence adds up to. In the last three columns, where they were measured, the correlation
        of maps with Keras's own, of the least alike image and backend, for images of 96 x 96 pixels (InceptionV3:
        128 x 128): of fine maps (LayerCAM at two earlier layers; NASNetMobile has one) in float32 and in int8, and of
        plain maps, few cells at this size, in int8. Eight bits change what an untrained network sees, and both maps
        with it; for trained networks see [Fine maps](fine-maps.md). `pytest -m applications` measures all of it.
    """).splitlines()
    yield ""
    yield from (
        "| network | cut at | features | method | scores | evidence | completeness | fine | fine, int8 | plain, int8 |",
        "|---|---|---|---|---|---|---|---|---|---|",
    )
    for name, measured in json.loads(APPLICATION_FIGURES.read_text()).items():
        backends = [one for one in measured.values() if isinstance(one, dict)]
        cells = [max(one[figure] for one in backends) for figure in ("scores", "evidence")]
        whole = [one["completeness"] for one in backends if one["completeness"] is not None]
        figures = " | ".join(f"{cell:.0e}" for cell in (*cells, *([max(whole)] if whole else [])))
        features = " x ".join(map(str, measured["features"]))
        maps = [_least(measured, kind, form) for kind, form in _MAPS.items()]
        row = (name, measured["layer"], features, measured["method"], figures + ("" if whole else " | "), *maps)
        yield f"| {' | '.join(row)} |"
    yield ""
    yield from _converted_networks()


# Maps whose correlation is shown, by the first words of their figures, and how many digits that has.
_MAPS = {"fine float32 ": ".6f", "fine int8 ": ".2f", "plain int8 ": ".2f"}


def _least(measured: Mapping[str, Any], kind: str, form: str) -> str:
    """Of all backends; nothing where it was not measured on each that gave scores."""
    found = [one for key, one in measured.items() if key.startswith(kind)]
    backends = [one for one in measured.values() if isinstance(one, dict)]
    return f"{min(found):{form}}" if len(found) == len(backends) else ""


def _converted_networks() -> Any:
    yield from inspect.cleandoc("""
        The same networks as plain files, by TensorFlow's converter and by tf2onnx, are cut where the Keras model is,
        and the artifact gives the scores of the file to the bit. The table shows how far its evidence is from that of
        the Keras model (of the image's largest), and the side of the images. ConvNeXt must be written for tf2onnx
        without its convolutions in groups and without erfc, for which ONNX has no operators.
    """).splitlines()
    yield ""
    yield from ("| network | from `.tflite` | from `.onnx` |", "|---|---|---|")
    for name, kinds in json.loads(CONVERTED_FIGURES.read_text()).items():
        found = [kinds.get(container) for container in ("tflite", "onnx")]
        cells = ["" if one is None else f"{one['evidence']:.0e} ({one['side']} x {one['side']})" for one in found]
        yield f"| {' | '.join((name, *cells))} |"
    yield ""


if __name__ == "__main__":
    PAGE.write_text(page(), encoding="utf-8")
