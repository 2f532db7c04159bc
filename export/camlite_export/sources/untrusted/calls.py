"""What layers are called with: the outputs of other layers, and constants."""

from __future__ import annotations

from typing import Any

from numpy.typing import NDArray

from camlite_export.sources.untrusted import allowed
from camlite_export.sources.untrusted.arguments import DEEPEST_LIST, MOST, Arguments, is_array
from camlite_export.sources.untrusted.refusals import Fields, shown

_CONSTANT = "_CONSTANT_VALUE"  # what Keras 2 calls an input that is none


class _Count:
    """How many outputs of other layers a call takes; without one, Keras would compute at once."""

    tensors = 0


class Calls(Arguments):
    """Calls of Keras 3 are dicts of args and kwargs; of Keras 2, lists of where tensors come from."""

    def __init__(self, where: str, keras2: bool) -> None:
        super().__init__(where)
        self.keras2 = keras2

    def node(self, node: Any) -> Any:
        """One call of a layer: of Keras 3, a dict of args and kwargs; of Keras 2, lists of where tensors come from."""
        count = _Count()
        if self.keras2:
            made = self._inputs(node, count, 0)
        elif isinstance(node, dict) and isinstance(node.get("args"), list) and isinstance(node.get("kwargs"), dict):
            made = {
                "args": [self._value(item, count, 0) for item in node["args"]],
                "kwargs": self._call_arguments(node["kwargs"], count),
            }
        else:
            raise self.refusal(f"a layer is called with '{shown(node)}'")
        if not count.tensors:
            raise self.refusal("a layer is called without the output of another")
        return made

    def _inputs(self, value: Any, count: _Count, depth: int) -> Any:
        if not isinstance(value, list) or depth > DEEPEST_LIST:
            raise self.refusal(f"a layer is called with '{shown(value)}'")
        if not value or not isinstance(value[0], str):
            return [self._inputs(item, count, depth + 1) for item in value]
        options = value[3:]
        if len(value) < 3 or len(options) > 1 or (options and not isinstance(options[0], dict)):
            raise self.refusal(f"a layer is called with '{shown(value)}'")
        if value[0] == _CONSTANT and value[1] == -1:
            start = [_CONSTANT, -1, self._value(value[2], count, 0)]
        elif is_reference(value[:3]):
            count.tensors += 1
            start = [self.name(value[0]), value[1], value[2]]
        else:
            raise self.refusal(f"a layer is called with '{shown(value)}'")
        return [*start, *(self._call_arguments(one, count) for one in options)]

    def _call_arguments(self, options: Fields, count: _Count) -> Fields:
        unknown = [key for key in options if key not in allowed.CALL_ARGUMENTS]
        if unknown:
            raise self.refusal(f"a layer is called with the argument '{shown(unknown[0])}'")
        made = {key: self._value(value, count, 0) for key, value in options.items() if key != "name"}
        for key in made.keys() & allowed.COUNTED:
            made[key] = self.counted(options[key], key)
        small = made.get("ksize")
        for size in small if isinstance(small, list) else [small]:
            self.small_number(size, "ksize")
        return made

    def _value(self, value: Any, count: _Count, depth: int) -> Any:
        if value is None or isinstance(value, (bool, float)) or (isinstance(value, int) and abs(value) <= MOST):
            return value
        if isinstance(value, str) and value in allowed.CALL_WORDS:
            return value
        if isinstance(value, list) and depth < DEEPEST_LIST:
            if self.keras2 and is_reference(value):
                count.tensors += 1
                return [self.name(value[0]), *value[1:]]
            return [self._value(item, count, depth + 1) for item in value]
        if isinstance(value, dict) and depth < DEEPEST_LIST:
            return self._special(value, count, depth + 1)
        raise self.refusal(f"a layer is called with '{shown(value)}'")

    def _special(self, value: Fields, count: _Count, depth: int) -> Any:
        """What JSON has no form for: tensors, arrays, slices, tuples, ``...``."""
        kind, config = value.get("class_name"), value.get("config")
        if kind == "__ellipsis__":
            return ... if self.keras2 else {"class_name": kind, "config": {}}
        if kind == "__tuple__" and isinstance(value.get("items"), list):
            return tuple(self._value(item, count, depth) for item in value["items"])
        if self.keras2 and value.keys() == {"start", "stop", "step"}:
            return {key: self._value(part, count, depth) for key, part in value.items()}
        if is_array(value):
            array = self.array(value, "an array")
            return array if self.keras2 else {"class_name": kind, "config": {**_listed(array)}}
        if isinstance(config, dict) and not self.keras2:
            if kind == "__slice__" and config.keys() == {"start", "stop", "step"}:
                parts = {key: self._value(part, count, depth) for key, part in config.items()}
                return {"class_name": kind, "config": parts}
            if kind == "__keras_tensor__" and is_reference(config.get("keras_history")):
                count.tensors += 1
                origin = config["keras_history"]
                tensor = {
                    "shape": self.numbers(config.get("shape"), "shape"),
                    "dtype": self.dtype(config.get("dtype"), "dtype"),
                    "keras_history": [self.name(origin[0]), *origin[1:]],
                }
                return {"class_name": kind, "config": tensor}
        if isinstance(kind, str):
            raise self.class_refusal(value)
        raise self.refusal(f"a layer is called with '{shown(value)}'")


def is_reference(value: Any) -> bool:
    """``["conv", 0, 0]``: the first output of the first call of the layer conv."""
    return (
        isinstance(value, list)
        and len(value) == 3
        and isinstance(value[0], str)
        and all(type(index) is int and 0 <= index <= MOST for index in value[1:])
    )


def _listed(array: NDArray[Any]) -> Fields:
    return {"value": array.tolist(), "dtype": array.dtype.name}
