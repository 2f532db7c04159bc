"""The two-output model as a SavedModel: what every TFLite conversion starts from."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from pathlib import Path

from camlite.system import files
from camlite_export.cutting.forward import Forward
from camlite_export.cutting.halves import Halves


@contextlib.contextmanager
def saved_model(halves: Halves, function: Forward) -> Iterator[Path]:
    """Write a SavedModel with one signature of batch size 1 to a temporary folder.

    Args:
        halves: whose weights they are.
        function: what it computes.

    `keras.export.ExportArchive` tracks the weights; `tf.saved_model.save` of a plain function would lose them.
    """
    import keras
    import tensorflow as tf

    archive = keras.export.ExportArchive()
    archive.track(halves.model)
    archive.track(halves.head)
    archive.add_endpoint(
        "serving_default",
        function,
        input_signature=[tf.TensorSpec((1, *halves.image_shape), tf.float32, name="image")],
    )
    with files.scratch() as folder:
        archive.write_out(str(folder), verbose=False)
        yield folder
