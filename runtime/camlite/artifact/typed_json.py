"""JSON to named tuples: each value is checked against the annotation of its field.

A field may be an int, a float, a bool, a str, a Literal, a tuple of scalars or of named tuples, a Mapping of texts,
another named tuple, or one of those or None.
"""

from __future__ import annotations

import functools
import json
import types
from collections.abc import Hashable, Mapping
from typing import Any, Literal, TypeVar, Union, cast, get_args, get_origin, get_type_hints

from camlite.errors import ArtifactError
from camlite.texts import hidden_character, printable

MOST_WHOLE = 2**53 - 1  # what readers that know float64 alone tell from its neighbours

_T = TypeVar("_T")


def parse(text: str) -> Any:
    """What JSON text says, where it says it in one way only: other readers take other ones of two equal keys.

    Raises:
        ValueError: it is no JSON, nested too deeply, or an object has a key twice.
    """
    try:
        return json.loads(text, object_pairs_hook=_object)
    except RecursionError:
        raise ValueError("nested too deeply") from None


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    fields: dict[str, Any] = {}
    for name, value in pairs:
        if name in fields:
            raise ValueError(f"the key '{printable(name[:40])}' is there twice")
        fields[name] = value
    return fields


def build(kind: type[_T], fields: Any, where: str) -> _T:
    """A named tuple of what JSON gave.

    Args:
        kind: the class of the named tuple.
        fields: what JSON gave.
        where: what an error names.

    Raises:
        ArtifactError: no object, or a field is missing, unknown, or of another type.
    """
    if not isinstance(fields, dict):
        raise ArtifactError(f"{where}: expected an object, received {type(fields).__name__}")
    known = _types(cast(Hashable, kind))
    odd = sorted(known.keys() ^ fields.keys())
    if odd:
        raise ArtifactError(f"{where}: fields missing or unknown: {printable(', '.join(odd)[:200])}")
    return kind(**{name: _read(known[name], fields[name], f"{where}.{name}") for name in known})


@functools.cache
def _types(kind: Hashable) -> dict[str, Any]:
    """The types of the fields; to find them takes longer than to read a card with them."""
    return get_type_hints(kind)


def _read(kind: Any, value: Any, where: str) -> Any:
    """Check one JSON value against the type of its field."""
    origin, parts = get_origin(kind), get_args(kind)
    if origin in (Union, types.UnionType):
        (some,) = (part for part in parts if part is not type(None))
        return None if value is None else _read(some, value, where)
    if hasattr(kind, "_fields"):
        return build(kind, value, where)
    if origin is Literal:
        if value not in parts:
            raise ArtifactError(f"{where}: {str(value)[:40]!r}, expected one of {', '.join(parts)}")
        return value
    if origin is tuple and hasattr(parts[0], "_fields"):
        if not isinstance(value, list):
            raise ArtifactError(f"{where}: expected a list, received {type(value).__name__}")
        return tuple(build(parts[0], item, f"{where}[{index}]") for index, item in enumerate(value))
    if origin is tuple:
        if not isinstance(value, list) or not all(type(item) is parts[0] for item in value):
            raise ArtifactError(f"{where}: expected a list of {parts[0].__name__}")
        return tuple(_printable(item, where) for item in value)
    if origin is Mapping:
        if not isinstance(value, dict) or not all(isinstance(item, str) for item in value.values()):
            raise ArtifactError(f"{where}: expected an object of strings")
        return {_printable(name, where): _printable(item, where) for name, item in value.items()}
    if type(value) is not kind:
        raise ArtifactError(f"{where}: expected {kind.__name__}, received {type(value).__name__}")
    if kind is int and abs(value) > MOST_WHOLE:
        raise ArtifactError(f"{where}: {str(value)[:24]}, expected a whole number of at most {MOST_WHOLE}")
    return _printable(value, where)


def _printable(value: Any, where: str) -> Any:
    if isinstance(value, str):
        check_text(value, where)
    return value


def check_text(text: str, where: str) -> None:
    """Refuse what a terminal would obey, or would not show: the card's texts must not hold it.

    Raises:
        ArtifactError: see `camlite.texts.hidden_character`.
    """
    hidden = hidden_character(text)
    if hidden:
        shown = printable(text[:40])
        raise ArtifactError(f"{where}: '{shown}' has control or invisible characters ({hidden}); export without them")
