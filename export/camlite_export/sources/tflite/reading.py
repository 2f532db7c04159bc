"""Open a `.tflite` file: told apart, mended where that changes nothing, proven sound, and described as a graph."""

from __future__ import annotations

import copy
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from camlite.artifact.precisions import Precision
from camlite.backends.interpreter import Tensor
from camlite.errors import ClassifierError
from camlite.soundness import tflite_model
from camlite.system import files
from camlite.texts import printable
from camlite_export.sources import attention
from camlite_export.sources.file_source import FileSource, ToldPixels
from camlite_export.sources.graph import Key
from camlite_export.sources.tflite import flatbuffer, mending, metadata, scan, tflite_graph
from camlite_export.sources.tflite.metadata import Metadata

SUFFIXES = (".tflite", ".lite")
_MOST_BYTES = (1 << 31) - 1
_FLOAT32, _FLOAT16, _INT16 = 0, 1, 7
_QUANTIZED = (3, 9)  # uint8, int8


@dataclass(frozen=True, eq=False)
class TfliteFile:
    """A `.tflite` file, see `camlite_export.sources.file_source.OpenFile`.

    Attributes:
        model: the bytes that interpreters are given.
        objects: the same as objects of the schema; not to be changed.
    """

    model: bytes
    objects: Any

    can_turn = False

    def with_output(self, key: Key, turned: bool) -> tuple[bytes, Key]:
        """See `camlite_export.sources.file_source.OpenFile`."""
        if turned:
            raise ValueError("maps of TFLite are (N, H, W, C)")
        changed = shallow(self.objects)
        (graph,) = changed.subgraphs
        if key not in set(map(int, graph.outputs)):
            graph.outputs = np.array([*graph.outputs, key], np.int32)
        changed.signatureDefs = None  # they name the outputs
        return flatbuffer.write(changed), key

    def port(self, key: Key) -> Tensor:
        """See `camlite_export.sources.file_source.OpenFile`."""
        tensor = self.objects.subgraphs[0].tensors[key]
        shape, dtype = tflite_graph.shape_of(tensor)[1:], np.dtype(tflite_graph.dtype_of(tensor))
        quantization = tensor.quantization
        scales = None if quantization is None or dtype.kind == "f" else quantization.scale
        if scales is None or not len(scales):
            return Tensor(str(key), shape, dtype)
        zero = 0 if quantization.zeroPoint is None else int(quantization.zeroPoint[0])
        return Tensor(str(key), shape, dtype, float(scales[0]), zero)


def shallow(model: Any) -> Any:
    """A copy of a model whose lists and whose graph can be changed; tensors, operators and buffers are the same."""
    copied = copy.copy(model)
    graph = copy.copy(model.subgraphs[0])
    graph.tensors, graph.operators = list(graph.tensors), list(graph.operators)
    copied.subgraphs = [graph]
    copied.buffers, copied.operatorCodes = list(model.buffers), list(model.operatorCodes)
    return copied


def read_bytes(path: Path) -> bytes:
    """The file's content.

    Raises:
        ClassifierError: there is none, or it cannot be read.
    """
    try:
        return files.read(path, _MOST_BYTES)
    except OSError as error:
        raise ClassifierError(f"{path}: cannot read it ({error.strerror or error}); check the path") from None
    except ValueError as error:
        raise ClassifierError(f"{path}: cannot read it ({error}); check the path") from None


def is_one(path: Path) -> bool:
    """Whether a file is to be read here: by how it begins, or by its name."""
    try:
        with files.regular(path) as file:
            return file.read(8)[4:] == b"TFL3" or path.suffix.lower() in SUFFIXES
    except (OSError, ValueError):
        return path.suffix.lower() in SUFFIXES


def examine(path: Path) -> bytes:
    """What can be told of a file before TensorFlow is imported; gives its content.

    Raises:
        ClassifierError: see `camlite_export.sources.tflite.scan.examine`.
    """
    content = read_bytes(path)
    scan.examine(content, str(path))
    return content


def open_file(path: Path, content: bytes) -> FileSource:
    """Open a classifier.

    Args:
        path: that errors name.
        content: that was examined.

    Raises:
        ClassifierError: it cannot be proven sound, or is no classifier.
    """
    where = str(path)
    try:
        model = flatbuffer.read(content)
        changed, lines = mending.mend(model)
    except ClassifierError:
        raise
    except Exception as error:  # of the schema's objects, on what is damaged
        raise ClassifierError(f"{where}: damaged ({printable(str(error))[:200]}); copy it again") from None
    sound = flatbuffer.write(model) if changed else content
    try:
        tflite_model.verify(sound)
    except ValueError as error:
        remedy = _remedy(content, "convert it again with TensorFlow's converter of today, for a batch of 1")
        raise ClassifierError(
            f"{where}: camlite's safety check rejects it: {printable(str(error)[:300])}; {remedy}"
        ) from None
    try:
        graph = tflite_graph.read(model, where)
    except ClassifierError as error:
        raise ClassifierError(f"{error}; {_remedy(content, 'please report it')}") from error
    told = metadata.read(model, content)
    source = FileSource(
        name=path.name,
        container="tflite",
        precision=_precision(model),
        file=TfliteFile(sound, model),
        graph=graph,
        content=content,
        labels=None,
        mended=tuple(f"{path.name}: {line}" for line in lines),
    )
    return _with_what_is_told(source, told)


def _remedy(content: bytes, otherwise: str) -> str:
    """What to do about a graph that cannot be followed: nothing, where it is a transformer's."""
    name = scan.attention_of(content)
    return otherwise if name is None else attention.remedy(name)


def _precision(model: Any) -> Precision:
    """The word for how a file computes: by what its operators take."""
    (graph,) = model.subgraphs
    constants = {index for index, one in enumerate(graph.tensors) if tflite_graph.constant_of(model, one) is not None}
    computed: set[int] = set()
    weights: set[int] = set()
    for operator in graph.operators:
        inputs = [int(index) for index in operator.inputs if index >= 0]
        weights |= {graph.tensors[one].type for one in inputs if one in constants}
        if tflite_graph.NAMES.get(flatbuffer.code_of(model, operator)) in _KERNELS and inputs:
            computed.add(graph.tensors[inputs[0]].type)
    if _INT16 in computed:
        return "int16x8"
    if computed.intersection(_QUANTIZED):
        return "int8"
    if weights.intersection(_QUANTIZED):
        return "dynamic"
    return "float16" if _FLOAT16 in weights else "float32"


_KERNELS = frozenset({"CONV_2D", "DEPTHWISE_CONV_2D", "FULLY_CONNECTED"})


def _with_what_is_told(source: FileSource, told: Metadata) -> FileSource:
    import dataclasses

    labels = told.labels if told.labels is not None and len(told.labels) == source.classes else None
    return dataclasses.replace(
        source, labels=None if labels is None else _told_apart(labels), told=_pixels(source, told)
    )


def _told_apart(labels: Sequence[str]) -> tuple[str, ...]:
    """Of ImageNet's, two are ``crane`` and two ``maillot``."""
    counts = Counter(labels)
    return tuple(f"{one} (class {k})" if counts[one] > 1 or not one else one for k, one in enumerate(labels))


def _pixels(source: FileSource, told: Metadata) -> ToldPixels | None:
    """By the metadata where the input is float, by its own scale where it is integers.

    Metadata of quantized files say what its float model was given, which the scale of the input says again, and
    exactly: pixels are its numbers.
    """
    channels, tensor = source.image_shape[2], source.input
    if tensor.dtype.kind in "iu" and tensor.scale:
        lowest = np.iinfo(tensor.dtype).min if tensor.dtype.itemsize == 1 else 0
        mean, std = float(tensor.zero_point - lowest), 1 / tensor.scale
        return ToldPixels((mean,) * channels, (std,) * channels, "they are the integers of its input")
    if tensor.dtype.kind in "iu":
        return ToldPixels((0.0,) * channels, (1.0,) * channels, "they are the integers of its input")
    if told.mean is None or told.std is None or not all(one > 0 for one in told.std):
        return None
    if {len(told.mean), len(told.std)} - {1, channels}:
        return None
    mean_of, std_of = (one if len(one) == channels else one * channels for one in (told.mean, told.std))
    return ToldPixels(mean_of, std_of, "its metadata say so")
