"""Artifacts with a guide, and such as have another than the one that was exported."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from camlite import artifact
from camlite.artifact.arrays import Arrays
from support.spec_vectors import FOLDER

ALL, TOP = FOLDER / "guided.float32.onnx", FOLDER / "guided_top.float32.onnx"
"""A guide of every class over the whole input; of the top class, over windows inside of the input."""

STRIPED = np.tile(np.arange(14) // 2 % 2 * 200, (10, 1)).astype(np.uint8)
"""Vertical stripes, as large as the input of `TOP`."""


def changed(original: Path, path: Path, factors: Sequence[float] = (), **arrays: Any) -> Path:
    """The same artifact with other arrays, or with its guide multiplied by each of some factors in turn."""
    read = artifact.read(original)
    model = _multiplied(read.model, factors) if factors else read.model
    card = read.card._replace(model_sha256=hashlib.sha256(model).hexdigest())
    path.write_bytes(artifact.pack(read.container, model, card, read.arrays._replace(**arrays)))
    return path


def guide_changed(arrays: Arrays, **fields: Any) -> dict[str, Any]:
    """For `changed`: other fields of the guide."""
    return {"maps": arrays.maps._replace(guide=arrays.guide._replace(**fields))}


def _multiplied(content: bytes, factors: Sequence[float]) -> bytes:
    import onnx
    from onnx import helper, numpy_helper

    model = onnx.load_from_string(content)
    (maker,) = (node for node in model.graph.node if "guide" in node.output)
    names = [f"guide times {index}" for index in range(len(factors))] + ["guide"]
    maker.output[:] = [names[0] if name == "guide" else name for name in maker.output]
    for index, factor in enumerate(factors):
        constant = numpy_helper.from_array(np.array(factor, np.float32), f"factor {index}")
        model.graph.initializer.append(constant)
        model.graph.node.append(helper.make_node("Mul", [names[index], constant.name], [names[index + 1]]))
    return bytes(model.SerializeToString())
