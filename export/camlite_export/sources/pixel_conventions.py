"""The usual ways to turn uint8 pixels into a classifier's input, by the names people know them by."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import NamedTuple

from camlite.artifact.card import ChannelOrder, Fit, Preprocessing
from camlite.errors import ClassifierError


class PixelsWarning(UserWarning):
    """Evidence speaks against the pixels that somebody said a classifier takes."""


class Named(NamedTuple):
    """``(pixel - mean) / std`` on pixels 0..255; one number for all channels, or one a channel in their order."""

    mean: Sequence[float]
    std: Sequence[float]
    order: ChannelOrder = "rgb"


# The `preprocess_input` of keras.applications calls signed "tf", imagenet "torch" and caffe "caffe".
NAMED: Mapping[str, Named] = {
    "unit": Named((0.0,), (255.0,)),
    "signed": Named((127.5,), (127.5,)),
    "imagenet": Named((123.675, 116.28, 103.53), (58.395, 57.12, 57.375)),
    "caffe": Named((103.939, 116.779, 123.68), (1.0,), "bgr"),
    "raw": Named((0.0,), (1.0,)),
}


def preprocessing(
    image_shape: tuple[int, int, int],
    name: str = "unit",
    mean: Sequence[float] | None = None,
    std: Sequence[float] | None = None,
    fit: Fit = "stretch",
    order: ChannelOrder | None = None,
    *,
    measured: bool = False,
) -> Preprocessing:
    """The preprocessing ``(pixel - mean) / std`` for an input (height, width, channels).

    Args:
        name: ``unit`` 0..1, ``signed`` -1..1, ``imagenet`` mean 0 and deviation 1 of ImageNet's channels,
            ``caffe`` their mean 0 in BGR, ``raw`` 0..255.
        mean, std: on 0..255, one number for all channels or one a channel, in the classifier's order; they replace the
            named ones. Both on 0..1, as PyTorch has them, are understood: deviations below 1 are none of 0..255.
        order: of the classifier's colour channels, ``rgb`` or ``bgr`` (as OpenCV reads pictures); by default the named
            one's. The named mean and deviation go with their colours.
        measured: mean and std were measured on 0..255, so that small ones are not taken for numbers on 0..1.

    Raises:
        ClassifierError: their count does not fit the channels, a deviation is not above 0, or one channel has an order.
    """
    height, width, channels = image_shape
    named = NAMED[name]
    if not measured:
        mean, std = _on_255(mean, std)
    if order == "bgr" and channels == 1:
        raise ClassifierError("preprocessing: order bgr, but the classifier's input has 1 channel; leave it out")
    turned = -1 if order not in (None, named.order) else 1
    means = _per_channel("mean", mean if mean is not None else named.mean[::turned], channels)
    stds = _per_channel("std", std if std is not None else named.std[::turned], channels)
    if not all(deviation > 0 for deviation in stds):
        raise ClassifierError(f"preprocessing: std is {min(stds):g}; expected a deviation of pixels, above 0")
    scale = tuple(1 / deviation for deviation in stds)
    offset = tuple(0.0 - centre / deviation for centre, deviation in zip(means, stds, strict=True))
    return Preprocessing(height, width, channels, scale, offset, fit, order or named.order)


def _on_255(
    mean: Sequence[float] | None, std: Sequence[float] | None
) -> tuple[Sequence[float] | None, Sequence[float] | None]:
    """Mean and deviation on 0..255, where they are given on 0..1.

    Raises:
        ClassifierError: it cannot be told on which they are; says them on both.
    """
    small_mean = mean is not None and all(0 <= one <= 1 for one in mean) and any(mean)
    small_std = std is not None and all(0 < one < 1 for one in std)
    if small_std and mean is not None and all(0 <= one <= 1 for one in mean):
        return [round(255 * one, 9) for one in mean], [round(255 * one, 9) for one in std or ()]
    if (small_mean and (std is None or all(one <= 1 for one in std))) or (small_std and mean is None):
        told = {"mean": mean, "std": std}
        given = " ".join(f"--{what} {_text(numbers)}" for what, numbers in told.items() if numbers is not None)
        meant = [f"--mean {_text([255 * one for one in mean or (0.0,)])}"]
        meant.append(f"--std {_text([255 * one for one in std or (1.0,)])}")
        raise ClassifierError(
            f"preprocessing: {given} looks like numbers on 0..1, and camlite's are on 0..255: "
            f"if they are on 0..1, give {' '.join(meant)}"
        )
    return mean, std


def _text(numbers: Sequence[float]) -> str:
    return ",".join(f"{one:.6g}" for one in numbers)


def _per_channel(what: str, numbers: Sequence[float], channels: int) -> tuple[float, ...]:
    if not all(map(math.isfinite, numbers)):
        raise ClassifierError(f"preprocessing: {what} {tuple(numbers)}; expected finite numbers, on 0..255")
    if len(numbers) not in (1, channels):
        raise ClassifierError(
            f"preprocessing: {len(numbers)} numbers for {what}, the classifier's input has {channels} "
            f"channel{'s' if channels > 1 else ''}; give {'1' if channels == 1 else f'1 or {channels}'}"
        )
    return tuple(map(float, numbers)) if len(numbers) == channels else (float(numbers[0]),) * channels
