"""Every workaround for somebody else's bug or gap, each with the version that ends it."""

from __future__ import annotations

import contextlib
import os
import sys
import tempfile
from collections.abc import Callable, Iterator
from typing import Any


def is_graph_of_layers(model: Any) -> bool:
    """Whether a Keras 3 model can be walked: a functional model, or a Sequential that is built.

    Keras 3.15 does not export its class Functional. Ends when Keras makes the walk public.
    """
    return getattr(model, "_functional", None) is not None or hasattr(model, "_run_through_graph")


def run_through_graph(model: Any, inputs: Any, visit: Callable[..., Any]) -> Any:
    """Call `visit(operation, *arguments, **options)` in place of each operation of a Keras 3 model.

    Keras 3.15 has no public way to walk a model's graph: `clone_model(call_function=...)` wants fresh inputs, so
    it cannot walk a model that stands inside another. Ends when Keras makes the walk public.
    """
    functional = getattr(model, "_functional", None) or model
    return functional._run_through_graph(inputs, operation_fn=lambda operation: operation, call_fn=visit)


def loadable_by_tflite_runtime(converter: Any) -> None:
    """Quantize the weights of Dense layers per tensor, not per channel.

    TF 2.21 otherwise writes FULLY_CONNECTED version 12, which tflite-runtime 2.14, the last one, refuses. Ends
    when tflite-runtime is no longer a backend.
    """
    converter._experimental_disable_per_channel_quantization_for_dense_layers = True


@contextlib.contextmanager
def silent_native_code() -> Iterator[None]:
    """Hold back what TensorFlow's C++ writes to standard error; show it where the body fails.

    TF 2.21 logs its import and each conversion there whatever the log level. Ends when TF_CPP_MIN_LOG_LEVEL
    silences it.
    """
    sys.stderr.flush()
    kept = os.dup(2)
    with tempfile.TemporaryFile() as held_back:
        os.dup2(held_back.fileno(), 2)
        try:
            yield
        except BaseException:
            sys.stderr.flush()
            os.dup2(kept, 2)
            held_back.seek(0)
            os.write(2, held_back.read())
            raise
        finally:
            sys.stderr.flush()
            os.dup2(kept, 2)
            os.close(kept)
