"""Open an `.onnx` file: told apart, its size fixed, proven sound, and described as a graph."""

from __future__ import annotations

import ast
import copy
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

from camlite.artifact.precisions import Precision
from camlite.backends.interpreter import Tensor
from camlite.errors import ClassifierError
from camlite.soundness import onnx_model
from camlite.soundness import onnx_operator as soundness
from camlite.system import files
from camlite.texts import hidden_character, printable
from camlite_export.sources import attention, class_scores
from camlite_export.sources.file_source import FileSource, ToldPixels
from camlite_export.sources.graph import Key
from camlite_export.sources.journey import Size
from camlite_export.sources.onnx import external_data, layouts, more_outputs, onnx_graph, scan

SUFFIXES = (".onnx",)
_MOST_BYTES = (1 << 31) - 1
_FLOAT16 = 10
_ROUNDING = frozenset({"QuantizeLinear", "QLinearConv", "QLinearMatMul"})
_DYNAMIC = frozenset({"DynamicQuantizeLinear", "ConvInteger", "MatMulInteger", "DequantizeLinear"})
_CHANNELS = (1, 3)


class Examined(NamedTuple):
    """A file that was read.

    Attributes:
        model: an `onnx.ModelProto` with all its weights inside.
        content: the bytes of all its files, one after another.
        mended: what was changed in it, a line each.
    """

    model: Any
    content: bytes
    mended: tuple[str, ...]


@dataclass(frozen=True, eq=False)
class OnnxFile:
    """An `.onnx` file, see `camlite_export.sources.file_source.OpenFile`.

    Attributes:
        model: the bytes that onnxruntime is given.
        proto: the same as an `onnx.ModelProto`; not to be changed.
        tensors: what is known of each tensor.
    """

    model: bytes
    proto: Any
    tensors: Mapping[str, soundness.Tensor]

    can_turn = True

    def with_output(self, key: Key, turned: bool) -> tuple[bytes, Key]:
        """See `camlite_export.sources.file_source.OpenFile`."""
        from onnx import ValueInfoProto

        changed = copy.deepcopy(self.proto)
        name = more_outputs.append(changed.graph, self.tensors, str(key), turned)
        if name not in {one.name for one in changed.graph.output}:
            changed.graph.output.append(ValueInfoProto(name=name))
        return bytes(changed.SerializeToString(deterministic=True)), name

    def port(self, key: Key) -> Tensor:
        """See `camlite_export.sources.file_source.OpenFile`."""
        tensor = self.tensors[str(key)]
        return Tensor(str(key), tuple(tensor.shape[1:]), tensor.dtype)


def is_one(path: Path) -> bool:
    """Whether a file is to be read here: by its name, or by how it begins."""
    if path.suffix.lower() in SUFFIXES:
        return True
    try:
        with files.regular(path) as file:
            head = file.read(2)
    except (OSError, ValueError):
        return False
    return len(head) == 2 and head[0] == 8 and 3 <= head[1] <= 32 and path.suffix.lower() != ".pb"


def examine(path: Path) -> Examined:
    """What can be told of a file before TensorFlow is imported.

    Raises:
        ClassifierError: it cannot be read, or is no classifier of one image; says what to do.
    """
    import onnx

    content = _read_bytes(path)
    try:
        model = onnx.load_model_from_string(content)
    except Exception as error:  # of protobuf, on what is none
        raise ClassifierError(
            f"{path}: damaged, or no ONNX model ({printable(str(error))[:200]}); copy it again"
        ) from None
    if not model.graph.node:
        raise ClassifierError(f"{path}: no ONNX model, or an empty one; export it again")
    lines = []
    if model.functions:
        model = _without_functions(model, path)
        lines.append(f"{path.name}: its functions were put into the graph, as onnx.inliner does")
    scan.examine(model, str(path))
    beside = external_data.put_inside(model, path)
    return Examined(model, b"".join([content, *beside]), tuple(lines))


def _read_bytes(path: Path) -> bytes:
    try:
        return files.read(path, _MOST_BYTES)
    except OSError as error:
        raise ClassifierError(f"{path}: cannot read it ({error.strerror or error}); check the path") from None
    except ValueError as error:
        raise ClassifierError(f"{path}: cannot read it ({error}); check the path") from None


def _without_functions(model: Any, path: Path) -> Any:
    from onnx import inliner

    try:
        return inliner.inline_local_functions(model)
    except Exception as error:  # of its native code
        raise ClassifierError(
            f"{path}: its functions cannot be put into the graph ({printable(str(error))[:200]}); export it again"
        ) from None


def open_file(path: Path, examined: Examined, size: Size | None, default_size: Size | None) -> FileSource:
    """Open a classifier.

    Args:
        path: that errors name.
        examined: its content.
        size: height and width, for one that takes any.
        default_size: the same where nobody said.

    Raises:
        ClassifierError: it cannot be proven sound, or is no classifier.
    """
    where = str(path)
    model = examined.model
    _fix_size(model, size, default_size, where)
    sound = model.SerializeToString(deterministic=True)
    try:
        tensors = onnx_model.tensors(sound)
    except ValueError as error:
        raise ClassifierError(_unsound(model, where, printable(str(error)[:300]))) from None
    class_scores.refuse_others(tensors[model.graph.output[0].name].shape, where)
    try:
        graph = onnx_graph.read(model, tensors, where)
    except ClassifierError as error:
        raise ClassifierError(f"{error}; {_remedy(model, 'please report it')}") from error
    source = FileSource(
        name=path.name,
        container="onnx",
        precision=_precision(model),
        file=OnnxFile(sound, model, tensors),
        graph=graph,
        content=examined.content,
        mended=examined.mended,
    )
    return _with_what_is_told(source, model)


def _unsound(model: Any, where: str, error: str) -> str:
    remedy = "export it again with torch.onnx.export or tf2onnx of today, for one fixed size and a batch of 1"
    if error.startswith("operator set"):
        return (
            f"{where}: camlite's safety check rejects it: {error}; convert it to a newer one: "
            f"onnx.save(onnx.version_converter.convert_version(onnx.load(FILE), 17), NEW)"
        )
    if error.endswith(onnx_model.NO_RULE):
        remedy = "please report it, or convert a classifier without that operator"
    return f"{where}: camlite's safety check rejects it: {error}; {_remedy(model, remedy)}"


def _remedy(model: Any, otherwise: str) -> str:
    """What to do about a graph that cannot be followed: nothing, where it is a transformer's."""
    name = attention.find(scan.operations_of(model.graph), layouts.image_of(model.graph))
    return otherwise if name is None else attention.remedy(name)


def _fix_size(model: Any, size: Size | None, default_size: Size | None, where: str) -> None:
    """One image of one size: sides that are free become numbers, in the input only."""
    image = next(one for one in model.graph.input if one.name == layouts.image_of(model.graph))
    dimensions, sides = image.type.tensor_type.shape.dim, scan.sides_of(image)
    first = 2 if sides[1] in _CHANNELS and not (sides[3] in _CHANNELS and isinstance(sides[2], int)) else 1
    first = first if sides[1] in _CHANNELS else 1
    own = sides[first : first + 2]
    free = not all(isinstance(side, int) for side in own)
    if size is not None and not _fits(own, size):
        height, width = own
        raise ClassifierError(f"{where}: takes images of {height} x {width} only: leave --size out")
    wanted = size or (default_size if free else None)
    if free and (wanted is None or not _fits(own, wanted)):
        raise ClassifierError(
            f"{where}: takes images of any size ({class_scores.sides_text(sides)}): say which it was trained on,"
            f" with --size HEIGHTxWIDTH"
        )
    dimensions[0].dim_value = 1
    if free and wanted is not None:
        for dimension, side in zip(dimensions[first : first + 2], wanted, strict=True):
            dimension.dim_value = side
        del model.graph.value_info[:]  # what was known of tensors between, for any size


def _fits(own: Sequence[int | str], size: Size) -> bool:
    return all(isinstance(side, str) or side == wanted for side, wanted in zip(own, size, strict=True))


def _precision(model: Any) -> Precision:
    """The word for how a file computes."""
    kinds = {node.op_type for node in model.graph.node}
    if kinds & _ROUNDING:
        return "int8"
    if kinds & _DYNAMIC:
        return "dynamic"
    return (
        "float16"
        if any(one.data_type == _FLOAT16 and len(one.dims) > 1 for one in model.graph.initializer)
        else "float32"
    )


def _with_what_is_told(source: FileSource, model: Any) -> FileSource:
    """Labels, and pixels, where the program that exported it has written them down."""
    import dataclasses

    told = {one.key: one.value for one in model.metadata_props}
    labels = _labels(told.get("names", ""))
    pixels = None
    if source.takes_pixels:
        channels = source.image_shape[2]
        pixels = ToldPixels((0.0,) * channels, (1.0,) * channels, "they are the integers of its input")
    if told.get("author") == "Ultralytics" and told.get("task") == "classify":
        channels = source.image_shape[2]
        pixels = ToldPixels((0.0,) * channels, (255.0,) * channels, "Ultralytics' classifiers take 0..1")
    return dataclasses.replace(
        source, labels=labels if labels is not None and len(labels) == source.classes else None, told=pixels
    )


def _labels(names: str) -> tuple[str, ...] | None:
    """``{0: 'tench', 1: 'goldfish'}``, as Ultralytics writes them."""
    if len(names) > 1 << 20:
        return None
    try:
        found = ast.literal_eval(names)
    except (ValueError, SyntaxError, MemoryError, RecursionError):
        return None
    if not isinstance(found, dict) or sorted(found, key=str) != sorted(range(len(found)), key=str):
        return None
    labels = tuple(str(found[k]) for k in range(len(found)))
    usable = len(set(labels)) == len(labels) and not any(hidden_character(one) or not one for one in labels)
    return labels if usable else None
