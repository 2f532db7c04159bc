"""Read the structure that a model file declares, and make another of it that holds nothing but what is allowed.

A file may ask Keras for any class, any function of Keras or TensorFlow, and any argument; some of them read and write
files, import modules, or run Python code. So nothing of the file's structure reaches Keras. It is read here, by the
lists of `allowed`, and what Keras gets is made anew: names of classes and functions are compared with those lists,
modules come from them, numbers are numbers, words are of a few, and what only training needs (initializers,
regularizers, constraints, how the model is compiled) is left out. What is on no list is refused by its name.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from camlite.errors import ClassifierError
from camlite_export.sources.untrusted import allowed
from camlite_export.sources.untrusted.calls import Calls, is_reference
from camlite_export.sources.untrusted.refusals import Fields, is_of_keras, is_one_of, shown

# Networks of keras.applications have some thousand layers; models in models, 3 deep, are what people save.
_MOST_CALLS = 20_000
_DEEPEST = 16


def read(structure: Any, where: str, keras2: bool) -> Fields:
    """A model's structure for `keras.saving.deserialize_keras_object`, or tf_keras's `model_from_config`.

    Args:
        structure: the JSON of the file.
        where: the file, for messages.
        keras2: whether Keras 2 saved it.

    Raises:
        ClassifierError: it holds a class, a function or an argument that is on no list, or is no model.
    """
    reader = _Reader(where, keras2)
    if not isinstance(structure, dict) or not is_one_of(structure.get("class_name"), allowed.MODELS):
        raise reader.class_refusal(
            structure if isinstance(structure, dict) else {"class_name": type(structure).__name__}
        )
    try:
        return reader.layer(structure, 0)[0]
    except RecursionError:
        raise ClassifierError(f"{where}: no Keras model (its structure is nested too deeply); save it again") from None


class _Reader(Calls):
    """One pass over a structure."""

    def __init__(self, where: str, keras2: bool) -> None:
        super().__init__(where, keras2)
        self._layers = allowed.LAYERS_OF_KERAS_2 if keras2 else allowed.LAYERS_OF_KERAS_3

    def layer(self, entry: Any, depth: int) -> tuple[Fields, int]:
        """A layer, a model or an operation, and how many calls of layers one call of it is."""
        if not isinstance(entry, dict) or not isinstance(entry.get("class_name"), str):
            raise self.refusal(f"holds a {type(entry).__name__} in place of a layer")
        own = entry["class_name"].removeprefix("Custom>")  # as Keras 2 registers its own
        if self.keras2 and own in allowed.LAYERS_OF_APPLICATIONS:
            registered = own if entry.get("registered_name") == f"Custom>{own}" else entry.get("registered_name")
            entry = {**entry, "class_name": own, "registered_name": registered}
        if not self.keras2 and own in allowed.EXPORTED_AS:
            entry = {**entry, "class_name": allowed.EXPORTED_AS[own]}
        if depth > _DEEPEST:
            raise ClassifierError(
                f"{self.where}: models in models, more than {_DEEPEST} deep; no image classifier needs as many"
            )
        kind, config = entry["class_name"], entry.get("config")
        if kind in allowed.MODELS:
            module, made, calls = self._model(kind, entry, depth)
        else:
            known = self._module_of(kind, config)
            if known is None:
                raise self.class_refusal(entry)
            module = known
            made, calls = self.arguments(entry, depth)
        self._check_origin(entry)
        clean: Fields = {"class_name": "Functional" if kind == "Model" else kind, "config": made}
        if not self.keras2:
            clean |= {"module": module, "registered_name": None}
            if isinstance(entry.get("build_config"), dict):
                clean["build_config"] = self._build(entry["build_config"])
        if type(entry.get("shared_object_id")) is int:
            clean["shared_object_id"] = entry["shared_object_id"]
        return clean, calls

    def _module_of(self, kind: str, config: Any) -> str | None:
        """Where Keras has a class that is allowed."""
        is_operation = isinstance(config, dict) and "trainable" not in config
        if kind in allowed.OPERATIONS and not self.keras2 and (is_operation or kind not in self._layers):
            return f"keras.src.ops.{allowed.OPERATIONS[kind]}"
        if kind in self._layers:
            return "keras.layers"
        if kind in allowed.LAYERS_OF_APPLICATIONS:
            return f"keras.src.{allowed.LAYERS_OF_APPLICATIONS[kind]}"
        return None

    def _check_origin(self, entry: Mapping[str, Any]) -> None:
        """Refuse a class of somebody's own that has the name of one of Keras's."""
        kind, registered = entry["class_name"], entry.get("registered_name")
        if "module" in entry and not (isinstance(entry["module"], str) and is_of_keras(entry["module"])):
            raise self.code_refusal(f"{entry['module']}.{kind}" if entry["module"] else str(registered or kind))
        if registered not in (None, kind, f"keras>{kind}"):
            raise self.code_refusal(str(registered))

    def _model(self, kind: str, entry: Fields, depth: int) -> tuple[str, Fields, int]:
        config = entry.get("config")
        if isinstance(config, list) and kind == "Sequential":  # the first versions of Keras 2
            config = {"name": "sequential", "layers": config}
        if not isinstance(config, dict) or not isinstance(config.get("layers"), list):
            raise self.refusal(f"holds a {kind} without layers")
        layers, calls = [], 0
        for part in config["layers"]:
            clean, inner = self.layer(part, depth + 1)
            if kind != "Sequential":
                nodes = self.list_of(part, "inbound_nodes")
                clean["name"] = self.name(part.get("name"))
                clean["inbound_nodes"] = [self.node(node) for node in nodes]
                inner *= max(1, len(nodes))
            layers.append(clean)
            calls += inner
            if calls > _MOST_CALLS:
                raise ClassifierError(
                    f"{self.where}: more than {_MOST_CALLS} calls of layers, as models in models repeat them; "
                    f"no image classifier needs as many"
                )
        made: Fields = {"name": self.name(config.get("name", kind.lower())), "layers": layers}
        if kind == "Sequential":
            if config.get("build_input_shape") is not None:
                made["build_input_shape"] = self.numbers(config["build_input_shape"], "build_input_shape")
            return "keras", made, calls
        made |= {end: self._ends(config.get(end), end) for end in ("input_layers", "output_layers")}
        return "keras.src.models.functional", made, calls

    def _ends(self, value: Any, name: str) -> Any:
        """Where a model's tensors come from: ``["conv", 0, 0]``, or these in lists or under names."""
        if is_reference(value):
            return [self.name(value[0]), *value[1:]]
        if isinstance(value, list):
            return [self._ends(item, name) for item in value]
        if isinstance(value, dict):
            return {self.name(key): self._ends(item, name) for key, item in value.items()}
        raise self.refusal(f"{name} are '{shown(value)}'")

    def _build(self, build: Mapping[str, Any]) -> Fields:
        made: Fields = {}
        for key, value in build.items():
            if not isinstance(key, str) or not key.endswith(("shape", "shapes_dict")):
                raise self.refusal(f"build_config has '{shown(key)}'")
            if isinstance(value, dict):
                made[key] = {self.name(inner): self.numbers(one, inner) for inner, one in value.items()}
            else:
                made[key] = self.numbers(value, key)
        return made

    def arguments(self, entry: Fields, depth: int) -> tuple[Fields, int]:
        kind, config = entry["class_name"], entry.get("config")
        if not isinstance(config, dict):
            raise self.refusal(f"a {kind} is configured by '{shown(config)}'")
        made: Fields = {}
        calls = 1
        for name, value in config.items():
            if name in allowed.LAYERS_INSIDE and kind in allowed.WRAPPERS:
                made[name], inner = (None, 0) if value is None else self.layer(value, depth + 1)
                calls += 2 * inner
            elif name == "function" and kind in allowed.CALLS_OF_TENSORFLOW:
                made[name] = self._function_of_tensorflow(value)
            else:
                self._argument(entry, name, value, made)
        if kind == "Normalization":
            made |= self._normalization(made)
        return made, calls

    def _normalization(self, config: Fields) -> Fields:
        """Its mean and variance are made as large as the axes at once: the same numbers, without the axes."""
        found = {name: np.ravel(config[name]) for name in ("mean", "variance") if config.get(name) is not None}
        if not found:
            return {}
        if all(one.size == 1 for one in found.values()):
            return {"axis": None, **{name: one.item() for name, one in found.items()}}
        axes = config.get("axis")
        if isinstance(axes, (list, tuple)) and len(axes) > 1:
            raise self.refusal("a Normalization has mean and variance of several axes in its configuration")
        return {}
