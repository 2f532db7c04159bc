"""The usual ways to turn uint8 pixels into a classifier's input, by the names people know them by."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from camlite.card import Fit, Preprocessing
from camlite.errors import ClassifierError

_IMAGENET_MEAN = (123.675, 116.28, 103.53)
_IMAGENET_STD = (58.395, 57.12, 57.375)

# name -> mean and standard deviation on 0..255, for one channel or three
NAMED: Mapping[str, tuple[Sequence[float], Sequence[float]]] = {
    "unit": ((0.0,), (255.0,)),
    "signed": ((127.5,), (127.5,)),
    "imagenet": (_IMAGENET_MEAN, _IMAGENET_STD),
    "raw": ((0.0,), (1.0,)),
}


def preprocessing(
    image_shape: tuple[int, int, int],
    name: str = "unit",
    mean: Sequence[float] | None = None,
    std: Sequence[float] | None = None,
    fit: Fit = "stretch",
) -> Preprocessing:
    """The preprocessing ``(pixel - mean) / std`` for an input (height, width, channels).

    Args:
        name: ``unit`` 0..1, ``signed`` -1..1, ``imagenet`` its channels' mean 0 and deviation 1, ``raw`` 0..255.
        mean, std: on 0..255, one number for all channels or one a channel; they replace the named ones.

    Raises:
        ClassifierError: their count does not fit the channels, or a deviation is 0.
    """
    height, width, channels = image_shape
    named_mean, named_std = NAMED[name]
    means = _per_channel("mean", mean if mean is not None else named_mean, channels)
    stds = _per_channel("std", std if std is not None else named_std, channels)
    if 0 in stds:
        raise ClassifierError("preprocessing: std is 0; expected the standard deviation of the pixels, above 0")
    scale = tuple(1 / deviation for deviation in stds)
    offset = tuple(0.0 - centre / deviation for centre, deviation in zip(means, stds, strict=True))
    return Preprocessing(height, width, channels, scale, offset, fit)


def _per_channel(what: str, numbers: Sequence[float], channels: int) -> tuple[float, ...]:
    if len(numbers) not in (1, channels):
        raise ClassifierError(
            f"preprocessing: {len(numbers)} numbers for {what}, the classifier's input has {channels} "
            f"channel{'s' if channels > 1 else ''}; give 1 or {channels}"
        )
    return tuple(map(float, numbers)) if len(numbers) == channels else (float(numbers[0]),) * channels
