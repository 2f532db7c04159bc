"""What is said of a model file that holds what is on no list."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Any, TypeGuard

from camlite.errors import ClassifierError
from camlite.texts import printable
from camlite_export.sources.untrusted import allowed

Fields = dict[str, Any]


class Refusals:
    """Errors, each with the file in front and the remedy at the end."""

    def __init__(self, where: str) -> None:
        self.where = where

    def code_refusal(self, what: str) -> ClassifierError:
        """Of what would run if Keras made it."""
        return ClassifierError(
            f"{self.where}: carries code ({shown(what)}), which opening it would run; "
            f"where you trust whoever made it, say so with --trust"
        )

    def refusal(self, what: str) -> ClassifierError:
        """Of anything else."""
        return ClassifierError(
            f"{self.where}: {what}, which is on no list of what image classifiers are made of; "
            f"where you trust whoever made it, say so with --trust"
        )

    def class_refusal(self, entry: Mapping[str, Any]) -> ClassifierError:
        """Of a class, by its name."""
        kind, module, registered = (entry.get(key) for key in ("class_name", "module", "registered_name"))
        if kind in ("Lambda", "__lambda__"):
            return self.code_refusal("a Lambda layer" if kind == "Lambda" else "a lambda")
        if kind is None and "value" in entry:  # what Keras makes of a lambda that is an activation
            return self.code_refusal("a lambda")
        if kind == "function":
            return self.code_refusal(f"the function {entry.get('config')}")
        if isinstance(module, str) and not is_of_keras(module):
            return self.code_refusal(f"{module}.{kind}")
        if isinstance(registered, str) and ">" in registered:
            return self.code_refusal(registered)
        return self.refusal(f"{self.named(entry)}holds a {shown(kind)}")

    def named(self, entry: Any) -> str:
        """How a message begins: with the name of the layer, where it has one."""
        config = entry.get("config") if isinstance(entry, dict) else None
        name = config.get("name") if isinstance(config, dict) else None
        return f"layer '{shown(name)}' " if isinstance(name, str) else ""


def is_of_keras(module: str) -> bool:
    """Whether a module is one of Keras's own, by its name."""
    return module.partition(".")[0] in allowed.KERAS


def is_one_of(value: Any, names: Collection[str]) -> TypeGuard[str]:
    """Whether a value is a text, and on a list; other values may have no hash to look for."""
    return isinstance(value, str) and value in names


def shown(value: Any) -> str:
    """What a file says, for a message: short, and nothing that a terminal would obey."""
    return printable(value if isinstance(value, str) else repr(value)[:200])[:80]
