"""What Keras raises, as one line with a remedy that works."""

from __future__ import annotations

import re
from collections.abc import Iterator

from camlite.texts import printable
from camlite_export.sources.untrusted.model_file import ModelFile

_UNKNOWN = re.compile(r"(?:Unknown layer|Unknown object|Could not locate (?:class|function)):? '([^']+)'")
_COLOURS = re.compile(r"\x1b\[[0-9;]*m")
_MOST = 200


def one_line(error: BaseException) -> str:
    """What an exception says, shortened, without the colours that Keras puts in."""
    text = " ".join(_COLOURS.sub("", str(error)).split()) or type(error).__name__
    return printable(text[:_MOST])


def reason(error: Exception, file: ModelFile, trusted: bool, keras: str) -> str:
    """Why Keras cannot open a file, and what to do.

    Args:
        error: what it raised.
        file: what it was to open.
        trusted: whether the code that the file carries was run.
        keras: the name of the package, ``keras`` or ``tf_keras``.
    """
    for one in _chain(error):
        if isinstance(one, NameError) and one.name:
            return f"its code uses the name {printable(one.name)!r}, which the file does not carry; {_AS_AN_OBJECT}"
        if unknown := _UNKNOWN.search(str(one)):
            name = printable(unknown[1])
            return (
                f"{name!r} is no class or function of Keras's own; in Python, import it, open the file with "
                f"{keras}.models.load_model(FILE, custom_objects={{{name!r}: {name}}}, compile=False, "
                f"safe_mode=False), and give the model to camlite_export.export(model, FOLDER)"
            )
    if file.beside is not None:
        return f"{one_line(error)}; {file.beside} must be the structure that these weights were saved with"
    return f"{one_line(error)}; {_AS_AN_OBJECT if trusted else 'save it again where it was trained'}"


_AS_AN_OBJECT = "where it was defined, in Python, give the model itself to camlite_export.export(model, FOLDER)"


def _chain(error: BaseException | None) -> Iterator[BaseException]:
    while error is not None:
        yield error
        error = error.__cause__ or error.__context__
