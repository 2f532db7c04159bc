"""TFLite's own metadata in an artifact's model: what MediaPipe, Android's code generator and Netron read.

A flatbuffer of its own, by metadata_schema.fbs of TFLite Support, is one more buffer of the model. It says how pixels
are to be normalized, what each output is, in the true order of the outputs, and that the labels are the file
``labels.txt``: of the zip that follows the model, which is camlite's own, see `camlite.artifact.writing`.

What these programs would do wrong must not look right: they feed RGB, so a classifier that wants BGR gets no
normalization, and they refuse it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from camlite.artifact.container import LABELS_ENTRY
from camlite_export.sources.tflite import flatbuffer
from camlite_export.targets.description import Description, output_text

NAME = b"TFLITE_METADATA"
_IDENTIFIER = b"M001"
_PARSER = "1.0.0"  # the first whose schema has all that is written here
_AXIS_LABELS = 2  # AssociatedFileType.TENSOR_AXIS_LABELS
_IMAGE, _NORMALIZATION = 2, 1  # of the unions ContentProperties and ProcessUnitOptions
_RGB, _GREY = 1, 2  # ColorSpaceType


def described(model: bytes, description: Description) -> bytes:
    """The same model with metadata; those that it had are replaced.

    Args:
        model: a flatbuffer with one graph, one input, and a signature that names its outputs.
    """
    objects = flatbuffer.read(model)
    (graph,) = objects.subgraphs
    names = _output_names(objects)
    content = written(description, [names[int(index)] for index in graph.outputs])
    entry = next((one for one in objects.metadata or () if one.name == NAME), None)
    if entry is None:
        entry = _new_entry(objects)
    objects.buffers[entry.buffer].data = np.frombuffer(content, np.uint8)
    return flatbuffer.write(objects)


def _new_entry(objects: Any) -> Any:
    from ai_edge_litert import schema_py_generated as schema

    entry = schema.MetadataT()
    entry.name, entry.buffer = NAME, len(objects.buffers)
    objects.buffers.append(schema.BufferT())
    objects.metadata = [*(objects.metadata or ()), entry]
    return entry


def _output_names(objects: Any) -> dict[int, str]:
    """Tensor -> what camlite calls it."""
    (signature,) = objects.signatureDefs
    return {int(one.tensorIndex): flatbuffer.text(one.name) for one in signature.outputs}


def written(description: Description, outputs: Sequence[str]) -> bytes:
    """The metadata: a flatbuffer that begins with its identifier.

    Args:
        outputs: names, in the order of the graph's outputs.
    """
    writer = _Writer()
    graph = writer.table(
        {
            0: writer.text(description.name),
            2: writer.vector([_image(writer, description)]),
            3: writer.vector([_output(writer, name, description) for name in outputs]),
        }
    )
    root = writer.table(
        {
            0: writer.text(description.name),
            1: writer.text(description.text),
            2: writer.text(description.version),
            3: writer.vector([graph]),
            4: writer.text(description.author),
            7: writer.text(_PARSER),
        }
    )
    return writer.finished(root)


def _image(writer: _Writer, description: Description) -> int:
    pixels = description.preprocessing
    size = writer.table({}, {0: pixels.width, 1: pixels.height})
    image = writer.table({1: size}, bytes_={0: _GREY if pixels.channels == 1 else _RGB})
    content = writer.table({1: image}, bytes_={0: _IMAGE})
    fields = {0: writer.text("image"), 1: writer.text(description.pixels_text), 3: content}
    normalization = description.normalization
    if normalization is not None:
        mean, std = normalization
        # One number for all channels where they are equal: MediaPipe knows no others, and takes no three equal ones.
        kept = 1 if len(set(zip(mean, std, strict=True))) == 1 else len(mean)
        options = writer.table({0: writer.numbers(mean[:kept]), 1: writer.numbers(std[:kept])})
        fields[4] = writer.vector([writer.table({1: options}, bytes_={0: _NORMALIZATION})])
        low, high = ([(end - m) / s for m, s in zip(mean, std, strict=True)] for end in (0, 255))
        fields[5] = writer.table(
            {
                0: writer.numbers([max(pair) for pair in zip(low, high, strict=True)]),
                1: writer.numbers([min(pair) for pair in zip(low, high, strict=True)]),
            }
        )
    return writer.table(fields)


def _output(writer: _Writer, name: str, description: Description) -> int:
    fields = {0: writer.text(name), 1: writer.text(output_text(name, description))}
    if name == "scores":
        file = {0: writer.text(LABELS_ENTRY), 1: writer.text("one label a line, in the order of the scores")}
        fields[6] = writer.vector([writer.table(file, bytes_={2: _AXIS_LABELS})])
    return writer.table(fields)


class _Writer:
    """A flatbuffer by the numbers of its fields; children are written before their parents."""

    def __init__(self) -> None:
        import flatbuffers

        self._builder: Any = flatbuffers.Builder(1024)

    def text(self, content: str) -> int:
        """A string."""
        return int(self._builder.CreateString(content))

    def numbers(self, values: Sequence[float]) -> int:
        """A vector of float32."""
        return int(self._builder.CreateNumpyVector(np.asarray(values, np.float32)))

    def vector(self, tables: Sequence[int]) -> int:
        """A vector of tables."""
        self._builder.StartVector(4, len(tables), 4)
        for table in reversed(tables):
            self._builder.PrependUOffsetTRelative(table)
        return int(self._builder.EndVector())

    def table(
        self, offsets: Mapping[int, int], integers: Mapping[int, int] = {}, bytes_: Mapping[int, int] = {}
    ) -> int:
        """A table of fields by their numbers: tables, strings and vectors; uint32; single bytes."""
        self._builder.StartObject(1 + max((*offsets, *integers, *bytes_)))
        for field, offset in offsets.items():
            self._builder.PrependUOffsetTRelativeSlot(field, offset, 0)
        for field, number in integers.items():
            self._builder.PrependUint32Slot(field, number, 0)
        for field, number in bytes_.items():
            self._builder.PrependUint8Slot(field, number, 0)
        return int(self._builder.EndObject())

    def finished(self, root: int) -> bytes:
        """All of it."""
        self._builder.Finish(root, file_identifier=_IDENTIFIER)
        return bytes(self._builder.Output())
