"""Whether a graph has attention, as transformers have: told by who takes whose output, before anything else is known.

What makes a transformer hard to read (paddings and shapes that are computed, windows, operators without a rule) is
seen long before its maps are. Nobody should be told to export it again: what follows is that it is a transformer.
"""

from __future__ import annotations

from collections.abc import Hashable, Iterable, Mapping

from camlite_export.sources.operations import Operation, makers_of

_PRODUCTS = frozenset({"MatMul", "Einsum", "BATCH_MATMUL"})
_LEARNED = frozenset({"Conv", "Gemm", "CONV_2D", "DEPTHWISE_CONV_2D", "FULLY_CONNECTED"})
_SHARES = frozenset({"Softmax", "SOFTMAX"})
_OF_SHAPES = frozenset({"Shape", "Size", "SHAPE", "RANK"})


def find(operations: Iterable[Operation], image: Hashable) -> str | None:
    """The name of the first product of shares, made by a softmax of the image, with something else of the image.

    Args:
        operations: in an order in which they can run.
        image: the tensor that the image goes into.
    """
    known = list(operations)
    makers, of_image = makers_of(known), {image}
    for one in known:
        given = [key for key in one.inputs if key in of_image]
        if not given or one.kind in _OF_SHAPES:
            continue
        of_image.update(key for key in one.outputs if key)
        if one.kind in _PRODUCTS and len(given) > 1 and any(_are_shares(makers, key) for key in given):
            return one.name
    return None


def remedy(name: str) -> str:
    """For whoever gives a transformer: the end of a line."""
    return (
        f"it has attention ({name!r}), which mixes its places, as transformers have: give a convolutional classifier, "
        f"which is what camlite explains"
    )


def _are_shares(makers: Mapping[Hashable, Operation], key: Hashable) -> bool:
    """Whether a tensor is the output of a softmax, perhaps masked, cast or in another shape."""
    seen: set[Hashable] = set()
    waiting = [key]
    while waiting:
        one = waiting.pop()
        maker = makers.get(one)
        if one in seen or maker is None or maker.kind in _PRODUCTS | _LEARNED:
            continue
        if maker.kind in _SHARES:
            return True
        seen.add(one)
        waiting += maker.inputs
    return False
