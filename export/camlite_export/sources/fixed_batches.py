"""Classifiers that take a certain number of images at once: asked by so many, and set free to be cut.

``keras.Input(shape, batch_size=1)`` and ``ops.reshape(x, (1, -1))`` are what people write for a device.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np

from camlite.errors import ClassifierError
from camlite.texts import printable
from camlite_export import workarounds
from camlite_export.sources import keras_errors
from camlite_export.sources.source import Floats


def of(model: Any) -> int | None:
    """How many images a model of Keras 3 or tf_keras takes at once; None where it takes any number."""
    import keras

    batch = model.inputs[0].shape[0] or keras.tree.flatten(model.outputs)[0].shape[0]
    return None if batch is None else int(batch)


def split(images: Floats, size: int) -> Iterator[tuple[Floats, int]]:
    """Images in batches of one size, the last one filled up by repeating; and how many of each count."""
    for start in range(0, len(images), size):
        batch = images[start : start + size]
        missing = size - len(batch)
        yield (np.concatenate([batch, np.repeat(batch[-1:], missing, axis=0)]) if missing else batch), len(batch)


def scores(model: Any, images: Floats) -> Floats:
    """The only output of a model, of however it is wrapped, for all images."""
    import keras

    found = []
    for batch, count in split(images, of(model) or len(images)):
        (given,) = keras.tree.flatten(model(workarounds.in_structure(model, batch), training=False))
        found.append(np.asarray(given, np.float32)[:count])
    return np.concatenate(found)


def call(name: str, size: int | None, operation: Any, arguments: Sequence[Any], options: Mapping[str, Any]) -> Any:
    """Call an operation of Keras 3 with symbolic tensors of any batch; a reshape to `size` images is one to any.

    Args:
        name: of the classifier, for messages.

    Raises:
        ClassifierError: the operation cannot be called with any number of images.
    """
    try:
        if size is not None and type(operation).__name__ == "Reshape" and hasattr(operation, "newshape"):
            return reshape(arguments[0], operation.newshape, size)
        return operation(*arguments, **options)
    except ClassifierError:
        raise
    except Exception as error:  # layers raise anything on what they were not made for
        reason = keras_errors.one_line(error)
        raise ClassifierError(
            f"{name}: layer {printable(operation.name)!r} does not take {_batches(size)} ({reason}); {_REMEDY}"
        ) from None


def reshape(tensor: Any, shape: Sequence[int], size: int | None) -> Any:
    """A symbolic tensor of Keras 3 of any batch in another shape, in which `size` images are any number of them."""
    from keras import ops

    return ops.reshape(tensor, _any_batch(size, tuple(tensor.shape), tuple(shape)))


_REMEDY = "build it again without batch_size, with (-1, ...) for what it reshapes to, and set the same weights"


def refuse(name: str, result: Any) -> None:
    """Raise `ClassifierError` where symbolic scores are still of a certain number of images."""
    if result.shape[0] is not None:
        raise ClassifierError(f"{name}: answers {result.shape[0]} images at once and no other number; {_REMEDY}")


def _any_batch(size: int | None, before: tuple[int | None, ...], after: tuple[int, ...]) -> tuple[int, ...]:
    """The shape that a reshape is to give, with the batch open and its other sides known."""
    if size is None or before[0] is not None or not after or after[0] != size or None in before[1:]:
        return after
    known = math.prod(side for side in after[1:] if side != -1)
    numbers = math.prod(side for side in before[1:] if side is not None)
    return (-1, *(numbers // known if side == -1 else side for side in after[1:]))


def _batches(size: int | None) -> str:
    return "its input" if size is None else f"any other number of images than {size}"
