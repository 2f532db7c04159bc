"""What pixels a classifier may have been trained on: the conventions with a name, and others that only warn."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from camlite.artifact.card import Fit, Preprocessing
from camlite.images.preprocessing import prepare
from camlite_export.sources.pixel_conventions import NAMED, preprocessing

Pixels = NDArray[np.uint8]
Floats = NDArray[np.float32]

# As the options have them, and as a reader knows them.
SHOWN: Mapping[str, str] = {
    "unit": "0..1",
    "signed": "-1..1",
    "imagenet": "ImageNet's mean 0 and deviation 1",
    "caffe": "ImageNet's mean 0, BGR",
    "raw": "0..255",
}

# Where these fit better than all that have a name, none of those is right.
_DECOYS = ("-0.5..0.5", "0..1, BGR", "-1..1, BGR", "0..255, BGR", "the pictures' own mean 0 and deviation 1")

_BLACK, _GREY, _WHITE = (0, 0, 0), (128, 128, 128), (255, 255, 255)
COLOURS = np.array([_BLACK, _GREY, _WHITE, (255, 0, 0), (0, 255, 0), (0, 0, 255)], np.uint8)


def named(image_shape: tuple[int, int, int], fit: Fit = "stretch") -> dict[str, Preprocessing]:
    """The conventions that fit an input; ImageNet's are of colours."""
    names = [name for name, one in NAMED.items() if len(one.mean) in (1, image_shape[2])]
    return {name: preprocessing(image_shape, name, fit=fit) for name in names}


def resized(pictures: Sequence[Pixels], image_shape: tuple[int, int, int], fit: Fit = "stretch") -> Floats:
    """Pictures at the size and with the channels of the input, RGB, 0..255: float32 (N, height, width, channels).

    That is the slow part, and the same under every convention; `scaled` does the rest.
    """
    raw = preprocessing(image_shape, "raw", fit=fit)
    return np.stack([prepare(picture, raw) for picture in pictures])


def scaled(raw: Floats, target: Preprocessing) -> Floats:
    """The classifier's inputs under one convention, of what `resized` gives."""
    ordered = raw[..., ::-1] if target.order == "bgr" else raw
    return np.asarray(ordered * np.array(target.scale, np.float32) + np.array(target.offset, np.float32))


def decoys(image_shape: tuple[int, int, int], fit: Fit, raw: Floats) -> dict[str, Preprocessing]:
    """Conventions without a name of ours, so that what was trained on one of them is not taken for its neighbour."""
    values = raw.reshape(-1, image_shape[2])
    mean, deviation = values.mean(axis=0), np.maximum(values.std(axis=0), 1.0)
    own = preprocessing(image_shape, mean=mean.tolist(), std=deviation.tolist(), fit=fit)
    centred = preprocessing(image_shape, mean=[127.5], std=[255.0], fit=fit)
    if image_shape[2] == 1:
        return {_DECOYS[0]: centred, _DECOYS[4]: own}
    reversed_ = [preprocessing(image_shape, name, fit=fit)._replace(order="bgr") for name in ("unit", "signed", "raw")]
    return dict(zip(_DECOYS, (centred, *reversed_, own), strict=True))


def plain_colours(target: Preprocessing) -> Floats:
    """A picture of each of `COLOURS`, prepared: float32 (6, height, width, channels)."""
    return np.stack([prepare(np.broadcast_to(colour, (2, 2, 3)), target) for colour in COLOURS])


def noise(target: Preprocessing) -> Floats:
    """Pictures of random colours, prepared: float32 (6, height, width, channels)."""
    pictures = np.random.default_rng(0).integers(0, 256, (6, 8, 8, 3), np.uint8)
    return np.stack([prepare(picture, target) for picture in pictures])
