"""What TFLite's metadata say of a classifier: its labels, and how its pixels are to be normalized.

Metadata are a flatbuffer of their own among the buffers of the model, and files that they name, such as labels, stand
in a zip behind the model (https://ai.google.dev/edge/litert/models/metadata). Read with camlite's own reader, which
trusts no offset; what cannot be read is as if it were not there.
"""

from __future__ import annotations

import io
import zipfile
import zlib
from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

import numpy as np

from camlite.soundness.flatbuffer import Reader, Table

_NAME = b"TFLITE_METADATA"
_IDENTIFIER = b"M001"
_MOST_BYTES = 1 << 24
_NORMALIZATION, _IMAGE = 1, 2  # of the unions ProcessUnitOptions and ContentProperties
_AXIS_LABELS, _VALUE_LABELS = 2, 3

# The tables of metadata_schema.fbs as far as they are needed; "place" is one whose kind depends on a number beside it.
_SCHEMA: Mapping[str, tuple[str, ...]] = {
    "ModelMetadata": (
        "name str", "description str", "version str", "subgraph_metadata [SubGraphMetadata]", "author str",
        "license str", "associated_files [AssociatedFile]", "min_parser_version str",
    ),
    "SubGraphMetadata": (
        "name str", "description str", "input_tensor_metadata [TensorMetadata]",
        "output_tensor_metadata [TensorMetadata]", "associated_files [AssociatedFile]",
        "input_process_units Skipped", "output_process_units Skipped", "input_tensor_groups Skipped",
        "output_tensor_groups Skipped",
    ),
    "TensorMetadata": (
        "name str", "description str", "dimension_names Skipped", "content Skipped", "process_units [ProcessUnit]",
        "stats Skipped", "associated_files [AssociatedFile]",
    ),
    "ProcessUnit": ("options_type B", "options Options"),
    "NormalizationOptions": ("mean [f]", "std [f]"),
    "AssociatedFile": ("name str", "description str", "type b", "locale str", "version str"),
    "Skipped": (),
    "Options": (),
}  # fmt: skip


class Metadata(NamedTuple):
    """What they say.

    Attributes:
        labels: one a class; None where there are none.
        mean, std: of ``(x - mean) / std``, one number or one a channel; None where they are not given.
    """

    labels: tuple[str, ...] | None = None
    mean: tuple[float, ...] | None = None
    std: tuple[float, ...] | None = None


def read(model: Any, content: bytes) -> Metadata:
    """The metadata of a model.

    Args:
        model: as objects of the schema.
        content: the file, with the zip behind the model.
    """
    for entry in model.metadata or ():
        if entry.name != _NAME:
            continue
        try:
            data = np.asarray(model.buffers[entry.buffer].data, np.uint8).tobytes()
            if data[4:8] == _IDENTIFIER:
                return _read(Reader(data, _SCHEMA, unread=("Options", "Skipped")), content)
        except (ValueError, IndexError, TypeError, OverflowError):
            return Metadata()
    return Metadata()


def _read(reader: Reader, content: bytes) -> Metadata:
    graphs = reader.root("ModelMetadata").get("subgraph_metadata", ())
    if not graphs:
        return Metadata()
    inputs, outputs = (graphs[0].get(f"{end}_tensor_metadata", ()) for end in ("input", "output"))
    mean = std = None
    for options in _normalizations(reader, inputs[0] if inputs else {}):
        mean, std = (tuple(map(float, options.get(name, ()))) or None for name in ("mean", "std"))
    files = (outputs[0] if outputs else {}).get("associated_files", ())
    named = [one.get("name", "") for one in files if one.get("type", 0) in (_AXIS_LABELS, _VALUE_LABELS)]
    return Metadata(next((found for name in named if (found := _labels(content, name))), None), mean, std)


def _normalizations(reader: Reader, tensor: Table) -> Iterator[Table]:
    for unit in tensor.get("process_units", ()):
        if unit.get("options_type", 0) == _NORMALIZATION and "options" in unit:
            yield reader.table(unit["options"]["place"], "NormalizationOptions")


def _labels(content: bytes, name: str) -> tuple[str, ...] | None:
    """The lines of a file in the zip."""
    try:
        with zipfile.ZipFile(io.BytesIO(content)) as archive:
            entry = archive.getinfo(name)
            if entry.file_size > _MOST_BYTES:
                return None
            with archive.open(entry) as file:
                text = file.read(_MOST_BYTES).decode("utf-8-sig")
    except (zipfile.BadZipFile, KeyError, OSError, UnicodeDecodeError, NotImplementedError, RuntimeError, zlib.error):
        return None
    lines = [line.strip() for line in text.splitlines()]
    while lines and not lines[-1]:
        lines.pop()
    return tuple(lines) or None
