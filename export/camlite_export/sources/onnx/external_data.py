"""Weights that an ONNX file keeps in a second file beside it: read into the model, from the same folder only."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from camlite.errors import ClassifierError
from camlite.system import files
from camlite.texts import printable

_MOST_BYTES = (1 << 31) - 1
_EXTERNAL = 1  # TensorProto.DataLocation


def put_inside(model: Any, path: Path) -> list[bytes]:
    """Put the numbers of all tensors into the model, which is changed.

    Args:
        model: an `onnx.ModelProto`.
        path: of its file.

    Returns:
        The content of each other file, in the order in which the model names them.

    Raises:
        ClassifierError: such a file is missing, lies elsewhere, or holds less than the model says.
    """
    contents: dict[str, bytes] = {}
    for tensor in _tensors(model):
        if tensor.data_location != _EXTERNAL:
            continue
        entries = {one.key: one.value for one in tensor.external_data}
        name = entries.get("location", "")
        if name not in contents:
            contents[name] = _read(name, path)
        offset, length = (_number(entries.get(key), default) for key, default in (("offset", 0), ("length", None)))
        start = 0 if offset is None else offset
        end = len(contents[name]) if length is None else start + length
        if end > len(contents[name]):
            raise ClassifierError(
                f"{path}: its weights end at byte {end} of {printable(name[:80])!r}, which has {len(contents[name])}; "
                f"copy both files again"
            )
        tensor.ClearField("external_data")
        tensor.ClearField("data_location")
        tensor.raw_data = contents[name][start:end]
    return list(contents.values())


def _tensors(model: Any) -> list[Any]:
    found = list(model.graph.initializer)
    for node in model.graph.node:
        found += [attribute.t for attribute in node.attribute if attribute.HasField("t")]
    return found


def _number(text: str | None, default: int | None) -> int | None:
    if text is None:
        return default
    return int(text) if text.isascii() and text.isdecimal() else default


def _read(name: str, path: Path) -> bytes:
    """A file of the same folder, by its plain name: another place is nobody's business."""
    shown = printable(name[:80])
    if not name or "\0" in name or name in (".", "..") or "/" in name or "\\" in name:
        raise ClassifierError(
            f"{path}: keeps its weights in {shown!r}, expected a file beside it; save it again, as "
            f"onnx.save(onnx.load(FILE), FILE) does, with its weights inside"
        )
    beside = path.parent / name
    try:
        if beside.resolve().parent not in (path.parent.resolve(), path.resolve().parent):
            raise ClassifierError(f"{beside}: points to another folder; copy the file itself beside {path.name}")
        return files.read(beside, _MOST_BYTES)
    except FileNotFoundError:
        raise ClassifierError(
            f"{path}: keeps its weights in {shown!r}, which is not beside it; copy both files to the same folder"
        ) from None
    except OSError as error:
        raise ClassifierError(f"{beside}: cannot read it ({error.strerror or error}); check the path") from None
    except ValueError as error:
        raise ClassifierError(f"{beside}: cannot read it ({error}); check the path") from None
