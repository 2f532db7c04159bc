"""Classifiers of mixed or lower precision, computed in float32: what every conversion starts from."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from camlite.errors import ClassifierError
from camlite_export.sources import journey

if TYPE_CHECKING:
    import keras

_16_BITS = ("float16", "bfloat16")


def in_float32(classifier: keras.Model) -> keras.Model:
    """The classifier itself where it computes in float32, else a copy with the same weights that does.

    A policy such as ``mixed_float16`` makes training faster; which precision an artifact has is chosen at export.

    Raises:
        ClassifierError: Keras has quantized its weights.
    """
    import keras

    policies = {layer.name: layer.dtype_policy for layer in journey.layers(classifier)}
    for name, policy in policies.items():
        if getattr(policy, "quantization_mode", None):
            raise ClassifierError(
                f"{classifier.name}: layer {name!r} was quantized by Keras ({policy.name}); "
                f"give the classifier as it was before model.quantize(), and choose --precisions"
            )
    if all(policy.name == "float32" for policy in policies.values()):
        return classifier

    def copy(layer: Any) -> Any:
        config = layer.get_config()
        if isinstance(layer, keras.Layer) or config.get("dtype") in _16_BITS:  # of operations, only a cast has a dtype
            config = {**config, "dtype": "float32"}
        return type(layer).from_config(config)

    same = keras.models.clone_model(classifier, clone_function=copy, recursive=True)
    same.set_weights(classifier.get_weights())
    return same
