"""What can be told of any graph by who takes whose output: which outputs belong together, and what goes past a layer.

A graph is a list of operations here, whatever made it: Keras, TFLite or ONNX.
"""

from __future__ import annotations

from collections.abc import Collection, Hashable, Iterable, Mapping, Sequence
from typing import NamedTuple

# What hands its input on, in another shape or dtype.
PASSING = frozenset(
    {"RESHAPE", "SQUEEZE", "EXPAND_DIMS", "QUANTIZE", "DEQUANTIZE", "CAST"}
    | {"Reshape", "Squeeze", "Flatten", "Unsqueeze", "Identity", "Cast", "QuantizeLinear", "DequantizeLinear"}
)
PROBABILITIES = frozenset({"SOFTMAX", "Softmax", "LOGISTIC", "Sigmoid"})

# What says less than scores: which class is the best, the best few, or whether a score is large enough.
DECIDING = frozenset(
    {"ARG_MAX", "ARG_MIN", "TOPK_V2", "GREATER", "GREATER_EQUAL", "LESS", "LESS_EQUAL", "EQUAL", "NOT_EQUAL"}
    | {"ArgMax", "ArgMin", "TopK", "Greater", "GreaterOrEqual", "Less", "LessOrEqual", "Equal"}
    | {"ONE_HOT", "ROUND", "SIGN", "OneHot", "Hardmax", "Round", "Sign"}
)
_RESTATING = PASSING | PROBABILITIES | DECIDING | {"LOG_SOFTMAX", "LogSoftmax"}


class Operation(NamedTuple):
    """One operation.

    Attributes:
        name: as people know it; kind: as its format calls it.
        inputs, outputs: its tensors, by whatever its graph knows them by.
    """

    name: str
    kind: str
    inputs: Sequence[Hashable]
    outputs: Sequence[Hashable]


class Shortcut(NamedTuple):
    """Where scores depend on more than a layer.

    Attributes:
        join: the first operation, seen from the scores, that also takes what does not come from the layer.
        origin: the operation whose output that is; None where it is the image itself.
    """

    join: Operation
    origin: Operation | None


def makers_of(operations: Iterable[Operation]) -> dict[Hashable, Operation]:
    """The operation that gives each tensor."""
    return {output: one for one in operations for output in one.outputs}


def made_from(makers: Mapping[Hashable, Operation], key: Hashable) -> set[Hashable]:
    """All tensors that one is made of, itself among them."""
    found: set[Hashable] = set()
    waiting = [key]
    while waiting:
        one = waiting.pop()
        if one not in found:
            found.add(one)
            waiting += makers[one].inputs if one in makers else ()
    return found


def restated(makers: Mapping[Hashable, Operation], key: Hashable) -> Hashable:
    """What a tensor of scores states again: in front of activations, decisions and reshapes."""
    while (maker := makers.get(key)) is not None and maker.kind in _RESTATING and maker.inputs:
        key = maker.inputs[0]
    return key


def decision(makers: Mapping[Hashable, Operation], key: Hashable) -> Operation | None:
    """The operation that has made a decision of scores; None where a tensor is more than one."""
    while (maker := makers.get(key)) is not None and maker.kind in PASSING | DECIDING and maker.inputs:
        if maker.kind in DECIDING:
            return maker
        key = maker.inputs[0]
    return None


def are_of_one_classifier(makers: Mapping[Hashable, Operation], outputs: Collection[Hashable]) -> bool:
    """Whether all outputs follow from one of them, or state the same again, as logits and their softmax do."""
    roots = {key: restated(makers, key) for key in outputs}
    above = [made_from(makers, key) for key in outputs]
    if not makers.keys() >= set(roots.values()):
        return False  # the image, given again
    return any(
        roots[last] in of_it and set(roots.values()) <= of_it for last, of_it in zip(outputs, above, strict=True)
    )


def shortcut(operations: Sequence[Operation], image: Hashable, layer: Hashable, scores: Hashable) -> Shortcut | None:
    """What goes past a layer to the scores; None where all goes through it."""
    makers = makers_of(operations)
    of_image, of_layer = _made_of(operations, image), _made_of(operations, layer)
    waiting, seen = [scores], {layer}
    for key in waiting:  # which grows meanwhile: the nearest to the scores come first
        if key in seen or key not in makers:
            continue
        seen.add(key)
        maker = makers[key]
        past = [given for given in maker.inputs if given in of_image and given not in of_layer]
        if past and key in of_layer:
            return Shortcut(maker, makers.get(past[0]))
        waiting += maker.inputs
    return None


def _made_of(operations: Iterable[Operation], key: Hashable) -> set[Hashable]:
    """All tensors that are made of one, itself among them."""
    takers: dict[Hashable, list[Operation]] = {}
    for one in operations:
        for given in one.inputs:
            takers.setdefault(given, []).append(one)
    found, waiting = {key}, [key]
    while waiting:
        new = {output for one in takers.get(waiting.pop(), ()) for output in one.outputs} - found
        found |= new
        waiting += new
    return found


def not_alone_text(layer: str, past: Shortcut | None) -> str:
    """That the scores do not follow from a layer only, for people; what goes past it, where that is known."""
    told = f"the scores do not follow from layer {layer!r} alone"
    if past is None:
        return f"{told}; choose a later layer"
    return f"{told}: {shortcut_text(past)}; choose {past.join.name!r} or a later layer"


def shortcut_text(found: Shortcut) -> str:
    """For people."""
    join, origin = found
    other = "the image itself" if origin is None else f"the output of {origin.name!r} ({origin.kind})"
    return f"{join.name!r} ({join.kind}) also takes {other}, which has not passed it"
