"""See what one layer gives while its model runs whole, in Keras 3 and in Keras 2."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from typing import Any


@contextlib.contextmanager
def outputs_of(layer: Any) -> Iterator[list[Any]]:
    """While it lasts, what each call of a layer gives is added to the list; for one thread.

    Of the whole model's own run, so that features and scores belong together whatever the model does besides.

    Args:
        layer: a layer or operation of Keras 3, or a layer of tf_keras.
    """
    outputs: list[Any] = []
    before = vars(layer).get("call")
    call = layer.call

    def watched(*arguments: Any, **options: Any) -> Any:
        result = call(*arguments, **options)
        outputs.append(result)
        return result

    object.__setattr__(layer, "call", watched)  # past what Keras does with attributes of a layer
    try:
        yield outputs
    finally:
        if before is None:
            object.__delattr__(layer, "call")
        else:
            object.__setattr__(layer, "call", before)
