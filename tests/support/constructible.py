"""What the deserializers of the installed Keras and tf_keras can be made to construct or to call, by its name.

``python -m support.constructible`` writes `RECORD`, after somebody has looked at what a new version brought: whatever
is to be opened from a stranger's file gets its line in `camlite_export.sources.untrusted.allowed`.
"""

from __future__ import annotations

import importlib
import inspect
import json
import os
import pkgutil
import warnings
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType
from typing import Any, NamedTuple

RECORD = Path(__file__).with_name("constructible.json")
IDENTIFIERS = ("activations", "initializers", "regularizers", "constraints", "dtype_policies", "losses", "metrics")


class Name(NamedTuple):
    """A class or function: the module and the name that a file would say."""

    family: str
    module: str
    name: str


def names() -> list[Name]:
    """All of them, in order, each once."""
    return sorted({*_of_keras_3(), *_of_keras_2(), *_of_tensorflow()})


def record(found: list[Name]) -> dict[str, Any]:
    """What is written down: names of what layers may be, and how many of all others."""
    kept: dict[str, Any] = {}
    for family in sorted({one.family for one in found}):
        members = [f"{one.module}.{one.name}" for one in found if one.family == family]
        kept[family] = len(members) if family.endswith("symbols") else members
    return kept


def _of_keras_3() -> Iterator[Name]:
    import keras
    from keras.src import api_export
    from keras.src.ops.operation import Operation
    from keras.src.saving.keras_saveable import KerasSaveable

    for symbol in api_export.REGISTERED_NAMES_TO_OBJS:
        yield Name("keras symbols", *symbol.rsplit(".", 1))
    for name in vars(keras.layers):
        if not name.startswith("_"):
            yield Name("keras layers", "keras.layers", name)
    for part in IDENTIFIERS:
        for name in getattr(importlib.import_module(f"keras.src.{part}"), "ALL_OBJECTS_DICT", {}):
            yield Name(f"keras {part}", f"keras.{part}", str(name))
    for module in _modules("keras.src"):
        for name, one in vars(module).items():
            if inspect.isclass(one) and issubclass(one, KerasSaveable) and one.__module__ == module.__name__:
                family = "keras operations" if issubclass(one, Operation) else "keras saveables"
                yield Name(family, module.__name__, name)


def _of_keras_2() -> Iterator[Name]:
    from tf_keras.src.layers import serialization

    serialization.populate_deserializable_objects()
    for name in serialization.LOCAL.ALL_OBJECTS:
        yield Name("tf_keras layers", "keras.layers", name)
    for part in ("activations", "initializers", "regularizers", "constraints", "losses", "metrics"):
        for name in vars(importlib.import_module(f"tf_keras.{part}")):
            if not name.startswith("_"):
                yield Name(f"tf_keras {part}", f"keras.{part}", name)
    for module in _modules("tf_keras.src"):
        for name, one in vars(module).items():
            if callable(one) and not name.startswith("__"):
                yield Name("tf_keras symbols", module.__name__, name)


def _of_tensorflow() -> Iterator[Name]:
    """What TFOpLambda and ClassMethod find."""
    from tensorflow.python.util import tf_export

    for name in tf_export._NAME_TO_SYMBOL_MAPPING:
        yield Name("tensorflow symbols", "tf", name)


def _modules(package: str) -> Iterator[ModuleType]:
    """All modules of a package that can be imported here, without its tests."""
    root = importlib.import_module(package)
    for found in pkgutil.walk_packages(root.__path__, f"{package}."):
        if found.name.endswith(("_test", "conftest")) or "test" in found.name.split("."):
            continue
        try:
            with warnings.catch_warnings(action="ignore"):
                yield importlib.import_module(found.name)
        except Exception:
            continue


if __name__ == "__main__":
    os.environ["CUDA_VISIBLE_DEVICES"] = "-1"
    RECORD.write_text(json.dumps(record(names()), indent=1) + "\n", encoding="utf-8")
