"""Classifiers of mixed or lower precision, computed in float32: what every conversion starts from."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from camlite.errors import ClassifierError
from camlite.system.files import scratch
from camlite_export import workarounds

if TYPE_CHECKING:
    import keras

# What computes in other floats than float32; integers, as of the indices of an Embedding, stay.
_OTHER_FLOATS = frozenset({"bfloat16", "float16", "float64", "mixed_bfloat16", "mixed_float16"})
_MAP = "map_"  # of policies, one a layer inside: how their names begin


def in_float32(classifier: keras.Model) -> keras.Model:
    """The classifier itself where it computes in float32, else a copy with the same state that does.

    A policy such as ``mixed_float16`` makes training faster; which precision an artifact has is chosen at export.

    Raises:
        ClassifierError: Keras has quantized its weights.
    """
    policies = {layer.name: layer.dtype_policy for layer in workarounds.all_layers(classifier)}
    for name, policy in policies.items():
        if getattr(policy, "quantization_mode", None):
            raise ClassifierError(
                f"{classifier.name}: layer {name!r} was quantized by Keras ({policy.name}); "
                f"give the classifier as it was before model.quantize(), and choose --precisions"
            )
    if not any(_is_other_float(policy.name) for policy in policies.values()):
        return classifier
    return _copy(classifier)


def _copy(classifier: keras.Model) -> keras.Model:
    """The same layers in float32, and all that Keras saves of them.

    By Keras's own saving, as a file would carry it: weights are not all. A Normalization computes with what it makes
    of them when they are loaded.
    """
    import keras

    def clone(layer: Any) -> Any:
        return type(layer).from_config(_with_float32(layer.get_config()))

    same = keras.models.clone_model(classifier, clone_function=clone, recursive=True)
    with scratch() as folder:
        path = folder / "state.weights.h5"
        classifier.save_weights(path)
        same.load_weights(path)
    return same


def _with_float32(config: Any, name: Any = None) -> Any:
    """A layer's configuration with float32 for every policy in it: layers inside of it have policies of their own."""
    if name == "dtype":
        return "float32" if _is_other_float(_name_of(config)) else config
    if isinstance(config, dict):
        return {key: _with_float32(value, key) for key, value in config.items()}
    if isinstance(config, (list, tuple)):
        return type(config)(_with_float32(value) for value in config)
    return config


def _name_of(dtype: Any) -> Any:
    """Of a dtype, or of a policy as an object, or as Keras writes one."""
    if isinstance(dtype, dict):
        return _MAP if dtype.get("class_name") == "DTypePolicyMap" else dtype.get("config", {}).get("name")
    return getattr(dtype, "name", dtype)


def _is_other_float(name: Any) -> bool:
    return isinstance(name, str) and (name in _OTHER_FLOATS or name.startswith(_MAP))
