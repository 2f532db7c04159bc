"""From pixels to the input of the classifier. Pure numpy."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from camlite.artifact.card import Preprocessing
from camlite.backends.interpreter import Tensor
from camlite.errors import ImageError
from camlite.maps.resize import taps

Pixels = NDArray[np.uint8]

_UINT8 = np.dtype(np.uint8)
_CHANNELS = (1, 3, 4)
_HALF_A_STEP = 0.501  # float32 falls to either side of a half

# ITU-R BT.601 luma, as Pillow and most training pipelines turn colour to grey.
LUMA = np.array([0.299, 0.587, 0.114], np.float32)


def check(image: NDArray[Any]) -> Pixels:
    """Return the image as uint8 (H, W, channels) with 1 or 3 channels; an alpha channel is dropped.

    Raises:
        ImageError: another dtype, rank or number of channels, or no pixels.
    """
    if image.dtype != _UINT8:
        raise ImageError(f"image: dtype {image.dtype}, expected uint8 pixels 0..255; convert it first")
    pixels = image[..., np.newaxis] if image.ndim == 2 else image
    if pixels.ndim != 3 or pixels.shape[2] not in _CHANNELS:
        raise ImageError(f"image: shape {image.shape}, expected (H, W) or (H, W, channels) with 1, 3 or 4 channels")
    if not pixels.size:
        raise ImageError(f"image: shape {image.shape} holds no pixels")
    return pixels[..., :3] if pixels.shape[2] == 4 else pixels


def window(height: int, width: int, target: Preprocessing) -> tuple[slice, slice]:
    """The rows and columns of an image (height, width) that the classifier sees."""
    if target.fit == "stretch":
        return slice(0, height), slice(0, width)
    rows = min(height, max(1, round(width * target.height / target.width)))
    columns = min(width, max(1, round(height * target.width / target.height)))
    top, left = (height - rows) // 2, (width - columns) // 2
    return slice(top, top + rows), slice(left, left + columns)


def prepare(image: Pixels, target: Preprocessing) -> NDArray[np.float32]:
    """The classifier's input for a checked image: float32 (height, width, channels)."""
    rows, columns = window(image.shape[0], image.shape[1], target)
    pixels = _resize(image[rows, columns], target.height, target.width)
    if target.channels == 1 and pixels.shape[2] == 3:
        pixels = (pixels @ LUMA)[..., np.newaxis]
    elif target.channels == 3 and pixels.shape[2] == 1:
        pixels = np.repeat(pixels, 3, axis=2)
    if target.order == "bgr":
        pixels = pixels[..., ::-1]
    return np.asarray(pixels * np.array(target.scale, np.float32) + np.array(target.offset, np.float32))


class Preparation:
    """`prepare`, written straight into the memory of an interpreter's input.

    An image of the input's own size and channels takes a short way, with the same numbers as the long one, but for
    pixels that lie half-way between two steps of the input, as all do of -1..1: their own numbers are as near as any.
    """

    def __init__(self, target: Preprocessing, tensor: Tensor, memory: NDArray[Any]) -> None:
        self._target, self._tensor, self._memory = target, tensor, memory
        self._shape = (target.height, target.width, target.channels)
        scale, offset = np.array(target.scale, np.float32), np.array(target.offset, np.float32)
        pixels = np.arange(256, dtype=np.float32)[:, np.newaxis]
        self._tables = np.ascontiguousarray(tensor.quantize(pixels * scale + offset).T)
        # A model whose channels come first is written to in its own order: numpy loops over its memory as it lies,
        # which is 24 times as fast as over a view of it.
        channels_first = not memory.flags.c_contiguous
        self._own = memory.transpose(2, 0, 1) if channels_first else memory
        arranged = _column if channels_first else _row
        self._scale = arranged(scale, target.width)
        self._offset = arranged(offset, target.width) if offset.any() else None
        self._short = None
        steps = (pixels * scale + offset) / (tensor.scale or 1) + tensor.zero_point
        own = tensor.dtype == _UINT8 and bool((np.abs(steps - pixels) <= _HALF_A_STEP).all())
        if target.channels == 1 or target.order == "rgb":
            alike = bool((self._tables == self._tables[0]).all())
            look_up = self._look_up if alike and not channels_first else self._look_up_each
            multiply = self._multiply_channels_first if channels_first else self._multiply
            self._short = multiply if tensor.dtype.kind == "f" else self._copy if own else look_up

    def __call__(self, pixels: NDArray[np.uint8]) -> Pixels:
        """Check and prepare an image; returns a copy of it, since a camera overwrites its buffer.

        Raises:
            ImageError: see `check`.
        """
        copied = pixels.copy() if type(pixels) is np.ndarray else np.array(pixels)
        if copied.shape == self._shape and copied.dtype == _UINT8 and self._short:
            self._short(copied)
            return copied
        checked = check(copied)
        if checked.shape == self._shape and self._short:  # it was grey without an axis for it, or had an alpha channel
            self._short(checked)
        else:
            self._memory[...] = self._tensor.quantize(prepare(checked, self._target))
        return checked

    def _copy(self, pixels: Pixels) -> None:
        self._memory[...] = pixels

    def _multiply(self, pixels: Pixels) -> None:
        self._memory[...] = pixels  # first: numpy multiplies mixed types three times as slowly
        np.multiply(self._memory, self._scale, self._memory)
        if self._offset is not None:
            np.add(self._memory, self._offset, self._memory)

    def _multiply_channels_first(self, pixels: Pixels) -> None:
        self._own[...] = pixels.transpose(2, 0, 1)
        np.multiply(self._own, self._scale, self._own)
        if self._offset is not None:
            np.add(self._own, self._offset, self._own)

    def _look_up(self, pixels: Pixels) -> None:
        self._tables[0].take(pixels, out=self._memory, mode="clip")  # "raise" would be buffered

    def _look_up_each(self, pixels: Pixels) -> None:
        for channel, table in enumerate(self._tables):
            self._memory[..., channel] = table.take(pixels[..., channel], mode="clip")


def _row(numbers: NDArray[np.float32], width: int) -> NDArray[np.float32]:
    """One number a channel, as an array that numpy loops over fast: a single number, or a row of the image."""
    return numbers[0].reshape(()) if (numbers == numbers[0]).all() else np.tile(numbers, (width, 1))


def _column(numbers: NDArray[np.float32], _: int) -> NDArray[np.float32]:
    """The same where channels come first: a single number, or one plane's each."""
    return numbers[0].reshape(()) if (numbers == numbers[0]).all() else numbers[:, np.newaxis, np.newaxis]


def _resize(pixels: Pixels, height: int, width: int) -> NDArray[np.float32]:
    """Bilinear, as `tf.image.resize`: float32 (height, width, channels), not rounded.

    Only the rows and columns that count are looked at, which are few of a camera's frame.
    """
    above, below, down = taps(pixels.shape[0], height)
    left, right, across = taps(pixels.shape[1], width)
    rows = np.concatenate([above, below])
    columns = np.concatenate([left, right])
    found = pixels[rows[:, np.newaxis], columns].astype(np.float32)
    lines = _between(found[:height], found[height:], down[:, np.newaxis, np.newaxis])
    return _between(lines[:, :width], lines[:, width:], across[:, np.newaxis])


def _between(
    first: NDArray[np.float32], second: NDArray[np.float32], share: NDArray[np.float32]
) -> NDArray[np.float32]:
    return np.asarray(first * (1 - share) + second * share)
