"""What pixels a classifier may have been trained on: the conventions with a name, and others that only warn."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from camlite.artifact.card import ChannelOrder, Fit, Preprocessing
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
CENTRED = "-0.5..0.5"
OWN = "the pictures' own mean 0 and deviation 1"
FITTED = "a range of its own"

_BLACK, _GREY, _WHITE = (0, 0, 0), (128, 128, 128), (255, 255, 255)
COLOURS = np.array([_BLACK, _GREY, _WHITE, (255, 0, 0), (0, 255, 0), (0, 0, 255)], np.uint8)


def usual(image_shape: tuple[int, int, int], fit: Fit = "stretch") -> dict[str, Preprocessing]:
    """The conventions that fit an input, in their usual order of channels; ImageNet's are of colours."""
    names = [name for name, one in NAMED.items() if len(one.mean) in (1, image_shape[2])]
    return {name: preprocessing(image_shape, name, fit=fit) for name in names}


def named(
    image_shape: tuple[int, int, int], fit: Fit = "stretch", order: ChannelOrder | None = None
) -> dict[str, Preprocessing]:
    """The same, then those in the other order, as ``unit bgr``; or all in one order.

    Raises:
        ClassifierError: one channel has no order.
    """
    first = usual(image_shape, fit)
    others: dict[str, Preprocessing] = {}
    if image_shape[2] == 3:
        for name in first:
            other: ChannelOrder = "rgb" if first[name].order == "bgr" else "bgr"
            others[f"{name} {other}"] = preprocessing(image_shape, name, fit=fit, order=other)
    elif order:
        preprocessing(image_shape, order=order)
    both = {**first, **others}
    return both if order is None else {name: one for name, one in both.items() if one.order == order}


def convention(name: str) -> str:
    """The range, ``unit``, of a candidate in whatever order, ``unit bgr``."""
    return name.split()[0]


def in_any_order(conventions: Collection[str], targets: Iterable[str]) -> frozenset[str]:
    """The candidates whose range is one of these."""
    return frozenset(name for name in targets if convention(name) in conventions)


def shown(name: str) -> str:
    """A candidate, as a reader knows it."""
    if name in SHOWN or convention(name) not in SHOWN:
        return SHOWN.get(name, name)
    return f"{SHOWN[convention(name)].removesuffix(', BGR')}, {name.split()[1].upper()}"


def option(name: str, target: Preprocessing) -> str:
    """What a user says for it."""
    if convention(name) in NAMED:
        return f"--preprocess {name.replace(' ', ' --order ')}"
    deviations = [1 / scale for scale in target.scale]
    means = [0.0 - offset * std for offset, std in zip(target.offset, deviations, strict=True)]
    texts = [",".join(dict.fromkeys(f"{one:.4g}" for one in numbers)) for numbers in (means, deviations)]
    if any("," in text for text in texts):
        texts = [",".join(f"{one:.4g}" for one in numbers) for numbers in (means, deviations)]
    order = " --order bgr" if target.order == "bgr" else ""
    return f"--mean {texts[0]} --std {texts[1]}{order}"


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
    return {
        CENTRED: preprocessing(image_shape, mean=[127.5], std=[255.0], fit=fit),
        OWN: preprocessing(image_shape, mean=mean.tolist(), std=deviation.tolist(), fit=fit, measured=True),
    }


def plain_colours(target: Preprocessing) -> Floats:
    """A picture of each of `COLOURS`, prepared: float32 (6, height, width, channels)."""
    return np.stack([prepare(np.broadcast_to(colour, (2, 2, 3)), target) for colour in COLOURS])


def noise(target: Preprocessing) -> Floats:
    """Pictures of random colours, prepared: float32 (6, height, width, channels)."""
    pictures = np.random.default_rng(0).integers(0, 256, (6, 8, 8, 3), np.uint8)
    return np.stack([prepare(picture, target) for picture in pictures])
