"""What Keras raises, as one line with a remedy that works."""

from __future__ import annotations

import re
from collections.abc import Iterator

from camlite.texts import printable
from camlite_export.sources.untrusted.model_file import ModelFile

_UNKNOWN = re.compile(r"(?:Unknown layer|Unknown object|Could not locate (?:class|function)):? '([^']+)'")
_COLOURS = re.compile(r"\x1b\[[0-9;]*m")
_MOST = 300


def one_line(error: BaseException) -> str:
    """What an exception says, shortened, without the colours that Keras puts in."""
    text = " ".join(_COLOURS.sub("", str(error)).split()) or type(error).__name__
    return printable(text[:_MOST])


def reason(error: Exception, keras: str) -> str:
    """Why Keras cannot open a file, with a remedy where it misses a class, a function or a name.

    Args:
        error: what it raised.
        keras: the name of the package, ``keras`` or ``tf_keras``.
    """
    missing = _missing(error)
    if missing is None:
        return one_line(error)
    return (
        f"{missing}, which the file does not carry; in Python, define it, open the file with "
        f"{keras}.models.load_model(FILE, custom_objects={{...}}, compile=False, safe_mode=False), and give the model "
        f"to camlite_export.export(model, FOLDER)"
    )


def of_weights(file: ModelFile) -> str:
    """What to look at where layers and weights are of two files."""
    return "" if file.beside is None else f"; {file.beside} must be the structure that these weights were saved with"


def _missing(error: BaseException) -> str | None:
    for one in _chain(error):
        if isinstance(one, NameError) and one.name:
            return f"its code uses the name {printable(one.name)!r}"
        if unknown := _UNKNOWN.search(str(one)):
            return f"{printable(unknown[1])!r} is no class or function of Keras's own"
    return None


def _chain(error: BaseException | None) -> Iterator[BaseException]:
    while error is not None:
        yield error
        error = error.__cause__ or error.__context__
