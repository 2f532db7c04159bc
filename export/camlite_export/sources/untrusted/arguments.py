"""Arguments of layers and operations: numbers, flags, words of a few, names, and what has a list of its own."""

from __future__ import annotations

import math
import re
from abc import abstractmethod
from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from camlite_export.sources.untrusted import allowed
from camlite_export.sources.untrusted.refusals import Fields, Refusals, is_of_keras, is_one_of, shown

MOST = 1 << 31  # of a number that is whole
DEEPEST_LIST = 16

_LONGEST_NAME = 500
_SOFTMAX_OF_TENSORFLOW = "softmax_v2"  # what it calls itself; Keras writes it down as anybody's function
_MOST_SMALL = 64
_MOST_COUNTED = 1024
# As in `camlite_export.sources.bounds`: of an image of 1024 x 1024 x 64. A batch is fixed by few, and small.
_MOST_OF_AN_IMAGE = 1 << 26
_SUBSCRIPTS = re.compile(r"[A-Za-z.,> -]{1,100}")


class Arguments(Refusals):
    """Each method gives the clean counterpart of a value, or refuses it."""

    @abstractmethod
    def layer(self, entry: Any, depth: int) -> tuple[Fields, int]:
        """A layer, which some arguments are."""

    def _argument(self, entry: Fields, name: Any, value: Any, made: Fields) -> None:
        """Put the clean value into `made`."""
        if (value is None and name in allowed.NOTHING) or name in allowed.FOR_TRAINING:
            return
        reader = _KINDS.get(name) if isinstance(name, str) else None
        if reader is None:
            raise self.refusal(f"{self.named(entry)}({shown(entry['class_name'])}) has the argument '{shown(name)}'")
        made[name] = reader(self, value, name)
        if name in allowed.FALSE:
            made[name] = False

    def _function_of_tensorflow(self, value: Any) -> str:
        if not is_one_of(value, allowed.FUNCTIONS_OF_TENSORFLOW):
            raise self.code_refusal(f"a call of tf.{value}")
        return value

    def name(self, value: Any, _argument: str = "name") -> str:
        """What a layer, or a tensor, is called."""
        if not isinstance(value, str) or len(value) > _LONGEST_NAME or not value.isprintable():
            raise self.refusal(f"a layer is named '{shown(value)}'")
        return value

    def _optional_name(self, value: Any, argument: str) -> str | None:
        return None if value is None else self.name(value, argument)

    def _flag(self, value: Any, name: str) -> Any:
        if value is not None and not isinstance(value, (bool, int)):
            raise self.refusal(f"{name} is '{shown(value)}'")
        return value

    def numbers(self, value: Any, name: Any, depth: int = 0) -> Any:
        """Numbers, None, and lists of them."""
        if value is None or isinstance(value, (bool, float)):
            return value
        if isinstance(value, int) and abs(value) <= MOST:
            return value
        if isinstance(value, list) and depth < DEEPEST_LIST:
            return [self.numbers(item, name, depth + 1) for item in value]
        if isinstance(value, dict) and value.get("class_name") in ("__tuple__", "ListWrapper", "TensorShape"):
            return tuple(self.numbers(self.list_of(value, "items"), name, depth + 1))
        if is_array(value):
            return self.array(value, name).tolist()
        raise self.refusal(f"{shown(name)} is '{shown(value)}'")

    def small_number(self, value: Any, name: str) -> Any:
        """A whole number that Python may count to."""
        if not (value is None or (type(value) is int and 0 <= value <= _MOST_SMALL)):
            raise self.refusal(f"{name} is '{shown(value)}'")
        return value

    def counted(self, value: Any, name: Any) -> Any:
        """How many parts, or where they begin: Python makes a tensor of each."""
        made = self.numbers(value, name)
        parts = made if isinstance(made, int) else len(made) if isinstance(made, (list, tuple)) else 0
        if parts > _MOST_COUNTED:
            raise self.refusal(f"{shown(name)} is '{shown(value)}', {_MOST_COUNTED} at the most")
        return made

    def _shape_of_image(self, value: Any, name: str) -> Any:
        """A shape that is made at once in places: of the batch, too."""
        made = self.numbers(value, name)
        sides = [abs(side) for side in made if isinstance(side, int)] if isinstance(made, (list, tuple)) else []
        if math.prod(sides) > _MOST_OF_AN_IMAGE:
            raise self.refusal(f"{name} is '{shown(value)}', {_MOST_OF_AN_IMAGE} numbers at the most")
        return made

    def _word(self, value: Any, name: str) -> Any:
        if value is None or is_one_of(value, allowed.WORDS[name]):
            return value
        if name in allowed.WORDS_OR_NUMBERS:
            return self.numbers(value, name)
        raise self.refusal(f"{name} is '{shown(value)}'")

    def _subscripts(self, value: Any, name: str) -> str | None:
        if value is None and name == "bias_axes":
            return None
        if not isinstance(value, str) or not _SUBSCRIPTS.fullmatch(value):
            raise self.refusal(f"{name} is '{shown(value)}'")
        return value

    def _activation(self, value: Any, name: str) -> Any:
        if isinstance(value, dict) and is_one_of(value.get("class_name"), allowed.ACTIVATION_LAYERS):
            return self.layer(value, 0)[0]
        function = self._identifier(value, allowed.ACTIVATIONS, name)
        return "softmax" if function == _SOFTMAX_OF_TENSORFLOW else function

    def dtype(self, value: Any, name: str) -> Any:
        """A type of numbers, or a policy of Keras by its name."""
        if isinstance(value, dict):
            kind, config = value.get("class_name"), value.get("config")
            config = config if isinstance(config, dict) else {}
            if is_one_of(kind, allowed.QUANTIZED_POLICY_CLASSES):
                value = f"{config.get('mode')}_from_{config.get('source_name')}"
            elif is_one_of(kind, allowed.POLICY_CLASSES):
                value = config.get("name")
            else:
                raise self.class_refusal(value)
        if value is None or is_one_of(value, allowed.POLICIES) or _is_quantization(value):
            return value
        raise self.refusal(f"{name} is '{shown(value)}'")

    def _initializer(self, value: Any, name: str) -> str | None:
        return None if self._identifier(value, allowed.INITIALIZERS, name) is None else "zeros"

    def _regularizer(self, value: Any, name: str) -> None:
        self._identifier(value, allowed.REGULARIZERS, name)

    def _constraint(self, value: Any, name: str) -> None:
        self._identifier(value, allowed.CONSTRAINTS, name)

    def _identifier(self, value: Any, known: frozenset[str], name: str) -> str | None:
        """The name of a class or a function, as itself or as Keras writes objects."""
        if value is None:
            return None
        entry = value if isinstance(value, dict) else {"class_name": value}
        found = entry.get("class_name")
        if found == "function":
            found = entry.get("config")
        if not is_one_of(found, known):
            raise self.class_refusal(entry) if isinstance(value, dict) else self.refusal(f"{name} is '{shown(value)}'")
        module, registered = entry.get("module", "builtins"), entry.get("registered_name")
        modules = {"builtins"} | (allowed.MODULES_OF_INITIALIZERS if known is allowed.INITIALIZERS else set())
        if not isinstance(module, str) or not (is_of_keras(module) or module in modules):
            raise self.code_refusal(f"{module}.{found}")
        if registered not in (None, found, f"keras>{found}") and found != _SOFTMAX_OF_TENSORFLOW:
            raise self.code_refusal(f"the function {found}" if registered == "function" else str(registered))
        return found

    def list_of(self, entry: Fields, key: str) -> list[Any]:
        """What must be a list."""
        found = entry.get(key)
        if not isinstance(found, list):
            raise self.refusal(f"{self.named(entry)}has no list of {key}")
        return found

    def array(self, value: Fields, name: Any) -> NDArray[Any]:
        """What Keras writes of an array or a tensor."""
        config = value["config"]
        dtype = config.get("dtype")
        if not is_one_of(dtype, allowed.DTYPES) or dtype == "bfloat16":
            raise self.refusal(f"{shown(name)} is of the type '{shown(dtype)}'")
        try:
            return np.array(self.numbers(config.get("value"), name), dtype)
        except (TypeError, ValueError, OverflowError):
            raise self.refusal(f"{shown(name)} is no array of {dtype}") from None


_Kind = Callable[[Arguments, Any, str], Any]
_KINDS: dict[str, _Kind] = (
    dict.fromkeys(allowed.FLAGS, Arguments._flag)
    | dict.fromkeys(allowed.NUMBERS, Arguments.numbers)
    | dict.fromkeys(allowed.SMALL_NUMBERS, Arguments.small_number)
    | dict.fromkeys(allowed.COUNTED, Arguments.counted)
    | dict.fromkeys(allowed.SHAPES_OF_IMAGES, Arguments._shape_of_image)
    | dict.fromkeys(allowed.SUBSCRIPTS, Arguments._subscripts)
    | dict.fromkeys(allowed.WORDS, Arguments._word)
    | dict.fromkeys(("activation", "recurrent_activation"), Arguments._activation)
    | {"name": Arguments._optional_name, "dtype": Arguments.dtype}
    | {f"{part}_initializer": Arguments._initializer for part in allowed.WEIGHTS}
    | {f"{part}_regularizer": Arguments._regularizer for part in (*allowed.WEIGHTS, "activity")}
    | {f"{part}_constraint": Arguments._constraint for part in allowed.WEIGHTS}
)


def is_array(value: Any) -> bool:
    """Whether it is what Keras writes of an array or a tensor."""
    return (
        isinstance(value, dict)
        and value.get("class_name") in ("__numpy__", "__tensor__")
        and isinstance(value.get("config"), dict)
    )


def _is_quantization(policy: Any) -> bool:
    if not isinstance(policy, str):
        return False
    mode, _, source = policy.partition("_from_")
    return mode in allowed.QUANTIZATIONS and source in allowed.POLICIES
