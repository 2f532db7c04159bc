"""The layer of Keras 3 that computes what a layer of Keras 2 computes.

Most have the same name and the same arguments. Where an argument was renamed, or a name means another function than
before, a line here says so; `tests/export/sources/test_every_layer.py` proves it of every class and argument.
"""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable, Mapping
from typing import Any

from camlite_export import workarounds

_FUNCTIONS = frozenset({"TFOpLambda", "SlicingOpLambda", "Lambda"})  # a Lambda is only met where the file is trusted
_HOLD_LAYERS = {"TimeDistributed": ("layer",), "Bidirectional": ("forward_layer", "backward_layer")}
_ACTIVATIONS = ("activation", "recurrent_activation")
# Keras 3 resizes by these, and no others.
_RESIZES_BY = frozenset({"area", "bicubic", "bilinear", "lanczos3", "lanczos5", "nearest"})


class NoCounterpartError(Exception):
    """Keras 3 has no such layer."""


def counterpart(layer: Any) -> Any:
    """A layer or operation of Keras 3 for one of tf_keras, without its state: `set_state`.

    Raises:
        NoCounterpartError: there is none.
        TypeError, ValueError, AttributeError: of Keras, where it does not take an argument.
    """
    import keras

    kind = type(layer).__name__
    if getattr(layer, "time_major", False):
        raise ValueError("it has time_major=True, which Keras 3 does not have")
    if kind in _FUNCTIONS:
        return function(layer, f"tf.{layer.symbol}" if kind != "Lambda" else kind)
    if _does_nothing(kind):
        return keras.layers.Identity(name=_name(layer))
    special = _SPECIAL.get(kind)
    if special is not None:
        return special(layer)
    counterpart = getattr(keras.layers, kind, None) or workarounds.layers_of_applications().get(kind)
    if counterpart is None:
        raise NoCounterpartError
    return counterpart(**_arguments(layer, counterpart))


def set_state(operation: Any, layer: Any) -> None:
    """Give a built counterpart what the layer has learned, and all that follows from it.

    Some layers compute with what they have made of their weights: a Normalization with the root of its variance.
    """
    if not layer.weights:
        return
    operation.set_weights(layer.get_weights())
    for one in workarounds.all_layers(operation):
        if hasattr(one, "finalize_state"):
            one.finalize_state()


def _does_nothing(kind: str) -> bool:
    """Outside training; Keras 3 is stricter with some of their arguments."""
    return kind not in _SPECIAL and kind.startswith(("GaussianNoise", "Random"))


def _name(layer: Any) -> str:
    return str(layer.name).replace("/", "_")


def _arguments(layer: Any, counterpart: type) -> dict[str, Any]:
    """Those that Keras 3 still has. What it no longer has does not change what is computed."""
    known = inspect.signature(counterpart.__init__).parameters.keys() - {"dtype"}  # type: ignore[misc]
    config = {name: value for name, value in layer.get_config().items() if name in known}
    config["name"] = _name(layer)
    if isinstance(config.get("axis"), (list, tuple)) and len(config["axis"]) == 1:
        config["axis"] = config["axis"][0]
    if isinstance(config.get("shared_axes"), tuple):
        config["shared_axes"] = list(config["shared_axes"])
    for argument in _ACTIVATIONS:
        if argument in config:
            config[argument] = _activation(getattr(layer, argument))
    return config


def _activation(function: Any) -> Any:
    """Of Keras 3: by its name, where that means the same; a layer as its counterpart."""
    import keras

    if hasattr(function, "get_config"):
        return counterpart(function)
    name = getattr(function, "__name__", "")
    if name == "hard_sigmoid":
        return hard_sigmoid()
    known = getattr(keras.activations, _RENAMED.get(name, name), None)
    return function if known is None else known


_RENAMED = {"softmax_v2": "softmax", "swish": "silu"}  # what tf.nn's functions call themselves


@functools.cache
def hard_sigmoid() -> Callable[[Any], Any]:
    """Keras 2's: 0.2 x + 0.5 between 0 and 1. Keras 3's has a sixth in place of a fifth."""
    import keras

    # Registered, as wrappers write down what they hold, and read it again.
    @keras.saving.register_keras_serializable("camlite_export", "hard_sigmoid_of_keras_2")  # type: ignore[untyped-decorator]
    def hard_sigmoid(x: Any) -> Any:
        return keras.ops.clip(0.2 * x + 0.5, 0.0, 1.0)

    return hard_sigmoid  # type: ignore[no-any-return]


def _held(layer: Any) -> Any:
    """A wrapper around the counterparts of the layers that it holds."""
    import keras

    kind = type(layer).__name__
    options = _arguments(layer, getattr(keras.layers, kind))
    held = [counterpart(getattr(layer, name)) for name in _HOLD_LAYERS[kind]]
    return getattr(keras.layers, kind)(**{**options, **dict(zip(("layer", "backward_layer"), held, strict=False))})


def _leaky_relu(layer: Any) -> Any:
    import keras

    return keras.layers.LeakyReLU(negative_slope=float(layer.alpha), name=_name(layer))


def _thresholded_relu(layer: Any) -> Any:
    import keras

    return keras.layers.ReLU(threshold=float(layer.theta), name=_name(layer))


def _resizing(layer: Any) -> Any:
    import keras

    if layer.interpolation in _RESIZES_BY:
        return keras.layers.Resizing(**_arguments(layer, keras.layers.Resizing))
    return _as_it_is(layer)


def _random_crop(layer: Any) -> Any:
    """Outside training Keras 2 crops to the aspect ratio and resizes; Keras 3's leaves the image as it is."""
    import keras

    return keras.layers.Resizing(layer.height, layer.width, crop_to_aspect_ratio=True, name=_name(layer))


def _as_it_is(layer: Any) -> Any:
    """A layer without weights, called by an operation of Keras 3; in float32, whatever it computed in."""
    return function(type(layer).from_config({**layer.get_config(), "dtype": "float32"}), type(layer).__name__)


_SPECIAL: Mapping[str, Callable[[Any], Any]] = {
    "Bidirectional": _held,
    "LeakyReLU": _leaky_relu,
    "RandomCrop": _random_crop,
    "Resizing": _resizing,
    "ThresholdedReLU": _thresholded_relu,
    "TimeDistributed": _held,
}


def function(layer: Any, shown: str) -> Any:
    """A layer without weights as an operation of Keras 3 that calls it."""
    import keras

    class Function(keras.Operation):  # type: ignore[misc]
        kind = shown

        def call(self, *arguments: Any, **options: Any) -> Any:
            return layer.call(*arguments, **options)

    return Function(name=layer.name)
