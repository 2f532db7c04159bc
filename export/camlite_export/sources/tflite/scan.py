"""What kind of `.tflite` file somebody gives, told before anything is made of it; what is refused has its remedy.

No interpreter is asked, and no offset of the file is trusted.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from camlite.artifact.container import SEAL_MARK
from camlite.errors import ClassifierError
from camlite.soundness.flatbuffer import Reader, Table
from camlite.soundness.limits import MOST_OPERATORS
from camlite.soundness.tflite_schema import SCHEMA
from camlite.texts import printable
from camlite_export.sources import attention, class_scores
from camlite_export.sources.class_scores import Output, sides_text
from camlite_export.sources.operations import Operation
from camlite_export.sources.tflite.tflite_graph import NAMES

# More than the proof of a model reads: what is refused here, and said why.
_SCHEMA = {
    **SCHEMA,
    "OperatorCode": ("deprecated_builtin_code b", "custom_code str", "version i", "builtin_code i"),
    "Operator": tuple(
        f"{field.split()[0]} [data]" if field.startswith("custom_options -") else field for field in SCHEMA["Operator"]
    ),
}
_CUSTOM, _DELEGATE = 32, 51
_MOST_SIGNATURES, _MOST_TENSORS = 16, 1 << 16
_SEAL_AT_THE_END = 1 << 12


def examine(content: bytes, where: str) -> None:
    """See that a file holds one classifier of one image.

    Raises:
        ClassifierError: it does not, or is damaged; says what to do.
    """
    if content[4:8] != b"TFL3":
        raise ClassifierError(f"{where}: no TFLite file (it does not begin as one); copy it again")
    if SEAL_MARK in content[-_SEAL_AT_THE_END:]:
        raise ClassifierError(
            f"{where}: an artifact of camlite, which is explained already (camlite explain); "
            f"give the classifier that it was made from"
        )
    try:
        root = Reader(content, _SCHEMA, unread=("Options",)).root("Model")
    except ValueError as error:
        raise ClassifierError(
            f"{where}: damaged, or no TFLite model ({printable(str(error))}); copy it again"
        ) from None
    graphs = root.get("subgraphs", ())
    if len(graphs) != 1:
        raise ClassifierError(
            f"{where}: holds {len(graphs)} graphs, expected 1: a model that loops, keeps a state or has several "
            f"functions; convert its classifier by itself"
        )
    (graph,) = graphs
    if (
        len(graph.get("operators", ())) > MOST_OPERATORS
        or len(graph.get("tensors", ())) > _MOST_TENSORS
        or len(root.get("signature_defs", ())) > _MOST_SIGNATURES
    ):
        raise ClassifierError(f"{where}: more operators, tensors or signatures than any classifier has; copy it again")
    _refuse_custom_operators(root.get("operator_codes", ()), where)
    _refuse_other_ends(graph, root.get("operator_codes", ()), where)


def _refuse_custom_operators(codes: Sequence[Table], where: str) -> None:
    names = [
        str(code.get("custom_code", ""))
        for code in codes
        if max(code.get("builtin_code", 0), code.get("deprecated_builtin_code", 0)) == _CUSTOM
    ]
    for name in names:
        shown = printable(name[:60])
        for part, accelerator in (("edgetpu", "an Edge TPU"), ("ethos-u", "an Arm Ethos-U")):
            if part in name.lower():
                raise ClassifierError(
                    f"{where}: compiled for {accelerator} (operator {shown!r}), so nothing of the network can be seen; "
                    f"give the .tflite file that it was compiled from"
                )
        if "detection" in name.lower() or "nms" in name.lower():
            raise ClassifierError(
                f"{where}: a detector (operator {shown!r}), which gives boxes; camlite explains classifiers, which "
                f"give one score per class: give its backbone with a classifier's head"
            )
        if name.startswith("Flex"):
            raise ClassifierError(
                f"{where}: needs TensorFlow's own operator {shown!r}, which no device has; convert it again with "
                f"TFLite's operators only (converter.target_spec.supported_ops = [tf.lite.OpsSet.TFLITE_BUILTINS])"
            )
    if names:
        raise ClassifierError(
            f"{where}: holds an operator of somebody's own ({printable(names[0][:60])!r}), which nobody else can run; "
            f"give the .tflite file as TensorFlow's converter made it"
        )


def _refuse_other_ends(graph: Table, codes: Sequence[Table], where: str) -> None:
    inputs, outputs = (graph.get(name, ()) for name in ("inputs", "outputs"))
    tensors = graph.get("tensors", ())
    if not all(0 <= index < len(tensors) for index in (*inputs, *outputs)):
        raise ClassifierError(f"{where}: damaged: an input or output is no tensor; copy it again")
    if len(inputs) != 1:
        raise ClassifierError(
            f"{where}: takes {len(inputs)} inputs, expected one image; convert it with the others as constants"
        )
    shape = _shape(tensors[inputs[0]])
    _refuse_no_image(shape, where)
    if len(outputs) != 1:
        several = [Output(index, str(tensors[index].get("name", "")), _shape(tensors[index])) for index in outputs]
        remedy = "convert it again of keras.Model(model.input, SCORES), where SCORES is {name}"
        class_scores.refuse_several(several, _operations(graph, codes), where, remedy)
    class_scores.refuse_others(_shape(tensors[outputs[0]]), where)


def attention_of(content: bytes) -> str | None:
    """The name of a product of attention in a file that was examined; None where there is none."""
    root = Reader(content, _SCHEMA, unread=("Options",)).root("Model")
    (graph,) = root.get("subgraphs", ())
    return attention.find(_operations(graph, root.get("operator_codes", ())), graph["inputs"][0])


def _operations(graph: Table, codes: Sequence[Table]) -> Iterator[Operation]:
    """Those that are well written."""
    tensors = graph.get("tensors", ())
    for one in graph.get("operators", ()):
        index = one.get("opcode_index", 0)
        code = codes[index] if index < len(codes) else {}
        kind = NAMES.get(max(code.get("builtin_code", 0), code.get("deprecated_builtin_code", 0)), "")
        inputs, outputs = (
            [key for key in one.get(side, ()) if 0 <= key < len(tensors)] for side in ("inputs", "outputs")
        )
        name = printable(str(tensors[outputs[0]].get("name", ""))[:80]) if outputs else ""
        yield Operation(name, kind, inputs, outputs)


def _refuse_no_image(shape: tuple[int, ...], where: str) -> None:
    if len(shape) == 3 and shape[0] == 1 and min(shape[1:]) > 1:
        return  # grey, without an axis for it
    if len(shape) != 4:
        raise ClassifierError(
            f"{where}: its input is {sides_text(shape)}, expected an image (1 x height x width x channels): sound, its "
            f"spectrogram or other signals are not explained by maps; camlite explains classifiers of images"
        )
    if shape[0] != 1:
        raise ClassifierError(
            f"{where}: takes {shape[0]} images at once, expected one; convert it again with a batch of 1"
        )
    if shape[3] not in (1, 3):
        turned = " (its channels stand first)" if shape[1] in (1, 3) else ""
        raise ClassifierError(
            f"{where}: its input is {sides_text(shape)}{turned}, expected an image of 1 or 3 channels, the last axis; "
            f"spectrograms and other signals are not explained"
        )
    if min(shape[1:3]) <= 1:
        raise ClassifierError(
            f"{where}: its input is {sides_text(shape)}, one value high or wide: a signal, no image; "
            f"camlite explains classifiers of images"
        )


def _shape(tensor: Any) -> tuple[int, ...]:
    return tuple(tensor.get("shape", ()))
