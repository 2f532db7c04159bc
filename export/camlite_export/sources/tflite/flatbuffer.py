"""A TFLite flatbuffer as objects that can be changed, and back: by the schema that ai-edge-litert ships."""

from __future__ import annotations

from typing import Any

import numpy as np

_IDENTIFIER = b"TFL3"
_ALIGNMENT = 16  # of a buffer's data; the schema asks for it, and the objects of Python do not write it


def read(content: bytes) -> Any:
    """The model, a ``ModelT``. What is damaged raises any exception of Python; nothing of it is run."""
    from ai_edge_litert import schema_py_generated as schema

    return schema.ModelT.InitFromPackedBuf(content, 0)


def write(model: Any) -> bytes:
    """The bytes of a model; the same for the same model, which is left as it was."""
    import flatbuffers

    buffers = model.buffers
    model.buffers = [_Aligned(buffer) for buffer in buffers]
    builder = flatbuffers.Builder(1 << 20)
    try:
        builder.Finish(model.Pack(builder), file_identifier=_IDENTIFIER)
    finally:
        model.buffers = buffers
    return bytes(builder.Output())


class _Aligned:
    """A buffer that is written as the schema has it."""

    def __init__(self, buffer: Any) -> None:
        self._data = buffer.data

    def Pack(self, builder: Any) -> int:  # noqa: N802 - the schema's own name
        """Write it; returns its offset."""
        from ai_edge_litert import schema_py_generated as schema

        data = None
        if self._data is not None and len(self._data):
            content = np.asarray(self._data, np.uint8).tobytes()
            builder.StartVector(1, len(content), _ALIGNMENT)
            head = builder.Head() - len(content)
            builder.head = head
            builder.Bytes[head : head + len(content)] = content
            data = builder.EndVector()
        schema.BufferStart(builder)
        if data is not None:
            schema.BufferAddData(builder, data)
        return int(schema.BufferEnd(builder))


def code_of(model: Any, operator: Any) -> int:
    """The number of an operator; those of old files stand in a field of their own."""
    code = model.operatorCodes[operator.opcodeIndex]
    return int(max(code.builtinCode, code.deprecatedBuiltinCode))


def text(name: bytes | str | None) -> str:
    """A name of the file."""
    return name.decode(errors="replace") if isinstance(name, bytes) else name or ""
