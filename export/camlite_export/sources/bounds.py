"""How much memory and work one image may ask of a classifier; by the shapes of its layers, before anything computes."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any

from camlite.errors import ClassifierError
from camlite.texts import printable
from camlite_export import workarounds

if TYPE_CHECKING:
    import keras

# 1024 x 1024 x 64. The largest map in keras.applications at its own size has 300 x 300 x 192 (EfficientNetB7).
_MOST_NUMBERS = 1 << 26
# Multiplications. ConvNeXtXLarge at 384 x 384 has 1.8e11.
_MOST_WORK = 1 << 40
_WORK_A_STEP = 1 << 20  # of a recurrent layer, whose steps wait for each other


def check(where: str, operation: Any, shapes: Iterable[tuple[int | None, ...]]) -> int:
    """How many multiplications an operation needs for one image, about.

    Args:
        where: the classifier, for messages.
        operation: a layer or an operation of Keras 3.
        shapes: of its outputs; an axis of no fixed size, such as the batch, counts as 1.

    Raises:
        ClassifierError: one of its outputs, or what it makes on the way, is larger than any classifier needs.
    """
    parameters = sum(math.prod(weight.shape) for weight in getattr(operation, "weights", ()))
    work = 0
    for shape in shapes:
        numbers = math.prod(side or 1 for side in shape)
        places = numbers // (shape[-1] or 1) if len(shape) > 1 else numbers
        memory = max(numbers, places**2 if "Attention" in type(operation).__name__ else 0)
        if memory > _MOST_NUMBERS:
            raise ClassifierError(
                f"{where}: layer {printable(operation.name)!r} makes {memory} numbers of one image, "
                f"{_MOST_NUMBERS} at the most; give smaller images, or build the classifier with smaller layers"
            )
        work += places * parameters + numbers * _window(operation)
        if hasattr(operation, "return_sequences"):
            work += max(side or 1 for side in operation.input.shape) * (parameters + _WORK_A_STEP)
    return work


def check_image(where: str, shape: Sequence[int]) -> None:
    """Raise `ClassifierError` for an image (height, width, channels) larger than any classifier's."""
    if math.prod(shape) > _MOST_NUMBERS:
        sides = " x ".join(map(str, shape))
        raise ClassifierError(
            f"{where}: an image has {sides} numbers, {_MOST_NUMBERS} at the most; give smaller images"
        )


def check_graph(where: str, classifier: keras.Model, shape: Sequence[int]) -> None:
    """Send a symbolic image of this shape through a model without models inside it.

    Raises:
        ClassifierError: see `check` and `refuse_work`.
    """
    import keras

    check_image(where, shape)
    work = 0

    def visit(operation: Any, *arguments: Any, **options: Any) -> Any:
        nonlocal work
        result = operation.compute_output_spec(*arguments, **options)  # leaves no trace in the model
        work += check(where, operation, [tuple(tensor.shape) for tensor in keras.tree.flatten(result)])
        refuse_work(where, work)
        return result

    workarounds.run_through_graph(classifier, keras.Input(tuple(shape)), visit)


def refuse_work(where: str, work: int) -> None:
    """Raise `ClassifierError` where one image needs more multiplications than a workstation does in a minute."""
    if work > _MOST_WORK:
        raise ClassifierError(
            f"{where}: one image needs {work:.1e} multiplications, {_MOST_WORK:.1e} at the most; "
            f"give smaller images, or build the classifier with smaller layers"
        )


def _window(operation: Any) -> int:
    size = getattr(operation, "pool_size", 1)
    return math.prod(size) if isinstance(size, (tuple, list)) else int(size or 1)
