"""ONNX's own metadata in an artifact's model: what Netron shows, and what Windows ML and ML.NET read.

The keys ``Image.*`` are ONNX's (docs/MetadataProps.md of onnx/onnx). Its denotation ``IMAGE`` is for (N, C, H, W),
which no converted classifier has. There is no key for labels there; ``names`` is the one that Ultralytics writes and
that other programs know: a mapping from number to name, which Python, YAML and people can read.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

import numpy as np

from camlite.artifact.card import Preprocessing
from camlite_export.targets.description import AUTHOR, Description, output_text

KEYS = ("Image.BitmapPixelFormat", "Image.ColorSpaceGamma", "Image.NominalPixelRange", "names")

_FORMATS = {"grey": "Gray8", "rgb": "Rgb8", "bgr": "Bgr8"}
# What pixels of 0 and 255 become -> its name in ONNX.
_RANGES = {(0.0, 255.0): "NominalRange_0_255", (0.0, 1.0): "Normalized_0_1", (-1.0, 1.0): "Normalized_1_1"}


def described(model: bytes, description: Description) -> bytes:
    """The same model with metadata; those that it had are kept, except `KEYS`.

    Args:
        model: a ModelProto whose graph has one input besides its constants, and camlite's names at its ends.
    """
    import onnx

    proto = onnx.ModelProto.FromString(model)
    proto.producer_name, proto.producer_version = AUTHOR, description.version
    proto.doc_string = f"{description.name}. {description.text}\n{description.pixels_text}"
    said = properties(description)
    kept = [one for one in proto.metadata_props if one.key not in KEYS]
    del proto.metadata_props[:]
    proto.metadata_props.extend(kept)
    for key, value in said.items():
        proto.metadata_props.add(key=key, value=value)
    _describe_ends(proto.graph, description)
    written: bytes = proto.SerializeToString(deterministic=True)
    return written


def properties(description: Description) -> Mapping[str, str]:
    """What ``metadata_props`` are to say. The range is left out where ONNX has no name for it."""
    pixels = description.preprocessing
    names = ", ".join(f"{k}: {json.dumps(label, ensure_ascii=False)}" for k, label in enumerate(description.labels))
    said = {
        "Image.BitmapPixelFormat": _FORMATS["grey" if pixels.channels == 1 else pixels.order],
        "Image.ColorSpaceGamma": "SRGB",
        "names": f"{{{names}}}",
    }
    named = _range(pixels)
    return said if named is None else {**said, "Image.NominalPixelRange": named}


def _range(pixels: Preprocessing) -> str | None:
    for (low, high), name in _RANGES.items():
        ends = [(offset, 255 * scale + offset) for scale, offset in zip(pixels.scale, pixels.offset, strict=True)]
        if np.allclose(ends, (low, high), rtol=1e-6, atol=1e-6):
            return name
    return None


def _describe_ends(graph: Any, description: Description) -> None:
    """A sentence for each end."""
    constants = {one.name for one in graph.initializer}
    (image,) = (one for one in graph.input if one.name not in constants)
    image.doc_string = description.pixels_text
    for output in graph.output:
        output.doc_string = output_text(output.name, description)
